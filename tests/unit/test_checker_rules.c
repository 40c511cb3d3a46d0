/* SPDX-License-Identifier: GPL-2.0-only */
/* What each of the checkers that ship holds against a run, fed with frames that are built here. */
#include <criterion/criterion.h>
#include <signal.h>

#include "base/cleanup.h"
#include "unit/court.h"

static const struct ktstr_value spread_15[] = { { .type = KTSTR_PARAM_PERCENT, .f = 15 } };
static const struct ktstr_value gap_2s[] = { { .type = KTSTR_PARAM_DURATION, .i = 2 * S } };

/* starvation */

Test(starvation, a_worker_without_work_fails)
{
	struct court *court = court_open("starvation", NULL);
	struct ktstr_worker_report report = worker_of(7), other = worker_of(8);

	report.work_units = 0;
	show_cgroup(court, 1, "hog0", 0);
	show_worker(court, &report);
	show_worker(court, &other);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_assert_eq(court->count, 1);
	expect_found(court, 0, KTSTR_OUTCOME_FAIL, "tid 7", 0, 1,
		     "tid 7 made no progress (0 work units)");
	court_close(court);
}

static void expect_starved(uint64_t wall_ns, uint64_t host_wait_ns, uint32_t outcome,
			   const char *text)
{
	struct court *court = court_open("starvation", NULL);
	struct ktstr_worker_report report = worker_of(7);

	report.work_units = 0;
	report.wall_time_ns = wall_ns;
	show_cgroup(court, 1, "hog0", 0);
	show_worker(court, &report);
	court->judge.host_wait_ns = host_wait_ns;
	cr_expect_eq(decide(court), outcome, "%s", text);
	expect_found(court, 0, outcome, "tid 7", 0, 1, text);
	court_close(court);
}

Test(starvation, is_not_the_schedulers_where_the_host_gave_the_vm_hardly_a_cpu)
{
	static const char excused[] =
		"tid 7 made no progress (0 work units), but the host had no CPU for the VM for "
		"4.1 s of the scenario, so the scheduler may not be to blame";

	expect_starved(5 * S, 4100 * MS, KTSTR_OUTCOME_UNDECIDED, excused);
	expect_starved(4 * S, 4100 * MS, KTSTR_OUTCOME_UNDECIDED, excused);
	expect_starved(5 * S, 4000 * MS, KTSTR_OUTCOME_FAIL,
		       "tid 7 made no progress (0 work units)");
	expect_starved(S, 249 * MS, KTSTR_OUTCOME_FAIL, "tid 7 made no progress (0 work units)");
}

Test(starvation, a_worker_that_did_not_stop_is_excused_alike)
{
	static const struct {
		uint64_t host_wait_ns;
		uint32_t outcome;
		const char *text;
	} rows[] = {
		{ 4000 * MS, KTSTR_OUTCOME_FAIL,
		  "tid 7 (cpu_spin) did not respond for 5 s when told to stop" },
		{ 4100 * MS, KTSTR_OUTCOME_UNDECIDED,
		  "tid 7 (cpu_spin) did not respond for 5 s when told to stop, but the host had no "
		  "CPU for the VM for 4.1 s of the scenario, so the scheduler may not be to "
		  "blame" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct court *court = court_open("starvation", NULL);
		struct ktstr_worker_report report = worker_of(7);

		report.flags = 0;
		report.exit_kind = KTSTR_WORKER_EXIT_TIMEOUT;
		show_worker(court, &report);
		court->judge.host_wait_ns = rows[i].host_wait_ns;
		cr_expect_eq(decide(court), rows[i].outcome);
		expect_sentence(court, 0, rows[i].outcome, "tid 7", rows[i].text);
		court_close(court);
	}
}

Test(starvation, one_unit_of_work_is_enough)
{
	struct court *court = court_open("starvation", NULL);
	struct ktstr_worker_report report = worker_of(7);

	report.work_units = 1;
	show_cgroup(court, 1, "hog0", 0);
	show_worker(court, &report);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS);
	expect_found(court, 0, KTSTR_OUTCOME_PASS, "cgroup hog0", 1, 1,
		     "each of 1 workers made progress, the slowest 1 work units");
	court_close(court);
}

