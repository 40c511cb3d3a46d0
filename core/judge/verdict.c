/* SPDX-License-Identifier: GPL-2.0-only */
#include "judge/verdict.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "judge/expect.h"
#include "judge/grounds.h"
#include "judge/reason.h"

/*
 * One rule: when it applies, what the outcome then is, and the sentence. Either applies() looks at
 * the run, or concerns() at one decision after the other; the first that it is true of is the one
 * that the sentence is about.
 */
struct rule {
	const char *name;
	bool (*applies)(const struct verdict *verdict);
	bool (*concerns)(const struct verdict *verdict, const struct decision *decision);
	uint32_t outcome;
	const char *text; /* the sentence, or else explain() makes it */
	void (*explain)(struct verdict *verdict, const struct decision *decision);
};

static bool clock_runs_away(const struct verdict *v)
{
	return !v->evidence.is_virtual && scx_clock_runs_away(&v->evidence.scx);
}

static bool wrong_plugins(const struct verdict *v)
{
	return v->evidence.hello_mismatch != NULL;
}

static bool scheduler_died(const struct verdict *v)
{
	return grounds_scheduler_died(v);
}

static bool scheduler_did_not_start(const struct verdict *v)
{
	return grounds_scheduler_did_not_start(v);
}

/* Then much does not come that else must: a scenario that ran, and what checkers look at. Where it
 * was not expected the run has failed before anything below is asked. */
static bool is_gone(const struct verdict *v)
{
	return scheduler_died(v) || scheduler_did_not_start(v);
}

static bool scenario_failed(const struct verdict *v)
{
	return v->evidence.has_result && v->evidence.result_outcome == KTSTR_OUTCOME_FAIL;
}

static bool checker_failed(const struct verdict *v, const struct decision *d)
{
	return grounds_checker_failed(v, d);
}

static bool cut_short(const struct verdict *v)
{
	return grounds_are_cut_short(v);
}

static bool record_torn(const struct verdict *v)
{
	return v->evidence.is_torn;
}

static bool record_open(const struct verdict *v)
{
	return !v->evidence.has_summary;
}

static bool record_not_sealed(const struct verdict *v)
{
	return !v->evidence.is_sealed;
}

static bool record_incomplete(const struct verdict *v)
{
	return v->evidence.frames_recorded != v->evidence.summary.frames_bucketed;
}

static bool interrupted(const struct verdict *v)
{
	return grounds_ended_by(v, COORD_END_INTERRUPTED);
}

static bool judging_interrupted(const struct verdict *v)
{
	return v->interrupted_by != 0;
}

static bool guest_panicked(const struct verdict *v)
{
	return grounds_ended_by(v, COORD_END_PANIC) || v->evidence.summary.is_panicked;
}

static bool agent_crashed(const struct verdict *v)
{
	return v->evidence.summary.is_crashed || grounds_ended_by(v, COORD_END_AGENT_CRASH);
}

static bool agent_error(const struct verdict *v)
{
	/* It says so once more in an ERROR frame that its scheduler did not start. */
	return v->evidence.has_error &&
	       (v->evidence.has_other_error || !scheduler_did_not_start(v));
}

/* Then what broke in the guest only follows from that. */
static bool overdue(const struct verdict *v)
{
	return v->evidence.is_overdue && (grounds_ended_by(v, COORD_END_BOOT_TIMEOUT) ||
					  grounds_ended_by(v, COORD_END_TEARDOWN_TIMEOUT));
}

static bool run_broke(const struct verdict *v)
{
	return !grounds_ended_by(v, COORD_END_STREAM) &&
	       !(grounds_ended_by(v, COORD_END_SCHED_EXIT) && v->evidence.sched_exit_text);
}

static bool no_end(const struct verdict *v)
{
	return !v->evidence.summary.has_end;
}

static bool end_mismatch(const struct verdict *v)
{
	return !v->evidence.summary.end_matches || !v->evidence.has_all_sent;
}

static bool frames_lost(const struct verdict *v)
{
	const char *text;

	for (size_t i = 0; i < GROUNDS_LOSSES; i++)
		if (grounds_loss(v, i, &text) > 0)
			return true;
	return v->evidence.summary.bytes_left > 0;
}

