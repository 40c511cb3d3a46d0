/* SPDX-License-Identifier: GPL-2.0-only */
#include "judge/verdict.h"

#include <math.h>
#include <signal.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "coord/coord.h"

/* A run that passes, for each row to break in one place. The texts are not owned. */
struct run {
	struct verdict v;
	struct decision d[3];
	struct finding f[2];
};

static void make_good(struct run *run)
{
	memset(run, 0, sizeof(*run));
	run->v.evidence = (struct evidence){
		.has_summary = true,
		.is_sealed = true,
		.frames_recorded = 5,
		.has_all_sent = true,
		.summary = { .size = sizeof(struct runfile_summary),
			     .end_reason = COORD_END_STREAM,
			     .frames_received = 6,
			     .frames_bucketed = 5,
			     .has_end = 1,
			     .end_matches = 1 },
		.has_result = true,
		.result_outcome = KTSTR_OUTCOME_PASS,
		.hello_count = 1,
	};
	for (size_t i = 0; i < ARRAY_SIZE(run->d); i++)
		run->d[i] = (struct decision){ .outcome = KTSTR_OUTCOME_PASS,
					       .wanted = 3,
					       .has_whole_evidence = true };
	run->d[0].name = (char *)"one";
	run->d[1].name = (char *)"two";
	run->d[2].name = (char *)"three";
	run->f[0] = (struct finding){ .outcome = KTSTR_OUTCOME_FAIL, .text = (char *)"stuck 3 s" };
	run->f[1] = (struct finding){ .outcome = KTSTR_OUTCOME_FAIL, .text = (char *)"stuck 4 s" };
	run->v.decisions = run->d;
	run->v.decision_count = 2;
}

static void fail_two(struct run *run)
{
	run->d[1].outcome = KTSTR_OUTCOME_FAIL;
	run->d[1].findings = run->f;
	run->d[1].finding_count = 2;
}

/* Breakages, one each. */

static void nothing(struct run *run)
{
	(void)run;
}

static void set_mismatch(struct run *run)
{
	run->v.evidence.hello_mismatch = (char *)"it loaded another one";
}

static void let_the_clock_run_away(struct run *run)
{
	run->v.evidence.scx.guest_took_ns = UINT64_C(26400000000);
	run->v.evidence.scx.host_took_ns = UINT64_C(1000000000);
}

static void live_in_its_own_time(struct run *run)
{
	let_the_clock_run_away(run);
	run->v.evidence.is_virtual = true;
}

static void let_the_clock_be_ahead(struct run *run)
{
	run->v.evidence.scx.guest_took_ns = UINT64_C(4000000000);
	run->v.evidence.scx.host_took_ns = UINT64_C(1000000000);
}

static void set_sched_exit(struct run *run)
{
	run->v.evidence.sched_exit_text = (char *)"runnable task stall";
	run->v.evidence.summary.is_sched_exit = 1;
	run->v.evidence.summary.end_reason = COORD_END_SCHED_EXIT;
}

static void fail_with_a_wrong_clock(struct run *run)
{
	let_the_clock_run_away(run);
	set_sched_exit(run);
}

static void set_sched_exit_without_frame(struct run *run)
{
	run->v.evidence.summary.is_sched_exit = 1;
}

static void set_sched_exit_without_summary(struct run *run)
{
	run->v.evidence.sched_exit_text = (char *)"died";
	run->v.evidence.has_summary = false;
	memset(&run->v.evidence.summary, 0, sizeof(run->v.evidence.summary));
}

static void fail_and_break(struct run *run)
{
	fail_two(run);
	run->v.evidence.summary.has_end = 0;
	run->v.evidence.summary.end_matches = 0;
	run->v.evidence.summary.is_panicked = 1;
	run->v.evidence.summary.end_reason = COORD_END_PANIC;
	run->v.evidence.has_result = false;
}

static void fail_and_cut(struct run *run)
{
	fail_two(run);
	run->v.evidence.is_torn = true;
	run->v.evidence.has_summary = false;
	memset(&run->v.evidence.summary, 0, sizeof(run->v.evidence.summary));
}

static void fail_beside_an_error(struct run *run)
{
	fail_two(run);
	run->d[0].outcome = KTSTR_OUTCOME_ERROR;
}

