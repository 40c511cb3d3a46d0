/* SPDX-License-Identifier: GPL-2.0-only */
/* The checker of nice values and cpu.weight. The court's VM has four CPUs. */
#include <criterion/criterion.h>

#include "unit/court.h"
#include "unit/shipped.h"

static const struct ktstr_value within_25[] = { { .type = KTSTR_PARAM_PERCENT, .f = 25 } };

static void show_weighted(struct court *court, uint32_t id, const char *name, uint64_t cpus,
			  uint32_t weight)
{
	unsigned char bytes[1024];
	struct ktstr_cgroup_info info = { .size = sizeof(info),
					  .id = id,
					  .name_length = (uint32_t)strlen(name),
					  .cpus = { .bits = { cpus } },
					  .cpu_weight = weight };

	memcpy(bytes, &info, sizeof(info));
	memcpy(bytes + sizeof(info), name, info.name_length);
	cr_assert_eq(show(court, KTSTR_MSG_CGROUP, KTSTR_FRAME_CRC_OK, bytes,
			  (uint32_t)sizeof(info) + info.name_length),
		     0, "%s", court->err.text);
}

/* One of a spawn of hogs that lived for 10 s: it ran so much, and waited for the rest. */
static struct ktstr_worker_report hog_of(uint32_t spawn, uint32_t cgroup, int32_t nice,
					 uint64_t cpu_ms)
{
	struct ktstr_worker_report report = worker_of(spawn);

	report.group = spawn;
	report.cgroup_id = cgroup;
	report.nice = nice;
	report.wall_time_ns = 10 * S;
	report.cpu_time_ns = cpu_ms * MS;
	report.run_delay_ns = 10 * S - cpu_ms * MS;
	return report;
}

static void show_hogs(struct court *court, uint32_t spawn, uint32_t cgroup, int32_t nice,
		      uint32_t count, uint64_t cpu_ms)
{
	struct ktstr_worker_report report = hog_of(spawn, cgroup, nice, cpu_ms);

	for (uint32_t i = 0; i < count; i++)
		show_worker(court, &report);
}

static void stop_workers(struct court *court, uint64_t at_ns)
{
	court->now_ns = at_ns;
	cr_assert_eq(show(court, KTSTR_MSG_SCENARIO_PAUSE, KTSTR_FRAME_CRC_OK, NULL, 0), 0);
}

static void expect_skip(struct court *court, const char *subject, const char *text)
{
	cr_expect_eq(decide(court), KTSTR_OUTCOME_SKIP);
	cr_assert_geq(court->count, 1);
	expect_sentence(court, 0, KTSTR_OUTCOME_SKIP, subject, text);
	court_close(court);
}

Test(shares, are_25_percent_off_at_most_by_default)
{
	cr_expect_str_eq(shipped_load("checkers", "shares")->params[0].fallback, "25%");
}

Test(shares, nice_values_that_are_honoured_pass)
{
	struct court *court = court_open("shares", within_25);

	show_weighted(court, 1, "tenant", 0x3, 100);
	show_hogs(court, 1, 1, 0, 2, 9030);
	show_hogs(court, 2, 1, 10, 2, 970);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS);
	cr_assert_eq(court->count, 2);
	expect_found(court, 0, KTSTR_OUTCOME_PASS, "cgroup tenant", 0.0001953125 * 100 / 100, 25,
		     "2 workers of cgroup tenant got 90.3% of the CPU time, 90.3% is their due "
		     "(weight 100, nice 0)");
	cr_expect_str_eq(court->found[1].subject, "cgroup tenant nice 10");
	cr_expect_str_eq(court->found[1].text,
			 "2 workers of cgroup tenant got 9.7% of the CPU time, 9.7% is their due "
			 "(weight 100, nice 10)");
	cr_expect_str_eq(court->found[0].metric, "share error");
	cr_expect_str_eq(court->found[0].unit, "%");
	cr_expect_eq(court->found[0].limit_kind, KTSTR_LIMIT_AT_MOST);
	court_close(court);
}