static bool frame_malformed(const struct verdict *v)
{
	return v->evidence.malformed != NULL;
}

static bool no_hello(const struct verdict *v)
{
	return v->evidence.hello_count == 0;
}

static bool no_result(const struct verdict *v)
{
	return !v->evidence.has_result && !scheduler_did_not_start(v);
}

static bool scenario_error(const struct verdict *v)
{
	const uint32_t outcome = v->evidence.result_outcome;

	return v->evidence.has_result && outcome != KTSTR_OUTCOME_PASS &&
	       outcome != KTSTR_OUTCOME_SKIP && outcome != KTSTR_OUTCOME_UNDECIDED &&
	       outcome != KTSTR_OUTCOME_FAIL;
}

static bool scheduler_not_up(const struct verdict *v)
{
	const uint32_t phase = v->evidence.summary.last_phase;

	return phase == KTSTR_PHASE_SCHEDULER_NOT_ATTACHED ||
	       (phase == KTSTR_PHASE_SCHEDULER_DIED && !scheduler_did_not_start(v));
}

/* A run that passed was held against this when its stream was read. */
static bool run_not_finished(const struct verdict *v)
{
	return is_gone(v) && v->evidence.unfinished;
}

static void explain_not_finished(struct verdict *v, const struct decision *d)
{
	(void)d;
	reason_add(v, "%s", v->evidence.unfinished);
}

static bool agent_failed(const struct verdict *v)
{
	const int32_t code = v->evidence.summary.exit_code;

	return (code > 0 || code < -1) && !(code == 1 && scheduler_did_not_start(v));
}

static bool no_checkers(const struct verdict *v)
{
	return v->decision_count == 0 && !(v->expect && expectation_judges(v->expect));
}

static bool checker_error(const struct verdict *v, const struct decision *d)
{
	(void)v;
	return d->outcome != KTSTR_OUTCOME_PASS && d->outcome != KTSTR_OUTCOME_SKIP &&
	       d->outcome != KTSTR_OUTCOME_UNDECIDED && d->outcome != KTSTR_OUTCOME_FAIL;
}

static bool scenario_skipped(const struct verdict *v)
{
	return v->evidence.result_outcome == KTSTR_OUTCOME_SKIP;
}

static bool scenario_undecided(const struct verdict *v)
{
	return v->evidence.result_outcome == KTSTR_OUTCOME_UNDECIDED;
}

static bool checker_undecided(const struct verdict *v, const struct decision *d)
{
	return (d->outcome == KTSTR_OUTCOME_UNDECIDED ||
		(d->outcome == KTSTR_OUTCOME_PASS && d->wanted == 0)) &&
	       !is_gone(v);
}

static bool all_skipped(const struct verdict *v)
{
	return v->decision_count > 0 && !is_gone(v) &&
	       grounds_count(v, KTSTR_OUTCOME_SKIP) == v->decision_count;
}

static bool all_passed(const struct verdict *v)
{
	const struct evidence *e = &v->evidence;
	size_t passed = 0;

	if (!grounds_are_whole(v) || !grounds_ended_by(v, COORD_END_STREAM) || !e->has_result ||
	    e->result_outcome != KTSTR_OUTCOME_PASS || e->hello_count == 0 || e->hello_mismatch ||
	    e->has_error || e->malformed || clock_runs_away(v))
		return false;
	for (size_t i = 0; i < v->decision_count; i++) {
		const struct decision *d = &v->decisions[i];

		if (d->outcome == KTSTR_OUTCOME_PASS && d->wanted > 0 && d->has_whole_evidence)
			passed++;
		else if (d->outcome != KTSTR_OUTCOME_SKIP)
			return false;
	}
	/* Without any it passes only to be held against what is expected. */
	return passed > 0 || (v->decision_count == 0 && !no_checkers(v));
}

static bool no_rule(const struct verdict *v)
{
	(void)v;
	return true;
}

#define PASS KTSTR_OUTCOME_PASS
#define SKIP KTSTR_OUTCOME_SKIP
#define UNDECIDED KTSTR_OUTCOME_UNDECIDED
#define FAIL KTSTR_OUTCOME_FAIL
#define ERROR KTSTR_OUTCOME_ERROR

