/* SPDX-License-Identifier: GPL-2.0-only */
#include "judge/verdict.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "coord/coord.h"

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

__attribute__((format(printf, 2, 3))) static void say(struct verdict *verdict, const char *format,
						      ...)
{
	size_t length = strlen(verdict->reason);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(verdict->reason + length, sizeof(verdict->reason) - length, format, args);
	va_end(args);
}

static const char *or_else(const char *text, const char *otherwise)
{
	return text && text[0] ? text : otherwise;
}

/* Did everything that the guest sent arrive, in order, to the end? */
static bool is_whole(const struct verdict *verdict)
{
	const struct evidence *e = &verdict->evidence;
	const struct runfile_summary *s = &e->summary;

	return e->has_summary && !e->is_torn && e->is_sealed && s->has_end && s->end_matches &&
	       s->frames_torn == 0 && s->frames_dropped == 0 && s->frames_oversize == 0 &&
	       s->bytes_left == 0 && s->frames_after_end == 0 &&
	       s->frames_bucketed == e->frames_recorded && e->has_all_sent;
}

static bool has_end_reason(const struct verdict *verdict, enum coord_end end)
{
	return verdict->evidence.has_summary && verdict->evidence.summary.end_reason == end;
}

/* This broke before the evidence, not after it. */
static bool cut_short(const struct verdict *v)
{
	return v->evidence.has_summary && coord_end_cuts_short(v->evidence.summary.end_reason);
}

/*
 * A FAIL counts whatever broke after it, but it must rest on something: on frames that were all
 * there up to then, or, where it rests on a frame that never came, on a stream that is whole.
 */
static bool checker_failed(const struct verdict *verdict, const struct decision *decision)
{
	if (decision->outcome != KTSTR_OUTCOME_FAIL || cut_short(verdict))
		return false;
	return is_whole(verdict) || (decision->has_whole_evidence && decision->wanted > 0 &&
				     verdict->evidence.summary.frames_oversize == 0);
}

static size_t count_outcome(const struct verdict *v, uint32_t outcome)
{
	size_t count = 0;

	for (size_t i = 0; i < v->decision_count; i++)
		count += v->decisions[i].outcome == outcome;
	return count;
}

static const char *end_text(const struct verdict *verdict)
{
	return or_else(verdict->evidence.end_reason,
		       coord_end_name(verdict->evidence.summary.end_reason));
}

static bool wrong_plugins(const struct verdict *v)
{
	return v->evidence.hello_mismatch != NULL;
}

static void say_wrong_plugins(struct verdict *v, const struct decision *d)
{
	(void)d;
	say(v, "the guest did not run what was sent: %s", v->evidence.hello_mismatch);
}

static bool scheduler_died(const struct verdict *v)
{
	return v->evidence.sched_exit_text ||
	       (v->evidence.has_summary && v->evidence.summary.is_sched_exit);
}

static void say_scheduler_died(struct verdict *v, const struct decision *d)
{
	(void)d;
	say(v, "the scheduler died: %s",
	    or_else(v->evidence.sched_exit_text, "it did not say why"));
}

/* What a checker has against the run: its reason, or else its first finding of that kind. */
static const char *complaint(const struct decision *d, uint32_t outcome)
{
	if (d->reason && d->reason[0])
		return d->reason;
	for (size_t i = 0; i < d->finding_count; i++)
		if (d->findings[i].outcome == outcome && d->findings[i].text)
			return d->findings[i].text;
	return NULL;
}

static size_t count_findings(const struct decision *d, uint32_t outcome)
{
	size_t count = 0;

	for (size_t i = 0; i < d->finding_count; i++)
		count += d->findings[i].outcome == outcome;
	return count;
}

static void say_checker(struct verdict *v, const struct decision *d, uint32_t outcome,
			const char *otherwise)
{
	size_t count = count_findings(d, outcome);

	say(v, "checker '%s': %s", d->name, or_else(complaint(d, outcome), otherwise));
	if (count > 1)
		say(v, " (and %zu more)", count - 1);
}

