/* SPDX-License-Identifier: GPL-2.0-only */
#include "wire/payload.h"

#include <errno.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/cleanup.h"

static const struct ktstr_sched_swap good_swap = {
	.size = sizeof(good_swap),
	.kind = KTSTR_SCHED_SWAP_REPLACE,
	.code = -22,
	.flags = KTSTR_SCHED_SWAP_FORCED,
	.name = "second",
	.plugin = "scx_fifo",
};

Test(wire_sched, decodes_a_swap)
{
	struct ktstr_sched_swap swap;

	cr_assert_eq(wire_decode_sched_swap(&good_swap, sizeof(good_swap), &swap), 0);
	cr_assert_eq(memcmp(&swap, &good_swap, sizeof(swap)), 0);
}

Test(wire_sched, refuses_swaps_of_no_kind_and_success_that_is_positive)
{
	struct ktstr_sched_swap swap = good_swap, ret;

	for (uint32_t length = 0; length < sizeof(swap); length++)
		cr_assert_eq(wire_decode_sched_swap(&swap, length, &ret), -EBADMSG, "%u", length);
	swap.kind = 0;
	cr_assert_eq(wire_decode_sched_swap(&swap, sizeof(swap), &ret), -EBADMSG);
	swap.kind = KTSTR_SCHED_SWAP_REPLACE + 1;
	cr_assert_eq(wire_decode_sched_swap(&swap, sizeof(swap), &ret), -EBADMSG);
	swap = good_swap;
	swap.code = 1;
	cr_assert_eq(wire_decode_sched_swap(&swap, sizeof(swap), &ret), -EBADMSG);
	swap.code = INT32_MIN;
	cr_assert_eq(wire_decode_sched_swap(&swap, sizeof(swap), &ret), -EBADMSG);
	swap = good_swap;
	swap.size = sizeof(swap) + 1;
	cr_assert_eq(wire_decode_sched_swap(&swap, sizeof(swap), &ret), -EBADMSG);
}

Test(wire_sched, ends_names_that_fill_their_field_and_makes_them_safe)
{
	struct ktstr_sched_swap swap = good_swap, ret;

	memset(swap.name, 'n', sizeof(swap.name));
	memcpy(swap.plugin, "a\033[31m\nb", 9);
	cr_assert_eq(wire_decode_sched_swap(&swap, sizeof(swap), &ret), 0);
	cr_assert_eq(strlen(ret.name), sizeof(ret.name) - 1);
	cr_assert_str_eq(ret.plugin, "a?[31m b");
}

Test(wire_sched, decodes_times_of_known_phases)
{
	struct ktstr_sched_time took = { .size = sizeof(took), .duration_ns = 5 }, ret;

	for (uint32_t phase = 0; phase < 9; phase++) {
		took.phase = phase;
		cr_assert_eq(wire_decode_sched_time(&took, sizeof(took), &ret),
			     phase >= 1 && phase <= 6 ? 0 : -EBADMSG, "%u", phase);
	}
	cr_assert_eq(wire_decode_sched_time(&took, sizeof(took) - 1, &ret), -EBADMSG);
}

static struct {
	struct ktstr_scx_state head;
	struct ktstr_scx_event events[2];
} state = {
	.head = { .size = sizeof(state.head),
		  .when = KTSTR_SCX_DIED,
		  .nr_rejected = 3,
		  .event_count = 2,
		  .state = "disabled",
		  .ops = "fifo" },
	.events = { { .name = "SCX_EV_ONE", .value = 1 }, { .name = "SCX_EV_TWO", .value = -2 } },
};

Test(wire_sched, decodes_a_state_with_its_events)
{
	struct ktstr_scx_state ret;
	struct ktstr_scx_event event;
	const void *events;

	cr_assert_eq(wire_decode_scx_state(&state, sizeof(state), &ret, &events), 0);
	cr_assert_eq(ret.nr_rejected, 3);
	cr_assert_str_eq(ret.state, "disabled");
	wire_scx_event_get(events, 1, &event);
	cr_assert_str_eq(event.name, "SCX_EV_TWO");
	cr_assert_eq(event.value, -2);
}

