/* SPDX-License-Identifier: GPL-2.0-only */
/* The checkers scx_events and verifier. */
#include "unit/scx_court.h"
#include "unit/shipped.h"

#define FALLBACK "SCX_EV_SELECT_CPU_FALLBACK"
#define KEEP_LAST "SCX_EV_DISPATCH_KEEP_LAST"

static struct court *events_court(int64_t sustained, const char *event, int64_t max,
				  double max_rate)
{
	const struct ktstr_value fields[] = {
		{ .type = KTSTR_PARAM_STRING, .is_set = 1, .s = event },
		{ .type = KTSTR_PARAM_INT, .is_set = max >= 0, .i = max },
		{ .type = KTSTR_PARAM_FLOAT, .is_set = max_rate >= 0, .f = max_rate },
	};
	const struct ktstr_value items[] = {
		{ .type = KTSTR_PARAM_MAP, .items = fields, .count = 3 },
	};
	const struct ktstr_value values[] = {
		{ .type = KTSTR_PARAM_FLOAT, .f = 200 },
		{ .type = KTSTR_PARAM_FLOAT, .f = 100 },
		{ .type = KTSTR_PARAM_INT, .i = sustained },
		{ .type = KTSTR_PARAM_LIST, .items = items, .count = event != NULL },
	};

	return court_open("scx_events", values);
}

static struct court *plain_court(void)
{
	return events_court(2, NULL, -1, -1);
}

static void show_events(struct court *court, struct ktstr_scx_state state, int64_t fallback,
			int64_t keep_last)
{
	const struct ktstr_scx_event events[] = { { .name = FALLBACK, .value = fallback },
						  { .name = KEEP_LAST, .value = keep_last } };

	state.event_count = 2;
	show_all(court, KTSTR_MSG_SCX_STATE, &state, sizeof(state), events, sizeof(events));
}

static void show_at(struct court *court, uint32_t when, uint64_t at_ms, int64_t fallback,
		    int64_t keep_last)
{
	show_events(court, state_of(court, when, at_ms), fallback, keep_last);
}

Test(scx_events, the_rates_of_the_kernels_own_troubles_are_limited_by_default)
{
	const struct ktstr_param *params = shipped_load("checkers", "scx_events")->params;

	cr_expect_str_eq(params[0].fallback, "200");
	cr_expect_str_eq(params[1].fallback, "100");
	cr_expect_str_eq(params[2].fallback, "2");
}

Test(scx_events, quiet_counters_pass)
{
	struct court *court = plain_court();

	show_at(court, KTSTR_SCX_ATTACHED, 1000, 5000, 0);
	show_at(court, KTSTR_SCX_RUNNING, 2000, 5100, 10);
	show_at(court, KTSTR_SCX_RUNNING, 3000, 5300, 30);
	show_at(court, KTSTR_SCX_BEFORE_STOP, 4000, 5450, 30);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS);
	cr_assert_eq(court->count, 2);
	expect_found(court, 0, KTSTR_OUTCOME_PASS, FALLBACK, 150, 200,
		     FALLBACK ": 150.0/s for 2 intervals in a row");
	expect_found(court, 1, KTSTR_OUTCOME_PASS, KEEP_LAST, 10, 100,
		     KEEP_LAST ": 10.0/s for 2 intervals in a row");
	cr_expect_str_eq(court->found[0].metric, "sustained rate");
	cr_expect_str_eq(court->found[0].unit, "/s");
	court_close(court);
}

Test(scx_events, a_rate_that_goes_on_fails)
{
	struct court *court = plain_court();

	show_at(court, KTSTR_SCX_ATTACHED, 1000, 0, 0);
	show_at(court, KTSTR_SCX_RUNNING, 2000, 250, 0);
	/* Two seconds: 240 a second. */
	show_at(court, KTSTR_SCX_RUNNING, 4000, 730, 0);
	show_at(court, KTSTR_SCX_BEFORE_STOP, 5000, 730, 0);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	expect_found(court, 0, KTSTR_OUTCOME_FAIL, FALLBACK, 240, 200,
		     FALLBACK ": 240.0/s for 2 intervals in a row");
	cr_expect_eq(court->found[1].outcome, KTSTR_OUTCOME_PASS);
	court_close(court);
}

