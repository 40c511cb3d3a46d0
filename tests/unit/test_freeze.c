/* SPDX-License-Identifier: GPL-2.0-only */
/* What the coordinator does with a guest that stands still by itself to be answered. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "support/host_vm.h"

static void setup(void)
{
	host_vm_setup();
	host.is_virtual = true;
}

TestSuite(freeze, .init = setup, .fini = host_vm_teardown, .timeout = 60);

static const struct wire_kernel_entry u32_at_8 = { .target = WIRE_TARGET_SYMBOL,
						   .value = WIRE_VALUE_U32,
						   .address = HOST_VM_AT + 8,
						   .length = 4,
						   .symbol = "s" };

static bool has_warning(const char *text)
{
	static struct recorded recorded;

	read_back(&recorded);
	return strstr(recorded.warnings, text) != NULL;
}

static void expect_good(const char *log)
{
	expect_end(COORD_END_STREAM, "");
	cr_assert_eq(f.result.qemu_status, 0, "the script ended with %#x", f.result.qemu_status);
	cr_expect_str_eq(host.log, log);
	cr_expect_not(host.is_frozen);
}

static void play_capture(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_addrs(&frames);
	add_range(&frames, 7, HOST_VM_AT + 16, 5, WIRE_RANGE_KEEP);
	add_request(&frames, 7, KTSTR_SNAPSHOT_CAPTURE, "hogs");
	ask(guest, &frames);
	stand_still();
	expect_snapshot(guest, 7, "", 1);
	finish(guest, &frames);
}

Test(freeze, a_capture_is_taken_where_the_guest_stands)
{
	static struct kept kept;

	memcpy(host.memory + 16, "hello", 5);
	run_with_host(play_capture);
	expect_good("hold registers read(16,5,0) answer go ");
	read_captures(&kept);
	cr_assert_eq(kept.count, 1);
	cr_expect_eq(kept.items[0].cpu.rip, 0x1111);
	cr_expect_str_eq(kept.items[0].bytes, "hello");
}

Test(freeze, the_watchdog_does_not_count_it)
{
	host.freeze_ns = 20 * NS_PER_MS;
	run_with_host(play_capture);
	expect_good("hold registers read(16,5,0) answer go ");
	cr_expect_geq(f.result.sinks.frozen_ns, 20 * NS_PER_MS);
}

static void play_kernel_ops(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_addrs(&frames);
	add_kernel_op(&frames, 1, WIRE_KERNEL_COLD, WIRE_KERNEL_WRITE, &u32_at_8, 1, "abcd");
	add_kernel_op(&frames, 2, WIRE_KERNEL_HOT, WIRE_KERNEL_READ, &u32_at_8, 1, "");
	ask(guest, &frames);
	stand_still();
	(void)expect_kernel(guest, 1, "", 1);
	(void)expect_kernel(guest, 2, "", 2);
	finish(guest, &frames);
}

Test(freeze, all_that_waits_is_answered_at_once)
{
	run_with_host(play_kernel_ops);
	expect_good("hold write(8,4,0) read(8,4,0) answer go ");
	cr_expect_eq(memcmp(host.memory + 8, "abcd", 4), 0);
}

static void play_nothing(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_addrs(&frames);
	ask(guest, &frames);
	stand_still();
	stand_still();
	finish(guest, &frames);
}

Test(freeze, who_asks_for_nothing_goes_on)
{
	run_with_host(play_nothing);
	expect_good("go go ");
}

static void play_request_alone(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_addrs(&frames);
	add_request(&frames, 1, KTSTR_SNAPSHOT_CAPTURE, "hogs");
	ask(guest, &frames);
	finish(guest, &frames);
}

Test(freeze, who_does_not_stand_still_is_not_answered)
{
	run_with_host(play_request_alone);
	expect_good("");
}

static void play_again(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_addrs(&frames);
	add_request(&frames, 1, KTSTR_SNAPSHOT_CAPTURE, "hogs");
	ask(guest, &frames);
	stand_still();
	stand_still();
	stand_still();
	expect_snapshot(guest, 1, "", 1);
	add_request(&frames, 2, KTSTR_SNAPSHOT_CAPTURE, "more");
	ask(guest, &frames);
	stand_still();
	expect_snapshot(guest, 2, "", 2);
	finish(guest, &frames);
}

Test(freeze, who_moved_may_try_again)
{
	host.failing_holds = 2;
	run_with_host(play_again);
	expect_good("failed go failed go hold registers answer go hold registers answer go ");
	cr_expect_not(has_warning("and is stopped from outside"));
}

Test(freeze, who_never_stands_still_is_stopped_from_outside)
{
	host.failing_holds = 99;
	run_with_host(play_again);
	expect_good("failed go failed go failed freeze registers thaw answer go "
		    "freeze registers thaw answer go ");
	cr_expect_eq(host.failing_holds, 96);
	cr_expect(has_warning("and is stopped from outside"));
}

static void play_watch(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_addrs(&frames);
	add_range(&frames, 3, HOST_VM_AT + 8, 4, WIRE_RANGE_WATCH);
	add_request(&frames, 3, KTSTR_SNAPSHOT_WATCH, "jiffies");
	ask(guest, &frames);
	stand_still();
	expect_snapshot(guest, 3, "", 1);
	finish(guest, &frames);
}

Test(freeze, a_watch_is_set_in_a_guest_that_is_stopped_from_outside)
{
	run_with_host(play_watch);
	expect_good("freeze watch(1,8,4) thaw answer go ");
	cr_expect(has_warning("at each hit of a watch the guest is stopped from outside"));
}
