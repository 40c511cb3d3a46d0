/* SPDX-License-Identifier: GPL-2.0-only */
#include "coord/watchdog.h"

#include <criterion/criterion.h>

#include "base/cleanup.h"

#define S NS_PER_S

/* A moment of a run, and the limit that it stands under. Budget 10 s, boot 60 s, teardown 5 s. */
struct moment {
	const char *name;
	struct coord_result result;
	uint64_t at_ns;
	enum coord_end end;
};

static const struct moment moments[] = {
	{ "booting", { .sinks = { 0 } }, 60 * S, COORD_END_BOOT_TIMEOUT },
	{ "booted",
	  { .sinks = { .is_ready = true, .ready_ns = 3 * S } },
	  43 * S,
	  COORD_END_BOOT_TIMEOUT },
	{ "started",
	  { .sinks = { .is_ready = true,
		       .ready_ns = 3 * S,
		       .scenario_start_ns = 4 * S,
		       .watchdog_reset_ns = 14 * S } },
	  14 * S,
	  COORD_END_WATCHDOG },
	{ "started without SYS_RDY",
	  { .sinks = { .scenario_start_ns = 4 * S, .watchdog_reset_ns = 14 * S } },
	  14 * S,
	  COORD_END_WATCHDOG },
	{ "paused",
	  { .sinks = { .scenario_start_ns = 4 * S,
		       .watchdog_reset_ns = 14 * S,
		       .watchdog_pause_ns = 8 * S } },
	  38 * S,
	  COORD_END_WATCHDOG },
	{ "paused again and again",
	  { .sinks = { .scenario_start_ns = 4 * S,
		       .watchdog_reset_ns = 14 * S,
		       .watchdog_pause_ns = 40 * S } },
	  54 * S,
	  COORD_END_WATCHDOG },
	{ "put off without end",
	  { .sinks = { .scenario_start_ns = 4 * S, .watchdog_reset_ns = UINT64_MAX } },
	  24 * S,
	  COORD_END_WATCHDOG },
	{ "put off after a pause",
	  { .sinks = { .scenario_start_ns = 4 * S,
		       .watchdog_reset_ns = UINT64_MAX,
		       .scenario_pause_cumulative_ns = 7 * S } },
	  31 * S,
	  COORD_END_WATCHDOG },
	{ "put off by pauses without end",
	  { .sinks = { .scenario_start_ns = 4 * S,
		       .watchdog_reset_ns = UINT64_MAX,
		       .scenario_pause_cumulative_ns = 700 * S } },
	  54 * S,
	  COORD_END_WATCHDOG },
	{ "a resume before the start",
	  { .sinks = { .is_ready = true, .ready_ns = 3 * S, .watchdog_reset_ns = 1 } },
	  43 * S,
	  COORD_END_BOOT_TIMEOUT },
	{ "tearing down",
	  { .sinks = { .scenario_start_ns = 4 * S,
		       .scenario_end_ns = 12 * S,
		       .is_scenario_ended = true,
		       .watchdog_reset_ns = 22 * S } },
	  17 * S,
	  COORD_END_TEARDOWN_TIMEOUT },
	{ "ended", { .sinks = { .has_end = true } }, UINT64_MAX, COORD_END_STREAM },
};

Test(watchdog, knows_the_limit_of_every_moment)
{
	const struct coord_spec spec = {
		.boot_timeout_ns = 60 * S,
		.start_timeout_ns = 40 * S,
		.teardown_timeout_ns = 5 * S,
	};

	for (size_t i = 0; i < ARRAY_SIZE(moments); i++) {
		struct coord_result result = moments[i].result;
		struct watchdog_limit limit;

		result.sinks.workload_duration_ns = 10 * S;
		limit = watchdog_limit(&spec, &result);
		cr_assert_eq(limit.at_ns, moments[i].at_ns, "%s: %lu", moments[i].name,
			     limit.at_ns);
		cr_assert_eq(limit.end, moments[i].end, "%s", moments[i].name);
		cr_assert_not_null(limit.what);
	}
}