Test(scx_events, one_burst_alone_does_not_count)
{
	struct court *court = plain_court();

	show_at(court, KTSTR_SCX_ATTACHED, 1000, 0, 0);
	show_at(court, KTSTR_SCX_RUNNING, 2000, 0, 5000);
	show_at(court, KTSTR_SCX_RUNNING, 3000, 0, 5050);
	show_at(court, KTSTR_SCX_RUNNING, 4000, 0, 9000);
	show_at(court, KTSTR_SCX_BEFORE_STOP, 5000, 0, 9020);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS);
	cr_expect_float_eq(court->found[1].measured, 50, 1e-6);
	court_close(court);
}

Test(scx_events, how_long_a_rate_must_go_on_can_be_chosen)
{
	for (int64_t sustained = 1; sustained <= 5; sustained++) {
		struct court *court = events_court(sustained, NULL, -1, -1);
		uint64_t at_ms = 1000;
		int64_t count = 0;

		show_at(court, KTSTR_SCX_ATTACHED, at_ms, 0, 0);
		for (size_t i = 0; i < 8; i++) {
			count += i >= 2 && i < 5 ? 150 : 0;
			show_at(court, KTSTR_SCX_RUNNING, at_ms += 1000, 0, count);
		}
		cr_expect_eq(decide(court),
			     sustained <= 3 ? KTSTR_OUTCOME_FAIL : KTSTR_OUTCOME_PASS, "%d",
			     (int)sustained);
		court_close(court);
	}
}

Test(scx_events, a_run_too_short_for_a_sustained_rate_passes_only_below_the_limit)
{
	static const struct {
		int64_t keep_last;
		uint32_t outcome;
	} rows[] = { { 90, KTSTR_OUTCOME_PASS }, { 110, KTSTR_OUTCOME_UNDECIDED } };

	for (size_t i = 0; i < 2; i++) {
		struct court *court = plain_court();

		show_at(court, KTSTR_SCX_ATTACHED, 1000, 0, 0);
		show_at(court, KTSTR_SCX_BEFORE_STOP, 2000, 0, rows[i].keep_last);
		cr_expect_eq(decide(court), rows[i].outcome);
		cr_expect_eq(court->found[1].outcome, rows[i].outcome);
		cr_expect_float_eq(court->found[1].measured, (double)rows[i].keep_last, 1e-6);
		if (i == 1)
			cr_expect_str_eq(court->found[1].text, KEEP_LAST
					 ": 110.0/s for 1 of 2 intervals, the run was too "
					 "short for more");
		court_close(court);
	}
}

Test(scx_events, samples_too_near_to_each_other_make_no_rate)
{
	struct court *court = plain_court();

	show_at(court, KTSTR_SCX_ATTACHED, 1000, 0, 0);
	show_at(court, KTSTR_SCX_RUNNING, 1050, 190, 0);
	show_at(court, KTSTR_SCX_RUNNING, 2000, 190, 0);
	show_at(court, KTSTR_SCX_RUNNING, 3000, 380, 0);
	show_at(court, KTSTR_SCX_BEFORE_STOP, 3001, 480, 0);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS);
	cr_expect_float_eq(court->found[0].measured, 190, 1e-6);
	court_close(court);

	court = plain_court();
	show_at(court, KTSTR_SCX_ATTACHED, 1000, 0, 0);
	show_at(court, KTSTR_SCX_BEFORE_STOP, 1050, 0, 0);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_UNDECIDED);
	expect_sentence(court, 0, KTSTR_OUTCOME_UNDECIDED, FALLBACK,
			FALLBACK ": too few samples for a rate");
	court_close(court);
}