static void fail_beside_undecided(struct run *run)
{
	fail_two(run);
	run->d[0].outcome = KTSTR_OUTCOME_UNDECIDED;
}

static void fail_on_a_torn_frame(struct run *run)
{
	fail_two(run);
	run->d[1].has_whole_evidence = false;
	run->v.evidence.summary.frames_torn = 1;
}

static void fail_beside_a_torn_frame(struct run *run)
{
	fail_two(run);
	run->v.evidence.summary.frames_torn = 1;
}

static void fail_after_a_hole(struct run *run)
{
	fail_two(run);
	run->v.evidence.summary.frames_oversize = 1;
}

static void fail_on_nothing_of_a_broken_run(struct run *run)
{
	fail_two(run);
	run->d[1].wanted = 0;
	run->v.evidence.summary.end_reason = COORD_END_BOOT_TIMEOUT;
	run->v.evidence.summary.has_end = 0;
	run->v.evidence.end_reason = (char *)"the guest did not boot";
}

static void fail_on_nothing_of_a_whole_run(struct run *run)
{
	fail_two(run);
	run->d[1].wanted = 0;
}

static void two_fail(struct run *run)
{
	fail_two(run);
	run->d[0].outcome = KTSTR_OUTCOME_FAIL;
	run->d[0].reason = (char *)"too slow";
	run->d[2].outcome = KTSTR_OUTCOME_FAIL;
	run->v.decision_count = 3;
}

static void scenario_fails(struct run *run)
{
	run->v.evidence.result_outcome = KTSTR_OUTCOME_FAIL;
	run->v.evidence.result_text = (char *)"lost a wakeup";
}

static void tear_record(struct run *run)
{
	run->v.evidence.is_torn = true;
}

static void leave_record_open(struct run *run)
{
	run->v.evidence.has_summary = false;
	run->v.evidence.end_reason = (char *)"disk full";
}

static void unseal_record(struct run *run)
{
	run->v.evidence.is_sealed = false;
}

static void lose_a_record(struct run *run)
{
	run->v.evidence.frames_recorded--;
}

static void interrupt(struct run *run)
{
	run->v.evidence.summary.end_reason = COORD_END_INTERRUPTED;
	run->v.evidence.end_reason = (char *)"interrupted by SIGINT";
}

static void interrupt_and_fail(struct run *run)
{
	fail_two(run);
	interrupt(run);
}

static void interrupt_after_the_scheduler_died(struct run *run)
{
	set_sched_exit(run);
	interrupt(run);
}

static void interrupt_judging(struct run *run)
{
	run->v.interrupted_by = SIGTERM;
	run->d[0].outcome = KTSTR_OUTCOME_ERROR;
}

static void panic(struct run *run)
{
	run->v.evidence.summary.end_reason = COORD_END_PANIC;
	run->v.evidence.summary.is_panicked = 1;
	run->v.evidence.end_reason = (char *)"kernel panic 2.0 s after the start";
}

static void panic_after_the_end(struct run *run)
{
	run->v.evidence.summary.is_panicked = 1;
}

static void crash(struct run *run)
{
	run->v.evidence.summary.end_reason = COORD_END_AGENT_CRASH;
	run->v.evidence.end_reason = (char *)"the agent crashed: SIGSEGV";
}

static void crash_that_panics(struct run *run)
{
	crash(run);
	run->v.evidence.summary.is_panicked = 1;
}

static void crash_that_was_taken_for_a_panic(struct run *run)
{
	panic(run);
	run->v.evidence.summary.is_crashed = 1;
}

static void crash_after_the_end(struct run *run)
{
	run->v.evidence.summary.is_crashed = 1;
}

static void agent_says_error(struct run *run)
{
	run->v.evidence.has_error = true;
	run->v.evidence.error_stage = KTSTR_STAGE_SCHEDULER;
	run->v.evidence.error_text = (char *)"cannot load it";
}

static void watchdog(struct run *run)
{
	run->v.evidence.summary.end_reason = COORD_END_WATCHDOG;
	run->v.evidence.end_reason = (char *)"the scenario did not end in its time";
}

static void watchdog_and_fail(struct run *run)
{
	fail_two(run);
	watchdog(run);
}