static void say_checker_failed(struct verdict *v, const struct decision *d)
{
	size_t others = 0;

	say_checker(v, d, KTSTR_OUTCOME_FAIL, "the run failed it");
	for (size_t i = 0; i < v->decision_count; i++)
		others += &v->decisions[i] != d && checker_failed(v, &v->decisions[i]);
	if (others > 0)
		say(v, "; %zu other checker%s failed too", others, others > 1 ? "s" : "");
}

static bool scenario_failed(const struct verdict *v)
{
	return v->evidence.has_result && v->evidence.result_outcome == KTSTR_OUTCOME_FAIL;
}

static void say_scenario_failed(struct verdict *v, const struct decision *d)
{
	(void)d;
	say(v, "the scenario failed: %s", or_else(v->evidence.result_text, "it did not say why"));
}

static bool record_torn(const struct verdict *v)
{
	return v->evidence.is_torn;
}

static bool record_open(const struct verdict *v)
{
	return !v->evidence.has_summary;
}

static void say_record_open(struct verdict *v, const struct decision *d)
{
	(void)d;
	say(v, "the run file has no end: the run was cut off, or is not over");
	if (v->evidence.end_reason)
		say(v, " (%s)", v->evidence.end_reason);
}

static bool record_not_sealed(const struct verdict *v)
{
	return !v->evidence.is_sealed;
}

static bool record_incomplete(const struct verdict *v)
{
	return v->evidence.frames_recorded != v->evidence.summary.frames_bucketed;
}

static void say_record_incomplete(struct verdict *v, const struct decision *d)
{
	(void)d;
	say(v, "the run file holds %llu frames where the coordinator recorded %llu",
	    (unsigned long long)v->evidence.frames_recorded,
	    (unsigned long long)v->evidence.summary.frames_bucketed);
}

static bool interrupted(const struct verdict *v)
{
	return has_end_reason(v, COORD_END_INTERRUPTED);
}

static void say_end(struct verdict *v, const struct decision *d)
{
	(void)d;
	say(v, "%s", end_text(v));
}

/* The scheduler is not to be thought harmless: it may be why nothing moved. */
static void say_cut_short(struct verdict *v, const struct decision *d)
{
	const size_t failed = count_outcome(v, KTSTR_OUTCOME_FAIL);

	say_end(v, d);
	if (has_end_reason(v, COORD_END_WATCHDOG))
		say(v, "; the scheduler may be what held it up");
	if (v->evidence.has_error)
		say(v, "; in the guest: %s", or_else(v->evidence.error_text, "something broke"));
	if (failed > 0)
		say(v, "; what %zu checker%s found is of a run cut short", failed,
		    failed > 1 ? "s" : "");
}

static bool judging_interrupted(const struct verdict *v)
{
	return v->interrupted_by != 0;
}

static bool guest_panicked(const struct verdict *v)
{
	return has_end_reason(v, COORD_END_PANIC) || v->evidence.summary.is_panicked;
}

static void say_guest_panicked(struct verdict *v, const struct decision *d)
{
	(void)d;
	say(v, "%s",
	    has_end_reason(v, COORD_END_PANIC) ? end_text(v) : "the guest's kernel panicked");
}

static bool agent_crashed(const struct verdict *v)
{
	return v->evidence.summary.is_crashed || has_end_reason(v, COORD_END_AGENT_CRASH);
}

static void say_agent_crashed(struct verdict *v, const struct decision *d)
{
	(void)d;
	say(v, "%s",
	    has_end_reason(v, COORD_END_AGENT_CRASH) ? end_text(v)
						     : "the agent in the guest crashed");
}

static bool agent_error(const struct verdict *v)
{
	return v->evidence.has_error;
}

