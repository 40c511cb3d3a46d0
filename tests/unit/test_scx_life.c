/* SPDX-License-Identifier: GPL-2.0-only */
/* The checkers scx_alive and scx_exit. */
#include "unit/scx_court.h"
#include "unit/shipped.h"

static const struct ktstr_value any[] = { { .type = KTSTR_PARAM_STRING },
					  { .type = KTSTR_PARAM_INT } };

static void show_runner(struct court *court, uint32_t first, uint32_t last)
{
	struct ktstr_worker_report report = worker_of(7);

	report.wall_time_ns = 1 * S;
	report.ext_first = first;
	report.ext_last = last;
	show_worker(court, &report);
}

static void show_reign(struct court *court, uint32_t ext)
{
	show_when(court, KTSTR_SCX_ATTACHED, 1000);
	show_when(court, KTSTR_SCX_RUNNING, 2000);
	show_when(court, KTSTR_SCX_RUNNING, 3000);
	if (ext != UINT32_MAX)
		show_runner(court, ext, ext);
	show_when(court, KTSTR_SCX_BEFORE_STOP, 3040);
	show_disabled(court, KTSTR_SCX_STOPPED, 3200);
}

static void expect_alone(struct court *court, uint32_t outcome, const char *subject,
			 const char *text)
{
	cr_expect_eq(decide(court), outcome);
	cr_assert_geq(court->count, 1);
	expect_sentence(court, 0, outcome, subject, text);
	court_close(court);
}

Test(scx_alive, a_scheduler_in_charge_to_its_stop_passes)
{
	struct court *court = court_open("scx_alive", any);

	show_reign(court, KTSTR_EXT_YES);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS);
	cr_assert_eq(court->count, 2);
	expect_found(court, 0, KTSTR_OUTCOME_PASS, "fifo", 0, 0, "'fifo' rejected 0 tasks");
	expect_found(court, 1, KTSTR_OUTCOME_PASS, "fifo", 1, 1,
		     "all of 1 workers ran under 'fifo'");
	court_close(court);
}

Test(scx_alive, without_a_scheduler_of_sched_ext_it_fails)
{
	struct court *court = court_open("scx_alive", any);

	show_disabled(court, KTSTR_SCX_ATTACHED, 1000);
	show_disabled(court, KTSTR_SCX_RUNNING, 2000);
	show_runner(court, KTSTR_EXT_NO, KTSTR_EXT_NO);
	show_disabled(court, KTSTR_SCX_BEFORE_STOP, 3000);
	expect_alone(court, KTSTR_OUTCOME_FAIL, "run", "no sched_ext scheduler was in charge");
}

Test(scx_alive, what_the_run_or_the_kernel_does_not_tell_is_undecided)
{
	struct court *court = court_open("scx_alive", any);
	struct ktstr_scx_state nothing = { .size = sizeof(nothing), .when = KTSTR_SCX_ATTACHED };

	show_state(court, &nothing);
	expect_alone(court, KTSTR_OUTCOME_UNDECIDED, "run", "this kernel has no sched_ext");

	court = court_open("scx_alive", any);
	show_runner(court, KTSTR_EXT_YES, KTSTR_EXT_YES);
	expect_alone(court, KTSTR_OUTCOME_UNDECIDED, "run", "the run does not tell of sched_ext");

	court = court_open("scx_alive", any);
	show_reign(court, KTSTR_EXT_UNKNOWN);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_UNDECIDED);
	cr_expect_str_eq(court->found[1].text,
			 "the kernel does not tell of 1 workers whether they ran under 'fifo'");
	court_close(court);

	court = court_open("scx_alive", any);
	show_reign(court, UINT32_MAX);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_UNDECIDED);
	cr_expect_str_eq(court->found[1].text, "no worker told whether it ran under 'fifo'");
	court_close(court);
}