static void watchdog_and_agent_error(struct run *run)
{
	watchdog(run);
	agent_says_error(run);
}

static void overdue_in_teardown(struct run *run)
{
	agent_says_error(run);
	run->v.evidence.is_overdue = true;
	run->v.evidence.summary.end_reason = COORD_END_TEARDOWN_TIMEOUT;
	run->v.evidence.end_reason = (char *)"late";
}

static void late_after_an_error(struct run *run)
{
	agent_says_error(run);
	run->v.evidence.summary.end_reason = COORD_END_BOOT_TIMEOUT;
}

static void watchdog_after_the_scenario_failed(struct run *run)
{
	watchdog(run);
	scenario_fails(run);
}

static void watchdog_after_the_scheduler_died(struct run *run)
{
	set_sched_exit(run);
	watchdog(run);
}

static void unknown_end(struct run *run)
{
	run->v.evidence.summary.end_reason = 99;
}

static void sched_exit_end_without_a_frame(struct run *run)
{
	run->v.evidence.summary.end_reason = COORD_END_SCHED_EXIT;
}

static void lose_end(struct run *run)
{
	run->v.evidence.summary.has_end = 0;
}

static void mismatch_end(struct run *run)
{
	run->v.evidence.summary.end_matches = 0;
}

static void change_record(struct run *run)
{
	run->v.evidence.has_all_sent = false;
}

static void tear_frames(struct run *run)
{
	run->v.evidence.summary.frames_torn = 2;
}

static void drop_frames(struct run *run)
{
	run->v.evidence.summary.frames_dropped = 1;
}

static void oversize(struct run *run)
{
	run->v.evidence.summary.frames_oversize = 1;
}

static void leave_bytes(struct run *run)
{
	run->v.evidence.summary.bytes_left = 7;
}

static void go_on_after_end(struct run *run)
{
	run->v.evidence.summary.frames_after_end = 1;
}

static void malform(struct run *run)
{
	run->v.evidence.malformed = (char *)"a HELLO frame is too short";
}

static void lose_hello(struct run *run)
{
	run->v.evidence.hello_count = 0;
}

static void lose_result(struct run *run)
{
	run->v.evidence.has_result = false;
	run->v.evidence.result_outcome = 0;
}

static void scenario_errs(struct run *run)
{
	run->v.evidence.result_outcome = KTSTR_OUTCOME_ERROR;
	run->v.evidence.result_text = (char *)"no such cgroup";
}

static void scenario_says_nonsense(struct run *run)
{
	run->v.evidence.result_outcome = 77;
}

static void scheduler_dies_at_start(struct run *run)
{
	run->v.evidence.summary.last_phase = KTSTR_PHASE_SCHEDULER_DIED;
}

static void scheduler_not_attached(struct run *run)
{
	run->v.evidence.summary.last_phase = KTSTR_PHASE_SCHEDULER_NOT_ATTACHED;
}

static void agent_exits_badly(struct run *run)
{
	run->v.evidence.summary.exit_code = 1;
}

static void no_checker(struct run *run)
{
	run->v.decision_count = 0;
}

static void skip_without_checkers(struct run *run)
{
	run->v.decision_count = 0;
	run->v.evidence.result_outcome = KTSTR_OUTCOME_SKIP;
}

static void checker_errs(struct run *run)
{
	run->d[1].outcome = KTSTR_OUTCOME_ERROR;
	run->d[1].reason = (char *)"checker 'two' was killed by SIGSEGV";
}

static void checker_never_decides(struct run *run)
{
	run->d[0].outcome = KTSTR_OUTCOME_NONE;
}

static void checker_says_nonsense(struct run *run)
{
	run->d[0].outcome = 42;
}

static void scenario_skips(struct run *run)
{
	run->v.evidence.result_outcome = KTSTR_OUTCOME_SKIP;
	run->v.evidence.result_text = (char *)"needs two LLCs";
	run->d[0].outcome = KTSTR_OUTCOME_UNDECIDED;
	run->d[1].wanted = 0;
}

static void skip_beside_a_checker_error(struct run *run)
{
	scenario_skips(run);
	checker_errs(run);
}

static void scenario_cannot_decide(struct run *run)
{
	run->v.evidence.result_outcome = KTSTR_OUTCOME_UNDECIDED;
	run->v.evidence.result_text = (char *)"ended early";
}

