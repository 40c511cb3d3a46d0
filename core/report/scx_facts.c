/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/scx_facts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire/payload.h"

/* Append what there is room for below @max. */
static int add_head(struct str *str, const void *bytes, size_t length, size_t max)
{
	if (length > max - str->length)
		length = max - str->length;
	return str_add_bytes(str, bytes, length);
}

/* Append, and forget the beginning when it gets too long: twice the size is the most there is. */
static int add_tail(struct str *str, const char *bytes, size_t length, size_t max)
{
	if (length > max) {
		bytes += length - max;
		length = max;
	}
	if (str->length + length > 2 * max) {
		size_t kept = max - length;

		memmove(str->data, str->data + str->length - kept, kept + 1);
		str->length = kept;
	}
	return str_add_bytes(str, bytes, length);
}

static struct ktstr_sched_prog *program_of(struct scx_facts *facts,
					   const struct ktstr_sched_prog *prog)
{
	struct ktstr_sched_prog *more;

	for (size_t i = 0; i < facts->program_count; i++)
		if (facts->programs[i].id == prog->id &&
		    strcmp(facts->programs[i].name, prog->name) == 0)
			return &facts->programs[i];
	if (facts->program_count < facts->program_size)
		return &facts->programs[facts->program_count++];
	facts->program_size = facts->program_size ? facts->program_size * 2 : 16;
	more = realloc(facts->programs, facts->program_size * sizeof(*more));
	if (!more)
		return NULL;
	facts->programs = more;
	return &facts->programs[facts->program_count++];
}

static int take_progs(struct scx_facts *facts, const struct ktstr_frame *frame)
{
	struct ktstr_sched_progs progs;
	const void *entries;

	if (facts->program_lists == SCX_FACTS_PROGRAM_LISTS_MAX ||
	    wire_decode_sched_progs(frame->payload, frame->length, &progs, &entries) < 0)
		return 0;
	facts->program_lists++;
	for (uint32_t i = 0;
	     i < progs.program_count && facts->program_count < SCX_FACTS_PROGRAMS_MAX; i++) {
		struct ktstr_sched_prog prog, *kept;

		wire_sched_prog_get(entries, i, &prog);
		kept = program_of(facts, &prog);
		if (!kept)
			return -ENOMEM;
		*kept = prog;
	}
	facts->is_there = facts->is_there || progs.program_count > 0;
	return 0;
}

static void take_state(struct scx_facts *facts, const struct ktstr_frame *frame)
{
	struct ktstr_scx_state state;
	const void *events;

	if (wire_decode_scx_state(frame->payload, frame->length, &state, &events) < 0)
		return;
	facts->is_there = facts->is_there || state.ops[0];
	facts->has_state = true;
	facts->state = state;
	if (state.ops[0])
		memcpy(facts->ops, state.ops, sizeof(facts->ops));
	if (state.event_count == 0)
		return;
	facts->event_count = state.event_count;
	for (uint32_t i = 0; i < state.event_count; i++)
		wire_scx_event_get(events, i, &facts->events[i]);
}

static int take_exit(struct scx_facts *facts, const struct ktstr_frame *frame)
{
	struct wire_scx_texts texts;
	struct ktstr_scx_exit left;
	int rc;

	if (wire_decode_scx_exit(frame->payload, frame->length, &left, &texts) < 0)
		return 0;
	facts->is_there = true;
	str_clear(&facts->backtrace);
	rc = add_head(&facts->backtrace, texts.backtrace, left.backtrace_length,
		      SCX_FACTS_BACKTRACE_MAX);
	if (rc == 0)
		rc = add_head(&facts->exit_dump, texts.dump, left.dump_length, SCX_FACTS_DUMP_MAX);
	return rc;
}

static void take_start(struct scx_facts *facts, const struct ktstr_frame *frame)
{
	struct ktstr_guest_time start;

	if (facts->start_host_ns != 0)
		return;
	facts->start_host_ns = frame->host_ns;
	if (wire_decode_guest_time(frame->payload, frame->length, &start) == 0)
		facts->start_guest_ns = start.guest_ns;
}

/* The guest says what its clock shows just before it says that it has another scheduler. */
static void time_swap(const struct scx_facts *facts, uint64_t host_ns, struct scx_facts_swap *swap)
{
	bool is_guests = facts->start_guest_ns != 0 && facts->has_state;
	uint64_t start_ns = is_guests ? facts->start_guest_ns : facts->start_host_ns;
	uint64_t now_ns = is_guests ? facts->state.guest_ns : host_ns;

	swap->has_time = start_ns != 0 && now_ns >= start_ns;
	swap->at_ns = swap->has_time ? now_ns - start_ns : 0;
}

static void take_swap(struct scx_facts *facts, const struct ktstr_frame *frame)
{
	struct scx_facts_swap *kept = &facts->swaps[facts->swap_count];

	if (facts->swap_count == SCX_FACTS_SWAPS_MAX) {
		facts->swap_total++;
		return;
	}
	if (wire_decode_sched_swap(frame->payload, frame->length, &kept->swap) < 0)
		return;
	time_swap(facts, frame->host_ns, kept);
	facts->swap_count++;
	facts->swap_total++;
	facts->is_there = true;
}

static void take_time(struct scx_facts *facts, const struct ktstr_frame *frame)
{
	struct ktstr_sched_time took;

	if (wire_decode_sched_time(frame->payload, frame->length, &took) < 0)
		return;
	if (took.duration_ns < UINT64_MAX - facts->times_ns[took.phase])
		facts->times_ns[took.phase] += took.duration_ns;
}

int scx_facts_take(struct scx_facts *facts, const struct ktstr_frame *frame)
{
	switch (frame->msg_type) {
	case KTSTR_MSG_SCENARIO_START:
		take_start(facts, frame);
		return 0;
	case KTSTR_MSG_SCHED_PROGS:
		return take_progs(facts, frame);
	case KTSTR_MSG_SCX_STATE:
		take_state(facts, frame);
		return 0;
	case KTSTR_MSG_SCX_EXIT:
		return take_exit(facts, frame);
	case KTSTR_MSG_SCHED_SWAP:
		take_swap(facts, frame);
		return 0;
	case KTSTR_MSG_SCHED_TIME:
		take_time(facts, frame);
		return 0;
	case KTSTR_MSG_SCX_DUMP:
		return add_head(&facts->dump, frame->payload, frame->length, SCX_FACTS_DUMP_MAX);
	case KTSTR_MSG_SCHED_LOG:
		return add_tail(&facts->log, frame->payload, frame->length, SCX_FACTS_LOG_MAX);
	}
	return 0;
}

const struct str *scx_facts_dump(const struct scx_facts *facts)
{
	return facts->exit_dump.length > 0 ? &facts->exit_dump : &facts->dump;
}

void scx_facts_done(struct scx_facts *facts)
{
	free(facts->programs);
	str_done(&facts->backtrace);
	str_done(&facts->exit_dump);
	str_done(&facts->dump);
	str_done(&facts->log);
	*facts = (struct scx_facts){ 0 };
}
