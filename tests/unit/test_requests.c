/* SPDX-License-Identifier: GPL-2.0-only */
/* What the coordinator does when a guest asks for captures and kernel operations. */
#include "coord/requests.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "support/host_vm.h"

TestSuite(requests, .init = host_vm_setup, .fini = host_vm_teardown, .timeout = 60);

/* The script went to its end as it should. */
static void expect_good(void)
{
	expect_end(COORD_END_STREAM, "");
	cr_assert_eq(f.result.qemu_status, 0, "the script ended with %#x", f.result.qemu_status);
	cr_assert_eq(f.result.summary.end_matches, 1);
	cr_assert_not(host.is_frozen);
}

/* Captures. */

static void play_capture(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_addrs(&frames);
	add_range(&frames, 7, HOST_VM_AT + 16, 5, WIRE_RANGE_KEEP);
	add_request(&frames, 7, KTSTR_SNAPSHOT_CAPTURE, "hogs");
	ask(guest, &frames);
	expect_snapshot(guest, 7, "", 1);
	finish(guest, &frames);
}

Test(requests, a_capture_has_registers_ranges_and_a_time)
{
	static struct kept kept;

	memcpy(host.memory + 16, "hello", 5);
	run_with_host(play_capture);
	expect_good();
	cr_expect_str_eq(host.log, "freeze registers read(16,5,0) thaw ");
	read_captures(&kept);
	cr_assert_eq(kept.count, 1);
	cr_expect_eq(kept.items[0].cause, RUNFILE_CAPTURE_REQUEST);
	cr_expect_gt(kept.items[0].host_ns, 0);
	cr_expect_lt(kept.items[0].host_ns, f.result.end_ns);
	cr_expect_eq(kept.items[0].head.size, sizeof(struct runfile_capture));
	cr_expect_eq(kept.items[0].head.request_id, 7);
	cr_expect_eq(kept.items[0].head.cpu_count, 2);
	cr_expect_eq(kept.items[0].head.hit_number, 0);
	cr_expect_eq(kept.items[0].head.hit_cpu, RUNFILE_CAPTURE_NO_CPU);
	cr_expect_str_eq(kept.items[0].head.tag, "hogs");
	cr_expect_eq(kept.items[0].cpu.rip, 0x1111);
	cr_expect_eq(kept.items[0].range.address, HOST_VM_AT + 16);
	cr_expect_str_eq(kept.items[0].bytes, "hello");
}

static void play_ranges_of_another(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_addrs(&frames);
	add_range(&frames, 6, HOST_VM_AT, 5, WIRE_RANGE_KEEP);
	add_request(&frames, 7, KTSTR_SNAPSHOT_CAPTURE, "a");
	add_range(&frames, 8, HOST_VM_AT, 5, WIRE_RANGE_KEEP);
	add_request(&frames, 8, KTSTR_SNAPSHOT_CAPTURE, "b");
	add_request(&frames, 8, KTSTR_SNAPSHOT_CAPTURE, "c");
	ask(guest, &frames);
	expect_snapshot(guest, 7, "", 1);
	expect_snapshot(guest, 8, "", 2);
	expect_snapshot(guest, 8, "", 3);
	finish(guest, &frames);
}

Test(requests, ranges_are_for_one_request_alone)
{
	static struct kept kept;

	run_with_host(play_ranges_of_another);
	expect_good();
	read_captures(&kept);
	cr_assert_eq(kept.count, 3);
	cr_expect_eq(kept.items[0].head.range_count, 0);
	cr_expect_eq(kept.items[1].head.range_count, 1);
	cr_expect_eq(kept.items[2].head.range_count, 0);
}