Test(starvation, a_worker_that_does_not_stop_fails)
{
	struct court *court = court_open("starvation", NULL);
	struct ktstr_worker_report report = worker_of(7);

	report.flags = 0;
	report.exit_kind = KTSTR_WORKER_EXIT_TIMEOUT;
	show_cgroup(court, 1, "hog0", 0);
	show_worker(court, &report);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_assert_eq(court->count, 1);
	expect_sentence(court, 0, KTSTR_OUTCOME_FAIL, "tid 7",
			"tid 7 (cpu_spin) did not respond for 5 s when told to stop");
	court_close(court);
}

Test(starvation, says_how_long_a_worker_had_to_stop)
{
	struct court *court = court_open("starvation", NULL);
	struct ktstr_worker_report report = worker_of(7);

	report.flags = 0;
	report.exit_kind = KTSTR_WORKER_EXIT_TIMEOUT;
	report.exit_value = 300;
	show_worker(court, &report);
	report.tid = 8;
	report.exit_value = 12000;
	show_worker(court, &report);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_assert_eq(court->count, 2);
	expect_sentence(court, 0, KTSTR_OUTCOME_FAIL, "tid 7",
			"tid 7 (cpu_spin) did not respond for 300 ms when told to stop");
	expect_sentence(court, 1, KTSTR_OUTCOME_FAIL, "tid 8",
			"tid 8 (cpu_spin) did not respond for 12 s when told to stop");
	court_close(court);
}

Test(starvation, a_starved_worker_outweighs_one_that_died)
{
	struct court *court = court_open("starvation", NULL);
	struct ktstr_worker_report dead = worker_of(7), starved = worker_of(8);

	dead.flags = 0;
	dead.exit_kind = KTSTR_WORKER_EXIT_SIGNAL;
	dead.exit_value = SIGKILL;
	starved.work_units = 0;
	show_cgroup(court, 1, "hog0", 0);
	show_worker(court, &dead);
	show_worker(court, &starved);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_expect_eq(court->count, 2);
	court_close(court);
}

Test(starvation, cgroups_that_nobody_described_are_named_by_number)
{
	struct court *court = court_open("starvation", NULL);
	struct ktstr_worker_report report = worker_of(7), agent = worker_of(8);

	report.cgroup_id = 4;
	agent.cgroup_id = 0;
	show_worker(court, &report);
	show_worker(court, &agent);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS);
	cr_expect_str_eq(court->found[0].subject, "cgroup #4");
	cr_expect_str_eq(court->found[1].subject, "the agent's cgroup");
	court_close(court);
}

/* fairness */

/* Workers that ran for these shares of 5 s, in percent, on the CPUs @cpus. */
static struct court *fairness_of(double limit, const double *shares, size_t count)
{
	static struct ktstr_value values[1];
	struct court *court;

	values[0].f = limit;
	court = court_open("fairness", values);
	show_cgroup(court, 1, "hog0", 0);
	for (size_t i = 0; i < count; i++) {
		struct ktstr_worker_report report = worker_of((uint32_t)(i + 1));

		report.cpu_time_ns = (uint64_t)((double)report.wall_time_ns * shares[i] / 100);
		report.cpus_used.bits[0] = UINT64_C(1) << i;
		show_worker(court, &report);
	}
	return court;
}

Test(fairness, a_wide_spread_fails)
{
	static const double shares[] = { 92, 70, 60, 50 };
	struct court *court = fairness_of(35, shares, 4);

	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_assert_eq(court->count, 1);
	expect_found(court, 0, KTSTR_OUTCOME_FAIL, "cgroup hog0", 42, 35,
		     "unfair cgroup: spread=42% (8-50%) 4 workers on 4 cpus (threshold 35%)");
	court_close(court);
}

Test(fairness, the_limit_itself_passes)
{
	static const double shares[] = { 75, 50 };
	struct court *court = fairness_of(25, shares, 2);

	cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS);
	expect_found(court, 0, KTSTR_OUTCOME_PASS, "cgroup hog0", 25, 25,
		     "spread=25% (25-50%) 2 workers on 2 cpus");
	court_close(court);
}

Test(fairness, a_spread_just_over_the_limit_shows_its_decimals)
{
	static const double shares[] = { 65.04, 50 };
	struct court *court = fairness_of(15, shares, 2);

	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_expect_str_eq(court->found[0].text, "unfair cgroup: spread=15.04% (34.96-50.00%) "
					       "2 workers on 2 cpus (threshold 15.00%)");
	court_close(court);
}

