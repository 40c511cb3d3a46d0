/* SPDX-License-Identifier: GPL-2.0-only */
#include "wire/payload.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"

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

const char *wire_phase_name(uint8_t phase)
{
	static const char *const names[] = {
		[KTSTR_PHASE_INIT_STARTED] = "InitStarted",
		[KTSTR_PHASE_PAYLOAD_STARTING] = "PayloadStarting",
		[KTSTR_PHASE_SCHEDULER_DIED] = "SchedulerDied",
		[KTSTR_PHASE_SCHEDULER_NOT_ATTACHED] = "SchedulerNotAttached",
		[KTSTR_PHASE_WORKLOAD_DISPATCHED] = "WorkloadDispatched",
		[KTSTR_PHASE_SCHEDULER_ATTACHED] = "SchedulerAttached",
	};

	return phase < ARRAY_SIZE(names) && names[phase] ? names[phase] : "unknown";
}