Test(watchdog, knows_no_limit_that_was_not_given)
{
	const struct coord_spec spec = { 0 };
	struct coord_result result = { 0 };

	cr_assert_eq(watchdog_limit(&spec, &result).at_ns, UINT64_MAX);
	result.sinks.is_ready = true;
	cr_assert_eq(watchdog_limit(&spec, &result).at_ns, UINT64_MAX);
	result.sinks.scenario_start_ns = 5;
	cr_assert_eq(watchdog_limit(&spec, &result).at_ns, UINT64_MAX);
	result.sinks.is_scenario_ended = true;
	cr_assert_eq(watchdog_limit(&spec, &result).at_ns, UINT64_MAX);
}

Test(watchdog, a_start_is_not_late_because_the_host_had_no_cpu)
{
	const struct coord_spec spec = {
		.boot_timeout_ns = 60 * S,
		.start_timeout_ns = 40 * S,
		.cpu_wait_max_ns = 100 * S,
	};
	struct coord_result result = { .cpu_wait_ns = 7 * S,
				       .sinks = { .workload_duration_ns = 10 * S } };

	cr_assert_eq(watchdog_limit(&spec, &result).at_ns, 67 * S);
	result.cpu_wait_ns = 700 * S;
	cr_assert_eq(watchdog_limit(&spec, &result).at_ns, 160 * S, "not for ever");
	result.sinks.is_ready = true;
	result.sinks.ready_ns = 3 * S;
	result.cpu_wait_ns = 2 * S;
	cr_assert_eq(watchdog_limit(&spec, &result).at_ns, 45 * S);
	result.sinks.scenario_start_ns = 4 * S;
	result.sinks.watchdog_reset_ns = 14 * S;
	cr_assert_eq(watchdog_limit(&spec, &result).at_ns, 14 * S, "the scenario's time counts");
}

Test(watchdog, waiting_for_a_cpu_is_no_limit_by_itself)
{
	const struct coord_spec spec = { .cpu_wait_max_ns = S };
	struct coord_result result = { .cpu_wait_ns = S };

	cr_assert_eq(watchdog_limit(&spec, &result).at_ns, UINT64_MAX);
}

Test(watchdog, the_time_that_the_guest_is_frozen_does_not_count)
{
	const struct coord_spec spec = { .boot_timeout_ns = 60 * S };
	struct coord_result result = { .sinks = { .workload_duration_ns = 10 * S,
						  .scenario_start_ns = 4 * S,
						  .watchdog_reset_ns = 14 * S } };

	watchdog_extend(&result.sinks, 3 * S);
	watchdog_extend(&result.sinks, 2 * S);
	cr_assert_eq(watchdog_limit(&spec, &result).at_ns, 19 * S);
	cr_assert_eq(result.sinks.frozen_ns, 5 * S);
	/* The last limit of all moves too. */
	result.sinks.watchdog_reset_ns = UINT64_MAX;
	cr_assert_eq(watchdog_limit(&spec, &result).at_ns, 29 * S);
}

Test(watchdog, changes_of_the_scheduler_may_last)
{
	const struct coord_spec spec = { .boot_timeout_ns = 60 * S };
	struct coord_result result = { .sinks = { .workload_duration_ns = 10 * S,
						  .scheduler_changes_ns = 60 * S,
						  .scenario_start_ns = 4 * S,
						  .watchdog_reset_ns = 14 * S,
						  .watchdog_pause_ns = 5 * S } };

	cr_assert_eq(watchdog_limit(&spec, &result).at_ns, 95 * S, "one pause of all that time");
	result.sinks.watchdog_pause_ns = 0;
	result.sinks.scenario_pause_cumulative_ns = 80 * S;
	result.sinks.watchdog_reset_ns = UINT64_MAX;
	cr_assert_eq(watchdog_limit(&spec, &result).at_ns, 104 * S, "of many, what they took");
	result.sinks.scenario_pause_cumulative_ns = 200 * S;
	cr_assert_eq(watchdog_limit(&spec, &result).at_ns, 114 * S);
	result.sinks.scheduler_changes_ns = UINT64_MAX;
	result.sinks.scenario_pause_cumulative_ns = UINT64_MAX;
	cr_assert_eq(watchdog_limit(&spec, &result).at_ns, UINT64_MAX);
}

