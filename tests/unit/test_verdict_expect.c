/* SPDX-License-Identifier: GPL-2.0-only */
#include "judge/expect.h"

#include <signal.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "coord/coord.h"
#include "unit/expected_run.h"

#define PASS KTSTR_OUTCOME_PASS
#define SKIP KTSTR_OUTCOME_SKIP
#define UNDECIDED KTSTR_OUTCOME_UNDECIDED
#define FAIL KTSTR_OUTCOME_FAIL
#define ERROR KTSTR_OUTCOME_ERROR

#define MESSAGE EXPECTED_RUN_MESSAGE
#define EJECTED                                                                                    \
	"scheduler 'scx_x' was ejected 2.04 s into step 1: runnable task stall (1026): '" MESSAGE  \
	"'"

static void nothing(struct run *run)
{
	(void)run;
}

static void no_kind(struct run *run)
{
	run->expect.has_scx_kind = false;
}

static void no_message(struct run *run)
{
	run->expect.scx_message = NULL;
}

static void end_by_stream(struct run *run)
{
	run->v.evidence.summary.end_reason = COORD_END_STREAM;
}

static void scenario_passes(struct run *run)
{
	run->v.evidence.result_outcome = PASS;
	run->v.evidence.result_text = NULL;
}

static void other_kind(struct run *run)
{
	run->v.evidence.scx.exit_kind = KTSTR_SCX_EXIT_ERROR_BPF;
	run->v.evidence.scx.exit_reason = (char *)"scx_bpf_error";
}

static void other_message(struct run *run)
{
	run->v.evidence.scx.exit_message = (char *)"watchdog failed to check in for 2.004s";
}

static void no_exit(struct run *run)
{
	run->v.evidence.scx.has_exit = false;
}

static void no_state(struct run *run)
{
	run->v.evidence.scx.has_state = false;
	run->v.evidence.scx.state.state[0] = '\0';
}

static void still_enabled(struct run *run)
{
	memcpy(run->v.evidence.scx.state.state, "enabled", 8);
}

/* SCX_EXIT came, but the scheduler lived. */
static void no_death(struct run *run)
{
	run->v.evidence.sched_exit_text = NULL;
	run->v.evidence.summary.is_sched_exit = 0;
	run->v.evidence.summary.end_reason = COORD_END_STREAM;
}

static void no_death_and_all_pass(struct run *run)
{
	no_death(run);
	scenario_passes(run);
	run->d[1].outcome = PASS;
	run->d[1].wanted = 3;
}

static void death_by_summary_only(struct run *run)
{
	run->v.evidence.sched_exit_text = NULL;
}

static void unnamed_fails(struct run *run)
{
	fail_checker(run, 0);
}

static void name_one(struct run *run)
{
	run->named[0] = (char *)"one";
	run->expect.checkers = run->named;
	run->expect.checker_count = 1;
}

static void named_fails_too(struct run *run)
{
	name_one(run);
	fail_checker(run, 0);
}

static void name_one_that_passed(struct run *run)
{
	name_one(run);
	run->named[0] = (char *)"three";
	run->v.decision_count = 3;
}

static void name_one_that_is_not_there(struct run *run)
{
	name_one(run);
	run->named[0] = (char *)"nobody";
}

static void named_fails_on_a_torn_frame(struct run *run)
{
	named_fails_too(run);
	run->d[0].has_whole_evidence = false;
}

static void named_twice_and_one_passed(struct run *run)
{
	run->d[2].name = (char *)"two";
	run->v.decision_count = 3;
}

static void lose_end(struct run *run)
{
	run->v.evidence.summary.has_end = 0;
	run->v.evidence.summary.end_matches = 0;
}

static void mismatch_end(struct run *run)
{
	run->v.evidence.has_all_sent = false;
}

static void tear(struct run *run)
{
	run->v.evidence.summary.frames_torn = 1;
}

static void drop(struct run *run)
{
	run->v.evidence.summary.frames_dropped = 1;
}

