/* SPDX-License-Identifier: GPL-2.0-only */
#include "wire/payload.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"

/* No errno of Linux is above. */
#define ERRNO_MAX 4095

/* Payloads are read by memcpy() into the structs of ktstr/frame.h. */
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the wire is little-endian");

int wire_decode_stimulus(const void *payload, size_t length, struct ktstr_stimulus *ret)
{
	if (length < sizeof(*ret))
		return -EBADMSG;
	memcpy(ret, payload, sizeof(*ret));
	return 0;
}

int wire_decode_kern_addrs(const void *payload, size_t length, struct ktstr_kern_addrs *ret)
{
	if (length != sizeof(*ret))
		return -EBADMSG;
	memcpy(ret, payload, sizeof(*ret));
	return 0;
}

int wire_decode_snapshot_request(const void *payload, size_t length,
				 struct ktstr_snapshot_request *ret)
{
	struct ktstr_snapshot_request request;

	if (length != sizeof(request))
		return -EBADMSG;
	memcpy(&request, payload, sizeof(request));
	if (request.request_id == 0 || request.kind == KTSTR_SNAPSHOT_NONE)
		return -EBADMSG;
	*ret = request;
	return 0;
}

int wire_decode_i32(const void *payload, size_t length, int32_t *ret)
{
	if (length < sizeof(*ret))
		return -EBADMSG;
	memcpy(ret, payload, sizeof(*ret));
	return 0;
}

int wire_decode_stream_end(const void *payload, size_t length, struct ktstr_stream_end *ret)
{
	if (length != sizeof(*ret))
		return -EBADMSG;
	memcpy(ret, payload, sizeof(*ret));
	return 0;
}

int wire_decode_guest_time(const void *payload, size_t length, struct ktstr_guest_time *ret)
{
	if (length < sizeof(*ret))
		return -EBADMSG;
	memcpy(ret, payload, sizeof(*ret));
	return 0;
}

int wire_decode_scenario_end(const void *payload, size_t length, struct ktstr_scenario_end *ret)
{
	struct ktstr_scenario_end end = { 0 };

	if (length != sizeof(end.elapsed_ms) && length < sizeof(end))
		return -EBADMSG;
	memcpy(&end, payload, length < sizeof(end) ? length : sizeof(end));
	*ret = end;
	return 0;
}

/*
 * A struct of @size bytes that starts with its own size and has the length of the text behind it at
 * @length_offset. Every one of ABI 1.0 must be there whole: @size is also the minimum.
 */
static int decode_with_text(const void *payload, size_t length, void *ret, uint32_t size,
			    size_t length_offset, char *text, size_t text_size)
{
	struct ktstr_frame frame = { .payload = payload };
	uint8_t bytes[256];
	const void *tail;
	uint32_t tail_length, text_length;

	assert(size <= sizeof(bytes));
	if (length > KTSTR_FRAME_PAYLOAD_MAX)
		return -EBADMSG;
	frame.length = (uint32_t)length;
	if (ktstr_payload_get(&frame, bytes, size, size) < 0)
		return -EBADMSG;
	tail = ktstr_payload_tail(&frame, &tail_length);
	memcpy(&text_length, bytes + length_offset, sizeof(text_length));
	if (text_length > tail_length)
		return -EBADMSG;
	memcpy(ret, bytes, size);
	str_copy_safe(text, text_size, tail, text_length);
	return 0;
}

int wire_decode_error(const void *payload, size_t length, struct ktstr_error_info *ret, char *text,
		      size_t size)
{
	return decode_with_text(payload, length, ret, sizeof(*ret),
				offsetof(struct ktstr_error_info, text_length), text, size);
}

int wire_decode_test_result(const void *payload, size_t length, struct ktstr_test_result *ret,
			    char *text, size_t size)
{
	return decode_with_text(payload, length, ret, sizeof(*ret),
				offsetof(struct ktstr_test_result, text_length), text, size);
}

int wire_decode_step(const void *payload, size_t length, struct ktstr_step_info *ret, char *name,
		     size_t size)
{
	return decode_with_text(payload, length, ret, sizeof(*ret),
				offsetof(struct ktstr_step_info, name_length), name, size);
}

int wire_decode_cgroup(const void *payload, size_t length, struct ktstr_cgroup_info *ret,
		       char *name, size_t size)
{
	return decode_with_text(payload, length, ret, sizeof(*ret),
				offsetof(struct ktstr_cgroup_info, name_length), name, size);
}

/* A struct of @size bytes, all of ABI 1.0, that starts with its own size. *ret_tail: what follows
 * it. */
static int decode_head(const void *payload, size_t length, void *ret, uint32_t size,
		       const uint8_t **ret_tail, uint32_t *ret_tail_length)
{
	struct ktstr_frame frame = { .payload = payload };

	if (length > KTSTR_FRAME_PAYLOAD_MAX)
		return -EBADMSG;
	frame.length = (uint32_t)length;
	if (ktstr_payload_get(&frame, ret, size, size) < 0)
		return -EBADMSG;
	*ret_tail = ktstr_payload_tail(&frame, ret_tail_length);
	return 0;
}

