/* SPDX-License-Identifier: GPL-2.0-only */
/* For tests of checkers over sched_ext: frames that a court is shown. */
#ifndef TESTS_UNIT_SCX_COURT_H
#define TESTS_UNIT_SCX_COURT_H

#include <criterion/criterion.h>

#include "ktstr/sched_ext.h"
#include "unit/court.h"

static inline void show_all(struct court *court, uint32_t msg_type, const void *head, size_t size,
			    const void *tail, size_t tail_size)
{
	unsigned char bytes[16384];

	cr_assert_leq(size + tail_size, sizeof(bytes));
	memcpy(bytes, head, size);
	if (tail_size)
		memcpy(bytes + size, tail, tail_size);
	cr_assert_eq(show(court, msg_type, KTSTR_FRAME_CRC_OK, bytes, (uint32_t)(size + tail_size)),
		     0, "%s", court->err.text);
}

/* A state of sched_ext at so many milliseconds, on both clocks, under the 7th scheduler 'fifo'. */
static inline struct ktstr_scx_state state_of(struct court *court, uint32_t when, uint64_t at_ms)
{
	court->now_ns = at_ms * MS;
	return (struct ktstr_scx_state){ .size = sizeof(struct ktstr_scx_state),
					 .when = when,
					 .guest_ns = at_ms * MS,
					 .enable_seq = 7,
					 .switch_all = 1,
					 .state = "enabled",
					 .ops = "fifo" };
}

static inline void show_state(struct court *court, const struct ktstr_scx_state *state)
{
	show_all(court, KTSTR_MSG_SCX_STATE, state, sizeof(*state), NULL, 0);
}

static inline void show_when(struct court *court, uint32_t when, uint64_t at_ms)
{
	struct ktstr_scx_state state = state_of(court, when, at_ms);

	show_state(court, &state);
}

/* The same after it has gone, or where there never was one. */
static inline void show_disabled(struct court *court, uint32_t when, uint64_t at_ms)
{
	struct ktstr_scx_state state = state_of(court, when, at_ms);

	(void)snprintf(state.state, sizeof(state.state), "disabled");
	memset(state.ops, 0, sizeof(state.ops));
	show_state(court, &state);
}

static inline void show_exit(struct court *court, uint32_t kind, const char *reason,
			     const char *message)
{
	struct ktstr_scx_exit head = { .size = sizeof(head),
				       .kind = kind,
				       .source = KTSTR_SCX_EXIT_OF_OPS,
				       .reason_length = (uint32_t)strlen(reason),
				       .message_length = (uint32_t)strlen(message) };
	char texts[2048];

	(void)snprintf(texts, sizeof(texts), "%s%s", reason, message);
	show_all(court, KTSTR_MSG_SCX_EXIT, &head, sizeof(head), texts, strlen(texts));
}

static inline void show_swap(struct court *court, uint32_t kind, int32_t code)
{
	struct ktstr_sched_swap swap = {
		.size = sizeof(swap), .kind = kind, .code = code, .name = "other", .plugin = "scx_x"
	};

	show_all(court, KTSTR_MSG_SCHED_SWAP, &swap, sizeof(swap), NULL, 0);
}

#endif