static void play_bad_captures(struct fake_guest *guest)
{
	static const struct {
		uint64_t address;
		uint32_t length;
		uint32_t kind;
		uint32_t snapshot;
		const char *tag;
		const char *reason;
	} bad[] = {
		{ HOST_VM_AT, 4, 7, 1, "t", "range[0]: unknown kind 7" },
		{ HOST_VM_AT, 4, WIRE_RANGE_WATCH, 1, "t", "range[0]: unknown kind 2" },
		{ HOST_VM_AT, 0, WIRE_RANGE_KEEP, 1, "t", "range[0]: no bytes" },
		{ HOST_VM_AT, 1048577, WIRE_RANGE_KEEP, 1, "t",
		  "the ranges have 1048577 bytes, a capture keeps at most 1048576" },
		{ HOST_VM_AT, UINT32_MAX, WIRE_RANGE_KEEP, 1, "t",
		  "the ranges have 4294967295 bytes, a capture keeps at most 1048576" },
		{ HOST_VM_AT, 4, WIRE_RANGE_KEEP, 1, "", "a capture needs a tag" },
		{ HOST_VM_AT, 4, WIRE_RANGE_KEEP, 9, "t", "there is no snapshot of kind 9" },
	};
	struct frames frames = { 0 };

	add_addrs(&frames);
	for (uint32_t i = 0; i < ARRAY_SIZE(bad); i++) {
		add_range(&frames, i + 1, bad[i].address, bad[i].length, bad[i].kind);
		add_request(&frames, i + 1, bad[i].snapshot, bad[i].tag);
		ask(guest, &frames);
		expect_snapshot(guest, i + 1, bad[i].reason, (int)i + 1);
	}
	finish(guest, &frames);
}

Test(requests, what_cannot_be_captured_is_refused_while_the_guest_runs)
{
	static struct kept kept;

	run_with_host(play_bad_captures);
	expect_good();
	cr_expect_str_empty(host.log);
	read_captures(&kept);
	cr_expect_eq(kept.count, 0);
}

static void play_captures_what_is_not_there(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_addrs(&frames);
	add_range(&frames, 7, 5, 5, WIRE_RANGE_KEEP);
	add_request(&frames, 7, KTSTR_SNAPSHOT_CAPTURE, "hogs");
	ask(guest, &frames);
	expect_snapshot(guest, 7, "range[0]: nothing is there", 1);
	finish(guest, &frames);
}

Test(requests, a_capture_is_whole_or_not_kept)
{
	static struct kept kept;

	run_with_host(play_captures_what_is_not_there);
	expect_good();
	cr_expect_str_eq(host.log, "freeze registers thaw ");
	read_captures(&kept);
	cr_expect_eq(kept.count, 0);
}

static void play_capture_without_registers(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_addrs(&frames);
	add_request(&frames, 7, KTSTR_SNAPSHOT_CAPTURE, "hogs");
	ask(guest, &frames);
	expect_snapshot(guest, 7, "no registers today", 1);
	finish(guest, &frames);
}

Test(requests, a_capture_without_registers_is_none)
{
	host.registers_error = -EPROTO;
	run_with_host(play_capture_without_registers);
	expect_good();
	cr_expect_str_eq(host.log, "freeze thaw ");
}

static void play_capture_that_cannot_stop(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_addrs(&frames);
	add_request(&frames, 7, KTSTR_SNAPSHOT_CAPTURE, "hogs");
	ask(guest, &frames);
	expect_snapshot(guest, 7, "cannot stop the guest: it runs too fast", 1);
	finish(guest, &frames);
}

Test(requests, a_guest_that_cannot_be_stopped_runs_on)
{
	host.freeze_error = -EREMOTEIO;
	run_with_host(play_capture_that_cannot_stop);
	expect_good();
}

static void play_capture_and_wait(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_addrs(&frames);
	add_request(&frames, 7, KTSTR_SNAPSHOT_CAPTURE, "hogs");
	ask(guest, &frames);
	fake_hang();
}

Test(requests, a_guest_that_does_not_go_on_ends_the_run)
{
	host.thaw_error = -ETIMEDOUT;
	run_with_host(play_capture_and_wait);
	expect_end(COORD_END_VM_ERROR, "the guest was stopped and does not go on: it is stuck");
}

static void play_65_captures(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_addrs(&frames);
	for (uint32_t i = 1; i <= 64; i++) {
		add_request(&frames, i, KTSTR_SNAPSHOT_CAPTURE, i == 9 ? "twice" : "x");
		ask(guest, &frames);
		expect_snapshot(guest, i, "", (int)i);
	}
	add_request(&frames, 65, KTSTR_SNAPSHOT_CAPTURE, "x");
	ask(guest, &frames);
	expect_snapshot(guest, 65, "64 captures are kept already, a run has no room for more", 65);
	finish(guest, &frames);
}

Test(requests, a_run_keeps_64_captures)
{
	static struct kept kept;

	run_with_host(play_65_captures);
	expect_good();
	read_captures(&kept);
	cr_expect_eq(kept.count, 64);
	cr_expect_eq(host.freezes, 64, "nothing stops for what is refused");
}