Test(fairness, a_starved_worker_makes_the_spread_full)
{
	static const double shares[] = { 100, 0 };
	struct court *court = fairness_of(35, shares, 2);

	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_expect_float_eq(court->found[0].measured, 100, 1e-9);
	court_close(court);
}

Test(fairness, more_cpu_time_than_wall_time_is_no_time_off)
{
	static const double shares[] = { 101, 100 };
	struct court *court = fairness_of(15, shares, 2);

	cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS);
	expect_found(court, 0, KTSTR_OUTCOME_PASS, "cgroup hog0", 0, 15,
		     "spread=0% (0-0%) 2 workers on 2 cpus");
	court_close(court);
}

Test(fairness, one_worker_alone_is_skipped)
{
	static const double shares[] = { 10 };
	struct court *court = fairness_of(15, shares, 1);

	cr_expect_eq(decide(court), KTSTR_OUTCOME_SKIP);
	cr_assert_eq(court->count, 1);
	expect_sentence(court, 0, KTSTR_OUTCOME_SKIP, "cgroup hog0",
			"cgroup hog0: one worker alone, nothing to compare");
	court_close(court);
}

Test(fairness, cgroups_are_not_compared_with_each_other)
{
	struct court *court = court_open("fairness", spread_15);

	for (uint32_t i = 0; i < 5; i++) {
		struct ktstr_worker_report report = worker_of(i);

		/* Two that run all the time, two that never do, one alone. */
		report.cgroup_id = i / 2 + 1;
		report.cpu_time_ns = i < 2 ? report.wall_time_ns : 0;
		show_worker(court, &report);
	}
	cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS);
	cr_assert_eq(court->count, 3);
	cr_expect_eq(court->found[2].outcome, KTSTR_OUTCOME_SKIP);
	court_close(court);
}

Test(fairness, a_worker_that_did_not_stop_leaves_it_undecided)
{
	struct court *court = court_open("fairness", spread_15);
	struct ktstr_worker_report stuck = worker_of(7), other = worker_of(8), third = worker_of(9);

	stuck.flags = 0;
	stuck.exit_kind = KTSTR_WORKER_EXIT_TIMEOUT;
	other.cpu_time_ns = 0; /* would be unfair to the third, if it could be compared */
	show_cgroup(court, 1, "hog0", 0);
	show_worker(court, &stuck);
	show_worker(court, &other);
	show_worker(court, &third);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_UNDECIDED);
	cr_assert_eq(court->count, 2);
	expect_sentence(court, 0, KTSTR_OUTCOME_UNDECIDED, "tid 7",
			"tid 7 did not respond for 5 s when told to stop, so it left no figures");
	expect_sentence(court, 1, KTSTR_OUTCOME_UNDECIDED, "cgroup hog0",
			"cgroup hog0: not every worker left figures, so shares cannot be compared");
	court_close(court);
}

Test(fairness, the_largest_numbers_do_no_harm)
{
	struct court *court = court_open("fairness", spread_15);
	struct ktstr_worker_report one = worker_of(1), two = worker_of(2);

	one.wall_time_ns = one.cpu_time_ns = UINT64_MAX;
	two.wall_time_ns = 1;
	two.cpu_time_ns = UINT64_MAX;
	memset(&two.cpus_used, 0xff, sizeof(two.cpus_used));
	show_worker(court, &one);
	show_worker(court, &two);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS);
	cr_expect_str_eq(court->found[0].text, "spread=0% (0-0%) 2 workers on 1024 cpus");
	court_close(court);
}

/* gap */

static struct court *gap_of(uint64_t gap_ns)
{
	struct court *court = court_open("gap", gap_2s);
	struct ktstr_worker_report report = worker_of(7);

	report.max_gap_ns = gap_ns;
	show_cgroup(court, 1, "hog0", 0);
	show_worker(court, &report);
	return court;
}

Test(gap, a_long_gap_fails)
{
	struct court *court = gap_of(2500 * MS);

	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_assert_eq(court->count, 1);
	expect_found(court, 0, KTSTR_OUTCOME_FAIL, "tid 7", 2500, 2000,
		     "tid 7 stuck 2500ms on cpu3 at +1500ms (threshold 2000ms)");
	court_close(court);
}

