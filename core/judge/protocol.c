/* SPDX-License-Identifier: GPL-2.0-only */
#include "judge/protocol.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "wire/payload.h"
#include "wire/types.h"

/* What comes only once, in the order in which it comes. */
enum seen {
	HELLO = 1 << 0,
	START = 1 << 1,
	SCENARIO_END = 1 << 2,
	RESULT = 1 << 3,
	EXIT = 1 << 4,
};

static const struct order {
	uint32_t msg_type;
	uint32_t marks; /* 0: may come again */
	uint32_t needs;
	uint32_t forbids;
} orders[] = {
	{ KTSTR_MSG_HELLO, HELLO, 0, START | SCENARIO_END | RESULT | EXIT },
	{ KTSTR_MSG_SCENARIO_START, START, 0, RESULT | EXIT },
	/* The agent pauses whenever workers are stopped, in setup and teardown too. */
	{ KTSTR_MSG_SCENARIO_PAUSE, 0, 0, EXIT },
	{ KTSTR_MSG_SCENARIO_RESUME, 0, 0, EXIT },
	{ KTSTR_MSG_SCENARIO_END, SCENARIO_END, START, RESULT | EXIT },
	{ KTSTR_MSG_TEST_RESULT, RESULT, 0, EXIT },
	{ KTSTR_MSG_EXIT, EXIT, 0, 0 },
	/* Plugins may send these at any time of theirs. */
	{ KTSTR_MSG_STEP, 0, 0, EXIT },
	{ KTSTR_MSG_STIMULUS, 0, 0, EXIT },
	{ KTSTR_MSG_STEP_END, 0, 0, EXIT },
	{ KTSTR_MSG_CGROUP, 0, 0, EXIT },
	{ KTSTR_MSG_WORKER, 0, 0, EXIT },
	{ KTSTR_MSG_SCHED_SWAP, 0, 0, RESULT | EXIT },
	{ KTSTR_MSG_SCHED_TIME, 0, 0, EXIT },
	{ KTSTR_MSG_SCHED_PROGS, 0, 0, EXIT },
	{ KTSTR_MSG_SCX_STATE, 0, 0, EXIT },
	{ KTSTR_MSG_SCX_EXIT, 0, 0, EXIT },
};

/* Where figures of 64 bits lie, in a row. */
static const struct figures {
	uint32_t msg_type;
	uint32_t offset;
	uint32_t count;
} figures[] = {
	{ KTSTR_MSG_WORKER, offsetof(struct ktstr_worker_report, work_units), 9 },
	{ KTSTR_MSG_WORKER, offsetof(struct ktstr_worker_report, wake_sample_total), 1 },
	{ KTSTR_MSG_SCENARIO_END, 0, 2 },
	{ KTSTR_MSG_STIMULUS, offsetof(struct ktstr_stimulus, total_iterations), 1 },
	{ KTSTR_MSG_STEP_END, offsetof(struct ktstr_stimulus, total_iterations), 1 },
	{ KTSTR_MSG_STEP, offsetof(struct ktstr_step_info, hold_ns), 1 },
	{ KTSTR_MSG_SCENARIO_START, offsetof(struct ktstr_guest_time, guest_ns), 1 },
	{ KTSTR_MSG_SCENARIO_PAUSE, offsetof(struct ktstr_guest_time, guest_ns), 1 },
	{ KTSTR_MSG_SCENARIO_RESUME, offsetof(struct ktstr_guest_time, guest_ns), 1 },
	{ KTSTR_MSG_SCHED_TIME, offsetof(struct ktstr_sched_time, duration_ns), 1 },
	/* guest_ns, enable_seq, nr_rejected, hotplug_seq */
	{ KTSTR_MSG_SCX_STATE, offsetof(struct ktstr_scx_state, guest_ns), 4 },
};

__attribute__((format(printf, 2, 3))) static const char *wrong(struct protocol *protocol,
							       const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(protocol->text, sizeof(protocol->text), format, args);
	va_end(args);
	return protocol->text;
}

static const char *name_of(uint32_t msg_type)
{
	const struct wire_type *type = wire_type_find(msg_type);

	return type ? type->name : "unknown";
}

/* The type that leaves the lowest of these marks. */
static const char *name_of_mark(uint32_t marks)
{
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++)
		if (orders[i].marks & marks)
			return name_of(orders[i].msg_type);
	return "unknown";
}