Test(scx_events, counters_begin_anew_with_each_scheduler)
{
	struct court *court = events_court(2, "DISPATCH_KEEP_LAST", 100, -1);
	struct ktstr_scx_state state;

	show_at(court, KTSTR_SCX_ATTACHED, 1000, 0, 0);
	show_at(court, KTSTR_SCX_RUNNING, 2000, 0, 60);
	show_at(court, KTSTR_SCX_BEFORE_STOP, 2100, 0, 70);
	show_disabled(court, KTSTR_SCX_STOPPED, 2200);
	state = state_of(court, KTSTR_SCX_ATTACHED, 2500);
	state.enable_seq = 8;
	show_events(court, state, 0, 5);
	state.when = KTSTR_SCX_RUNNING;
	state.guest_ns = 3500 * MS;
	show_events(court, state, 0, 65);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_assert_eq(court->count, 3);
	/* The two intervals are not in a row. */
	cr_expect_str_eq(court->found[1].text, KEEP_LAST ": 60.0/s for 1 of 2 intervals, the run "
							 "was too short for more");
	expect_found(court, 2, KTSTR_OUTCOME_FAIL, KEEP_LAST, 135, 100,
		     KEEP_LAST ": 135 in the whole run, at most 100 are fine");
	cr_expect_str_eq(court->found[2].metric, "events");
	court_close(court);
}

Test(scx_events, one_that_was_enabled_anew_by_itself_begins_anew_too)
{
	struct court *court = plain_court();
	struct ktstr_scx_state state;

	show_at(court, KTSTR_SCX_ATTACHED, 1000, 900, 0);
	state = state_of(court, KTSTR_SCX_RUNNING, 2000);
	state.enable_seq = 8;
	show_events(court, state, 3, 0);
	state.guest_ns = 3 * S;
	show_events(court, state, 6, 0);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS);
	cr_expect_float_eq(court->found[0].measured, 3, 1e-6);
	court_close(court);
}

Test(scx_events, what_a_dying_scheduler_left_counts)
{
	struct court *court = events_court(2, "SCX_EV_DISPATCH_KEEP_LAST", 100, -1);
	struct ktstr_scx_state state;

	show_at(court, KTSTR_SCX_ATTACHED, 1000, 0, 0);
	state = state_of(court, KTSTR_SCX_DIED, 1100);
	(void)snprintf(state.state, sizeof(state.state), "disabled");
	show_events(court, state, 0, 101);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_expect_float_eq(court->found[2].measured, 101, 1e-6);
	court_close(court);
}

Test(scx_events, a_counter_that_the_kernel_lacks_never_passes)
{
	struct court *court = plain_court();

	show_when(court, KTSTR_SCX_ATTACHED, 1000);
	show_when(court, KTSTR_SCX_RUNNING, 2000);
	show_when(court, KTSTR_SCX_BEFORE_STOP, 3000);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_SKIP);
	expect_sentence(court, 0, KTSTR_OUTCOME_SKIP, FALLBACK,
			"this kernel does not count " FALLBACK);
	court_close(court);

	court = events_court(2, "SCX_EV_SUCH", 0, -1);
	show_at(court, KTSTR_SCX_ATTACHED, 1000, 0, 0);
	show_at(court, KTSTR_SCX_BEFORE_STOP, 2000, 0, 0);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_UNDECIDED);
	expect_sentence(court, 2, KTSTR_OUTCOME_UNDECIDED, "SCX_EV_SUCH",
			"this kernel does not count SCX_EV_SUCH");
	court_close(court);
}

Test(scx_events, a_counter_that_goes_back_is_broken_evidence)
{
	struct court *court = plain_court();

	show_at(court, KTSTR_SCX_ATTACHED, 1000, 100, 0);
	show_at(court, KTSTR_SCX_BEFORE_STOP, 2000, 99, 0);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_ERROR);
	expect_sentence(court, 0, KTSTR_OUTCOME_ERROR, FALLBACK,
			FALLBACK " went back, which a counter cannot");
	court_close(court);
}

Test(scx_events, without_a_scheduler_of_sched_ext_it_is_a_skip)
{
	struct court *court = plain_court();

	show_disabled(court, KTSTR_SCX_ATTACHED, 1000);
	show_disabled(court, KTSTR_SCX_BEFORE_STOP, 3000);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_SKIP);
	cr_assert_eq(court->count, 1);
	expect_sentence(court, 0, KTSTR_OUTCOME_SKIP, "run",
			"no sched_ext scheduler was in charge");
	court_close(court);

	court = plain_court();
	cr_expect_eq(decide(court), KTSTR_OUTCOME_UNDECIDED);
	expect_sentence(court, 0, KTSTR_OUTCOME_UNDECIDED, "run",
			"the run does not tell of sched_ext");
	court_close(court);
}

