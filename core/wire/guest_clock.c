/* SPDX-License-Identifier: GPL-2.0-only */
#include "wire/guest_clock.h"

#include "base/clock.h"
#include "wire/payload.h"

/* The time that is counted from the scenario's start. 0: it is not known, or cannot be. */
static uint64_t since_start(const struct guest_clock *clock, uint64_t elapsed_ms)
{
	return clock->start_ns != 0 && elapsed_ms < UINT32_MAX
		       ? clock->start_ns + elapsed_ms * NS_PER_MS
		       : 0;
}

static uint64_t told_by(const struct guest_clock *clock, const struct ktstr_frame *frame)
{
	union {
		struct ktstr_guest_time time;
		struct ktstr_stimulus stimulus;
		struct ktstr_scenario_end end;
		struct ktstr_scx_state state;
	} said;
	const void *events;

	switch (frame->msg_type) {
	case KTSTR_MSG_SCENARIO_START:
	case KTSTR_MSG_SCENARIO_PAUSE:
	case KTSTR_MSG_SCENARIO_RESUME:
		return wire_decode_guest_time(frame->payload, frame->length, &said.time) < 0
			       ? 0
			       : said.time.guest_ns;
	case KTSTR_MSG_STIMULUS:
	case KTSTR_MSG_STEP_END:
		return wire_decode_stimulus(frame->payload, frame->length, &said.stimulus) < 0
			       ? 0
			       : since_start(clock, said.stimulus.elapsed_ms);
	case KTSTR_MSG_SCENARIO_END:
		return wire_decode_scenario_end(frame->payload, frame->length, &said.end) < 0
			       ? 0
			       : since_start(clock, said.end.elapsed_ms);
	case KTSTR_MSG_SCX_STATE:
		return wire_decode_scx_state(frame->payload, frame->length, &said.state, &events) <
				       0
			       ? 0
			       : said.state.guest_ns;
	}
	return 0;
}

uint64_t guest_clock_take(struct guest_clock *clock, const struct ktstr_frame *frame)
{
	uint64_t told_ns = frame->flags & KTSTR_FRAME_CRC_OK ? told_by(clock, frame) : 0;

	if (told_ns > clock->now_ns)
		clock->now_ns = told_ns;
	if (frame->msg_type == KTSTR_MSG_SCENARIO_START && clock->start_ns == 0)
		clock->start_ns = told_ns;
	return clock->now_ns;
}