static void cut_record(struct run *run)
{
	run->v.evidence.is_torn = true;
}

static void open_record(struct run *run)
{
	run->v.evidence.has_summary = false;
}

static void unseal_record(struct run *run)
{
	run->v.evidence.is_sealed = false;
}

static void malform(struct run *run)
{
	run->v.evidence.malformed = (char *)"a HELLO frame is too short";
}

static void unfinish(struct run *run)
{
	run->v.evidence.unfinished = (char *)"the agent never sent its EXIT frame";
}

static void panic(struct run *run)
{
	run->v.evidence.summary.is_panicked = 1;
}

static void crash(struct run *run)
{
	run->v.evidence.summary.is_crashed = 1;
}

static void mismatch(struct run *run)
{
	run->v.evidence.hello_mismatch = (char *)"it loaded another one";
}

static void lose_hello(struct run *run)
{
	run->v.evidence.hello_count = 0;
}

static void other_error(struct run *run)
{
	run->v.evidence.has_error = true;
	run->v.evidence.has_other_error = true;
	run->v.evidence.error_stage = KTSTR_STAGE_WORKLOAD;
	run->v.evidence.error_text = (char *)"no memory";
}

static void watchdog(struct run *run)
{
	run->v.evidence.summary.end_reason = COORD_END_WATCHDOG;
	run->v.evidence.end_reason = (char *)"it took too long";
}

static void interrupt(struct run *run)
{
	run->v.evidence.summary.end_reason = COORD_END_INTERRUPTED;
	run->v.evidence.end_reason = (char *)"interrupted by SIGINT";
}

static void interrupt_judging(struct run *run)
{
	run->v.interrupted_by = SIGTERM;
}

static void lose_result(struct run *run)
{
	run->v.evidence.has_result = false;
}

static void scenario_skips(struct run *run)
{
	run->v.evidence.result_outcome = SKIP;
}

static void scenario_undecided(struct run *run)
{
	run->v.evidence.result_outcome = UNDECIDED;
}

static void scenario_errs(struct run *run)
{
	run->v.evidence.result_outcome = ERROR;
	run->v.evidence.result_text = (char *)"no such cgroup";
}

static void checker_errs(struct run *run)
{
	run->d[0].outcome = ERROR;
	run->d[0].reason = (char *)"checker 'one' was killed by SIGSEGV";
}

static void checker_never_decides(struct run *run)
{
	run->d[0].outcome = KTSTR_OUTCOME_NONE;
}

static void no_checkers(struct run *run)
{
	run->v.decision_count = 0;
}

static void no_death_and_no_checkers(struct run *run)
{
	no_death_and_all_pass(run);
	no_checkers(run);
}

static void named_without_checkers(struct run *run)
{
	name_one(run);
	no_checkers(run);
}

static void agent_exits_with_3(struct run *run)
{
	run->v.evidence.summary.exit_code = 3;
}

static void init_fails(struct run *run)
{
	run->v.evidence.scx.has_exit = true;
	run->v.evidence.scx.exit_kind = KTSTR_SCX_EXIT_ERROR;
	run->v.evidence.scx.exit_reason = (char *)"runtime error";
	run->v.evidence.scx.exit_message = (char *)"ops.init() failed (-12)";
	run->v.evidence.scx.exit_at =
		(struct scx_moment){ .is_known = true, .place = SCX_PLACE_START };
}

static void expect_the_exit_of_init(struct run *run)
{
	init_fails(run);
	run->expect.start_error = NULL;
	run->expect.has_scx_exit = true;
	run->expect.scx_message = (char *)"ops.init() failed";
}

static void expect_exit_and_start(struct run *run)
{
	expect_the_exit_of_init(run);
	run->expect.start_error = (char *)"R1 invalid";
}

static void other_start_error(struct run *run)
{
	run->v.evidence.scx.start_error = (char *)"no BTF";
}

