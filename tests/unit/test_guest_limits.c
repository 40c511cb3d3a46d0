/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/limits.h"

#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define S NS_PER_S

/* A moment of a run, and the limit that it stands under. */
static const struct {
	const char *name;
	uint32_t stage;
	uint64_t pause_ns, paused_ns;
	uint64_t at_ns, length_ns;
	const char *what;
} moments[] = {
	{ "no stage yet", LIMITS_OF_NONE, 0, 0, UINT64_MAX, 0, "" },
	{ "starting", LIMITS_OF_START, 0, 0, 140 * S, 40 * S,
	  "the guest booted, but started no scenario" },
	{ "a pause in setup", LIMITS_OF_START, 120 * S, 9 * S, 140 * S, 40 * S,
	  "the guest booted, but started no scenario" },
	{ "in the scenario", LIMITS_OF_SCENARIO, 0, 0, 110 * S, 10 * S,
	  "the scenario did not end in its time" },
	{ "after pauses", LIMITS_OF_SCENARIO, 0, 7 * S, 117 * S, 10 * S,
	  "the scenario did not end in its time" },
	{ "paused", LIMITS_OF_SCENARIO, 104 * S, 0, 134 * S, 30 * S,
	  "the scenario stayed paused for too long" },
	{ "paused again and again", LIMITS_OF_SCENARIO, 140 * S, 36 * S, 150 * S, 10 * S,
	  "the scenario put off its deadline too often" },
	{ "after too many pauses", LIMITS_OF_SCENARIO, 0, 700 * S, 150 * S, 10 * S,
	  "the scenario put off its deadline too often" },
	{ "tearing down", LIMITS_OF_TEARDOWN, 0, 0, 105 * S, 5 * S,
	  "the guest did not end its stream after the scenario" },
	{ "a stage that there is not", 7, 0, 0, UINT64_MAX, 0, "" },
};

Test(guest_limits, knows_the_limit_of_every_moment)
{
	for (size_t i = 0; i < ARRAY_SIZE(moments); i++) {
		const struct limits limits = {
			.job = { .start_ns = 40 * S,
				 .scenario_ns = 10 * S,
				 .pause_ns = 30 * S,
				 .teardown_ns = 5 * S },
			.stage = moments[i].stage,
			.since_ns = 100 * S,
			.pause_ns = moments[i].pause_ns,
			.paused_ns = moments[i].paused_ns,
		};
		const struct limit limit = limits_next(&limits);

		cr_expect_eq(limit.at_ns, moments[i].at_ns, "%s: %lu", moments[i].name,
			     limit.at_ns);
		cr_expect_eq(limit.length_ns, moments[i].length_ns, "%s", moments[i].name);
		cr_expect_str_eq(limit.what, moments[i].what, "%s", moments[i].name);
	}
}

Test(guest_limits, knows_no_limit_that_was_not_given)
{
	for (uint32_t stage = LIMITS_OF_NONE; stage <= LIMITS_OF_TEARDOWN; stage++) {
		struct limits limits = { .stage = stage, .since_ns = 5, .pause_ns = 3 };

		cr_expect_eq(limits_next(&limits).at_ns, UINT64_MAX, "stage %u", stage);
	}
}

Test(guest_limits, a_long_limit_is_none)
{
	struct limits limits = { .job = { .scenario_ns = UINT64_MAX / 8, .pause_ns = UINT64_MAX } };

	limits_enter(&limits, LIMITS_OF_SCENARIO, UINT64_MAX - 5);
	cr_expect_eq(limits_next(&limits).at_ns, UINT64_MAX);
	limits_pause(&limits, UINT64_MAX - 2);
	cr_expect_eq(limits_next(&limits).at_ns, UINT64_MAX);
}

Test(guest_limits, adds_pauses_up_and_forgets_them_with_the_stage)
{
	struct limits limits = { .job = { .scenario_ns = 10 * S, .pause_ns = 30 * S } };

	limits_enter(&limits, LIMITS_OF_SCENARIO, 100 * S);
	limits_pause(&limits, 101 * S);
	limits_resume(&limits, 103 * S);
	limits_pause(&limits, 104 * S);
	limits_resume(&limits, 105 * S);
	limits_resume(&limits, 109 * S); /* nothing is paused */
	cr_expect_eq(limits_next(&limits).at_ns, 113 * S);
	limits_enter(&limits, LIMITS_OF_SCENARIO, 200 * S);
	cr_expect_eq(limits_next(&limits).at_ns, 210 * S);
}