/* 2 s are for a host that may be busy. */
Test(gap, the_limit_that_nobody_gave_depends_on_the_clock)
{
	static const struct ktstr_value given[] = {
		{ .type = KTSTR_PARAM_DURATION, .i = 2 * S, .is_set = 1 }
	};
	static const struct {
		const struct ktstr_value *values;
		const char *clock;
		double limit;
	} rows[] = {
		{ gap_2s, NULL, 2000 },
		{ gap_2s, "host", 2000 },
		{ gap_2s, "virtual", 500 },
		{ given, "virtual", 2000 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct court *court = court_open_with("gap", rows[i].values, rows[i].clock);
		struct ktstr_worker_report report = worker_of(7);

		report.max_gap_ns = 501 * MS;
		show_worker(court, &report);
		cr_expect_eq(decide(court),
			     rows[i].limit > 501 ? KTSTR_OUTCOME_PASS : KTSTR_OUTCOME_FAIL);
		cr_assert_eq(court->count, 1);
		cr_expect_eq(court->found[0].limit, rows[i].limit, "row %zu", i);
		court_close(court);
	}
}

Test(gap, what_the_host_did_not_give_is_no_fail)
{
	struct court *court = gap_of(2500 * MS);

	court->judge.host_wait_ns = 500 * MS;
	cr_expect_eq(decide(court), KTSTR_OUTCOME_UNDECIDED);
	cr_assert_eq(court->count, 1);
	expect_found(court, 0, KTSTR_OUTCOME_UNDECIDED, "tid 7", 2500, 2000,
		     "tid 7 stuck 2500ms on cpu3 at +1500ms (threshold 2000ms), but the host had "
		     "no CPU for the VM for 0.5 s of the scenario, so the scheduler may not be to "
		     "blame");
	court_close(court);
}

Test(gap, that_is_too_long_without_what_the_host_did_not_give_fails)
{
	struct court *court = gap_of(2500 * MS);

	court->judge.host_wait_ns = 499 * MS;
	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_expect_str_eq(court->found[0].text,
			 "tid 7 stuck 2500ms on cpu3 at +1500ms (threshold 2000ms)");
	court_close(court);
}

Test(gap, a_worker_that_did_not_stop_is_excused_alike)
{
	struct ktstr_worker_report report = worker_of(7);
	struct court *court = court_open("gap", gap_2s);

	report.flags = 0;
	report.exit_kind = KTSTR_WORKER_EXIT_TIMEOUT;
	show_worker(court, &report);
	court->judge.host_wait_ns = 3 * S;
	cr_expect_eq(decide(court), KTSTR_OUTCOME_UNDECIDED);
	cr_expect_str_eq(court->found[0].text,
			 "tid 7 stuck at least 5000ms: it did not respond when told to stop "
			 "(threshold 2000ms), but the host had no CPU for the VM for 3.0 s of the "
			 "scenario, so the scheduler may not be to blame");
	court_close(court);
}

Test(gap, the_limit_itself_passes)
{
	struct court *court = gap_of(2000 * MS);

	cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS);
	expect_found(court, 0, KTSTR_OUTCOME_PASS, "cgroup hog0", 2000, 2000,
		     "none of 1 workers stood still for longer than 2000ms");
	court_close(court);
}

Test(gap, a_gap_just_over_the_limit_shows_its_decimals)
{
	struct court *court = gap_of(2000 * MS + 40000);

	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_expect_str_eq(court->found[0].text,
			 "tid 7 stuck 2000.04ms on cpu3 at +1500ms (threshold 2000.00ms)");
	court_close(court);
}

Test(gap, a_worker_without_work_stood_still_all_its_life)
{
	struct court *court = court_open("gap", gap_2s);
	struct ktstr_worker_report report = worker_of(7);

	report.work_units = 0;
	report.max_gap_ns = 0;
	show_cgroup(court, 1, "hog0", 0);
	show_worker(court, &report);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	expect_found(court, 0, KTSTR_OUTCOME_FAIL, "tid 7", 5000, 2000,
		     "tid 7 stuck 5000ms without any progress (threshold 2000ms)");
	court_close(court);
}