static void start_without_a_reason(struct run *run)
{
	run->v.evidence.scx.start_error = NULL;
}

static void goes_on_nevertheless(struct run *run)
{
	run->v.evidence.has_result = true;
	run->v.evidence.result_outcome = PASS;
}

static void begins_nevertheless(struct run *run)
{
	run->v.evidence.scx.place = SCX_PLACE_SCENARIO;
}

static void not_attached(struct run *run)
{
	run->v.evidence.scx.has_died_at_start = false;
	run->v.evidence.summary.last_phase = KTSTR_PHASE_SCHEDULER_NOT_ATTACHED;
}

static void starts_and_passes(struct run *run)
{
	struct expectation expect = run->expect;

	make_common(run);
	run->expect = expect;
}

static void starts_and_is_ejected(struct run *run)
{
	make_ejected(run);
	run->expect = (struct expectation){ .is_given = true,
					    .outcome = FAIL,
					    .start_error = (char *)"R1 invalid" };
}

static void caught_but_died(struct run *run)
{
	struct expectation expect = run->expect;

	make_ejected(run);
	run->d[1] = run->d[0];
	run->d[1].name = (char *)"two";
	fail_checker(run, 1);
	run->expect = expect;
	run->named[0] = (char *)"two";
}

static void caught_but_scenario_failed(struct run *run)
{
	run->v.evidence.result_outcome = FAIL;
	run->v.evidence.result_text = (char *)"lost a wakeup";
}

static void other_is_undecided(struct run *run)
{
	run->d[0].outcome = UNDECIDED;
	run->d[0].reason = (char *)"too few samples";
}

static void other_saw_nothing(struct run *run)
{
	run->d[0].wanted = 0;
}

static void other_skips(struct run *run)
{
	run->d[0].outcome = SKIP;
}

static void caught_nothing(struct run *run)
{
	run->d[1].outcome = PASS;
	run->d[1].finding_count = 0;
}

static void expect_nothing_in_particular(struct run *run)
{
	run->expect = (struct expectation){ .is_given = true, .outcome = FAIL };
}

static void expect_a_pass(struct run *run)
{
	run->expect.outcome = PASS;
}

static void expect_nothing(struct run *run)
{
	run->expect.is_given = false;
}

#define BUT "it failed as expected, but "
#define WANTED_EXIT "expected the scheduler to leave as stall (1026) with 'failed to run for', but "
#define WANTED_START "expected the scheduler not to start with 'R1 invalid', but "
#define WANTED_TWO "expected checker 'two' to fail, but "
#define REFUSED "the scheduler did not start: the verifier refused it: R1 invalid"