Test(scx_alive, a_worker_that_did_not_run_under_it_fails)
{
	static const struct {
		uint32_t first, last;
		const char *text;
	} rows[] = {
		{ KTSTR_EXT_NO, KTSTR_EXT_YES,
		  "tid 7 did not run under 'fifo' when its work began" },
		{ KTSTR_EXT_YES, KTSTR_EXT_NO,
		  "tid 7 did not run under 'fifo' when its work ended" },
		{ KTSTR_EXT_UNKNOWN, KTSTR_EXT_NO,
		  "tid 7 did not run under 'fifo' when its work ended" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct court *court = court_open("scx_alive", any);

		show_when(court, KTSTR_SCX_ATTACHED, 1000);
		show_runner(court, rows[i].first, rows[i].last);
		show_when(court, KTSTR_SCX_BEFORE_STOP, 3000);
		expect_alone(court, KTSTR_OUTCOME_FAIL, "tid 7", rows[i].text);
	}
}

Test(scx_alive, a_worker_that_was_killed_is_not_asked)
{
	struct court *court = court_open("scx_alive", any);
	struct ktstr_worker_report report = worker_of(8);

	show_when(court, KTSTR_SCX_ATTACHED, 1000);
	report.flags = 0;
	report.ext_first = report.ext_last = KTSTR_EXT_NO;
	show_worker(court, &report);
	show_runner(court, KTSTR_EXT_YES, KTSTR_EXT_YES);
	show_when(court, KTSTR_SCX_BEFORE_STOP, 3000);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS);
	court_close(court);
}

Test(scx_alive, one_that_goes_or_changes_meanwhile_fails)
{
	static const struct {
		uint32_t when;
		const char *state, *ops;
		uint64_t seq;
		const char *text;
	} rows[] = {
		{ KTSTR_SCX_RUNNING, "disabled", "", 7,
		  "sched_ext was 'disabled' 2.04 s after 'fifo' was attached" },
		{ KTSTR_SCX_BEFORE_STOP, "disabling", "fifo", 7,
		  "sched_ext was 'disabling' 2.04 s after 'fifo' was attached" },
		{ KTSTR_SCX_RUNNING, "enabled", "other", 8,
		  "'other' was in charge 2.04 s after 'fifo' was attached" },
		{ KTSTR_SCX_RUNNING, "enabled", "fifo", 8,
		  "'fifo' was enabled anew within 2.04 s after it was attached" },
		{ KTSTR_SCX_DIED, "disabled", "", 7,
		  "'fifo' was gone 2.04 s after it was attached" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct court *court = court_open("scx_alive", any);
		struct ktstr_scx_state state;

		show_when(court, KTSTR_SCX_ATTACHED, 1000);
		show_runner(court, KTSTR_EXT_YES, KTSTR_EXT_YES);
		state = state_of(court, rows[i].when, 3040);
		memset(state.ops, 0, sizeof(state.ops));
		(void)snprintf(state.ops, sizeof(state.ops), "%s", rows[i].ops);
		(void)snprintf(state.state, sizeof(state.state), "%s", rows[i].state);
		state.enable_seq = rows[i].seq;
		show_state(court, &state);
		/* A second complaint of the same says nothing new. */
		show_disabled(court, KTSTR_SCX_BEFORE_STOP, 4000);
		cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
		cr_assert_eq(court->count, 1, "%zu", i);
		expect_sentence(court, 0, KTSTR_OUTCOME_FAIL, "fifo", rows[i].text);
		court_close(court);
	}
}

Test(scx_alive, a_run_that_was_cut_is_undecided)
{
	struct court *court = court_open("scx_alive", any);

	show_when(court, KTSTR_SCX_ATTACHED, 1000);
	show_runner(court, KTSTR_EXT_YES, KTSTR_EXT_YES);
	expect_alone(court, KTSTR_OUTCOME_UNDECIDED, "fifo",
		     "the run ended before 'fifo' was stopped");
}

/* PID 1 tells what came of it: the session that broke may have been anybody's fault. */
Test(scx_alive, one_that_the_session_took_with_it_is_undecided)
{
	struct court *court = court_open("scx_alive", any);

	show_when(court, KTSTR_SCX_ATTACHED, 1000);
	show_runner(court, KTSTR_EXT_YES, KTSTR_EXT_YES);
	show_disabled(court, KTSTR_SCX_STOPPED, 2000);
	expect_alone(court, KTSTR_OUTCOME_UNDECIDED, "fifo",
		     "the run ended before 'fifo' was stopped");
}

Test(scx_alive, rejected_tasks_are_counted_against_the_limit)
{
	const struct ktstr_value three[] = { { .type = KTSTR_PARAM_STRING },
					     { .type = KTSTR_PARAM_INT, .i = 3 } };
	struct {
		const struct ktstr_value *values;
		uint64_t rejected;
		uint32_t outcome;
	} rows[] = { { any, 1, KTSTR_OUTCOME_FAIL },
		     { three, 3, KTSTR_OUTCOME_PASS },
		     { three, 4, KTSTR_OUTCOME_FAIL } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct court *court = court_open("scx_alive", rows[i].values);
		struct ktstr_scx_state state;

		show_when(court, KTSTR_SCX_ATTACHED, 1000);
		show_runner(court, KTSTR_EXT_YES, KTSTR_EXT_YES);
		state = state_of(court, KTSTR_SCX_BEFORE_STOP, 3000);
		state.nr_rejected = rows[i].rejected;
		show_state(court, &state);
		cr_expect_eq(decide(court), rows[i].outcome, "%zu", i);
		cr_expect_str_eq(court->found[0].metric, "rejected tasks");
		cr_expect_float_eq(court->found[0].measured, (double)rows[i].rejected, 1e-9);
		court_close(court);
	}
}

Test(scx_alive, the_name_in_the_kernel_can_be_asked_for)
{
	static const struct {
		const char *ops, *text;
	} rows[] = { { "fifo", NULL },
		     { "fi*", NULL },
		     { "vtime", "'fifo' was in charge instead of 'vtime'" },
		     { "fif", "'fifo' was in charge instead of 'fif'" } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct ktstr_value values[] = {
			{ .type = KTSTR_PARAM_STRING, .is_set = 1, .s = rows[i].ops },
			{ .type = KTSTR_PARAM_INT }
		};
		struct court *court = court_open("scx_alive", values);

		show_reign(court, KTSTR_EXT_YES);
		if (rows[i].text) {
			expect_alone(court, KTSTR_OUTCOME_FAIL, "fifo", rows[i].text);
			continue;
		}
		cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS);
		court_close(court);
	}
}