Test(shares, nice_values_that_are_ignored_fail)
{
	struct court *court = court_open("shares", within_25);

	show_weighted(court, 1, "tenant", 0x3, 100);
	show_hogs(court, 1, 1, 0, 2, 5000);
	show_hogs(court, 2, 1, 10, 2, 5000);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_assert_eq(court->count, 2);
	expect_found(
		court, 0, KTSTR_OUTCOME_FAIL, "cgroup tenant", 44.62890625, 25,
		"2 workers of cgroup tenant got 50.0% of the CPU time instead of 90.3% (weight "
		"100, nice 0)");
	cr_expect_str_eq(court->found[1].text, "2 workers of cgroup tenant got 50.0% of the CPU "
					       "time instead of 9.7% (weight 100, nice 10)");
	court_close(court);
}

static uint32_t weights_outcome(uint64_t light_ms, uint64_t heavy_ms)
{
	struct court *court = court_open("shares", within_25);
	uint32_t outcome;

	show_weighted(court, 1, "light", 0x3, 50);
	show_weighted(court, 2, "heavy", 0x3, 200);
	show_hogs(court, 1, 1, 0, 2, light_ms);
	show_hogs(court, 2, 2, 0, 2, heavy_ms);
	outcome = decide(court);
	cr_expect_eq(court->count, 2);
	court_close(court);
	return outcome;
}

Test(shares, weights_of_cgroups_are_told_honoured_from_ignored)
{
	cr_expect_eq(weights_outcome(2000, 8000), KTSTR_OUTCOME_PASS);
	/* 24 and 26 percent more than promised. */
	cr_expect_eq(weights_outcome(2480, 7520), KTSTR_OUTCOME_PASS);
	cr_expect_eq(weights_outcome(2520, 7480), KTSTR_OUTCOME_FAIL);
	cr_expect_eq(weights_outcome(5000, 5000), KTSTR_OUTCOME_FAIL);
	/* Upside down. */
	cr_expect_eq(weights_outcome(8000, 2000), KTSTR_OUTCOME_FAIL);
	/* Half of the CPUs stood idle: that is no matter of shares. */
	cr_expect_eq(weights_outcome(1000, 4000), KTSTR_OUTCOME_PASS);
}

Test(shares, nobody_is_promised_more_than_a_cpu)
{
	struct court *court = court_open("shares", within_25);

	show_weighted(court, 1, "light", 0x3, 100);
	show_weighted(court, 2, "heavy", 0x3, 10000);
	show_hogs(court, 1, 1, 0, 2, 5000);
	show_hogs(court, 2, 2, 0, 1, 10000);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS);
	cr_assert_eq(court->count, 2);
	cr_expect_str_eq(court->found[1].text, "1 worker of cgroup heavy got 50.0% of the CPU "
					       "time, 50.0% is their due (weight 10000, nice 0)");
	court_close(court);
}

Test(shares, a_limit_on_all_cpus_is_no_other_pool_than_none)
{
	struct court *court = court_open("shares", within_25);

	show_weighted(court, 1, "light", 0xf, 50);
	show_weighted(court, 2, "heavy", 0, 200);
	show_hogs(court, 1, 1, 0, 4, 2000);
	show_hogs(court, 2, 2, 0, 4, 8000);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS);
	cr_expect_eq(court->count, 2);
	court_close(court);
}

Test(shares, a_spawn_that_comes_later_is_promised_less)
{
	struct court *court = court_open("shares", within_25);
	struct ktstr_worker_report late = hog_of(2, 2, 0, 4000);

	late.wall_time_ns = 5 * S;
	late.run_delay_ns = 1 * S;
	show_weighted(court, 1, "light", 0x1, 25);
	show_weighted(court, 2, "heavy", 0x1, 100);
	stop_workers(court, 30 * S);
	/* However late the frames come. */
	court->now_ns = 31 * S;
	show_hogs(court, 1, 1, 0, 1, 6000);
	court->now_ns = 34 * S;
	show_worker(court, &late);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS);
	cr_assert_eq(court->count, 2);
	expect_found(court, 1, KTSTR_OUTCOME_PASS, "cgroup heavy", 0, 25,
		     "1 worker of cgroup heavy got 40.0% of the CPU time, 40.0% is their due "
		     "(weight 100, nice 0)");
	court_close(court);
}