static const char *stage_name(uint32_t stage)
{
	static const char *const names[] = {
		[KTSTR_STAGE_BOOT] = "boot",	     [KTSTR_STAGE_JOB] = "job",
		[KTSTR_STAGE_PLUGIN] = "plugin",     [KTSTR_STAGE_SCHEDULER] = "scheduler",
		[KTSTR_STAGE_SCENARIO] = "scenario", [KTSTR_STAGE_WORKLOAD] = "workload",
	};

	return stage < ARRAY_SIZE(names) && names[stage] ? names[stage] : "agent";
}

static void say_agent_error(struct verdict *v, const struct decision *d)
{
	(void)d;
	say(v, "in the guest (%s): %s", stage_name(v->evidence.error_stage),
	    or_else(v->evidence.error_text, "something broke"));
}

static bool run_broke(const struct verdict *v)
{
	return !has_end_reason(v, COORD_END_STREAM);
}

static bool no_end(const struct verdict *v)
{
	return !v->evidence.summary.has_end;
}

static bool end_mismatch(const struct verdict *v)
{
	return !v->evidence.summary.end_matches || !v->evidence.has_all_sent;
}

/* Frames that got lost or went wrong on their way, each a reason to believe nothing. */
static const struct {
	size_t offset;
	bool is_64;
	const char *text;
} losses[] = {
	{ offsetof(struct runfile_summary, frames_torn), true, "had a wrong checksum" },
	{ offsetof(struct runfile_summary, frames_dropped), true,
	  "had no business in the stream and were dropped" },
	{ offsetof(struct runfile_summary, frames_oversize), true,
	  "were too large and were dropped, with what came behind them" },
	{ offsetof(struct runfile_summary, frames_after_end), false,
	  "came after the end of the stream" },
};

static uint64_t loss(const struct verdict *v, size_t number)
{
	const char *at = (const char *)&v->evidence.summary + losses[number].offset;
	uint64_t value = 0;

	memcpy(&value, at, losses[number].is_64 ? sizeof(uint64_t) : sizeof(uint32_t));
	return value;
}

static bool frames_lost(const struct verdict *v)
{
	for (size_t i = 0; i < ARRAY_SIZE(losses); i++)
		if (loss(v, i) > 0)
			return true;
	return v->evidence.summary.bytes_left > 0;
}

static void say_frames_lost(struct verdict *v, const struct decision *d)
{
	(void)d;
	say(v, "the guest's stream is damaged");
	for (size_t i = 0; i < ARRAY_SIZE(losses); i++)
		if (loss(v, i) > 0)
			say(v, "; frames that %s: %llu", losses[i].text,
			    (unsigned long long)loss(v, i));
	if (v->evidence.summary.bytes_left > 0)
		say(v, "; bytes of a frame that was never finished: %llu",
		    (unsigned long long)v->evidence.summary.bytes_left);
}

static bool frame_malformed(const struct verdict *v)
{
	return v->evidence.malformed != NULL;
}

static void say_frame_malformed(struct verdict *v, const struct decision *d)
{
	(void)d;
	say(v, "the guest's stream makes no sense: %s", v->evidence.malformed);
}

static bool no_hello(const struct verdict *v)
{
	return v->evidence.hello_count == 0;
}

static bool no_result(const struct verdict *v)
{
	return !v->evidence.has_result;
}

static bool scenario_error(const struct verdict *v)
{
	const uint32_t outcome = v->evidence.result_outcome;

	return outcome != KTSTR_OUTCOME_PASS && outcome != KTSTR_OUTCOME_SKIP &&
	       outcome != KTSTR_OUTCOME_UNDECIDED;
}

static void say_scenario_error(struct verdict *v, const struct decision *d)
{
	(void)d;
	say(v, "the scenario could not run: %s",
	    or_else(v->evidence.result_text, "it did not say why"));
}