#define RUN(NAME, OUTCOME, ...)                                                                    \
	{                                                                                          \
		.name = #NAME, .applies = NAME, .outcome = OUTCOME, __VA_ARGS__                    \
	}
#define CHECKER(NAME, OUTCOME, ...)                                                                \
	{                                                                                          \
		.name = #NAME, .concerns = NAME, .outcome = OUTCOME, __VA_ARGS__                   \
	}

/* The first that applies decides. */
static const struct rule rules[] = {
	/* What ran is not what was to be tested: nothing it did says anything. */
	RUN(wrong_plugins, ERROR, .explain = reason_wrong_plugins),
	RUN(clock_runs_away, ERROR, .explain = reason_clock_runs_away),
	/* A failure that was seen stays one, whatever broke after it. */
	RUN(scheduler_died, FAIL, .explain = reason_scheduler_died),
	RUN(scheduler_did_not_start, FAIL, .explain = reason_scheduler_did_not_start),
	RUN(scenario_failed, FAIL, .explain = reason_scenario_failed),
	RUN(interrupted, ERROR, .explain = reason_cut_short),
	CHECKER(checker_failed, FAIL, .explain = reason_checker_failed),
	RUN(judging_interrupted, ERROR, .explain = reason_judging_interrupted),
	/* The record. */
	RUN(record_torn, ERROR,
	    .text = "the run file is cut off or damaged: what follows its last whole record is "
		    "lost"),
	RUN(record_open, ERROR, .explain = reason_record_open),
	RUN(record_not_sealed, ERROR,
	    .text = "the run file goes on after its end: it is not as the coordinator left it"),
	RUN(record_incomplete, ERROR, .explain = reason_record_incomplete),
	/* The run, the most telling cause first. */
	/* The kernel panics too when its init dies: then that is the cause. */
	RUN(agent_crashed, ERROR, .explain = reason_agent_crashed),
	RUN(guest_panicked, ERROR, .explain = reason_guest_panicked),
	RUN(cut_short, ERROR, .explain = reason_cut_short),
	RUN(overdue, ERROR, .explain = reason_cut_short),
	RUN(agent_error, ERROR, .explain = reason_agent_error),
	RUN(run_broke, ERROR, .explain = reason_end),
	/* The stream. */
	RUN(no_end, ERROR, .text = "the guest never said that its stream is complete"),
	RUN(frames_lost, ERROR, .explain = reason_frames_lost),
	RUN(end_mismatch, ERROR,
	    .text = "what was recorded of the guest's stream is not what the guest says it sent"),
	RUN(frame_malformed, ERROR, .explain = reason_frame_malformed),
	RUN(no_hello, ERROR, .text = "the agent never said which plugins it loaded"),
	/* The scenario. */
	RUN(no_result, ERROR, .text = "the scenario never said how it ended"),
	RUN(scenario_error, ERROR, .explain = reason_scenario_error),
	RUN(scheduler_not_up, ERROR, .explain = reason_scheduler_not_up),
	RUN(run_not_finished, ERROR, .explain = explain_not_finished),
	RUN(agent_failed, ERROR, .explain = reason_agent_failed),
	/* The checkers. */
	RUN(no_checkers, ERROR,
	    .text = "no checker judged the run; name one with 'checkers:' in the scenario or "
		    "--checker"),
	CHECKER(checker_error, ERROR, .explain = reason_checker_error),
	RUN(scenario_skipped, SKIP, .explain = reason_scenario_skipped),
	RUN(scenario_undecided, UNDECIDED, .explain = reason_scenario_undecided),
	CHECKER(checker_undecided, UNDECIDED, .explain = reason_checker_undecided),
	RUN(all_skipped, SKIP, .explain = reason_all_skipped),
	RUN(all_passed, PASS, .text = ""),
	RUN(no_rule, ERROR, .text = "the run cannot be judged: no rule covers it"),
};

/* The decision that a rule is about; NULL: none, and none needed when the rule is about the run. */
static const struct decision *find_concerned(const struct verdict *verdict, const struct rule *rule)
{
	for (size_t i = 0; rule->concerns && i < verdict->decision_count; i++)
		if (rule->concerns(verdict, &verdict->decisions[i]))
			return &verdict->decisions[i];
	return NULL;
}