Test(wire_sched, refuses_a_state_that_promises_more_events_than_it_has)
{
	struct ktstr_scx_state ret;
	const void *events;

	cr_assert_eq(wire_decode_scx_state(&state, sizeof(state) - 1, &ret, &events), -EBADMSG);
	state.head.event_count = 3;
	cr_assert_eq(wire_decode_scx_state(&state, sizeof(state), &ret, &events), -EBADMSG);
	state.head.event_count = UINT32_MAX;
	cr_assert_eq(wire_decode_scx_state(&state, sizeof(state), &ret, &events), -EBADMSG);
	state.head.event_count = 2;
	state.head.when = 0;
	cr_assert_eq(wire_decode_scx_state(&state, sizeof(state), &ret, &events), -EBADMSG);
	state.head.when = KTSTR_SCX_DIED + 1;
	cr_assert_eq(wire_decode_scx_state(&state, sizeof(state), &ret, &events), -EBADMSG);
}

static struct {
	struct ktstr_sched_progs head;
	struct ktstr_sched_prog progs[1];
} progs = {
	.head = { .size = sizeof(progs.head), .when = KTSTR_SCX_ATTACHED, .program_count = 1 },
	.progs = { { .name = "fifo_enqueue", .verified_insns = 123 } },
};

Test(wire_sched, decodes_programs)
{
	struct ktstr_sched_progs ret;
	struct ktstr_sched_prog prog;
	const void *entries;

	cr_assert_eq(wire_decode_sched_progs(&progs, sizeof(progs), &ret, &entries), 0);
	wire_sched_prog_get(entries, 0, &prog);
	cr_assert_str_eq(prog.name, "fifo_enqueue");
	cr_assert_eq(prog.verified_insns, 123);
	progs.head.program_count = 2;
	cr_assert_eq(wire_decode_sched_progs(&progs, sizeof(progs), &ret, &entries), -EBADMSG);
	progs.head.program_count = KTSTR_SCHED_PROGS_MAX + 1;
	cr_assert_eq(wire_decode_sched_progs(&progs, sizeof(progs), &ret, &entries), -EBADMSG);
	progs.head.program_count = 0;
	progs.head.when = 77;
	cr_assert_eq(wire_decode_sched_progs(&progs, sizeof(progs), &ret, &entries), -EBADMSG);
}

static struct {
	struct ktstr_scx_exit head;
	char texts[10];
} left = {
	.head = { .size = sizeof(left.head),
		  .kind = KTSTR_SCX_EXIT_ERROR_STALL,
		  .source = KTSTR_SCX_EXIT_OF_OPS,
		  .reason_length = 1,
		  .message_length = 2,
		  .backtrace_length = 3,
		  .dump_length = 4 },
	.texts = { 'r', 'm', 'm', 'b', 'b', 'b', 'd', 'd', 'd', 'd' },
};
#define LEFT_LENGTH (offsetof(__typeof__(left), texts) + sizeof(left.texts))

Test(wire_sched, decodes_an_exit_with_its_texts)
{
	struct wire_scx_texts texts;
	struct ktstr_scx_exit ret;

	cr_assert_eq(wire_decode_scx_exit(&left, LEFT_LENGTH, &ret, &texts), 0);
	cr_assert_eq(ret.kind, 1026);
	cr_assert_eq(texts.reason[0], 'r');
	cr_assert_eq(memcmp(texts.message, "mm", 2), 0);
	cr_assert_eq(memcmp(texts.backtrace, "bbb", 3), 0);
	cr_assert_eq(memcmp(texts.dump, "dddd", 4), 0);
}

Test(wire_sched, refuses_an_exit_whose_texts_do_not_fit)
{
	struct wire_scx_texts texts;
	struct ktstr_scx_exit ret;
	uint32_t *const lengths[] = { &left.head.reason_length, &left.head.message_length,
				      &left.head.backtrace_length, &left.head.dump_length };

	cr_assert_eq(wire_decode_scx_exit(&left, LEFT_LENGTH - 1, &ret, &texts), -EBADMSG);
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		uint32_t good = *lengths[i];

		*lengths[i] = good + 1;
		cr_assert_eq(wire_decode_scx_exit(&left, LEFT_LENGTH, &ret, &texts), -EBADMSG);
		*lengths[i] = UINT32_MAX;
		cr_assert_eq(wire_decode_scx_exit(&left, LEFT_LENGTH, &ret, &texts), -EBADMSG);
		*lengths[i] = good;
	}
	left.head.source = 3;
	cr_assert_eq(wire_decode_scx_exit(&left, LEFT_LENGTH, &ret, &texts), -EBADMSG);
}