static const struct {
	void (*make)(struct run *run);
	void (*spoil)(struct run *run);
	uint32_t outcome;
	const char *rule;
	const char *reason;
} rows[] = {
	/* As expected. */
	{ make_ejected, nothing, PASS, "failed_as_expected", "failed as expected: " EJECTED },
	{ make_ejected, no_kind, PASS, "failed_as_expected", "failed as expected: " EJECTED },
	{ make_ejected, no_message, PASS, "failed_as_expected", "failed as expected: " EJECTED },
	{ make_ejected, end_by_stream, PASS, "failed_as_expected", "failed as expected: " EJECTED },
	{ make_ejected, scenario_passes, PASS, "failed_as_expected",
	  "failed as expected: " EJECTED },
	{ make_ejected, named_fails_too, PASS, "failed_as_expected",
	  "failed as expected: " EJECTED "; checker 'one': stuck 3 s" },
	{ make_ejected, no_checkers, PASS, "failed_as_expected", "failed as expected: " EJECTED },
	{ make_refused, no_checkers, PASS, "failed_as_expected", "failed as expected: " REFUSED },
	{ make_refused, nothing, PASS, "failed_as_expected", "failed as expected: " REFUSED },
	{ make_refused, init_fails, PASS, "failed_as_expected", "failed as expected: " REFUSED },
	{ make_refused, expect_the_exit_of_init, PASS, "failed_as_expected",
	  "failed as expected: scheduler 'scx_x' was ejected before the scenario began: runtime "
	  "error (1024): 'ops.init() failed (-12)'" },
	{ make_refused, expect_exit_and_start, PASS, "failed_as_expected",
	  "failed as expected: scheduler 'scx_x' was ejected before the scenario began: runtime "
	  "error (1024): 'ops.init() failed (-12)'; " REFUSED },
	{ make_caught, nothing, PASS, "failed_as_expected",
	  "failed as expected: checker 'two': stuck 3 s" },
	{ make_caught, other_skips, PASS, "failed_as_expected",
	  "failed as expected: checker 'two': stuck 3 s" },
	/* Another failure. */
	{ make_ejected, other_kind, FAIL, "not_as_expected",
	  WANTED_EXIT "the scheduler left as error_bpf (1025): '" MESSAGE
		      "'; scheduler 'scx_x' was ejected 2.04 s into step 1: scx_bpf_error (1025): "
		      "'" MESSAGE "'" },
	{ make_ejected, other_message, FAIL, "not_as_expected", NULL },
	{ make_ejected, no_exit, FAIL, "not_as_expected",
	  WANTED_EXIT "the scheduler died, but nothing says how the kernel ended it; the scheduler "
		      "died: the kernel threw it out" },
	{ make_ejected, no_state, FAIL, "not_as_expected",
	  WANTED_EXIT "the agent never said what state sched_ext was in; " EJECTED },
	{ make_ejected, still_enabled, FAIL, "not_as_expected",
	  WANTED_EXIT "the kernel still had it enabled when the agent looked last; " EJECTED },
	{ make_ejected, no_death, FAIL, "not_as_expected",
	  WANTED_EXIT "the scheduler did not die; the scenario failed: the kernel threw it out" },
	{ make_ejected, no_death_and_all_pass, FAIL, "not_as_expected",
	  WANTED_EXIT "nothing failed" },
	{ make_ejected, no_death_and_no_checkers, FAIL, "not_as_expected",
	  WANTED_EXIT "nothing failed" },
	{ make_ejected, named_without_checkers, FAIL, "not_as_expected", NULL },
	{ make_ejected, death_by_summary_only, FAIL, "not_as_expected", NULL },
	{ make_ejected, unnamed_fails, FAIL, "not_as_expected",
	  WANTED_EXIT "checker 'one' failed: stuck 3 s; " EJECTED },
	{ make_ejected, name_one_that_passed, FAIL, "not_as_expected", NULL },
	{ make_ejected, name_one_that_is_not_there, FAIL, "not_as_expected", NULL },
	{ make_ejected, named_fails_on_a_torn_frame, FAIL, "not_as_expected", NULL },
	{ make_refused, other_start_error, FAIL, "not_as_expected",
	  WANTED_START "the scheduler did not start because of something else: no BTF; the "
		       "scheduler did not start: no BTF" },
	{ make_refused, start_without_a_reason, FAIL, "not_as_expected", NULL },
	{ make_refused, starts_and_passes, FAIL, "not_as_expected", WANTED_START "nothing failed" },
	{ make_refused, starts_and_is_ejected, FAIL, "not_as_expected",
	  WANTED_START "the scheduler started; " EJECTED },
	{ make_caught, unnamed_fails, FAIL, "not_as_expected",
	  WANTED_TWO "checker 'one' failed too: stuck 3 s; checker 'one': stuck 3 s; 1 other "
		     "checker failed too" },
	{ make_caught, caught_nothing, FAIL, "not_as_expected", WANTED_TWO "nothing failed" },
	{ make_caught, caught_but_died, FAIL, "not_as_expected", WANTED_TWO EJECTED },
	{ make_caught, caught_but_scenario_failed, FAIL, "not_as_expected",
	  WANTED_TWO "the scenario failed: lost a wakeup" },
	{ make_caught, named_twice_and_one_passed, FAIL, "not_as_expected",
	  WANTED_TWO "checker 'two' said PASS; checker 'two': stuck 3 s" },
	{ make_caught, expect_nothing_in_particular, FAIL, "not_as_expected", NULL },
	/* The expected failure of a run that cannot be believed. */
	{ make_ejected, lose_end, ERROR, "no_end",
	  BUT "the guest never said that its stream is complete" },
	{ make_ejected, mismatch_end, ERROR, "end_mismatch", NULL },
	{ make_ejected, tear, ERROR, "frames_lost",
	  BUT "the guest's stream is damaged; frames that had a wrong checksum: 1" },
	{ make_ejected, drop, ERROR, "frames_lost", NULL },
	{ make_ejected, cut_record, ERROR, "record_torn", NULL },
	{ make_ejected, open_record, ERROR, "record_open", NULL },
	{ make_ejected, unseal_record, ERROR, "record_not_sealed", NULL },
	{ make_ejected, malform, ERROR, "frame_malformed", NULL },
	{ make_ejected, unfinish, ERROR, "run_not_finished",
	  BUT "the agent never sent its EXIT frame" },
	{ make_ejected, panic, ERROR, "guest_panicked", BUT "the guest's kernel panicked" },
	{ make_ejected, crash, ERROR, "agent_crashed", NULL },
	{ make_ejected, lose_hello, ERROR, "no_hello", NULL },
	{ make_ejected, other_error, ERROR, "agent_error",
	  BUT "in the guest (workload): no memory" },
	{ make_ejected, watchdog, ERROR, "cut_short", NULL },
	{ make_ejected, interrupt, ERROR, "interrupted", BUT "interrupted by SIGINT" },
	{ make_ejected, interrupt_judging, ERROR, "judging_interrupted", NULL },
	{ make_ejected, lose_result, ERROR, "no_result", NULL },
	{ make_ejected, scenario_errs, ERROR, "scenario_error",
	  BUT "the scenario could not run: no such cgroup" },
	{ make_ejected, scenario_skips, SKIP, "scenario_skipped", NULL },
	{ make_ejected, scenario_undecided, UNDECIDED, "scenario_undecided", NULL },
	{ make_ejected, checker_errs, ERROR, "checker_error",
	  BUT "checker 'one' was killed by SIGSEGV" },
	{ make_ejected, checker_never_decides, ERROR, "checker_error", NULL },
	{ make_ejected, agent_exits_with_3, ERROR, "agent_failed", NULL },
	{ make_refused, lose_end, ERROR, "no_end", NULL },
	{ make_refused, tear, ERROR, "frames_lost", NULL },
	{ make_refused, other_error, ERROR, "agent_error", NULL },
	{ make_refused, panic, ERROR, "guest_panicked", NULL },
	{ make_refused, unfinish, ERROR, "run_not_finished", NULL },
	{ make_refused, agent_exits_with_3, ERROR, "agent_failed", NULL },
	{ make_caught, no_checkers, ERROR, "no_checkers", NULL },
	{ make_caught, tear, ERROR, "frames_lost", NULL },
	{ make_caught, lose_end, ERROR, "no_end", NULL },
	{ make_caught, other_error, ERROR, "agent_error", NULL },
	{ make_caught, lose_result, ERROR, "no_result", NULL },
	{ make_caught, other_is_undecided, UNDECIDED, "checker_undecided",
	  BUT "checker 'one': too few samples" },
	{ make_caught, other_saw_nothing, UNDECIDED, "checker_undecided", NULL },
	{ make_caught, checker_errs, ERROR, "checker_error", NULL },
	{ make_caught, scenario_undecided, UNDECIDED, "scenario_undecided", NULL },
	{ make_caught, interrupt_judging, ERROR, "judging_interrupted", NULL },
	/* What is no failure of its own is left alone. */
	{ make_ejected, mismatch, ERROR, "wrong_plugins",
	  "the guest did not run what was sent: it loaded another one" },
	{ make_refused, not_attached, ERROR, "agent_error",
	  "in the guest (scheduler): the verifier refused it: R1 invalid" },
	{ make_refused, goes_on_nevertheless, ERROR, "agent_error", NULL },
	{ make_refused, begins_nevertheless, ERROR, "agent_error", NULL },
	{ make_caught, watchdog, ERROR, "cut_short", NULL },
	{ make_caught, interrupt, ERROR, "interrupted", NULL },
	/* Nobody expected it. */
	{ make_ejected, expect_a_pass, FAIL, "scheduler_died", EJECTED },
	{ make_ejected, expect_nothing, FAIL, "scheduler_died", EJECTED },
	{ make_refused, expect_a_pass, FAIL, "scheduler_did_not_start", REFUSED },
	{ make_refused, expect_nothing, FAIL, "scheduler_did_not_start", REFUSED },
	{ make_caught, expect_a_pass, FAIL, "checker_failed", "checker 'two': stuck 3 s" },
};