static bool scheduler_not_up(const struct verdict *v)
{
	const uint32_t phase = v->evidence.summary.last_phase;

	return phase == KTSTR_PHASE_SCHEDULER_DIED || phase == KTSTR_PHASE_SCHEDULER_NOT_ATTACHED;
}

static void say_scheduler_not_up(struct verdict *v, const struct decision *d)
{
	(void)d;
	say(v, v->evidence.summary.last_phase == KTSTR_PHASE_SCHEDULER_DIED
		       ? "the scheduler died while it started"
		       : "the scheduler was not in charge");
}

static bool agent_failed(const struct verdict *v)
{
	return v->evidence.summary.exit_code > 0 || v->evidence.summary.exit_code < -1;
}

static void say_agent_failed(struct verdict *v, const struct decision *d)
{
	(void)d;
	say(v, "the agent in the guest exited with %d", v->evidence.summary.exit_code);
}

static bool no_checkers(const struct verdict *v)
{
	return v->decision_count == 0;
}

static bool checker_error(const struct verdict *v, const struct decision *d)
{
	(void)v;
	return d->outcome != KTSTR_OUTCOME_PASS && d->outcome != KTSTR_OUTCOME_SKIP &&
	       d->outcome != KTSTR_OUTCOME_UNDECIDED && d->outcome != KTSTR_OUTCOME_FAIL;
}

static void say_checker_error(struct verdict *v, const struct decision *d)
{
	/* The reason of an ERROR names the checker already. */
	if (d->reason && d->reason[0])
		say(v, "%s", d->reason);
	else
		say_checker(v, d, KTSTR_OUTCOME_ERROR, "it never decided");
}

static bool scenario_skipped(const struct verdict *v)
{
	return v->evidence.result_outcome == KTSTR_OUTCOME_SKIP;
}

static void say_scenario_skipped(struct verdict *v, const struct decision *d)
{
	(void)d;
	say(v, "the scenario does not apply here: %s",
	    or_else(v->evidence.result_text, "it did not say why"));
}

static bool scenario_undecided(const struct verdict *v)
{
	return v->evidence.result_outcome == KTSTR_OUTCOME_UNDECIDED;
}

static void say_scenario_undecided(struct verdict *v, const struct decision *d)
{
	(void)d;
	say(v, "the scenario could not decide: %s",
	    or_else(v->evidence.result_text, "it did not say why"));
}

static bool checker_undecided(const struct verdict *v, const struct decision *d)
{
	(void)v;
	return d->outcome == KTSTR_OUTCOME_UNDECIDED ||
	       (d->outcome == KTSTR_OUTCOME_PASS && d->wanted == 0);
}

static void say_checker_undecided(struct verdict *v, const struct decision *d)
{
	if (d->outcome == KTSTR_OUTCOME_PASS)
		say(v, "checker '%s' saw none of the frames it needs", d->name);
	else
		say_checker(v, d, KTSTR_OUTCOME_UNDECIDED, "it could not decide");
}

static bool all_skipped(const struct verdict *v)
{
	return v->decision_count > 0 && count_outcome(v, KTSTR_OUTCOME_SKIP) == v->decision_count;
}

static void say_all_skipped(struct verdict *v, const struct decision *d)
{
	(void)d;
	say(v, "no checker applies to this run; ");
	say_checker(v, &v->decisions[0], KTSTR_OUTCOME_SKIP, "it was skipped");
}

static void say_judging_interrupted(struct verdict *v, const struct decision *d)
{
	(void)d;
	say(v, "interrupted by SIG%s while judging", or_else(sigabbrev_np(v->interrupted_by), "?"));
}

