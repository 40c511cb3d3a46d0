/* SPDX-License-Identifier: GPL-2.0-only */
/* What a worker measures of itself, from clocks that are given. */
#include "guest/worker_loop.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"

/* A worker's own view of a gap, from a last look at the clock that was 1000 s ago. */
static struct worker_slot *slot_after_1000_s(void)
{
	struct worker_slot *slot = calloc(1, sizeof(*slot));

	cr_assert_not_null(slot);
	worker_slot_init(slot, 1, 1, 0);
	slot->start_ns = slot->last_look_ns = clock_monotonic_ns() - 1000 * NS_PER_S;
	return slot;
}

static int run_end(struct ktstr_worker *w, struct ktstr_error *err)
{
	(void)err;
	ktstr_worker_progress(w, 7);
	return 0;
}

static const struct ktstr_workload_ops ending = { .size = sizeof(ending), .run = run_end };

Test(worker_loop, a_late_wake_up_is_a_gap_but_not_the_wait_before_it)
{
	struct worker_slot *slot = slot_after_1000_s();

	ktstr_worker_wake_sample(&slot->worker, 300 * NS_PER_S);
	cr_expect_geq(slot->report.max_gap_ns, 300 * NS_PER_S);
	cr_expect_lt(slot->report.max_gap_ns, 400 * NS_PER_S);
	cr_expect_geq(slot->report.max_gap_at_ns, 1000 * NS_PER_S);
	cr_expect_eq(slot->samples[0], UINT32_MAX);
	free(slot);
}

Test(worker_loop, a_wake_up_is_no_later_than_the_last_look)
{
	struct worker_slot *slot = slot_after_1000_s();

	ktstr_worker_wake_sample(&slot->worker, UINT64_MAX);
	cr_expect_geq(slot->report.max_gap_ns, 1000 * NS_PER_S);
	cr_expect_lt(slot->report.max_gap_ns, 1100 * NS_PER_S);
	ktstr_worker_wake_sample(&slot->worker, 0);
	cr_expect_lt(slot->report.max_gap_ns, 1100 * NS_PER_S);
	free(slot);
}

Test(worker_loop, what_a_sleep_takes_too_long_is_a_gap)
{
	struct worker_slot *slot = slot_after_1000_s();
	struct schedstat schedstat = { 0 };

	/* Its sleep was to last 600 s, and it was never woken. */
	slot->last_look_ns += 600 * NS_PER_S;
	worker_slot_close(slot, slot->start_ns + 1000 * NS_PER_S, 0, &schedstat);
	cr_expect_eq(slot->report.max_gap_ns, 400 * NS_PER_S);
	free(slot);
}
Test(worker_loop, cpu_time_and_wall_time_begin_at_the_release)
{
	struct worker_slot *slot = slot_after_1000_s();

	worker_loop_prepare(slot);
	while (clock_now_ns(CLOCK_THREAD_CPUTIME_ID) < slot->cpu_start_ns + 20 * NS_PER_MS)
		;
	slot->start_ns = clock_monotonic_ns();
	cr_assert_eq(worker_loop_run(slot, &ending), 0);
	cr_expect_leq(slot->report.cpu_time_ns, slot->report.wall_time_ns);
	cr_expect_lt(slot->report.cpu_time_ns, 20 * NS_PER_MS);
	free(slot);
}

static uint64_t delay_of(uint64_t seed, uint32_t spawn, uint32_t index)
{
	struct worker_slot *slot = calloc(1, sizeof(*slot));
	uint64_t delay_ns;

	cr_assert_not_null(slot);
	worker_slot_init(slot, seed, spawn, index);
	delay_ns = slot->delay_ns;
	free(slot);
	return delay_ns;
}

Test(worker_loop, the_seed_says_when_a_worker_begins)
{
	for (uint64_t seed = 0; seed < 1000; seed++)
		cr_expect_leq(delay_of(seed, 1, 0), WORKER_DELAY_MAX_NS);
	cr_expect_eq(delay_of(1, 2, 3), delay_of(1, 2, 3));
	cr_expect_neq(delay_of(1, 2, 3), delay_of(2, 2, 3));
	cr_expect_neq(delay_of(1, 2, 3), delay_of(1, 1, 3));
	cr_expect_neq(delay_of(1, 2, 3), delay_of(1, 2, 4));
}

Test(worker_loop, a_worker_waits_for_its_start_and_that_is_no_gap)
{
	struct worker_slot *slot = slot_after_1000_s();

	worker_loop_prepare(slot);
	slot->start_ns = clock_monotonic_ns() + 30 * NS_PER_MS;
	cr_assert_eq(worker_loop_run(slot, &ending), 0);
	cr_expect_geq(clock_monotonic_ns(), slot->start_ns);
	cr_expect_leq(slot->report.max_gap_ns, clock_monotonic_ns() - slot->start_ns);
	cr_expect_leq(slot->report.wall_time_ns, clock_monotonic_ns() - slot->start_ns);
	free(slot);
}

Test(worker_loop, one_that_is_stopped_before_its_start_never_waits_for_it)
{
	struct worker_slot *slot = slot_after_1000_s();

	worker_loop_prepare(slot);
	slot->start_ns = clock_monotonic_ns() + 1000 * NS_PER_S;
	slot->worker.stop = 1;
	cr_assert_eq(worker_loop_run(slot, &ending), 0);
	cr_expect_lt(clock_monotonic_ns(), slot->start_ns);
	cr_expect_eq(slot->report.wall_time_ns, 0);
	cr_expect_lt(slot->report.max_gap_ns, 100 * NS_PER_S);
	free(slot);
}

static const struct {
	const char *text;
	struct schedstat expected;
} schedstats[] = {
	{ "123 456 7\n", { 456, 7 } },
	{ "123 456", { 0, 0 } },
	{ "", { 0, 0 } },
	{ "a b c", { 0, 0 } },
};

static const struct {
	const char *text;
	uint32_t expected;
} exts[] = {
	{ "cpu_spin (131, #threads: 1)\n---\nse.load.weight  :   1048576\n"
	  "ext.enabled                                  :                    1\n"
	  "policy                                       :                    0\n",
	  KTSTR_EXT_YES },
	{ "ext.enabled                                  :                    0\n", KTSTR_EXT_NO },
	{ "ext.enabled : 0", KTSTR_EXT_NO },
	{ "next.enabled : 1\next.enabled : 0\n", KTSTR_EXT_NO },
	{ "next.enabled : 1\n", KTSTR_EXT_UNKNOWN },
	{ "ext.enabled_tasks : 1\n", KTSTR_EXT_UNKNOWN },
	{ "policy : 0\n", KTSTR_EXT_UNKNOWN },
	{ "", KTSTR_EXT_UNKNOWN },
};

Test(ext, is_parsed)
{
	for (size_t i = 0; i < ARRAY_SIZE(exts); i++)
		cr_expect_eq(ext_parse(exts[i].text), exts[i].expected, "text %zu", i);
}

Test(ext, of_no_process_is_not_known)
{
	cr_expect_eq(ext_read(INT32_MAX), KTSTR_EXT_UNKNOWN);
}

Test(schedstat, is_parsed)
{
	for (size_t i = 0; i < ARRAY_SIZE(schedstats); i++) {
		struct schedstat got;

		schedstat_parse(schedstats[i].text, &got);
		cr_expect_eq(got.run_delay_ns, schedstats[i].expected.run_delay_ns, "text %zu", i);
		cr_expect_eq(got.run_count, schedstats[i].expected.run_count, "text %zu", i);
	}
}