static bool rule_applies(const struct verdict *verdict, const struct rule *rule,
			 const struct decision **ret_decision)
{
	*ret_decision = find_concerned(verdict, rule);
	return rule->applies ? rule->applies(verdict) : *ret_decision != NULL;
}

static void explain(struct verdict *verdict, const struct rule *rule,
		    const struct decision *decision)
{
	verdict->outcome = rule->outcome;
	verdict->rule = rule->name;
	if (rule->text)
		reason_add(verdict, "%s", rule->text);
	else
		rule->explain(verdict, decision);
}

static void fold(struct verdict *verdict)
{
	const struct decision *decision;
	const struct rule *rule = rules;

	/* The last one always applies. */
	while (!rule_applies(verdict, rule, &decision))
		rule++;
	verdict->reason[0] = '\0';
	explain(verdict, rule, decision);
}

/* The rule that keeps a failure from being the one that was expected; NULL: there is none. */
static const struct rule *find_obstacle(const struct verdict *verdict,
					const struct decision **ret_decision)
{
	for (const struct rule *rule = rules; rule->applies != no_rule; rule++)
		if (rule->outcome != FAIL && rule->outcome != PASS &&
		    rule_applies(verdict, rule, ret_decision))
			return rule;
	return NULL;
}

/* Not "no obstacle was found": everything that such a PASS needs, once more and by itself. */
static bool all_as_expected(const struct verdict *v)
{
	const struct evidence *e = &v->evidence;

	if (!grounds_are_whole(v) || run_broke(v) || e->hello_count == 0 || e->hello_mismatch ||
	    e->malformed || e->has_other_error || e->summary.is_panicked || e->summary.is_crashed ||
	    v->interrupted_by != 0 || no_checkers(v))
		return false;
	if (e->has_result ? e->result_outcome != PASS && e->result_outcome != FAIL
			  : !scheduler_did_not_start(v))
		return false;
	for (size_t i = 0; i < v->decision_count; i++) {
		const struct decision *d = &v->decisions[i];

		if (d->outcome != SKIP && d->outcome != FAIL && !is_gone(v) &&
		    (d->outcome != PASS || d->wanted == 0 || !d->has_whole_evidence))
			return false;
		if (d->outcome == KTSTR_OUTCOME_NONE || d->outcome > FAIL)
			return false;
	}
	return true;
}

static void fold_other_failure(struct verdict *verdict, const char *difference)
{
	char natural[sizeof(verdict->reason)];

	(void)str_copy(natural, sizeof(natural), verdict->reason);
	verdict->outcome = FAIL;
	verdict->rule = "not_as_expected";
	verdict->reason[0] = '\0';
	reason_add(verdict, "expected ");
	expect_describe(verdict, verdict->reason, sizeof(verdict->reason));
	reason_add(verdict, ", but %s", difference);
	if (natural[0] && !strstr(natural, difference) && !strstr(difference, natural))
		reason_add(verdict, "; %s", natural);
}

static void fold_expected_failure(struct verdict *verdict)
{
	const struct decision *decision;
	const struct rule *obstacle = find_obstacle(verdict, &decision);

	verdict->reason[0] = '\0';
	if (obstacle || !all_as_expected(verdict)) {
		reason_add(verdict, "it failed as expected, but ");
		explain(verdict, obstacle ? obstacle : &rules[ARRAY_SIZE(rules) - 1], decision);
		return;
	}
	verdict->outcome = PASS;
	verdict->rule = "failed_as_expected";
	reason_add(verdict, "failed as expected: ");
	expect_tell(verdict, verdict->reason, sizeof(verdict->reason));
}

void verdict_fold(struct verdict *verdict)
{
	char difference[sizeof(verdict->reason)] = "";

	fold(verdict);
	if (!expect_is_failure(verdict))
		return;
	if (verdict->outcome == PASS)
		fold_other_failure(verdict, "nothing failed");
	else if (verdict->outcome == FAIL &&
		 !expect_came_true(verdict, difference, sizeof(difference)))
		fold_other_failure(verdict, difference);
	else if (verdict->outcome == FAIL)
		fold_expected_failure(verdict);
}
