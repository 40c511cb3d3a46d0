/* SPDX-License-Identifier: GPL-2.0-only */
/* Payloads of frames: every decoder sees every input. */
#include <string.h>

#include "fuzz/fuzz.h"
#include "wire/frame.h"
#include "wire/kernel_op.h"
#include "wire/payload.h"
#include "wire/snapshot.h"
#include "wire/types.h"

static void decode_fixed(const uint8_t *data, size_t size)
{
	struct ktstr_snapshot_request request;
	struct ktstr_scenario_end scenario_end;
	struct ktstr_stimulus stimulus;
	struct ktstr_kern_addrs addrs;
	struct ktstr_stream_end end;
	int32_t number;

	FUZZ_REQUIRE((wire_decode_stimulus(data, size, &stimulus) == 0) == (size >= 24));
	FUZZ_REQUIRE((wire_decode_kern_addrs(data, size, &addrs) == 0) == (size == 24));
	FUZZ_REQUIRE((wire_decode_stream_end(data, size, &end) == 0) == (size == 24));
	FUZZ_REQUIRE((wire_decode_i32(data, size, &number) == 0) == (size >= 4));
	FUZZ_REQUIRE((wire_decode_scenario_end(data, size, &scenario_end) == 0) ==
		     (size == 8 || size >= 16));
	if (wire_decode_snapshot_request(data, size, &request) == 0)
		FUZZ_REQUIRE(size == 72 && request.request_id && request.kind);
}

/* Whatever the lengths in it say, the text ends and cannot drive a terminal. */
static void check_text(int rc, const char *text, size_t size)
{
	if (rc != 0)
		return;
	FUZZ_REQUIRE(memchr(text, '\0', size));
	for (; *text; text++)
		FUZZ_REQUIRE(*text == '\n' || *text == '\t' || (unsigned char)*text >= 0x20);
}

static void decode_with_text(const uint8_t *data, size_t size)
{
	struct ktstr_test_result result;
	struct ktstr_cgroup_info cgroup;
	struct ktstr_error_info error;
	struct ktstr_step_info step;
	char text[40];

	check_text(wire_decode_error(data, size, &error, text, sizeof(text)), text, sizeof(text));
	check_text(wire_decode_test_result(data, size, &result, text, sizeof(text)), text,
		   sizeof(text));
	check_text(wire_decode_step(data, size, &step, text, sizeof(text)), text, sizeof(text));
	check_text(wire_decode_cgroup(data, size, &cgroup, text, sizeof(text)), text, sizeof(text));
}

static void decode_header(const uint8_t *data, size_t size)
{
	struct ktstr_frame_header header;
	uint8_t bytes[WIRE_HEADER_SIZE];
	char tag[5];

	if (size < WIRE_HEADER_SIZE)
		return;
	wire_header_decode(data, &header);
	wire_tag_text(header.msg_type, tag);
	FUZZ_REQUIRE(strlen(tag) == 4);
	wire_header_encode(header.msg_type, data, (uint32_t)size, bytes);
	FUZZ_REQUIRE(memcmp(bytes, data, 4) == 0);
}

/* What was taken is the same after another trip over the wire. */
static void decode_snapshot(const uint8_t *data, size_t size)
{
	struct wire_snapshot_reply reply;
	struct wire_ranges ranges, again;
	uint8_t bytes[WIRE_RANGES_SIZE_MAX];

	if (wire_decode_ranges(data, size, &ranges) == 0) {
		FUZZ_REQUIRE(wire_encode_ranges(&ranges, bytes) == size);
		FUZZ_REQUIRE(wire_decode_ranges(bytes, size, &again) == 0);
		FUZZ_REQUIRE(memcmp(&ranges, &again, sizeof(again)) == 0);
	}
	if (wire_decode_snapshot_reply(data, size, &reply) == 0) {
		FUZZ_REQUIRE(size == 520 && reply.request_id);
		check_text(0, reply.reason, sizeof(reply.reason));
	}
}

static void check_entry(const struct wire_kernel_op *op, const struct wire_kernel_entry *entry)
{
	FUZZ_REQUIRE(entry->length > 0 && entry->target < WIRE_TARGET_COUNT);
	check_text(0, entry->symbol, sizeof(entry->symbol));
	check_text(0, entry->field, sizeof(entry->field));
	if (op->direction == WIRE_KERNEL_WRITE)
		FUZZ_REQUIRE(entry->offset + entry->length <= op->byte_count);
}

static void decode_kernel_op(const uint8_t *data, size_t size)
{
	static uint8_t bytes[WIRE_KERNEL_REQUEST_MAX];
	static struct wire_kernel_op op, again;
	size_t length;

	if (wire_decode_kernel_op(data, size, &op) < 0)
		return;
	FUZZ_REQUIRE(op.entry_count <= WIRE_KERNEL_ENTRIES_MAX);
	check_text(0, op.tag, sizeof(op.tag));
	for (uint32_t i = 0; i < op.entry_count; i++)
		check_entry(&op, &op.entries[i]);
	length = wire_encode_kernel_op(&op, bytes);
	FUZZ_REQUIRE(length <= sizeof(bytes));
	FUZZ_REQUIRE(wire_decode_kernel_op(bytes, length, &again) == 0);
	FUZZ_REQUIRE(again.entry_count == op.entry_count && again.byte_count == op.byte_count);
	FUZZ_REQUIRE(memcmp(again.bytes, op.bytes, op.byte_count) == 0);
}

static void decode_kernel_reply(const uint8_t *data, size_t size)
{
	struct wire_kernel_reply reply;

	if (wire_decode_kernel_reply(data, size, &reply) < 0)
		return;
	check_text(0, reply.reason, sizeof(reply.reason));
	FUZZ_REQUIRE(wire_kernel_reply_size(&reply) <= size);
	for (uint32_t i = 0; i < reply.value_count; i++) {
		FUZZ_REQUIRE(reply.values[i].bytes >= data);
		FUZZ_REQUIRE(reply.values[i].bytes + reply.values[i].length <= data + size);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	decode_fixed(data, size);
	decode_with_text(data, size);
	decode_header(data, size);
	decode_snapshot(data, size);
	decode_kernel_op(data, size);
	decode_kernel_reply(data, size);
	if (size)
		FUZZ_REQUIRE(wire_phase_name(data[0]) != NULL);
	return 0;
}
