/* SPDX-License-Identifier: GPL-2.0-only */
/* What the coordinator does when a guest asks it to watch a symbol. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "coord/requests.h"
#include "support/host_vm.h"

TestSuite(watch, .init = host_vm_setup, .fini = host_vm_teardown, .timeout = 60);

static void expect_good(void)
{
	expect_end(COORD_END_STREAM, "");
	cr_assert_eq(f.result.qemu_status, 0, "the script ended with %#x", f.result.qemu_status);
	cr_assert_not(host.is_frozen);
}

static void add_watch(struct frames *frames, uint32_t id, uint64_t address, uint32_t length,
		      const char *symbol)
{
	add_range(frames, id, address, length, WIRE_RANGE_WATCH);
	add_request(frames, id, KTSTR_SNAPSHOT_WATCH, symbol);
}

/* Let the watch be hit @count times at once, and wait until the host took notice: it serves what
 * comes later in the order of its channels, the hits before the monitor. */
static void hit(struct fake_guest *guest, uint64_t count)
{
	struct frames frames = { 0 };

	if (write(host.hits_fd, &count, sizeof(count)) != sizeof(count))
		_exit(9);
	/* Two rounds, so that one began after the hit. */
	for (uint32_t i = 0; i < 2; i++) {
		add_request(&frames, 900 + i, 9, "x");
		ask(guest, &frames);
		expect_snapshot(guest, 900 + i, "there is no snapshot of kind 9", 10);
	}
}

static void play_watch(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_addrs(&frames);
	add_watch(&frames, 3, HOST_VM_AT, 4, "counter");
	ask(guest, &frames);
	expect_snapshot(guest, 3, "", 1);
	hit(guest, 1);
	finish(guest, &frames);
}

Test(watch, a_hit_is_a_capture_with_what_was_written)
{
	static struct kept kept;

	host.memory[0] = 41;
	run_with_host(play_watch);
	expect_end(COORD_END_STREAM, "");
	cr_assert_eq(f.result.qemu_status, 0, "the script ended with %#x", f.result.qemu_status);
	cr_expect_str_eq(host.log, "freeze watch(1,0,4) thaw freeze registers read(0,4,0) thaw ");
	read_captures(&kept);
	cr_assert_eq(kept.count, 1);
	cr_expect_eq(kept.items[0].cause, RUNFILE_CAPTURE_WATCH);
	cr_expect_eq(kept.items[0].head.request_id, 3);
	cr_expect_eq(kept.items[0].head.hit_number, 1);
	cr_expect_eq(kept.items[0].head.hit_cpu, 1);
	cr_expect_str_eq(kept.items[0].head.tag, "counter");
	cr_expect_eq(kept.items[0].bytes[0], 42);
}

static void play_silent_watch(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_addrs(&frames);
	add_watch(&frames, 3, HOST_VM_AT, 4, "counter");
	ask(guest, &frames);
	expect_snapshot(guest, 3, "", 1);
	finish(guest, &frames);
}

/* What was read already makes no channel readable, and nobody else would let the guest go on. */
Test(watch, a_hit_that_comes_with_the_thaw_is_not_forgotten)
{
	static struct kept kept;

	host.hits_at_thaw = 1;
	run_with_host(play_silent_watch);
	expect_good();
	cr_expect_str_eq(host.log, "freeze watch(1,0,4) thaw freeze registers read(0,4,0) thaw ");
	read_captures(&kept);
	cr_expect_eq(kept.count, 1);
}

