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

static void check_line(const char *text, size_t size)
{
	check_text(0, text, size);
	FUZZ_REQUIRE(!strpbrk(text, "\n\t"));
}

/* What is handed out lies within the input. */
static void check_within(const uint8_t *data, size_t size, const void *at, uint64_t length)
{
	FUZZ_REQUIRE((const uint8_t *)at >= data && length <= size &&
		     (const uint8_t *)at <= data + size - length);
}

static void decode_scx_tables(const uint8_t *data, size_t size)
{
	struct ktstr_sched_progs progs;
	struct ktstr_scx_event event;
	struct ktstr_sched_prog prog;
	struct ktstr_scx_state state;
	const void *entries;

	if (wire_decode_scx_state(data, size, &state, &entries) == 0) {
		FUZZ_REQUIRE(state.when >= 1 && state.when <= 5);
		check_line(state.state, sizeof(state.state));
		check_line(state.ops, sizeof(state.ops));
		check_within(data, size, entries, state.event_count * sizeof(event));
		for (uint32_t i = 0; i < state.event_count; i++) {
			wire_scx_event_get(entries, i, &event);
			check_line(event.name, sizeof(event.name));
		}
	}
	if (wire_decode_sched_progs(data, size, &progs, &entries) == 0) {
		check_within(data, size, entries, progs.program_count * sizeof(prog));
		for (uint32_t i = 0; i < progs.program_count; i++) {
			wire_sched_prog_get(entries, i, &prog);
			check_line(prog.name, sizeof(prog.name));
		}
	}
}

static void decode_sched(const uint8_t *data, size_t size)
{
	struct ktstr_sched_swap swap;
	struct ktstr_sched_time took;
	struct ktstr_scx_exit left;
	struct wire_scx_texts texts;

	if (wire_decode_sched_swap(data, size, &swap) == 0) {
		FUZZ_REQUIRE(swap.kind >= 1 && swap.kind <= 4 && swap.code <= 0 &&
			     swap.code >= -4095);
		check_line(swap.name, sizeof(swap.name));
		check_line(swap.plugin, sizeof(swap.plugin));
	}
	if (wire_decode_sched_time(data, size, &took) == 0)
		FUZZ_REQUIRE(took.phase >= 1 && took.phase <= 6);
	if (wire_decode_scx_exit(data, size, &left, &texts) == 0) {
		check_within(data, size, texts.reason, left.reason_length);
		check_within(data, size, texts.message, left.message_length);
		check_within(data, size, texts.backtrace, left.backtrace_length);
		check_within(data, size, texts.dump, left.dump_length);
	}
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
	decode_scx_tables(data, size);
	decode_sched(data, size);
	decode_header(data, size);
	decode_snapshot(data, size);
	decode_kernel_op(data, size);
	decode_kernel_reply(data, size);
	if (size)
		FUZZ_REQUIRE(wire_phase_name(data[0]) != NULL);
	return 0;
}