/* Not "nothing else applied": everything that a PASS needs, once more and by itself. */
static bool all_passed(const struct verdict *v)
{
	const struct evidence *e = &v->evidence;
	size_t passed = 0;

	if (!is_whole(v) || !has_end_reason(v, COORD_END_STREAM) || !e->has_result ||
	    e->result_outcome != KTSTR_OUTCOME_PASS || e->hello_count == 0 || e->hello_mismatch ||
	    e->has_error || e->malformed)
		return false;
	for (size_t i = 0; i < v->decision_count; i++) {
		const struct decision *d = &v->decisions[i];

		if (d->outcome == KTSTR_OUTCOME_PASS && d->wanted > 0 && d->has_whole_evidence)
			passed++;
		else if (d->outcome != KTSTR_OUTCOME_SKIP)
			return false;
	}
	return passed > 0;
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
	RUN(wrong_plugins, ERROR, .explain = say_wrong_plugins),
	/* A failure that was seen stays one, whatever broke after it. */
	RUN(scheduler_died, FAIL, .explain = say_scheduler_died),
	RUN(scenario_failed, FAIL, .explain = say_scenario_failed),
	RUN(interrupted, ERROR, .explain = say_cut_short),
	CHECKER(checker_failed, FAIL, .explain = say_checker_failed),
	RUN(judging_interrupted, ERROR, .explain = say_judging_interrupted),
	/* The record. */
	RUN(record_torn, ERROR,
	    .text = "the run file is cut off or damaged: what follows its last whole record is "
		    "lost"),
	RUN(record_open, ERROR, .explain = say_record_open),
	RUN(record_not_sealed, ERROR,
	    .text = "the run file goes on after its end: it is not as the coordinator left it"),
	RUN(record_incomplete, ERROR, .explain = say_record_incomplete),
	/* The run, the most telling cause first. */
	/* The kernel panics too when its init dies: then that is the cause. */
	RUN(agent_crashed, ERROR, .explain = say_agent_crashed),
	RUN(guest_panicked, ERROR, .explain = say_guest_panicked),
	RUN(cut_short, ERROR, .explain = say_cut_short),
	RUN(agent_error, ERROR, .explain = say_agent_error),
	RUN(run_broke, ERROR, .explain = say_end),
	/* The stream. */
	RUN(no_end, ERROR, .text = "the guest never said that its stream is complete"),
	RUN(frames_lost, ERROR, .explain = say_frames_lost),
	RUN(end_mismatch, ERROR,
	    .text = "what was recorded of the guest's stream is not what the guest says it sent"),
	RUN(frame_malformed, ERROR, .explain = say_frame_malformed),
	RUN(no_hello, ERROR, .text = "the agent never said which plugins it loaded"),
	/* The scenario. */
	RUN(no_result, ERROR, .text = "the scenario never said how it ended"),
	RUN(scenario_error, ERROR, .explain = say_scenario_error),
	RUN(scheduler_not_up, ERROR, .explain = say_scheduler_not_up),
	RUN(agent_failed, ERROR, .explain = say_agent_failed),
	/* The checkers. */
	RUN(no_checkers, ERROR,
	    .text = "no checker judged the run; name one with 'checkers:' in the scenario or "
		    "--checker"),
	CHECKER(checker_error, ERROR, .explain = say_checker_error),
	RUN(scenario_skipped, SKIP, .explain = say_scenario_skipped),
	RUN(scenario_undecided, UNDECIDED, .explain = say_scenario_undecided),
	CHECKER(checker_undecided, UNDECIDED, .explain = say_checker_undecided),
	RUN(all_skipped, SKIP, .explain = say_all_skipped),
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

void verdict_fold(struct verdict *verdict)
{
	const struct rule *rule = rules;
	const struct decision *decision = find_concerned(verdict, rule);

	/* The last one always applies. */
	while (!(rule->applies ? rule->applies(verdict) : decision != NULL))
		decision = find_concerned(verdict, ++rule);
	verdict->outcome = rule->outcome;
	verdict->rule = rule->name;
	verdict->reason[0] = '\0';
	if (rule->text)
		say(verdict, "%s", rule->text);
	else
		rule->explain(verdict, decision);
}