static void play_bad_watches(struct fake_guest *guest)
{
	static const struct {
		uint64_t address;
		uint32_t length;
		const char *reason;
	} bad[] = {
		{ 0, 4, "symbol 'sym' has the address 0" },
		{ 0x1000, 4, "symbol 'sym': 0x1000 is no address of the kernel" },
		{ HOST_VM_AT, 2, "symbol 'sym': 4 or 8 bytes can be watched, not 2" },
		{ HOST_VM_AT, 64, "symbol 'sym': 4 or 8 bytes can be watched, not 64" },
		{ HOST_VM_AT + 2, 4,
		  "symbol 'sym': address 0xffffffff82000002 is no multiple of 4" },
		{ HOST_VM_AT + 4, 8,
		  "symbol 'sym': address 0xffffffff82000004 is no multiple of 8" },
	};
	struct frames frames = { 0 };

	add_addrs(&frames);
	for (uint32_t i = 0; i < ARRAY_SIZE(bad); i++) {
		add_watch(&frames, i + 1, bad[i].address, bad[i].length, "sym");
		ask(guest, &frames);
		expect_snapshot(guest, i + 1, bad[i].reason, (int)i + 1);
	}
	add_request(&frames, 50, KTSTR_SNAPSHOT_WATCH, "nowhere");
	add_range(&frames, 51, HOST_VM_AT, 4, WIRE_RANGE_KEEP);
	add_request(&frames, 51, KTSTR_SNAPSHOT_WATCH, "nowhere");
	ask(guest, &frames);
	expect_snapshot(guest, 50, "symbol 'nowhere' not found", 50);
	expect_snapshot(guest, 51, "symbol 'nowhere' not found", 51);
	finish(guest, &frames);
}

Test(watch, each_rule_has_its_sentence)
{
	run_with_host(play_bad_watches);
	expect_good();
	cr_expect_str_empty(host.log);
}

static void play_watch_before_addrs(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_boot(&frames);
	add_watch(&frames, 1, HOST_VM_AT, 4, "sym");
	ask(guest, &frames);
	expect_snapshot(guest, 1,
			"symbol 'sym': the guest has not said where its kernel lies in memory", 1);
	finish(guest, &frames);
}

Test(watch, nothing_is_watched_before_the_kernel_has_a_place)
{
	run_with_host(play_watch_before_addrs);
	expect_good();
	cr_expect_str_empty(host.log);
}

static void play_four_watches(struct fake_guest *guest)
{
	static const char *const reasons[] = {
		"",
		"",
		"symbol 'b' is watched already",
		"",
		"no free slot: 3 symbols are watched already",
	};
	static const char *const symbols[] = { "a", "b", "b", "c", "d" };
	struct frames frames = { 0 };

	add_addrs(&frames);
	for (uint32_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		add_watch(&frames, i + 1, HOST_VM_AT + 64 * (uint64_t)(symbols[i][0] - 'a'), 8,
			  symbols[i]);
		ask(guest, &frames);
		expect_snapshot(guest, i + 1, reasons[i], (int)i + 1);
	}
	finish(guest, &frames);
}

Test(watch, three_symbols_have_a_slot)
{
	run_with_host(play_four_watches);
	expect_good();
	cr_expect_str_eq(host.log, "freeze watch(1,0,8) thaw freeze watch(2,64,8) thaw "
				   "freeze watch(3,128,8) thaw ");
}

static void play_refused_watch(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_addrs(&frames);
	for (uint32_t i = 1; i <= 5; i++) {
		add_watch(&frames, i, HOST_VM_AT, 4, "sym");
		ask(guest, &frames);
		expect_snapshot(guest, i, "QEMU refuses", (int)i);
	}
	finish(guest, &frames);
}

Test(watch, a_watch_that_qemu_refuses_takes_no_slot)
{
	host.watch_error = -EREMOTEIO;
	run_with_host(play_refused_watch);
	expect_good();
	cr_expect_eq(host.freezes, 5);
}

static void play_many_hits(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_addrs(&frames);
	add_watch(&frames, 3, HOST_VM_AT, 4, "jiffies");
	ask(guest, &frames);
	expect_snapshot(guest, 3, "", 1);
	for (int i = 0; i < 3; i++)
		hit(guest, 1);
	finish(guest, &frames);
}

Test(watch, a_watch_that_is_hit_twice_at_once_rests)
{
	static struct kept kept;

	run_with_host(play_many_hits);
	expect_end(COORD_END_STREAM, "");
	cr_assert_eq(f.result.qemu_status, 0, "the script ended with %#x", f.result.qemu_status);
	read_captures(&kept);
	cr_expect_eq(kept.count, 2, "the third hit came while it rested: %s", host.log);
	cr_expect_not_null(strstr(host.log, "unwatch(1) "), "%s", host.log);
}