Test(shares, workers_that_never_met_are_not_compared)
{
	struct court *court = court_open("shares", within_25);

	show_weighted(court, 1, "first", 0x1, 100);
	show_weighted(court, 2, "second", 0x1, 100);
	stop_workers(court, 20 * S);
	show_hogs(court, 1, 1, 0, 1, 10000);
	stop_workers(court, 40 * S);
	show_hogs(court, 2, 2, 0, 1, 5000);
	expect_skip(court, "cgroup first",
		    "cgroup first: the CPUs were enough for all most of the time");
}

Test(shares, a_worker_that_sleeps_is_dealt_what_it_took)
{
	struct court *court = court_open("shares", within_25);
	struct ktstr_worker_report sleeper = hog_of(3, 3, 0, 2000);

	/* It slept for most of the rest. */
	sleeper.run_delay_ns = 1 * S;
	show_weighted(court, 1, "light", 0x1, 100);
	show_weighted(court, 2, "heavy", 0x1, 300);
	show_weighted(court, 3, "sleepy", 0x1, 300);
	show_hogs(court, 1, 1, 0, 1, 2000);
	show_hogs(court, 2, 2, 0, 1, 6000);
	show_worker(court, &sleeper);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS);
	cr_assert_eq(court->count, 2);
	cr_expect_float_eq(court->found[0].measured, 0, 1e-6);
	cr_expect_float_eq(court->found[1].measured, 0, 1e-6);
	court_close(court);
}

Test(shares, one_that_was_woken_is_no_hog_however_long_it_waited)
{
	struct court *court = court_open("shares", within_25);
	struct ktstr_worker_report bursty = hog_of(2, 2, 0, 1000);

	bursty.wake_sample_total = 7;
	show_weighted(court, 1, "one", 0x1, 100);
	show_weighted(court, 2, "two", 0x1, 100);
	show_hogs(court, 1, 1, 0, 1, 9000);
	show_worker(court, &bursty);
	expect_skip(court, "cgroup one",
		    "cgroup one: fewer than two parties wanted the CPUs all the time, "
		    "without a cpu.max");
}

Test(shares, enough_cpus_for_all_are_a_skip)
{
	struct court *court = court_open("shares", within_25);

	show_weighted(court, 1, "tenant", 0xf, 100);
	show_hogs(court, 1, 1, 0, 2, 10000);
	show_hogs(court, 2, 1, 10, 2, 10000);
	expect_skip(court, "cgroup tenant",
		    "cgroup tenant: the CPUs were enough for all most of the time");
}

Test(shares, one_party_alone_is_a_skip)
{
	struct court *court = court_open("shares", within_25);

	show_weighted(court, 1, "tenant", 0x1, 100);
	show_hogs(court, 1, 1, 0, 4, 2500);
	expect_skip(court, "cgroup tenant",
		    "cgroup tenant: nobody else shares its CPUs, nothing to compare");
}

Test(shares, pools_on_cpus_of_their_own_are_judged_by_themselves)
{
	struct court *court = court_open("shares", within_25);

	show_weighted(court, 1, "left", 0x1, 100);
	show_weighted(court, 2, "right", 0x2, 900);
	for (uint32_t id = 1; id <= 2; id++) {
		show_hogs(court, 10 + id, id, 0, 1, 9030);
		show_hogs(court, 20 + id, id, 10, 1, 970);
	}
	cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS);
	cr_expect_eq(court->count, 4);
	court_close(court);
}

Test(shares, cpus_that_overlap_cannot_be_judged)
{
	struct court *court = court_open("shares", within_25);

	show_weighted(court, 1, "left", 0x3, 100);
	show_weighted(court, 2, "right", 0x6, 100);
	show_hogs(court, 1, 1, 0, 4, 1000);
	show_hogs(court, 2, 2, 0, 4, 6500);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_SKIP);
	cr_assert_eq(court->count, 2);
	expect_sentence(court, 0, KTSTR_OUTCOME_SKIP, "cgroup left",
			"cgroup left: other workers may use some of these CPUs, but not all");
	cr_expect_str_eq(court->found[1].subject, "cgroup right");
	court_close(court);
}