static void checker_cannot_decide(struct run *run)
{
	run->d[1].outcome = KTSTR_OUTCOME_UNDECIDED;
	run->d[1].reason = (char *)"too few samples";
}

static void checker_saw_nothing(struct run *run)
{
	run->d[1].wanted = 0;
}

static void all_skip(struct run *run)
{
	run->d[0].outcome = run->d[1].outcome = KTSTR_OUTCOME_SKIP;
	run->d[0].reason = (char *)"one CPU only";
	run->d[0].wanted = run->d[1].wanted = 0;
}

static void one_skips(struct run *run)
{
	run->d[0].outcome = KTSTR_OUTCOME_SKIP;
	run->d[0].wanted = 0;
}

static void pass_on_a_torn_frame(struct run *run)
{
	run->d[0].has_whole_evidence = false;
}

#define PASS KTSTR_OUTCOME_PASS
#define SKIP KTSTR_OUTCOME_SKIP
#define UNDECIDED KTSTR_OUTCOME_UNDECIDED
#define FAIL KTSTR_OUTCOME_FAIL
#define ERROR KTSTR_OUTCOME_ERROR

/* Every rule at least once, and every pair whose order matters. */
static const struct {
	void (*spoil)(struct run *run);
	uint32_t outcome;
	const char *rule;
	const char *reason;
} rows[] = {
	{ nothing, PASS, "all_passed", "" },
	{ one_skips, PASS, "all_passed", "" },
	{ set_mismatch, ERROR, "wrong_plugins",
	  "the guest did not run what was sent: it loaded another one" },
	{ let_the_clock_be_ahead, PASS, "all_passed", "" },
	{ live_in_its_own_time, PASS, "all_passed", "" },
	{ let_the_clock_run_away, ERROR, "clock_runs_away",
	  "the guest's clock ran away: it counted 26.4 s in 1.0 s, so no time in this run means "
	  "anything; run it again" },
	{ fail_with_a_wrong_clock, ERROR, "clock_runs_away",
	  "the guest's clock ran away: it counted 26.4 s in 1.0 s, so no time in this run means "
	  "anything; run it again" },
	{ set_sched_exit, FAIL, "scheduler_died", "the scheduler died: runnable task stall" },
	{ set_sched_exit_without_frame, FAIL, "scheduler_died",
	  "the scheduler died: it did not say why" },
	{ set_sched_exit_without_summary, FAIL, "scheduler_died", "the scheduler died: died" },
	{ fail_two, FAIL, "checker_failed", "checker 'two': stuck 3 s (and 1 more)" },
	{ two_fail, FAIL, "checker_failed",
	  "checker 'one': too slow; 2 other checkers failed too" },
	{ fail_and_break, FAIL, "checker_failed", "checker 'two': stuck 3 s (and 1 more)" },
	{ fail_and_cut, FAIL, "checker_failed", "checker 'two': stuck 3 s (and 1 more)" },
	{ fail_beside_an_error, FAIL, "checker_failed", "checker 'two': stuck 3 s (and 1 more)" },
	{ fail_beside_undecided, FAIL, "checker_failed", "checker 'two': stuck 3 s (and 1 more)" },
	{ fail_beside_a_torn_frame, FAIL, "checker_failed",
	  "checker 'two': stuck 3 s (and 1 more)" },
	{ fail_on_nothing_of_a_whole_run, FAIL, "checker_failed",
	  "checker 'two': stuck 3 s (and 1 more)" },
	{ fail_on_a_torn_frame, ERROR, "frames_lost",
	  "the guest's stream is damaged; frames that had a wrong checksum: 1" },
	{ fail_after_a_hole, ERROR, "frames_lost",
	  "the guest's stream is damaged; frames that were too large and were dropped, with what "
	  "came behind them: 1" },
	{ fail_on_nothing_of_a_broken_run, ERROR, "run_broke", "the guest did not boot" },
	{ scenario_fails, FAIL, "scenario_failed", "the scenario failed: lost a wakeup" },
	{ tear_record, ERROR, "record_torn",
	  "the run file is cut off or damaged: what follows its last whole record is lost" },
	{ leave_record_open, ERROR, "record_open",
	  "the run file has no end: the run was cut off, or is not over (disk full)" },
	{ unseal_record, ERROR, "record_not_sealed",
	  "the run file goes on after its end: it is not as the coordinator left it" },
	{ lose_a_record, ERROR, "record_incomplete",
	  "the run file holds 4 frames where the coordinator recorded 5" },
	{ interrupt, ERROR, "interrupted", "interrupted by SIGINT" },
	{ interrupt_and_fail, ERROR, "interrupted",
	  "interrupted by SIGINT; what 1 checker found is of a run cut short" },
	{ interrupt_after_the_scheduler_died, FAIL, "scheduler_died",
	  "the scheduler died: runnable task stall" },
	{ interrupt_judging, ERROR, "judging_interrupted", "interrupted by SIGTERM while judging" },
	{ panic, ERROR, "guest_panicked", "kernel panic 2.0 s after the start" },
	{ panic_after_the_end, ERROR, "guest_panicked", "the guest's kernel panicked" },
	{ crash, ERROR, "agent_crashed", "the agent crashed: SIGSEGV" },
	{ crash_that_panics, ERROR, "agent_crashed", "the agent crashed: SIGSEGV" },
	{ crash_that_was_taken_for_a_panic, ERROR, "agent_crashed",
	  "the agent in the guest crashed" },
	{ crash_after_the_end, ERROR, "agent_crashed", "the agent in the guest crashed" },
	{ agent_says_error, ERROR, "agent_error", "in the guest (scheduler): cannot load it" },
	{ watchdog, ERROR, "cut_short",
	  "the scenario did not end in its time; the scheduler may be what held it up" },
	{ watchdog_and_fail, ERROR, "cut_short",
	  "the scenario did not end in its time; the scheduler may be what held it up; what 1 "
	  "checker found is of a run cut short" },
	{ watchdog_and_agent_error, ERROR, "cut_short",
	  "the scenario did not end in its time; the scheduler may be what held it up; in the "
	  "guest: cannot load it" },
	{ overdue_in_teardown, ERROR, "overdue", "late; in the guest: cannot load it" },
	{ late_after_an_error, ERROR, "agent_error", "in the guest (scheduler): cannot load it" },
	{ watchdog_after_the_scenario_failed, FAIL, "scenario_failed",
	  "the scenario failed: lost a wakeup" },
	{ watchdog_after_the_scheduler_died, FAIL, "scheduler_died",
	  "the scheduler died: runnable task stall" },
	{ unknown_end, ERROR, "run_broke", "unknown" },
	{ sched_exit_end_without_a_frame, ERROR, "run_broke", "scheduler exit" },
	{ lose_end, ERROR, "no_end", "the guest never said that its stream is complete" },
	{ tear_frames, ERROR, "frames_lost",
	  "the guest's stream is damaged; frames that had a wrong checksum: 2" },
	{ drop_frames, ERROR, "frames_lost",
	  "the guest's stream is damaged; frames that had no business in the stream and were "
	  "dropped: 1" },
	{ oversize, ERROR, "frames_lost",
	  "the guest's stream is damaged; frames that were too large and were dropped, with what "
	  "came behind them: 1" },
	{ go_on_after_end, ERROR, "frames_lost",
	  "the guest's stream is damaged; frames that came after the end of the stream: 1" },
	{ leave_bytes, ERROR, "frames_lost",
	  "the guest's stream is damaged; bytes of a frame that was never finished: 7" },
	{ mismatch_end, ERROR, "end_mismatch",
	  "what was recorded of the guest's stream is not what the guest says it sent" },
	{ change_record, ERROR, "end_mismatch",
	  "what was recorded of the guest's stream is not what the guest says it sent" },
	{ malform, ERROR, "frame_malformed",
	  "the guest's stream makes no sense: a HELLO frame is too short" },
	{ lose_hello, ERROR, "no_hello", "the agent never said which plugins it loaded" },
	{ lose_result, ERROR, "no_result", "the scenario never said how it ended" },
	{ scenario_errs, ERROR, "scenario_error", "the scenario could not run: no such cgroup" },
	{ scenario_says_nonsense, ERROR, "scenario_error",
	  "the scenario could not run: it did not say why" },
	{ scheduler_dies_at_start, ERROR, "scheduler_not_up",
	  "the scheduler died while it started" },
	{ scheduler_not_attached, ERROR, "scheduler_not_up", "the scheduler was not in charge" },
	{ agent_exits_badly, ERROR, "agent_failed", "the agent in the guest exited with 1" },
	{ no_checker, ERROR, "no_checkers",
	  "no checker judged the run; name one with 'checkers:' in the scenario or --checker" },
	{ skip_without_checkers, ERROR, "no_checkers",
	  "no checker judged the run; name one with 'checkers:' in the scenario or --checker" },
	{ checker_errs, ERROR, "checker_error", "checker 'two' was killed by SIGSEGV" },
	{ checker_never_decides, ERROR, "checker_error", "checker 'one': it never decided" },
	{ checker_says_nonsense, ERROR, "checker_error", "checker 'one': it never decided" },
	{ skip_beside_a_checker_error, ERROR, "checker_error",
	  "checker 'two' was killed by SIGSEGV" },
	{ scenario_skips, SKIP, "scenario_skipped",
	  "the scenario does not apply here: needs two LLCs" },
	{ scenario_cannot_decide, UNDECIDED, "scenario_undecided",
	  "the scenario could not decide: ended early" },
	{ checker_cannot_decide, UNDECIDED, "checker_undecided", "checker 'two': too few samples" },
	{ checker_saw_nothing, UNDECIDED, "checker_undecided",
	  "checker 'two' saw none of the frames it needs" },
	{ all_skip, SKIP, "all_skipped",
	  "no checker applies to this run; checker 'one': one CPU only" },
	{ pass_on_a_torn_frame, ERROR, "no_rule", "the run cannot be judged: no rule covers it" },
};