/* fifo from 1 s to 5 s, nobody until 10 s, then another one. */
static void show_story(struct court *court, uint32_t ext_between)
{
	struct ktstr_scx_state state;
	struct ktstr_worker_report report = worker_of(9);

	show_when(court, KTSTR_SCX_ATTACHED, 1000);
	show_when(court, KTSTR_SCX_BEFORE_STOP, 5000);
	show_disabled(court, KTSTR_SCX_STOPPED, 5100);
	show_swap(court, KTSTR_SCHED_SWAP_DETACH, 0);
	/* Born at 6.5 s, dead at 8 s. */
	court->now_ns = 8 * S;
	report.wall_time_ns = 1500 * MS;
	report.ext_first = report.ext_last = ext_between;
	show_worker(court, &report);
	state = state_of(court, KTSTR_SCX_ATTACHED, 10000);
	state.enable_seq = 8;
	(void)snprintf(state.ops, sizeof(state.ops), "vtime");
	show_state(court, &state);
	show_swap(court, KTSTR_SCHED_SWAP_ATTACH, 0);
	/* Born at 5.2 s, near the change: only its end counts. */
	court->now_ns = 13 * S;
	report.wall_time_ns = 7800 * MS;
	report.ext_first = KTSTR_EXT_NO;
	report.ext_last = KTSTR_EXT_YES;
	show_worker(court, &report);
	state.when = KTSTR_SCX_BEFORE_STOP;
	state.guest_ns = 13 * S;
	show_state(court, &state);
}

Test(scx_alive, changes_that_were_asked_for_are_followed)
{
	struct court *court = court_open("scx_alive", any);

	show_story(court, KTSTR_EXT_NO);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS, "%s", court->found[0].text);
	cr_assert_eq(court->count, 2);
	cr_expect_float_eq(court->found[1].measured, 1, 1e-9);
	cr_expect_str_eq(court->found[1].subject, "vtime");
	court_close(court);
}

Test(scx_alive, a_worker_begun_under_one_of_several_counts)
{
	struct court *court = court_open("scx_alive", any);

	show_when(court, KTSTR_SCX_ATTACHED, 1000);
	show_when(court, KTSTR_SCX_BEFORE_STOP, 5000);
	show_disabled(court, KTSTR_SCX_STOPPED, 5100);
	show_swap(court, KTSTR_SCHED_SWAP_DETACH, 0);
	court->now_ns = 5200 * MS;
	/* It began at 4.2 s, and ended under nobody. */
	show_runner(court, KTSTR_EXT_NO, KTSTR_EXT_NO);
	expect_alone(court, KTSTR_OUTCOME_FAIL, "tid 7",
		     "tid 7 did not run under 'fifo' when its work began");
}