Test(scx_events, durations_are_totals_of_time)
{
	struct court *court = events_court(2, "BYPASS_DURATION", 1000, -1);
	const struct ktstr_scx_event event = { .name = "SCX_EV_BYPASS_DURATION", .value = 1001 };
	struct ktstr_scx_state state = state_of(court, KTSTR_SCX_ATTACHED, 1000);

	state.event_count = 1;
	show_all(court, KTSTR_MSG_SCX_STATE, &state, sizeof(state), &event, sizeof(event));
	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_expect_str_eq(court->found[2].metric, "total");
	cr_expect_str_eq(court->found[2].unit, "ns");
	court_close(court);
}

Test(scx_events, a_limit_without_a_figure_is_refused)
{
	const struct ktstr_value fields[3] = { { .s = "X" } };
	const struct ktstr_value items[] = { { .items = fields, .count = 3, .line = 4 } };
	const struct ktstr_value values[] = {
		{ .f = 1 }, { .f = 1 }, { .i = 1 }, { .items = items, .count = 1 }
	};
	const struct ktstr_checker_ops *ops = shipped_load("checkers", "scx_events")->checker;
	struct ktstr_judge judge = { .size = sizeof(judge) };
	struct ktstr_error err = { 0 };
	void *state = NULL;

	cr_expect_eq(ops->open(&judge, values, &state, &err), -EINVAL);
	cr_expect_str_eq(err.text, "a limit needs 'max' or 'max_rate'");
	cr_expect_eq(err.line, 4);
}

/* verifier */

static struct court *verifier_court(int64_t max_insns, const char *program, int64_t insns)
{
	const struct ktstr_value fields[] = {
		{ .type = KTSTR_PARAM_STRING, .is_set = 1, .s = program },
		{ .type = KTSTR_PARAM_INT, .is_set = 1, .i = insns },
	};
	const struct ktstr_value items[] = {
		{ .type = KTSTR_PARAM_MAP, .items = fields, .count = 2 },
	};
	const struct ktstr_value values[] = {
		{ .type = KTSTR_PARAM_INT, .i = max_insns },
		{ .type = KTSTR_PARAM_PERCENT, .f = 10 },
		{ .type = KTSTR_PARAM_LIST, .items = items, .count = program != NULL },
	};

	return court_open("verifier", values);
}

static void show_programs(struct court *court, uint32_t when, uint32_t enqueue, uint32_t dispatch)
{
	const struct ktstr_sched_progs head = { .size = sizeof(head),
						.when = when,
						.program_count = 2 };
	const struct ktstr_sched_prog programs[] = {
		{ .name = "x_enqueue", .id = 1, .verified_insns = enqueue },
		{ .name = "x_dispatch", .id = 2, .verified_insns = dispatch },
	};

	show_all(court, KTSTR_MSG_SCHED_PROGS, &head, sizeof(head), programs, sizeof(programs));
}

Test(verifier, leaves_a_tenth_of_the_kernels_limit_by_default)
{
	const struct ktstr_param *params = shipped_load("checkers", "verifier")->params;

	cr_expect_str_eq(params[0].fallback, "900000");
	cr_expect_str_eq(params[1].fallback, "10%");
}

Test(verifier, small_programs_pass_and_the_largest_is_named)
{
	struct court *court = verifier_court(1000, NULL, 0);

	show_programs(court, KTSTR_SCX_ATTACHED, 500, 1000);
	show_programs(court, KTSTR_SCX_BEFORE_STOP, 500, 1000);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS);
	cr_assert_eq(court->count, 1);
	expect_found(court, 0, KTSTR_OUTCOME_PASS, "x_dispatch", 1000, 1000,
		     "the largest of 2 programs is 'x_dispatch', with 1000 verified instructions");
	court_close(court);
}