Test(verdict, follows_its_table)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct run run;

		make_good(&run);
		rows[i].spoil(&run);
		verdict_fold(&run.v);
		cr_expect_str_eq(run.v.rule, rows[i].rule, "row %zu (%s): %s", i, rows[i].rule,
				 run.v.rule);
		cr_expect_eq(run.v.outcome, rows[i].outcome, "row %zu (%s): %s", i, rows[i].rule,
			     outcome_name(run.v.outcome));
		cr_expect_str_eq(run.v.reason, rows[i].reason, "row %zu (%s): '%s'", i,
				 rows[i].rule, run.v.reason);
	}
}

/* No two breakages together make a good run. */
Test(verdict, no_breakage_hides_another)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(rows); j++) {
			struct run run;

			make_good(&run);
			rows[i].spoil(&run);
			rows[j].spoil(&run);
			verdict_fold(&run.v);
			if (rows[i].outcome != PASS && rows[j].outcome != PASS)
				cr_expect_neq(run.v.outcome, PASS, "%s with %s", rows[i].rule,
					      rows[j].rule);
		}
	}
}

Test(verdict, a_zeroed_run_is_an_error)
{
	struct verdict v = { 0 };

	verdict_fold(&v);
	cr_assert_eq(v.outcome, ERROR);
	cr_assert_str_eq(v.rule, "record_open");
}

Test(verdict, the_reason_is_cut_where_it_does_not_fit)
{
	char text[3000];
	struct run run;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	make_good(&run);
	run.d[0].outcome = KTSTR_OUTCOME_ERROR;
	run.d[0].reason = text;
	verdict_fold(&run.v);
	cr_assert_eq(strlen(run.v.reason), sizeof(run.v.reason) - 1);
}

Test(verdict, outcomes_have_names_and_exit_codes)
{
	static const struct {
		uint32_t outcome;
		const char *name;
		int exit_code;
	} outcomes[] = {
		{ PASS, "PASS", 0 },   { FAIL, "FAIL", 1 },
		{ ERROR, "ERROR", 3 }, { UNDECIDED, "UNDECIDED", 4 },
		{ SKIP, "SKIP", 77 },  { KTSTR_OUTCOME_NONE, "NONE", 3 },
		{ 99, "UNKNOWN", 3 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++) {
		cr_assert_str_eq(outcome_name(outcomes[i].outcome), outcomes[i].name);
		cr_assert_eq(verdict_exit_code(outcomes[i].outcome), outcomes[i].exit_code);
	}
}