Test(scx_alive, a_change_that_nobody_asked_for_fails)
{
	struct court *court = court_open("scx_alive", any);

	show_reign(court, KTSTR_EXT_YES);
	show_reign(court, KTSTR_EXT_YES);
	expect_alone(court, KTSTR_OUTCOME_FAIL, "fifo",
		     "schedulers were attached 2 times, of which the scenario asked for 1 at most");
}

Test(scx_alive, a_change_that_failed_fails)
{
	struct court *court = court_open("scx_alive", any);

	show_when(court, KTSTR_SCX_ATTACHED, 1000);
	show_runner(court, KTSTR_EXT_YES, KTSTR_EXT_YES);
	show_when(court, KTSTR_SCX_BEFORE_STOP, 5000);
	show_swap(court, KTSTR_SCHED_SWAP_REPLACE, -ETIMEDOUT);
	expect_alone(court, KTSTR_OUTCOME_FAIL, "run",
		     "changing to scheduler 'other' failed: Connection timed out");
}

Test(scx_alive, hostile_and_malformed_frames_are_refused)
{
	struct court *court = court_open("scx_alive", any);
	struct ktstr_scx_state state = state_of(court, KTSTR_SCX_ATTACHED, 0);
	char text[128];

	cr_expect_eq(show(court, KTSTR_MSG_SCX_STATE, KTSTR_FRAME_CRC_OK, "abc", 3), -EBADMSG);
	(void)snprintf(text, sizeof(text),
		       "frame 0: a state of sched_ext of 3 bytes, at least %zu are needed",
		       sizeof(state));
	cr_expect_str_eq(court->err.text, text);
	state.event_count = 1;
	cr_expect_eq(show(court, KTSTR_MSG_SCX_STATE, KTSTR_FRAME_CRC_OK, &state, sizeof(state)),
		     -EBADMSG);
	cr_expect_str_eq(court->err.text, "frame 1: 1 events, but 0 bytes follow");
	cr_expect_eq(show(court, KTSTR_MSG_SCHED_SWAP, KTSTR_FRAME_CRC_OK, "abc", 3), -EBADMSG);
	cr_expect_eq(show(court, KTSTR_MSG_WORKER, KTSTR_FRAME_CRC_OK, "abc", 3), -EBADMSG);
	/* With a wrong CRC they say nothing. */
	cr_expect_eq(show(court, KTSTR_MSG_SCX_STATE, 0, "abc", 3), 0);

	state.event_count = 0;
	memset(state.ops, '\033', sizeof(state.ops));
	show_state(court, &state);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_UNDECIDED);
	cr_expect_eq(strspn(court->found[0].subject, "?"), sizeof(state.ops) - 1);
	court_close(court);
}

/* scx_exit */

enum {
	NONE = 0,
	UNREG = 2,
	STALL = 9,
};

static struct court *exit_court(int64_t kind, const char *message)
{
	const struct ktstr_value values[] = {
		{ .type = KTSTR_PARAM_ENUM, .i = kind },
		{ .type = KTSTR_PARAM_STRING, .is_set = message != NULL, .s = message },
	};

	return court_open("scx_exit", values);
}

Test(scx_exit, knows_the_words_of_all_kinds)
{
	const struct ktstr_param *kind = &shipped_load("checkers", "scx_exit")->params[0];

	cr_expect_str_eq(kind->choices[NONE], "none");
	for (size_t i = 1; kind->choices[i]; i++) {
		bool is_known = false;

		for (uint32_t number = 1; number < 2000; number++) {
			const char *name = ktstr_scx_exit_name(number);

			is_known |= name && strcmp(name, kind->choices[i]) == 0;
		}
		cr_expect(is_known, "%s", kind->choices[i]);
	}
	cr_expect_str_eq(kind->choices[STALL], "stall");
}

Test(scx_exit, one_that_leaves_when_it_is_stopped_passes)
{
	struct court *court = exit_court(NONE, NULL);

	show_when(court, KTSTR_SCX_ATTACHED, 1000);
	show_when(court, KTSTR_SCX_BEFORE_STOP, 3000);
	show_exit(court, KTSTR_SCX_EXIT_UNREG, "unregistered from user space", "");
	show_disabled(court, KTSTR_SCX_STOPPED, 3100);
	expect_alone(court, KTSTR_OUTCOME_PASS, "fifo", "was not ejected");
}