static void play_same_tag(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_addrs(&frames);
	add_request(&frames, 1, KTSTR_SNAPSHOT_CAPTURE, "same");
	add_request(&frames, 2, KTSTR_SNAPSHOT_CAPTURE, "other");
	add_request(&frames, 3, KTSTR_SNAPSHOT_CAPTURE, "same");
	ask(guest, &frames);
	for (uint32_t i = 1; i <= 3; i++)
		expect_snapshot(guest, i, "", (int)i);
	finish(guest, &frames);
}

Test(requests, of_the_same_tag_both_are_kept_with_a_warning)
{
	static struct recorded recorded;

	run_with_host(play_same_tag);
	expect_good();
	read_back(&recorded);
	cr_expect_eq(recorded.by_kind[RUNFILE_CAPTURE], 3);
	cr_expect_str_eq(recorded.warnings,
			 "there is a capture with the tag 'same' already; both are kept\n");
}

Test(requests, a_freeze_is_not_the_scenario_s_time)
{
	host.freeze_ns = 60 * NS_PER_MS;
	run_with_host(play_capture);
	expect_good();
	cr_expect_geq(f.result.sinks.frozen_ns, host.freeze_ns);
	cr_expect_lt(f.result.sinks.frozen_ns, 10 * NS_PER_S);
}

/* Floods. */

#define FLOOD 2000u

static void play_flood_and_read(struct fake_guest *guest)
{
	static bool seen[FLOOD + 1];
	struct frames frames = { 0 };

	add_addrs(&frames);
	for (uint32_t i = 1; i <= FLOOD; i++)
		add_request(&frames, i, 9, "x");
	ask(guest, &frames);
	for (uint32_t i = 0; i < FLOOD; i++) {
		uint8_t frame[WIRE_HEADER_SIZE + 520];
		struct wire_snapshot_reply reply;

		if (recv(guest->bulk, frame, sizeof(frame), MSG_WAITALL) != sizeof(frame) ||
		    wire_decode_snapshot_reply(frame + WIRE_HEADER_SIZE, 520, &reply) < 0 ||
		    reply.status != WIRE_SNAPSHOT_ERROR || reply.request_id > FLOOD ||
		    seen[reply.request_id])
			_exit(1);
		seen[reply.request_id] = true;
	}
	/* And not one reply more. */
	if (recv(guest->bulk, &(char){ 0 }, 1, MSG_DONTWAIT) != -1)
		_exit(2);
	finish(guest, &frames);
}

Test(requests, every_request_of_a_flood_gets_one_reply)
{
	run_with_host(play_flood_and_read);
	expect_good();
	cr_expect_str_empty(host.log);
}

static void play_flood_and_do_not_read(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_addrs(&frames);
	for (uint32_t i = 1; i <= 20000; i++) {
		add_request(&frames, i, 9, "x");
		if (i % 100 == 0)
			ask(guest, &frames);
	}
	finish(guest, &frames);
}

Test(requests, a_guest_that_does_not_read_blocks_nobody)
{
	static struct recorded recorded;

	run_with_host(play_flood_and_do_not_read);
	expect_good();
	read_back(&recorded);
	cr_expect_str_eq(recorded.warnings, "the guest asks and does not read the answers; some "
					    "were dropped\n");
}

/* Kernel operations. */

static const struct wire_kernel_entry u32_at_8 = { .target = WIRE_TARGET_SYMBOL,
						   .value = WIRE_VALUE_U32,
						   .address = HOST_VM_AT + 8,
						   .length = 4 };

static void play_reads(struct fake_guest *guest)
{
	const struct wire_kernel_entry entries[] = {
		u32_at_8,
		{ .target = WIRE_TARGET_KVA,
		  .value = WIRE_VALUE_BYTES,
		  .address = HOST_VM_AT + 16,
		  .length = 3 },
	};
	struct wire_kernel_reply reply;
	struct frames frames = { 0 };

	add_addrs(&frames);
	add_kernel_op(&frames, 5, WIRE_KERNEL_HOT, WIRE_KERNEL_READ, entries, 2, "");
	ask(guest, &frames);
	reply = expect_kernel(guest, 5, "", 1);
	if (reply.value_count != 2 || reply.values[0].length != 4 || reply.values[1].length != 3 ||
	    memcmp(reply.values[0].bytes, "1234", 4) != 0 ||
	    memcmp(reply.values[1].bytes, "abc", 3) != 0)
		_exit(2);
	finish(guest, &frames);
}