Test(shares, cgroups_nest)
{
	struct court *court = court_open("shares", within_25);

	show_weighted(court, 1, "box", 0x1, 300);
	show_weighted(court, 2, "box/a", 0, 100);
	show_weighted(court, 3, "box/b", 0, 200);
	show_weighted(court, 4, "other", 0x1, 100);
	show_hogs(court, 1, 2, 0, 1, 2500);
	show_hogs(court, 2, 3, 0, 1, 5000);
	show_hogs(court, 3, 4, 0, 1, 2500);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS);
	cr_assert_eq(court->count, 3);
	for (size_t i = 0; i < 3; i++)
		cr_expect_float_eq(court->found[i].measured, 0, 1e-6);
	court_close(court);
}

Test(shares, a_cgroup_above_several_pools_cannot_be_judged)
{
	struct court *court = court_open("shares", within_25);

	show_weighted(court, 1, "box", 0, 300);
	show_weighted(court, 2, "box/a", 0x1, 100);
	show_weighted(court, 3, "box/b", 0x2, 100);
	show_weighted(court, 4, "other", 0x1, 100);
	show_hogs(court, 1, 2, 0, 1, 5000);
	show_hogs(court, 2, 3, 0, 1, 10000);
	show_hogs(court, 3, 4, 0, 1, 5000);
	expect_skip(court, "cgroup box/a", "cgroup box/a: a cgroup has workers on other CPUs too");
}

Test(shares, workers_of_the_agents_cgroup_stand_beside_all_cgroups_together)
{
	struct court *court = court_open("shares", within_25);

	show_weighted(court, 1, "a", 0, 100);
	show_weighted(court, 2, "b", 0, 100);
	show_hogs(court, 1, 1, 0, 4, 2500);
	show_hogs(court, 2, 2, 0, 4, 2500);
	show_hogs(court, 3, 0, 0, 2, 10000);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS);
	cr_assert_eq(court->count, 3);
	cr_expect_str_eq(court->found[2].subject, "the agent's cgroup");
	court_close(court);
}