Test(watchdog, a_pause_and_a_freeze_are_not_counted_twice)
{
	struct dispatch_sinks sinks = { .workload_duration_ns = 10 * S,
					.watchdog_reset_ns = 14 * S,
					.watchdog_pause_ns = 5 * S };

	watchdog_extend(&sinks, 2 * S);
	cr_assert_eq(sinks.watchdog_reset_ns, 16 * S);
	cr_assert_eq(sinks.watchdog_pause_ns, 7 * S, "the rest of the pause comes on top");
}

Test(watchdog, freezes_put_it_off_by_a_minute_at_most)
{
	struct dispatch_sinks sinks = { .watchdog_reset_ns = 14 * S };

	watchdog_extend(&sinks, 50 * S);
	watchdog_extend(&sinks, 50 * S);
	watchdog_extend(&sinks, UINT64_MAX);
	cr_assert_eq(sinks.frozen_ns, WATCHDOG_FREEZE_MAX_NS);
	cr_assert_eq(sinks.watchdog_reset_ns, 14 * S + WATCHDOG_FREEZE_MAX_NS);
	sinks = (struct dispatch_sinks){ 0 };
	watchdog_extend(&sinks, 5 * S);
	cr_assert_eq(sinks.watchdog_reset_ns, 0, "what is not set stays so");
}

/* An instruction costs 50 ns of CPU time at most, and takes so long in the guest. */
Test(watchdog, knows_how_far_a_guest_must_be)
{
	static const struct {
		uint64_t cpu_ns;
		uint32_t instruction_ns;
		uint64_t spent_ns;
	} rows[] = {
		{ 0, 4, 0 },
		{ 12, 4, 0 },
		{ 13, 4, 1 },
		{ 50 * S, 1, S },
		{ 50 * S, 4, 4 * S },
		{ 50 * S, 32, 32 * S },
		/* More guest than CPU time is not believed. */
		{ 50 * S, 64, 50 * S },
		{ UINT64_MAX, 4, UINT64_C(1475739525896764129) },
		{ UINT64_MAX, 64, UINT64_MAX },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_expect_eq(watchdog_spent_ns(rows[i].cpu_ns, rows[i].instruction_ns),
			     rows[i].spent_ns, "row %zu: %lu", i,
			     watchdog_spent_ns(rows[i].cpu_ns, rows[i].instruction_ns));
}

Test(watchdog, knows_what_a_guest_may_take)
{
	static const struct {
		uint64_t spent_ns;
		uint32_t instruction_ns;
		uint64_t cpu_ns;
	} rows[] = {
		{ S, 0, S },  { S, 1, 50 * S },	     { 4 * S, 4, 50 * S },
		{ S, 64, S }, { S, 32, 1562500000 }, { UINT64_MAX / 2, 4, UINT64_MAX },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_expect_eq(watchdog_cpu_time_ns(rows[i].spent_ns, rows[i].instruction_ns),
			     rows[i].cpu_ns, "row %zu: %lu", i,
			     watchdog_cpu_time_ns(rows[i].spent_ns, rows[i].instruction_ns));
}

Test(watchdog, a_boot_counts_cpu_time_whatever_an_instruction_takes)
{
	static const uint32_t instruction_ns[] = { 1, 4, 64 };
	struct coord_spec spec = { .boot_timeout_ns = 60 * S };
	const struct coord_result result = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(instruction_ns); i++) {
		spec.instruction_ns = instruction_ns[i];
		cr_expect_eq(watchdog_limit(&spec, &result).at_ns,
			     watchdog_spent_ns(60 * S, instruction_ns[i]), "row %zu", i);
	}
}

Test(watchdog, a_freeze_costs_a_guest_in_virtual_time_nothing)
{
	struct dispatch_sinks sinks = { .is_virtual = true, .watchdog_reset_ns = 14 * S };

	watchdog_extend(&sinks, 3 * S);
	cr_expect_eq(sinks.watchdog_reset_ns, 14 * S);
	cr_expect_eq(sinks.frozen_ns, 0);
}