Test(requests, a_hot_read_does_not_stop_the_guest)
{
	static struct kept kept;

	memcpy(host.memory + 8, "1234", 4);
	memcpy(host.memory + 16, "abc", 3);
	run_with_host(play_reads);
	expect_good();
	cr_expect_str_eq(host.log, "read(8,4,0) read(16,3,2) ");
	read_captures(&kept);
	cr_expect_eq(kept.kernel_writes, 0);
}

static void play_cold_read(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_addrs(&frames);
	add_kernel_op(&frames, 5, WIRE_KERNEL_COLD, WIRE_KERNEL_READ, &u32_at_8, 1, "");
	add_kernel_op(&frames, 6, WIRE_KERNEL_COLD, WIRE_KERNEL_READ, &u32_at_8, 1, "");
	ask(guest, &frames);
	(void)expect_kernel(guest, 5, "", 1);
	(void)expect_kernel(guest, 6, "", 2);
	finish(guest, &frames);
}

Test(requests, cold_reads_have_a_freeze_each)
{
	run_with_host(play_cold_read);
	expect_good();
	cr_expect_str_eq(host.log, "freeze read(8,4,0) thaw freeze read(8,4,0) thaw ");
}

static void play_cold_writes(struct fake_guest *guest)
{
	const struct wire_kernel_entry bits = { .target = WIRE_TARGET_DIRECT,
						.value = WIRE_VALUE_OR_U32,
						.address = HOST_VM_AT + 8,
						.length = 4 };
	struct frames frames = { 0 };

	add_addrs(&frames);
	add_kernel_op(&frames, 5, WIRE_KERNEL_COLD, WIRE_KERNEL_WRITE, &u32_at_8, 1, "\x0f\0\0\0");
	add_kernel_op(&frames, 6, WIRE_KERNEL_COLD, WIRE_KERNEL_WRITE, &bits, 1, "\xf0\0\1\0");
	add_kernel_op(&frames, 7, WIRE_KERNEL_HOT, WIRE_KERNEL_WRITE, &u32_at_8, 1, "last");
	ask(guest, &frames);
	(void)expect_kernel(guest, 5, "", 1);
	(void)expect_kernel(guest, 6, "", 2);
	(void)expect_kernel(guest, 7, "", 3);
	finish(guest, &frames);
}

Test(requests, cold_writes_side_by_side_share_a_freeze)
{
	static struct kept kept;

	run_with_host(play_cold_writes);
	expect_good();
	cr_expect_str_eq(host.log, "freeze write(8,4,0) read(8,4,1) write(8,4,1) thaw "
				   "write(8,4,0) ");
	cr_expect_arr_eq(host.memory + 8, "last", 4);
	read_captures(&kept);
	cr_expect_eq(kept.kernel_writes, 3, "each is noted");
}

static void play_bits(struct fake_guest *guest)
{
	struct wire_kernel_entry bits = u32_at_8;
	struct frames frames = { 0 };

	bits.value = WIRE_VALUE_OR_U32;
	add_addrs(&frames);
	add_kernel_op(&frames, 5, WIRE_KERNEL_COLD, WIRE_KERNEL_WRITE, &bits, 1, "\xf0\0\1\0");
	ask(guest, &frames);
	(void)expect_kernel(guest, 5, "", 1);
	finish(guest, &frames);
}

Test(requests, bits_are_set_and_the_others_kept)
{
	memcpy(host.memory + 8, "\x0f\2\0\0", 4);
	run_with_host(play_bits);
	expect_good();
	cr_expect_arr_eq(host.memory + 8, "\xff\2\1\0", 4);
}

static void play_half_bad_write(struct fake_guest *guest)
{
	struct wire_kernel_entry entries[3] = { u32_at_8, u32_at_8, u32_at_8 };
	struct frames frames = { 0 };

	entries[1].address = 5;
	entries[2].address = HOST_VM_AT + 64;
	add_addrs(&frames);
	add_kernel_op(&frames, 5, WIRE_KERNEL_COLD, WIRE_KERNEL_WRITE, entries, 3, "111122223333");
	ask(guest, &frames);
	(void)expect_kernel(guest, 5, "entry[1]: nothing is there", 1);
	finish(guest, &frames);
}

Test(requests, the_first_failure_ends_an_operation)
{
	run_with_host(play_half_bad_write);
	expect_good();
	cr_expect_str_eq(host.log, "freeze write(8,4,0) thaw ");
	cr_expect_arr_eq(host.memory + 8, "1111", 4, "what is written stays");
	cr_expect_arr_eq(host.memory + 64, "\0\0\0\0", 4);
}