Test(shares, what_changed_on_the_way_cannot_be_judged)
{
	static const struct {
		uint64_t cpus;
		uint32_t weight;
		const char *text;
	} rows[] = {
		{ 0x2, 100, "cgroup a: a cgroup on these CPUs was moved to others meanwhile" },
		{ 0x0, 100, "cgroup a: a cgroup on these CPUs was moved to others meanwhile" },
		{ 0x1, 200, "cgroup a: the weight of a cgroup changed meanwhile" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct court *court = court_open("shares", within_25);

		show_weighted(court, 1, "a", 0x1, 100);
		show_weighted(court, 1, "a", rows[i].cpus, rows[i].weight);
		show_hogs(court, 1, 1, 0, 1, 5000);
		show_hogs(court, 2, 1, 10, 1, 5000);
		expect_skip(court, "cgroup a", rows[i].text);
	}
}

static void show_limited(struct court *court, uint32_t id)
{
	const struct ktstr_cgroup_info info = { .size = sizeof(info),
						.id = id,
						.flags = KTSTR_CGROUP_HAS_MAX,
						.cpus = { { 0x3 } },
						.cpu_weight = 100 };

	cr_assert_eq(show(court, KTSTR_MSG_CGROUP, KTSTR_FRAME_CRC_OK, &info, sizeof(info)), 0);
}

Test(shares, a_limited_cgroup_is_not_judged)
{
	struct court *court = court_open("shares", within_25);

	show_limited(court, 1);
	show_hogs(court, 1, 1, 0, 2, 5000);
	show_hogs(court, 2, 1, 10, 2, 5000);
	expect_skip(court, "cgroup #1",
		    "cgroup #1: fewer than two parties wanted the CPUs all the time, without a "
		    "cpu.max");
}

/* What the limited one took is not there for the others, which share the rest. One of its workers
 * was held up, and stopped later than the other. */
static uint32_t outcome_beside_limited(uint64_t light_ms, uint64_t heavy_ms)
{
	struct court *court = court_open("shares", within_25);
	struct ktstr_worker_report early = hog_of(1, 1, 0, 1000);
	uint32_t outcome;

	early.wall_time_ns = 4 * S;
	show_limited(court, 1);
	show_worker(court, &early);
	show_weighted(court, 2, "light", 0x3, 50);
	show_weighted(court, 3, "heavy", 0x3, 200);
	show_hogs(court, 1, 1, 0, 1, 1000);
	show_hogs(court, 2, 2, 0, 2, light_ms);
	show_hogs(court, 3, 3, 0, 2, heavy_ms);
	outcome = decide(court);
	cr_expect_eq(court->count, 2);
	court_close(court);
	return outcome;
}

Test(shares, those_beside_a_limited_cgroup_are_judged)
{
	cr_expect_eq(outcome_beside_limited(1800, 7200), KTSTR_OUTCOME_PASS);
	cr_expect_eq(outcome_beside_limited(4500, 4500), KTSTR_OUTCOME_FAIL);
}

/* The outcome for a polite party that got so much time and did so much work, beside one that did
 * the rest. */
static uint32_t work_outcome(const char *accel, uint64_t polite_ms, uint64_t polite_units,
			     const char *other_workload)
{
	struct court *court = court_open("shares", within_25);
	struct ktstr_worker_report normal = hog_of(1, 1, 0, 10000 - polite_ms);
	struct ktstr_worker_report polite = hog_of(2, 1, 10, polite_ms);
	uint32_t outcome;

	court->judge.accel = accel;
	normal.work_units = 10000 - polite_units;
	polite.work_units = polite_units;
	(void)snprintf(normal.workload, sizeof(normal.workload), "%s", other_workload);
	show_weighted(court, 1, "tenant", 0x1, 100);
	show_worker(court, &normal);
	show_worker(court, &polite);
	outcome = decide(court);
	cr_expect_eq(court->count, 2);
	court_close(court);
	return outcome;
}

Test(shares, time_that_the_host_took_is_not_got)
{
	/* Its due is 9.7 %. Under TCG it is off only when its time and its work are. */
	cr_expect_eq(work_outcome("tcg", 5000, 970, "cpu_spin"), KTSTR_OUTCOME_PASS);
	cr_expect_eq(work_outcome("tcg", 970, 5000, "cpu_spin"), KTSTR_OUTCOME_PASS);
	cr_expect_eq(work_outcome("tcg", 5000, 5000, "cpu_spin"), KTSTR_OUTCOME_FAIL);
	cr_expect_eq(work_outcome("tcg", 5000, 1300, "cpu_spin"), KTSTR_OUTCOME_FAIL);
	cr_expect_eq(work_outcome("tcg", 100, 100, "cpu_spin"), KTSTR_OUTCOME_FAIL);
	/* Others do no comparable work. */
	cr_expect_eq(work_outcome("tcg", 5000, 970, "yield_heavy"), KTSTR_OUTCOME_FAIL);
	cr_expect_eq(work_outcome("tcg", 5000, 0, "yield_heavy"), KTSTR_OUTCOME_FAIL);
}

Test(shares, under_kvm_time_alone_counts)
{
	cr_expect_eq(work_outcome("kvm", 5000, 970, "cpu_spin"), KTSTR_OUTCOME_FAIL);
	cr_expect_eq(work_outcome("kvm", 970, 5000, "cpu_spin"), KTSTR_OUTCOME_PASS);
}

Test(shares, the_work_is_told_beside_the_time)
{
	struct court *court = court_open("shares", within_25);
	struct ktstr_worker_report normal = hog_of(1, 1, 0, 5000);
	struct ktstr_worker_report polite = hog_of(2, 1, 10, 5000);

	court->judge.accel = "tcg";
	normal.work_units = polite.work_units = 5000;
	show_weighted(court, 1, "tenant", 0x1, 100);
	show_worker(court, &normal);
	show_worker(court, &polite);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_assert_eq(court->count, 2);
	cr_expect_str_eq(court->found[0].text,
			 "1 worker of cgroup tenant got 50.0% of the CPU time instead of 90.3% (of "
			 "the work 44.6% too little) (weight 100, nice 0)");
	court_close(court);
}

Test(shares, an_unknown_weight_matters_only_beside_others)
{
	struct court *court = court_open("shares", within_25);

	show_weighted(court, 1, "a", 0x1, 0);
	show_hogs(court, 1, 1, 0, 1, 9030);
	show_hogs(court, 2, 1, 10, 1, 970);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS);
	court_close(court);

	court = court_open("shares", within_25);
	show_weighted(court, 1, "a", 0x1, 0);
	show_weighted(court, 2, "b", 0x1, 0);
	show_hogs(court, 1, 1, 0, 1, 5000);
	show_hogs(court, 2, 2, 0, 1, 5000);
	expect_skip(court, "cgroup a", "cgroup a: the weight of a cgroup is not known");
}