static const char *check_order(struct protocol *protocol, uint32_t msg_type)
{
	const char *name = name_of(msg_type);

	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		const struct order *order = &orders[i];

		if (order->msg_type != msg_type)
			continue;
		if (protocol->seen & order->marks)
			return wrong(protocol, "a second %s frame came", name);
		if (order->needs & ~protocol->seen)
			return wrong(protocol, "%s came before %s", name,
				     name_of_mark(order->needs & ~protocol->seen));
		if (order->forbids & protocol->seen)
			return wrong(protocol, "%s came after %s", name,
				     name_of_mark(order->forbids & protocol->seen));
		protocol->seen |= order->marks;
	}
	return NULL;
}

static const char *check_pause(struct protocol *protocol, uint32_t msg_type)
{
	bool is_resume = msg_type == KTSTR_MSG_SCENARIO_RESUME;

	if (msg_type != KTSTR_MSG_SCENARIO_PAUSE && !is_resume &&
	    msg_type != KTSTR_MSG_SCENARIO_START && msg_type != KTSTR_MSG_SCENARIO_END)
		return NULL;
	if (is_resume != protocol->is_paused)
		return wrong(protocol, "%s came while the scenario was %s", name_of(msg_type),
			     is_resume ? "not paused" : "paused");
	protocol->is_paused = msg_type == KTSTR_MSG_SCENARIO_PAUSE;
	return NULL;
}

#define PHASE(phase) (UINT64_C(1) << (phase))

static const char *check_phase(struct protocol *protocol, const struct ktstr_frame *frame)
{
	const uint64_t last =
		PHASE(KTSTR_PHASE_SCHEDULER_DIED) | PHASE(KTSTR_PHASE_SCHEDULER_NOT_ATTACHED);
	const uint64_t once = last | PHASE(KTSTR_PHASE_INIT_STARTED) |
			      PHASE(KTSTR_PHASE_PAYLOAD_STARTING) | PHASE(KTSTR_PHASE_OVERDUE);
	uint8_t phase;
	uint64_t before = protocol->phases;

	if (frame->msg_type != KTSTR_MSG_LIFECYCLE || frame->length == 0)
		return NULL;
	memcpy(&phase, frame->payload, sizeof(phase));
	if (phase < KTSTR_PHASE_INIT_STARTED || phase > KTSTR_PHASE_OVERDUE)
		return wrong(protocol, "a LIFECYCLE frame of the unknown phase %u came", phase);
	protocol->phases |= PHASE(phase);
	if (before & once & PHASE(phase))
		return wrong(protocol, "the agent said %s twice", wire_phase_name(phase));
	if (before & last && phase != KTSTR_PHASE_OVERDUE)
		return wrong(protocol,
			     "the agent went on with %s after its scheduler did not start",
			     wire_phase_name(phase));
	if (phase == KTSTR_PHASE_INIT_STARTED && before)
		return wrong(protocol, "the agent said %s after other phases",
			     wire_phase_name(phase));
	return NULL;
}

static const char *check_length(struct protocol *protocol, const struct ktstr_frame *frame)
{
	const struct wire_type *type = wire_type_find(frame->msg_type);

	if (!type)
		return wrong(protocol, "a frame of the unknown type %#x was recorded",
			     frame->msg_type);
	if (frame->length < type->min_length || frame->length > type->max_length)
		return wrong(protocol, "%s came with %u bytes", type->name, frame->length);
	return NULL;
}

/* Tables of entries with figures in them. */
static bool can_decode_state(const struct ktstr_frame *frame)
{
	struct ktstr_scx_state state;
	struct ktstr_scx_event event;
	const void *events;

	if (wire_decode_scx_state(frame->payload, frame->length, &state, &events) < 0)
		return false;
	for (uint32_t i = 0; i < state.event_count; i++) {
		wire_scx_event_get(events, i, &event);
		if (event.value < -(int64_t)PROTOCOL_FIGURE_MAX ||
		    event.value > (int64_t)PROTOCOL_FIGURE_MAX)
			return false;
	}
	return true;
}

static bool can_decode_progs(const struct ktstr_frame *frame)
{
	struct ktstr_sched_progs progs;
	struct ktstr_sched_prog prog;
	const void *entries;

	if (wire_decode_sched_progs(frame->payload, frame->length, &progs, &entries) < 0)
		return false;
	for (uint32_t i = 0; i < progs.program_count; i++) {
		wire_sched_prog_get(entries, i, &prog);
		if (prog.run_time_ns > PROTOCOL_FIGURE_MAX || prog.run_count > PROTOCOL_FIGURE_MAX)
			return false;
	}
	return true;
}