Test(scx_exit, an_ejection_fails_whenever_it_comes)
{
	static const struct {
		uint32_t kind, when;
		const char *reason, *text;
	} rows[] = {
		{ KTSTR_SCX_EXIT_ERROR_STALL, KTSTR_SCX_RUNNING, "runnable task stall",
		  "was ejected: runnable task stall (1026): 'why'" },
		{ KTSTR_SCX_EXIT_ERROR, KTSTR_SCX_BEFORE_STOP, "",
		  "was ejected: error (1024): 'why'" },
		{ KTSTR_SCX_EXIT_SYSRQ, KTSTR_SCX_BEFORE_STOP, "disabled by sysrq-S",
		  "was ejected: disabled by sysrq-S (67): 'why'" },
		{ 2000, KTSTR_SCX_BEFORE_STOP, "", "was ejected: #2000 (2000): 'why'" },
		{ KTSTR_SCX_EXIT_UNREG, KTSTR_SCX_RUNNING, "unregistered from user space",
		  "left by itself: unregistered from user space (64): 'why'" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct court *court = exit_court(NONE, NULL);

		show_when(court, KTSTR_SCX_ATTACHED, 1000);
		show_when(court, rows[i].when, 2000);
		show_exit(court, rows[i].kind, rows[i].reason, "why");
		expect_alone(court, KTSTR_OUTCOME_FAIL, "fifo", rows[i].text);
	}
}

Test(scx_exit, an_ejection_is_told_of_once)
{
	struct court *court = exit_court(NONE, NULL);
	const char death[] = "\xfd\xff\xff\xffit was ejected";

	show_when(court, KTSTR_SCX_ATTACHED, 1000);
	show_exit(court, KTSTR_SCX_EXIT_ERROR_BPF, "scx_bpf_error", "oops");
	show_all(court, KTSTR_MSG_SCHED_EXIT, death, sizeof(death) - 1, NULL, 0);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_expect_eq(court->count, 1);
	court_close(court);
}

Test(scx_exit, an_ejection_before_it_was_attached_fails)
{
	struct court *court = exit_court(NONE, NULL);

	show_exit(court, KTSTR_SCX_EXIT_ERROR, "runtime error", "ops.init() failed (-12)");
	expect_alone(court, KTSTR_OUTCOME_FAIL, "scheduler",
		     "was ejected: runtime error (1024): 'ops.init() failed (-12)'");
}

Test(scx_exit, one_that_is_gone_without_a_word_fails)
{
	struct court *court = exit_court(NONE, NULL);
	const char death[] = "\xfd\xff\xff\xffit crashed";

	show_when(court, KTSTR_SCX_ATTACHED, 1000);
	show_disabled(court, KTSTR_SCX_DIED, 2000);
	expect_alone(court, KTSTR_OUTCOME_FAIL, "fifo", "was gone before it was stopped");

	court = exit_court(NONE, NULL);
	show_all(court, KTSTR_MSG_SCHED_EXIT, death, sizeof(death) - 1, NULL, 0);
	expect_alone(court, KTSTR_OUTCOME_FAIL, "scheduler", "the scheduler died: it crashed");

	court = exit_court(NONE, NULL);
	show_all(court, KTSTR_MSG_SCHED_EXIT, death, 4, NULL, 0);
	expect_alone(court, KTSTR_OUTCOME_FAIL, "scheduler",
		     "the scheduler died: it did not say why");
}

Test(scx_exit, nothing_to_leave_is_a_skip)
{
	struct court *court = exit_court(NONE, NULL);

	show_disabled(court, KTSTR_SCX_ATTACHED, 1000);
	show_disabled(court, KTSTR_SCX_BEFORE_STOP, 2000);
	expect_alone(court, KTSTR_OUTCOME_SKIP, "run", "no sched_ext scheduler was in charge");
}

Test(scx_exit, what_the_run_does_not_tell_is_undecided)
{
	struct court *court = exit_court(NONE, NULL);

	expect_alone(court, KTSTR_OUTCOME_UNDECIDED, "run", "the run does not tell of sched_ext");

	court = exit_court(NONE, NULL);
	show_when(court, KTSTR_SCX_ATTACHED, 1000);
	expect_alone(court, KTSTR_OUTCOME_UNDECIDED, "fifo",
		     "the run ended before 'fifo' was stopped");

	court = exit_court(STALL, NULL);
	expect_alone(court, KTSTR_OUTCOME_UNDECIDED, "run", "no scheduler left by 'stall'");
}

static void show_stall(struct court *court)
{
	show_when(court, KTSTR_SCX_ATTACHED, 1000);
	show_exit(court, KTSTR_SCX_EXIT_ERROR_STALL, "runnable task stall",
		  "worker[151] failed to run for 2.976s");
	show_disabled(court, KTSTR_SCX_DIED, 4000);
}

Test(scx_exit, an_expected_exit_passes)
{
	struct court *court = exit_court(STALL, NULL);

	show_stall(court);
	expect_alone(court, KTSTR_OUTCOME_PASS, "fifo",
		     "left as expected: runnable task stall (1026): 'worker[151] failed to run for "
		     "2.976s'");

	court = exit_court(STALL, "failed to run");
	show_stall(court);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS);
	court_close(court);
}