Test(gap, only_the_stuck_workers_are_named)
{
	struct court *court = court_open("gap", gap_2s);

	for (uint32_t tid = 1; tid <= 4; tid++) {
		struct ktstr_worker_report report = worker_of(tid);

		report.max_gap_ns = tid * 1000 * MS;
		show_worker(court, &report);
	}
	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_assert_eq(court->count, 2);
	cr_expect_str_eq(court->found[0].subject, "tid 3");
	cr_expect_str_eq(court->found[1].subject, "tid 4");
	court_close(court);
}

Test(gap, a_worker_that_did_not_stop_was_stuck_that_long)
{
	static const struct ktstr_value patient[] = { { .i = 8 * S } };
	struct ktstr_worker_report report = worker_of(7);
	struct court *court = court_open("gap", gap_2s);

	report.flags = 0;
	report.exit_kind = KTSTR_WORKER_EXIT_TIMEOUT;
	show_worker(court, &report);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	expect_found(court, 0, KTSTR_OUTCOME_FAIL, "tid 7", 5000, 2000,
		     "tid 7 stuck at least 5000ms: it did not respond when told to stop (threshold "
		     "2000ms)");
	court_close(court);

	court = court_open("gap", patient);
	show_worker(court, &report);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_UNDECIDED);
	expect_found(court, 0, KTSTR_OUTCOME_UNDECIDED, "tid 7", 5000, 8000,
		     "tid 7 did not respond within 5000ms when told to stop, and left no figures "
		     "(threshold 8000ms)");
	court_close(court);
}

Test(gap, a_limit_below_a_millisecond_is_told_as_it_is)
{
	static const struct ktstr_value strict[] = { { .i = MS / 1000 } };
	struct ktstr_worker_report report = worker_of(7);
	struct court *court = court_open("gap", strict);

	show_worker(court, &report);
	report.tid = 8;
	report.flags = 0;
	report.exit_kind = KTSTR_WORKER_EXIT_TIMEOUT;
	show_worker(court, &report);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_assert_eq(court->count, 2);
	for (size_t i = 0; i < 2; i++)
		cr_expect(strstr(court->found[i].text, "(threshold 0.001ms)"), "%s",
			  court->found[i].text);
	court_close(court);
}

Test(gap, the_largest_gap_is_printed_whole)
{
	struct court *court = gap_of(UINT64_MAX);

	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_expect_str_eq(court->found[0].text,
			 "tid 7 stuck 18446744073710ms on cpu3 at +1500ms (threshold 2000ms)");
	court_close(court);
}

/* isolation */

static void show_runner(struct court *court, uint32_t tid, uint32_t cgroup_id, uint64_t cpus)
{
	struct ktstr_worker_report report = worker_of(tid);

	report.cgroup_id = cgroup_id;
	report.cpus_used.bits[0] = cpus;
	show_worker(court, &report);
}

Test(isolation, a_worker_on_other_cpus_fails)
{
	struct court *court = court_open("isolation", NULL);

	show_cgroup(court, 1, "hog0", 0x3);
	show_runner(court, 7, 1, 0xf);
	show_runner(court, 8, 1, 0x1);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_assert_eq(court->count, 1);
	expect_found(court, 0, KTSTR_OUTCOME_FAIL, "tid 7", 2, 0,
		     "tid 7 ran on unexpected CPUs {2,3} (cgroup hog0 may use {0,1})");
	court_close(court);
}

Test(isolation, sets_of_cpus_are_written_as_ranges)
{
	struct court *court = court_open("isolation", NULL);

	show_cgroup(court, 1, "hog0", UINT64_C(1) << 63);
	show_runner(court, 7, 1, 0x2f);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_expect_str_eq(court->found[0].text,
			 "tid 7 ran on unexpected CPUs {0-3,5} (cgroup hog0 may use {63})");
	court_close(court);
}

Test(isolation, the_longest_sets_fit)
{
	struct court *court = court_open("isolation", NULL);
	struct ktstr_worker_report report = worker_of(7);
	struct ktstr_cgroup_info info = { .size = sizeof(info), .id = 1 };
	size_t length;

	memset(&info.cpus, 0x55, sizeof(info.cpus));
	memset(&report.cpus_used, 0xaa, sizeof(report.cpus_used));
	cr_assert_eq(show(court, KTSTR_MSG_CGROUP, KTSTR_FRAME_CRC_OK, &info, sizeof(info)), 0);
	show_worker(court, &report);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_expect_float_eq(court->found[0].measured, 512, 1e-9);
	length = strlen(court->found[0].text);
	cr_expect_str_eq(court->found[0].text + length - 12, ",1020,1022})");
	cr_expect_not_null(strstr(court->found[0].text, ",1021,1023} (cgroup #1 may use {0,2,"));
	court_close(court);
}