Test(verdict_expect, follows_its_table)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct run run;

		rows[i].make(&run);
		rows[i].spoil(&run);
		verdict_fold(&run.v);
		cr_expect_str_eq(run.v.rule, rows[i].rule, "row %zu (%s): %s: %s", i, rows[i].rule,
				 run.v.rule, run.v.reason);
		cr_expect_eq(run.v.outcome, rows[i].outcome, "row %zu (%s): %s", i, rows[i].rule,
			     outcome_name(run.v.outcome));
		cr_expect_neq(run.v.reason[0], '\0', "row %zu", i);
		if (rows[i].reason)
			cr_expect_str_eq(run.v.reason, rows[i].reason, "row %zu (%s): '%s'", i,
					 rows[i].rule, run.v.reason);
	}
}

static bool is_unexpecting(size_t row)
{
	return rows[row].spoil == expect_a_pass || rows[row].spoil == expect_nothing;
}

/* No two breakages together make a good run. */
Test(verdict_expect, no_breakage_hides_another)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(rows); j++) {
			struct run run;

			/* Without an expectation some failures mend each other. */
			if (rows[i].make != rows[j].make || rows[i].outcome == PASS ||
			    rows[j].outcome == PASS || is_unexpecting(i) || is_unexpecting(j))
				continue;
			rows[i].make(&run);
			rows[i].spoil(&run);
			rows[j].spoil(&run);
			verdict_fold(&run.v);
			cr_expect_neq(run.v.outcome, PASS, "rows %zu (%s) and %zu (%s): %s", i,
				      rows[i].rule, j, rows[j].rule, run.v.reason);
		}
	}
}

/* Whatever comes of a run by itself, an expectation makes no PASS of it unless it is a FAIL. */
Test(verdict_expect, makes_no_pass_of_what_is_no_fail)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct run run;
		uint32_t natural;

		rows[i].make(&run);
		rows[i].spoil(&run);
		run.v.expect = NULL;
		verdict_fold(&run.v);
		natural = run.v.outcome;
		run.v.expect = &run.expect;
		verdict_fold(&run.v);
		if (run.v.outcome == PASS)
			cr_expect_eq(natural, FAIL, "row %zu", i);
		/* But of one that lived, an expectation alone says that it should not have. */
		if (natural != PASS && natural != FAIL && rows[i].spoil != no_death_and_no_checkers)
			cr_expect_eq(run.v.outcome, natural, "row %zu", i);
	}
}

Test(verdict_expect, says_more_than_fits_only_as_far_as_it_fits)
{
	char long_text[3000];
	struct run run;

	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	make_refused(&run);
	run.expect.start_error = long_text;
	verdict_fold(&run.v);
	cr_assert_eq(run.v.outcome, FAIL);
	cr_assert_eq(strlen(run.v.reason), sizeof(run.v.reason) - 1);
}