/* Is it over? Then there is room for it again. */
static bool can_be_watched(struct fake_guest *guest, uint32_t id)
{
	uint8_t frame[WIRE_HEADER_SIZE + 520];
	struct wire_snapshot_reply reply;
	struct frames frames = { 0 };

	add_watch(&frames, id, HOST_VM_AT, 4, "jiffies");
	ask(guest, &frames);
	if (recv(guest->bulk, frame, sizeof(frame), MSG_WAITALL) != sizeof(frame) ||
	    wire_decode_snapshot_reply(frame + WIRE_HEADER_SIZE, 520, &reply) < 0)
		_exit(3);
	return reply.status == WIRE_SNAPSHOT_OK;
}

/* It rests and is set again by the clock alone, so this takes some seconds. */
static void play_hits_for_long(struct fake_guest *guest)
{
	struct frames frames = { 0 };
	uint32_t id = 3;

	add_addrs(&frames);
	ask(guest, &frames);
	if (!can_be_watched(guest, id))
		_exit(1);
	do
		hit(guest, 1);
	while (!can_be_watched(guest, ++id));
	frames_done(&frames);
	frames_add_end(&frames);
	fake_frames(guest, &frames);
	wait_until_received(guest);
}

Test(watch, a_watch_is_over_after_16_captures)
{
	static struct recorded recorded;
	static struct kept kept;

	run_with_host(play_hits_for_long);
	expect_end(COORD_END_STREAM, "");
	read_captures(&kept);
	cr_expect_eq(kept.count, WATCH_HITS_MAX);
	cr_expect_eq(kept.items[15].head.hit_number, 16);
	read_back(&recorded);
	cr_expect_str_eq(recorded.warnings, "symbol 'jiffies' is not watched any longer: it was "
					    "captured often enough\n");
}

static void play_hit_during_capture(struct fake_guest *guest)
{
	const uint64_t one = 1;
	struct frames frames = { 0 };

	add_addrs(&frames);
	add_watch(&frames, 3, HOST_VM_AT, 4, "counter");
	ask(guest, &frames);
	expect_snapshot(guest, 3, "", 1);
	/* Both are there when the host wakes up, or the hit is served first: the log is the same
	 * but for a thaw and a freeze. */
	add_request(&frames, 4, KTSTR_SNAPSHOT_CAPTURE, "asked");
	ask(guest, &frames);
	if (write(host.hits_fd, &one, sizeof(one)) != sizeof(one))
		_exit(2);
	expect_snapshot(guest, 4, "", 3);
	hit(guest, 1);
	finish(guest, &frames);
}

Test(watch, a_hit_beside_a_capture_is_kept_too)
{
	static struct kept kept;

	run_with_host(play_hit_during_capture);
	expect_end(COORD_END_STREAM, "");
	cr_assert_eq(f.result.qemu_status, 0, "the script ended with %#x", f.result.qemu_status);
	read_captures(&kept);
	cr_expect_eq(kept.count, 3);
}

static void play_port_breaks(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_addrs(&frames);
	add_watch(&frames, 3, HOST_VM_AT, 4, "counter");
	ask(guest, &frames);
	expect_snapshot(guest, 3, "", 1);
	hit(guest, 999); /* which stands for the end of the port */
	add_watch(&frames, 4, HOST_VM_AT + 64, 4, "other");
	ask(guest, &frames);
	expect_snapshot(guest, 4, "QEMU's debugger port is gone, so nothing can be watched", 4);
	finish(guest, &frames);
}

Test(watch, the_end_of_the_debugger_port_is_the_end_of_watching)
{
	static struct recorded recorded;

	run_with_host(play_port_breaks);
	expect_end(COORD_END_STREAM, "");
	cr_assert_eq(f.result.qemu_status, 0, "the script ended with %#x", f.result.qemu_status);
	read_back(&recorded);
	cr_expect_str_eq(recorded.warnings, "symbol 'counter' is not watched any longer: QEMU's "
					    "debugger port is gone\n");
}