Test(shares, workers_that_ended_by_themselves_cannot_be_judged)
{
	struct court *court = court_open("shares", within_25);
	struct ktstr_worker_report early = hog_of(2, 1, 10, 2000);

	early.wall_time_ns = 4 * S;
	early.run_delay_ns = 2 * S;
	show_weighted(court, 1, "a", 0x1, 100);
	show_hogs(court, 1, 1, 0, 1, 6000);
	show_hogs(court, 2, 1, 10, 1, 2000);
	show_worker(court, &early);
	expect_skip(court, "cgroup a",
		    "cgroup a: not all workers of a spawn went on until they were stopped");
}

Test(shares, a_worker_without_figures_leaves_it_undecided)
{
	struct court *court = court_open("shares", within_25);
	struct ktstr_worker_report stuck = hog_of(2, 1, 10, 0);

	stuck.flags = 0;
	stuck.exit_kind = KTSTR_WORKER_EXIT_TIMEOUT;
	show_weighted(court, 1, "a", 0x1, 100);
	show_hogs(court, 1, 1, 0, 1, 10000);
	show_worker(court, &stuck);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_UNDECIDED);
	cr_assert_eq(court->count, 2);
	expect_sentence(court, 1, KTSTR_OUTCOME_UNDECIDED, "run",
			"not every worker left figures, so shares cannot be compared");
	court_close(court);
}

Test(shares, without_any_cpu_time_nothing_is_decided)
{
	struct court *court = court_open("shares", within_25);

	show_weighted(court, 1, "a", 0x1, 100);
	show_hogs(court, 1, 1, 0, 1, 0);
	show_hogs(court, 2, 1, 10, 1, 0);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_UNDECIDED);
	expect_sentence(court, 0, KTSTR_OUTCOME_UNDECIDED, "cgroup a",
			"cgroup a: its workers got no CPU time at all");
	court_close(court);
}

Test(shares, a_cgroup_that_nobody_described_is_broken_evidence)
{
	struct court *court = court_open("shares", within_25);

	show_hogs(court, 1, 5, 0, 2, 5000);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_ERROR);
	expect_sentence(court, 0, KTSTR_OUTCOME_ERROR, "cgroup #5",
			"cgroup #5 has workers, but no frame describes it");
	court_close(court);
}

Test(shares, too_many_spawns_are_not_compared)
{
	struct court *court = court_open("shares", within_25);

	for (uint32_t i = 1; i <= 257; i++)
		show_hogs(court, i, 0, 0, 1, 10);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_UNDECIDED);
	expect_sentence(court, 0, KTSTR_OUTCOME_UNDECIDED, "run",
			"there are more than 256 spawns, too many to compare");
	court_close(court);
}

Test(shares, too_many_cgroups_are_not_compared)
{
	char name[600] = "a";
	struct court *court = court_open("shares", within_25);
	uint32_t id = 1;

	/* Three chains of a hundred. */
	for (uint32_t chain = 0; chain < 3; chain++) {
		(void)snprintf(name, sizeof(name), "%c", (char)('a' + chain));
		for (size_t depth = 0; depth < 100; depth++) {
			show_weighted(court, id++, name, 0x1, 100);
			(void)snprintf(name + strlen(name), 3, "/x");
		}
		show_hogs(court, id, id - 1, 0, 1, 3000);
	}
	expect_skip(court, court->found[0].subject, court->found[0].text);
}

Test(shares, the_largest_numbers_do_no_harm)
{
	struct court *court = court_open("shares", within_25);
	struct ktstr_worker_report report = hog_of(1, 1, 0, 5000);

	show_weighted(court, 1, "a", 0x1, UINT32_MAX);
	report.wall_time_ns = report.cpu_time_ns = report.run_delay_ns = UINT64_MAX;
	report.nice = INT32_MIN;
	show_worker(court, &report);
	report.nice = INT32_MAX;
	report.cpu_time_ns = 1;
	show_worker(court, &report);
	cr_expect_neq(decide(court), KTSTR_OUTCOME_NONE);
	court_close(court);
}