Test(isolation, a_changed_cpuset_allows_what_it_ever_had)
{
	struct court *court = court_open("isolation", NULL);

	show_cgroup(court, 1, "hog0", 0x3);
	show_cgroup(court, 1, "hog0", 0x4);
	show_runner(court, 7, 1, 0x7);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS);
	expect_found(court, 0, KTSTR_OUTCOME_PASS, "cgroup hog0", 0, 0,
		     "each of 1 workers stayed on CPUs {0-2}");
	court_close(court);
}

Test(isolation, a_cgroup_without_a_cpuset_is_skipped)
{
	struct court *court = court_open("isolation", NULL);

	show_cgroup(court, 1, "free", 0);
	show_runner(court, 7, 1, 0xff);
	/* One that was set free for a while, and the agent's own. */
	show_cgroup(court, 2, "freed", 0x1);
	show_cgroup(court, 2, "freed", 0);
	show_runner(court, 8, 2, 0xff);
	show_runner(court, 9, 0, 0xff);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_SKIP);
	cr_assert_eq(court->count, 3);
	expect_sentence(court, 0, KTSTR_OUTCOME_SKIP, "cgroup free",
			"cgroup free was not bound to CPUs all the time");
	cr_expect_str_eq(court->found[1].text, "cgroup freed was not bound to CPUs all the time");
	cr_expect_str_eq(court->found[2].text,
			 "the agent's cgroup was not bound to CPUs all the time");
	court_close(court);
}

Test(isolation, one_judged_cgroup_makes_a_pass_beside_skipped_ones)
{
	struct court *court = court_open("isolation", NULL);

	show_cgroup(court, 1, "free", 0);
	show_cgroup(court, 2, "bound", 0x1);
	show_runner(court, 7, 1, 0xff);
	show_runner(court, 8, 2, 0x1);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS);
	court_close(court);
}

Test(isolation, a_nested_cgroup_is_bound_by_those_around_it)
{
	struct court *court = court_open("isolation", NULL);

	show_cgroup(court, 1, "box", 0x3);
	show_cgroup(court, 2, "box/inner", 0);
	show_cgroup(court, 3, "box/inner/most", 0);
	show_cgroup(court, 4, "free/inner", 0);
	show_runner(court, 7, 3, 0x4);
	show_runner(court, 8, 2, 0x3);
	show_runner(court, 9, 4, 0xff);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_assert_eq(court->count, 3);
	expect_found(court, 0, KTSTR_OUTCOME_PASS, "cgroup box/inner", 0, 0,
		     "each of 1 workers stayed on CPUs {0,1}");
	expect_found(court, 1, KTSTR_OUTCOME_FAIL, "tid 7", 1, 0,
		     "tid 7 ran on unexpected CPUs {2} (cgroup box may use {0,1})");
	cr_expect_eq(court->found[2].outcome, KTSTR_OUTCOME_SKIP);
	court_close(court);
}

Test(isolation, a_worker_that_does_not_say_where_it_ran_leaves_it_undecided)
{
	struct court *court = court_open("isolation", NULL);

	show_cgroup(court, 1, "hog0", 0x3);
	show_runner(court, 7, 1, 0);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_UNDECIDED);
	cr_assert_eq(court->count, 1);
	expect_sentence(court, 0, KTSTR_OUTCOME_UNDECIDED, "tid 7",
			"tid 7 did not say where it ran");
	court_close(court);
}

Test(isolation, a_cgroup_that_nobody_described_is_broken_evidence)
{
	struct court *court = court_open("isolation", NULL);

	show_runner(court, 7, 5, 0x1);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_ERROR);
	cr_assert_eq(court->count, 1);
	expect_sentence(court, 0, KTSTR_OUTCOME_ERROR, "cgroup #5",
			"cgroup #5 has workers, but no frame describes it");
	court_close(court);
}