Test(scx_exit, an_expected_exit_that_says_something_else_fails)
{
	struct court *court = exit_court(STALL, "watchdog");

	show_stall(court);
	expect_alone(court, KTSTR_OUTCOME_FAIL, "fifo",
		     "left by runnable task stall (1026) as expected, but said 'worker[151] failed "
		     "to run for 2.976s', not 'watchdog'");
}

Test(scx_exit, another_exit_than_the_expected_one_fails)
{
	struct court *court = exit_court(STALL, NULL);

	show_when(court, KTSTR_SCX_ATTACHED, 1000);
	show_exit(court, KTSTR_SCX_EXIT_ERROR_BPF, "scx_bpf_error", "oops");
	expect_alone(court, KTSTR_OUTCOME_FAIL, "fifo",
		     "was ejected: scx_bpf_error (1025): 'oops'");

	court = exit_court(STALL, NULL);
	show_when(court, KTSTR_SCX_ATTACHED, 1000);
	show_when(court, KTSTR_SCX_BEFORE_STOP, 2000);
	show_exit(court, KTSTR_SCX_EXIT_UNREG, "unregistered from user space", "");
	expect_alone(court, KTSTR_OUTCOME_FAIL, "run",
		     "no scheduler left by 'stall', but in order");

	court = exit_court(STALL, NULL);
	show_when(court, KTSTR_SCX_ATTACHED, 1000);
	show_when(court, KTSTR_SCX_BEFORE_STOP, 2000);
	expect_alone(court, KTSTR_OUTCOME_FAIL, "run", "no scheduler left by 'stall'");
}

Test(scx_exit, a_message_needs_a_kind)
{
	const struct ktstr_value values[] = {
		{ .type = KTSTR_PARAM_ENUM },
		{ .type = KTSTR_PARAM_STRING, .is_set = 1, .s = "x", .line = 3, .column = 5 },
	};
	const struct ktstr_checker_ops *ops = shipped_load("checkers", "scx_exit")->checker;
	struct ktstr_judge judge = { .size = sizeof(judge) };
	struct ktstr_error err = { 0 };
	void *state = NULL;

	cr_expect_eq(ops->open(&judge, values, &state, &err), -EINVAL);
	cr_expect_str_eq(err.text, "'message' needs a 'kind' that is to say it");
	cr_expect_eq(err.line, 3);
}

Test(scx_exit, malformed_frames_are_refused)
{
	struct court *court = exit_court(NONE, NULL);
	struct ktstr_scx_exit head = { .size = sizeof(head), .message_length = 1 };

	cr_expect_eq(show(court, KTSTR_MSG_SCX_EXIT, KTSTR_FRAME_CRC_OK, "abc", 3), -EBADMSG);
	cr_expect_eq(show(court, KTSTR_MSG_SCX_EXIT, KTSTR_FRAME_CRC_OK, &head, sizeof(head)),
		     -EBADMSG);
	cr_expect_str_eq(court->err.text, "frame 1: 1 bytes of texts, but 0 bytes follow");
	head.message_length = head.dump_length = UINT32_MAX;
	cr_expect_eq(show(court, KTSTR_MSG_SCX_EXIT, KTSTR_FRAME_CRC_OK, &head, sizeof(head)),
		     -EBADMSG);
	cr_expect_eq(show(court, KTSTR_MSG_SCX_EXIT, 0, "abc", 3), 0);
	court_close(court);
}