/* A text in a field of a struct, made safe where it lies. */
static void make_safe(char *text, size_t size)
{
	char raw[256];

	assert(size <= sizeof(raw));
	memcpy(raw, text, size);
	memset(text, 0, size);
	str_copy_line(text, size, raw, strnlen(raw, size));
}

int wire_decode_sched_swap(const void *payload, size_t length, struct ktstr_sched_swap *ret)
{
	struct ktstr_sched_swap swap;
	const uint8_t *tail;
	uint32_t tail_length;

	if (decode_head(payload, length, &swap, sizeof(swap), &tail, &tail_length) < 0 ||
	    swap.kind < KTSTR_SCHED_SWAP_ATTACH || swap.kind > KTSTR_SCHED_SWAP_REPLACE ||
	    swap.code > 0 || swap.code < -ERRNO_MAX)
		return -EBADMSG;
	make_safe(swap.name, sizeof(swap.name));
	make_safe(swap.plugin, sizeof(swap.plugin));
	*ret = swap;
	return 0;
}

int wire_decode_sched_time(const void *payload, size_t length, struct ktstr_sched_time *ret)
{
	struct ktstr_sched_time took;
	const uint8_t *tail;
	uint32_t tail_length;

	if (decode_head(payload, length, &took, sizeof(took), &tail, &tail_length) < 0 ||
	    took.phase < KTSTR_SCHED_TIME_START || took.phase > KTSTR_SCHED_TIME_STOP)
		return -EBADMSG;
	*ret = took;
	return 0;
}

static bool is_known_when(uint32_t when)
{
	return when >= KTSTR_SCX_ATTACHED && when <= KTSTR_SCX_DIED;
}

int wire_decode_scx_state(const void *payload, size_t length, struct ktstr_scx_state *ret,
			  const void **ret_entries)
{
	struct ktstr_scx_state state;
	const uint8_t *tail;
	uint32_t tail_length;

	if (decode_head(payload, length, &state, sizeof(state), &tail, &tail_length) < 0 ||
	    !is_known_when(state.when) || state.event_count > KTSTR_SCX_EVENTS_MAX ||
	    state.event_count * sizeof(struct ktstr_scx_event) > tail_length)
		return -EBADMSG;
	make_safe(state.state, sizeof(state.state));
	make_safe(state.ops, sizeof(state.ops));
	*ret = state;
	*ret_entries = tail;
	return 0;
}

int wire_decode_sched_progs(const void *payload, size_t length, struct ktstr_sched_progs *ret,
			    const void **ret_entries)
{
	struct ktstr_sched_progs progs;
	const uint8_t *tail;
	uint32_t tail_length;

	if (decode_head(payload, length, &progs, sizeof(progs), &tail, &tail_length) < 0 ||
	    !is_known_when(progs.when) || progs.program_count > KTSTR_SCHED_PROGS_MAX ||
	    progs.program_count * sizeof(struct ktstr_sched_prog) > tail_length)
		return -EBADMSG;
	*ret = progs;
	*ret_entries = tail;
	return 0;
}

void wire_scx_event_get(const void *entries, uint32_t index, struct ktstr_scx_event *ret)
{
	memcpy(ret, (const uint8_t *)entries + index * sizeof(*ret), sizeof(*ret));
	make_safe(ret->name, sizeof(ret->name));
}

void wire_sched_prog_get(const void *entries, uint32_t index, struct ktstr_sched_prog *ret)
{
	memcpy(ret, (const uint8_t *)entries + index * sizeof(*ret), sizeof(*ret));
	make_safe(ret->name, sizeof(ret->name));
}

int wire_decode_scx_exit(const void *payload, size_t length, struct ktstr_scx_exit *ret,
			 struct wire_scx_texts *ret_texts)
{
	struct ktstr_scx_exit left;
	const uint8_t *tail;
	uint32_t tail_length;

	if (decode_head(payload, length, &left, sizeof(left), &tail, &tail_length) < 0 ||
	    (left.source != KTSTR_SCX_EXIT_OF_OPS && left.source != KTSTR_SCX_EXIT_OF_LOG) ||
	    (uint64_t)left.reason_length + left.message_length + left.backtrace_length +
			    left.dump_length >
		    tail_length)
		return -EBADMSG;
	*ret = left;
	ret_texts->reason = (const char *)tail;
	ret_texts->message = ret_texts->reason + left.reason_length;
	ret_texts->backtrace = ret_texts->message + left.message_length;
	ret_texts->dump = ret_texts->backtrace + left.backtrace_length;
	return 0;
}

const char *wire_phase_name(uint8_t phase)
{
	static const char *const names[] = {
		[KTSTR_PHASE_INIT_STARTED] = "InitStarted",
		[KTSTR_PHASE_PAYLOAD_STARTING] = "PayloadStarting",
		[KTSTR_PHASE_SCHEDULER_DIED] = "SchedulerDied",
		[KTSTR_PHASE_SCHEDULER_NOT_ATTACHED] = "SchedulerNotAttached",
		[KTSTR_PHASE_WORKLOAD_DISPATCHED] = "WorkloadDispatched",
		[KTSTR_PHASE_SCHEDULER_ATTACHED] = "SchedulerAttached",
		[KTSTR_PHASE_OVERDUE] = "Overdue",
	};

	return phase < ARRAY_SIZE(names) && names[phase] ? names[phase] : "unknown";
}