/* Structs that hold lengths of what follows them. */
static bool can_decode(const struct ktstr_frame *frame)
{
	union {
		struct ktstr_guest_time time;
		struct ktstr_cgroup_info cgroup;
		struct ktstr_step_info step;
		struct ktstr_worker_report worker;
		struct ktstr_sched_swap swap;
		struct ktstr_sched_time took;
		struct ktstr_scx_exit left;
	} head;
	struct wire_scx_texts texts;
	uint32_t left;
	char name[2];

	switch (frame->msg_type) {
	case KTSTR_MSG_SCENARIO_START:
	case KTSTR_MSG_SCENARIO_PAUSE:
	case KTSTR_MSG_SCENARIO_RESUME:
		return frame->length == 0 ||
		       wire_decode_guest_time(frame->payload, frame->length, &head.time) == 0;
	case KTSTR_MSG_CGROUP:
		return wire_decode_cgroup(frame->payload, frame->length, &head.cgroup, name,
					  sizeof(name)) == 0 &&
		       head.cgroup.id != 0; /* the agent's own, which no frame describes */
	case KTSTR_MSG_STEP:
		return wire_decode_step(frame->payload, frame->length, &head.step, name,
					sizeof(name)) == 0;
	case KTSTR_MSG_WORKER:
		if (ktstr_payload_get(frame, &head.worker, sizeof(head.worker),
				      sizeof(head.worker)) < 0)
			return false;
		(void)ktstr_payload_tail(frame, &left);
		return head.worker.wake_sample_count <= left / sizeof(uint32_t) &&
		       head.worker.wake_sample_count <= head.worker.wake_sample_total;
	case KTSTR_MSG_SCHED_SWAP:
		return wire_decode_sched_swap(frame->payload, frame->length, &head.swap) == 0;
	case KTSTR_MSG_SCHED_TIME:
		return wire_decode_sched_time(frame->payload, frame->length, &head.took) == 0;
	case KTSTR_MSG_SCHED_PROGS:
		return can_decode_progs(frame);
	case KTSTR_MSG_SCX_STATE:
		return can_decode_state(frame);
	case KTSTR_MSG_SCX_EXIT:
		return wire_decode_scx_exit(frame->payload, frame->length, &head.left, &texts) == 0;
	}
	return true;
}

static const char *check_figures(struct protocol *protocol, const struct ktstr_frame *frame)
{
	for (size_t i = 0; i < ARRAY_SIZE(figures); i++) {
		const uint8_t *at;
		uint64_t figure;

		if (figures[i].msg_type != frame->msg_type)
			continue;
		at = (const uint8_t *)frame->payload + figures[i].offset;
		for (uint32_t j = 0; j < figures[i].count; j++) {
			/* An older struct may end before. */
			if (figures[i].offset + (j + 1) * sizeof(figure) > frame->length)
				break;
			memcpy(&figure, at + j * sizeof(figure), sizeof(figure));
			if (figure > PROTOCOL_FIGURE_MAX)
				return wrong(protocol,
					     "a %s frame holds an impossible figure (%llu)",
					     name_of(frame->msg_type), (unsigned long long)figure);
		}
	}
	return NULL;
}

/* Nothing runs under a scheduler that did not start. */
static const char *check_start(struct protocol *protocol, uint32_t msg_type)
{
	const uint64_t not_up =
		PHASE(KTSTR_PHASE_SCHEDULER_DIED) | PHASE(KTSTR_PHASE_SCHEDULER_NOT_ATTACHED);

	if (!(protocol->phases & not_up) ||
	    (msg_type != KTSTR_MSG_SCENARIO_START && msg_type != KTSTR_MSG_TEST_RESULT))
		return NULL;
	return wrong(protocol, "%s came after the scheduler had not started", name_of(msg_type));
}

const char *protocol_take(struct protocol *protocol, const struct ktstr_frame *frame)
{
	const char *text = check_length(protocol, frame);

	if (!text && !can_decode(frame))
		text = wrong(protocol, "a %s frame cannot be decoded", name_of(frame->msg_type));
	if (!text)
		text = check_figures(protocol, frame);
	if (!text)
		text = check_phase(protocol, frame);
	if (!text)
		text = check_start(protocol, frame->msg_type);
	if (!text)
		text = check_order(protocol, frame->msg_type);
	if (!text)
		text = check_pause(protocol, frame->msg_type);
	return text;
}

const char *protocol_finish(struct protocol *protocol, bool has_passed)
{
	const uint32_t needed = has_passed ? START | SCENARIO_END | EXIT : EXIT;
	const uint32_t missing = needed & ~protocol->seen;
	const char *name;

	if (!protocol->is_ready && has_passed)
		return "a scenario passed on an agent that never said it was ready (SYS_RDY)";
	if (!protocol->is_ready)
		return "the agent never said that it was ready (SYS_RDY)";
	if (!missing)
		return NULL;
	name = name_of_mark(missing);
	return has_passed ? wrong(protocol, "the scenario says that it passed, but %s never came",
				  name)
			  : wrong(protocol, "the agent never sent its %s frame", name);
}
