/* SPDX-License-Identifier: GPL-2.0-only */
#include "wire/guest_clock.h"

#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "ktstr/sched_ext.h"

#define S NS_PER_S

static struct guest_clock guest;

static uint64_t take(uint32_t msg_type, uint32_t flags, const void *payload, size_t length)
{
	const struct ktstr_frame frame = { .msg_type = msg_type,
					   .flags = flags,
					   .host_ns = 5,
					   .payload = payload,
					   .length = (uint32_t)length };

	return guest_clock_take(&guest, &frame);
}

#define TAKE(NAME, what) take(KTSTR_MSG_##NAME, KTSTR_FRAME_CRC_OK, &(what), sizeof(what))

Test(guest_clock, shows_what_frames_tell)
{
	struct ktstr_guest_time time = { 10 * S };
	struct ktstr_stimulus stimulus = { .elapsed_ms = 3000 };
	struct ktstr_scx_state state = { .size = sizeof(state),
					 .when = KTSTR_SCX_ATTACHED,
					 .guest_ns = 8 * S };
	struct ktstr_scenario_end end = { .elapsed_ms = 9000 };

	cr_expect_eq(take(KTSTR_MSG_HELLO, KTSTR_FRAME_CRC_OK, "", 0), 0);
	cr_expect_eq(TAKE(SCX_STATE, state), 8 * S);
	cr_expect_eq(TAKE(SCENARIO_START, time), 10 * S);
	cr_expect_eq(TAKE(STIMULUS, stimulus), 13 * S);
	cr_expect_eq(take(KTSTR_MSG_WORKER, KTSTR_FRAME_CRC_OK, "", 0), 13 * S);
	time.guest_ns = 14 * S;
	cr_expect_eq(TAKE(SCENARIO_PAUSE, time), 14 * S);
	time.guest_ns = 15 * S;
	cr_expect_eq(TAKE(SCENARIO_RESUME, time), 15 * S);
	stimulus.elapsed_ms = 6000;
	cr_expect_eq(TAKE(STEP_END, stimulus), 16 * S);
	cr_expect_eq(TAKE(SCENARIO_END, end), 19 * S);
}

Test(guest_clock, believes_nothing_that_is_torn_empty_or_goes_back)
{
	struct ktstr_guest_time time = { 10 * S };
	struct ktstr_stimulus stimulus = { .elapsed_ms = 3000 };
	struct ktstr_scenario_end end = { .elapsed_ms = UINT64_MAX };

	cr_expect_eq(TAKE(STIMULUS, stimulus), 0, "since a start that is not known");
	cr_expect_eq(take(KTSTR_MSG_SCENARIO_START, 0, &time, sizeof(time)), 0);
	cr_expect_eq(take(KTSTR_MSG_SCENARIO_START, KTSTR_FRAME_CRC_OK, "", 0), 0);
	cr_expect_eq(TAKE(SCENARIO_START, time), 10 * S);
	cr_expect_eq(take(KTSTR_MSG_SCENARIO_PAUSE, KTSTR_FRAME_CRC_OK, "", 0), 10 * S);
	time.guest_ns = 7 * S;
	cr_expect_eq(TAKE(SCENARIO_PAUSE, time), 10 * S);
	cr_expect_eq(TAKE(SCENARIO_START, time), 10 * S);
	cr_expect_eq(TAKE(SCENARIO_END, end), 10 * S);
	cr_expect_eq(TAKE(STIMULUS, stimulus), 13 * S, "the first start counts");
}