static void play_bad_ops(struct fake_guest *guest)
{
	static const struct {
		uint8_t mode, direction;
		struct wire_kernel_entry entry;
		const char *reason;
	} bad[] = {
		{ WIRE_KERNEL_HOT,
		  WIRE_KERNEL_WRITE,
		  { .target = 0, .value = WIRE_VALUE_OR_U32, .address = HOST_VM_AT, .length = 4 },
		  "entry[0]: bits can be set only while the guest stands still" },
		{ WIRE_KERNEL_HOT,
		  WIRE_KERNEL_READ,
		  { .target = 0, .value = WIRE_VALUE_U32, .length = 4, .symbol = "jiffies" },
		  "entry[0]: symbol 'jiffies' not found" },
		{ WIRE_KERNEL_HOT,
		  WIRE_KERNEL_READ,
		  { .target = WIRE_TARGET_PER_CPU_FIELD, .value = WIRE_VALUE_U32, .length = 4 },
		  "entry[0]: fields of the kernel's structs cannot be named, only addresses" },
		{ WIRE_KERNEL_HOT,
		  WIRE_KERNEL_READ,
		  { .target = WIRE_TARGET_TASK_FIELD, .value = WIRE_VALUE_U32, .length = 4 },
		  "entry[0]: fields of the kernel's structs cannot be named, only addresses" },
		{ WIRE_KERNEL_COLD,
		  WIRE_KERNEL_READ,
		  { .value = WIRE_VALUE_BYTES, .address = HOST_VM_AT, .length = 1 << 20 },
		  "1048576 bytes do not fit into a reply of at most 1048576" },
	};
	struct frames frames = { 0 };

	add_addrs(&frames);
	for (uint32_t i = 0; i < ARRAY_SIZE(bad); i++) {
		add_kernel_op(&frames, i + 1, bad[i].mode, bad[i].direction, &bad[i].entry, 1,
			      "1234");
		ask(guest, &frames);
		(void)expect_kernel(guest, i + 1, bad[i].reason, (int)i + 1);
	}
	finish(guest, &frames);
}

Test(requests, bad_operations_are_refused)
{
	run_with_host(play_bad_ops);
	expect_good();
	cr_expect_str_empty(host.log);
}

static void play_malformed(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_addrs(&frames);
	frames_add(&frames, KTSTR_MSG_KERNEL_OP_REQUEST, "x", 1);
	frames_add(&frames, KTSTR_MSG_SNAPSHOT_REQUEST, "x", 1);
	frames_add(&frames, KTSTR_MSG_SNAPSHOT_RANGES, "x", 1);
	add_kernel_op(&frames, 5, WIRE_KERNEL_HOT, WIRE_KERNEL_READ, &u32_at_8, 1, "");
	ask(guest, &frames);
	(void)expect_kernel(guest, 5, "", 1);
	finish(guest, &frames);
}

Test(requests, what_is_malformed_gets_no_reply)
{
	run_with_host(play_malformed);
	expect_good();
	cr_expect_eq(f.result.sinks.dropped_malformed, 3);
}

static void play_many_kernel_ops(struct fake_guest *guest)
{
	struct frames frames = { 0 };
	uint32_t served = 0;

	add_addrs(&frames);
	for (uint32_t i = 1; i <= 100; i++)
		add_kernel_op(&frames, i, WIRE_KERNEL_HOT, WIRE_KERNEL_READ, &u32_at_8, 1, "");
	ask(guest, &frames);
	for (uint32_t i = 0; i < 100; i++) {
		struct ktstr_frame_header header;
		struct wire_kernel_reply reply;
		uint8_t bytes[200];

		if (recv(guest->bulk, bytes, WIRE_HEADER_SIZE, MSG_WAITALL) != WIRE_HEADER_SIZE)
			_exit(1);
		wire_header_decode(bytes, &header);
		if (header.length > sizeof(bytes) ||
		    recv(guest->bulk, bytes, header.length, MSG_WAITALL) != header.length ||
		    wire_decode_kernel_reply(bytes, header.length, &reply) < 0)
			_exit(2);
		served += reply.is_success;
		if (!reply.is_success &&
		    strcmp(reply.reason, "too many requests wait already") != 0)
			_exit(3);
	}
	if (served < DISPATCH_KERNEL_OPS_MAX)
		_exit(4);
	finish(guest, &frames);
}

Test(requests, operations_beyond_the_queue_are_refused_each)
{
	run_with_host(play_many_kernel_ops);
	expect_good();
}