Test(verifier, each_program_over_the_limit_fails)
{
	struct court *court = verifier_court(499, NULL, 0);

	show_programs(court, KTSTR_SCX_ATTACHED, 500, 1000);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_assert_eq(court->count, 2);
	expect_found(court, 0, KTSTR_OUTCOME_FAIL, "x_enqueue", 500, 499,
		     "the verifier went through 500 instructions of 'x_enqueue', at most 499 are "
		     "fine");
	court_close(court);
}

Test(verifier, growth_is_held_against_the_baseline)
{
	static const struct {
		int64_t insns;
		uint32_t outcome;
		const char *text;
	} rows[] = {
		{ 1000, KTSTR_OUTCOME_PASS,
		  "'x_enqueue' has 1100 verified instructions, 1000 in the baseline (+10.0%)" },
		{ 999, KTSTR_OUTCOME_FAIL,
		  "'x_enqueue' has 1100 verified instructions, 999 in the baseline (+10.1%)" },
		{ 2200, KTSTR_OUTCOME_PASS,
		  "'x_enqueue' has 1100 verified instructions, 2200 in the baseline (-50.0%)" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct court *court = verifier_court(900000, "x_enqueue", rows[i].insns);

		show_programs(court, KTSTR_SCX_ATTACHED, 1100, 1000);
		cr_expect_eq(decide(court), rows[i].outcome);
		cr_assert_eq(court->count, 2);
		cr_expect_str_eq(court->found[1].text, rows[i].text);
		cr_expect_str_eq(court->found[1].metric, "growth");
		court_close(court);
	}
}

Test(verifier, a_baseline_of_a_program_that_is_not_there_is_undecided)
{
	struct court *court = verifier_court(900000, "x_exit", 5);

	show_programs(court, KTSTR_SCX_ATTACHED, 1100, 1000);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_UNDECIDED);
	expect_sentence(court, 1, KTSTR_OUTCOME_UNDECIDED, "x_exit",
			"'x_exit' of the baseline was not loaded");
	court_close(court);
}

Test(verifier, a_kernel_that_does_not_count_leaves_it_undecided)
{
	struct court *court = verifier_court(900000, NULL, 0);

	show_programs(court, KTSTR_SCX_ATTACHED, 1100, 0);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_UNDECIDED);
	expect_sentence(court, 0, KTSTR_OUTCOME_UNDECIDED, "run",
			"the kernel does not tell how much of 1 programs it verified");
	court_close(court);
}

Test(verifier, a_scheduler_without_programs_is_a_skip)
{
	const struct ktstr_sched_progs none = { .size = sizeof(none), .when = KTSTR_SCX_ATTACHED };
	struct court *court = verifier_court(900000, "x_enqueue", 5);

	show_all(court, KTSTR_MSG_SCHED_PROGS, &none, sizeof(none), NULL, 0);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_SKIP);
	expect_sentence(court, 0, KTSTR_OUTCOME_SKIP, "run", "the scheduler has no BPF programs");
	court_close(court);

	court = verifier_court(900000, NULL, 0);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_UNDECIDED);
	expect_sentence(court, 0, KTSTR_OUTCOME_UNDECIDED, "run",
			"the run does not tell of BPF programs");
	court_close(court);
}

Test(verifier, malformed_frames_are_refused)
{
	struct ktstr_sched_progs head = { .size = sizeof(head), .program_count = UINT32_MAX };
	struct court *court = verifier_court(900000, NULL, 0);

	cr_expect_eq(show(court, KTSTR_MSG_SCHED_PROGS, KTSTR_FRAME_CRC_OK, "abc", 3), -EBADMSG);
	cr_expect_str_eq(court->err.text, "frame 0: programs of 3 bytes, at least 16 are needed");
	cr_expect_eq(show(court, KTSTR_MSG_SCHED_PROGS, KTSTR_FRAME_CRC_OK, &head, sizeof(head)),
		     -EBADMSG);
	cr_expect_str_eq(court->err.text, "frame 1: 4294967295 programs, but 0 bytes follow");
	cr_expect_eq(show(court, KTSTR_MSG_SCHED_PROGS, 0, "abc", 3), 0);
	court_close(court);
}
