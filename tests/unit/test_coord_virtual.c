/* SPDX-License-Identifier: GPL-2.0-only */
/* A guest in virtual time: limits count what it lives through and what its VM takes of the CPU. */
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "support/coord_fixture.h"
#include "wire/types.h"

#define OVERDUE "\7the time is over (2.0 s)"

static void setup(void)
{
	coord_setup();
	f.spec.instruction_ns = 5; /* a tenth of what an instruction may cost */
}

TestSuite(coord_virtual, .init = setup, .fini = coord_teardown, .timeout = 60);

Test(coord_virtual, a_boot_may_take_so_much_cpu_time)
{
	f.spec.boot_timeout_ns = 20 * NS_PER_S;
	fake_cpu.rate = 1000;
	run_vm(play_silent);
	expect_end(COORD_END_BOOT_TIMEOUT, "the guest did not boot (");
	cr_assert_not_null(strstr(f.result.text, " s of CPU time)"), "%s", f.result.text);
	cr_assert_lt(f.result.gone_ns, 5 * NS_PER_S);
}

/* All of its limits are over long before the host has started it. */
Test(coord_virtual, the_hosts_time_does_not_count)
{
	f.spec.boot_timeout_ns = 100;
	f.spec.start_timeout_ns = 100;
	f.spec.workload_duration_ns = 100;
	f.spec.teardown_timeout_ns = 100;
	run_vm(play_good);
	expect_end(COORD_END_STREAM, "the guest ended its stream");
	cr_assert_eq(f.vm.quits, 0);
}

static void play_hangs_in_scenario(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	start_scenario(guest, &frames);
	fake_hang();
}

/* 2 s of the guest are 20 s of CPU time here, and 20 ms. */
Test(coord_virtual, a_scenario_may_take_what_that_is_of_the_slowest_qemu)
{
	f.spec.workload_duration_ns = 2 * NS_PER_S;
	fake_cpu.rate = 1000;
	run_vm(play_hangs_in_scenario);
	expect_end(COORD_END_WATCHDOG, "the scenario did not end in its time (");
	cr_assert_not_null(strstr(f.result.text, " s of CPU time)"), "%s", f.result.text);
	cr_assert_gt(f.result.gone_ns, 20 * NS_PER_MS);
	cr_assert_lt(f.result.gone_ns, 5 * NS_PER_S);
}

static void end_without_being_told(struct fake_guest *guest, struct frames *frames)
{
	uint8_t byte;

	frames_add(frames, KTSTR_MSG_LIFECYCLE, OVERDUE, sizeof(OVERDUE) - 1);
	frames_add_end(frames);
	fake_frames(guest, frames);
	if (recv(guest->console, &byte, 1, 0) == 1 && byte == WIRE_WAKE_SHUTDOWN)
		_exit(7);
}

static void play_overdue_start(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_boot(&frames);
	end_without_being_told(guest, &frames);
}

static void play_overdue_scenario(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	start_scenario(guest, &frames);
	end_without_being_told(guest, &frames);
}

static void play_overdue_teardown(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_boot(&frames);
	add_scenario(&frames);
	end_without_being_told(guest, &frames);
}

/* What the guest says decides, where it was then says which limit that is, and its stream is whole.
 */
Test(coord_virtual, a_guest_ends_the_run_by_itself)
{
	static const struct {
		fake_script script;
		enum coord_end end;
	} rows[] = {
		{ play_overdue_start, COORD_END_BOOT_TIMEOUT },
		{ play_overdue_scenario, COORD_END_WATCHDOG },
		{ play_overdue_teardown, COORD_END_TEARDOWN_TIMEOUT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		run_vm(rows[i].script);
		expect_end(rows[i].end, "the time is over (2.0 s)");
		cr_assert_str_eq(f.result.text, "the time is over (2.0 s)");
		cr_assert_eq(f.result.summary.has_end, 1, "row %zu", i);
		cr_assert_eq(f.result.summary.end_matches, 1, "row %zu", i);
		cr_assert_eq(f.result.qemu_status, 0, "row %zu: %#x", i, f.result.qemu_status);
		coord_teardown();
		setup();
	}
}

static void play_overdue_for_ever(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	start_scenario(guest, &frames);
	frames_add(&frames, KTSTR_MSG_LIFECYCLE, OVERDUE, sizeof(OVERDUE) - 1);
	fake_frames(guest, &frames);
	fake_hang();
}

Test(coord_virtual, a_guest_that_only_says_so_is_ended)
{
	f.spec.workload_duration_ns = 0;
	fake_cpu.rate = 1000;
	run_vm(play_overdue_for_ever);
	expect_end(COORD_END_WATCHDOG, "the time is over (2.0 s)");
	cr_assert_eq(f.vm.quits, 1);
}

Test(coord_virtual, a_vm_that_does_nothing_is_broken)
{
	f.spec.grace_divisor = 300;
	run_vm(play_silent);
	expect_end(COORD_END_VM_ERROR, "QEMU has not done anything for ");
	cr_assert_geq(f.vm.kills, 1);
}

Test(coord_virtual, a_vm_that_is_stopped_is_not_broken)
{
	f.spec.grace_divisor = 300;
	fake_cpu.withheld = 10;
	run_vm(play_silent);
	expect_end(COORD_END_VM_ERROR, "QEMU has not done anything for ");
	cr_assert_eq(fake_cpu.withheld, 0);
	cr_assert_gt(f.result.gone_ns, NS_PER_S);
}

/* In the host's time a guest may wait for as long as it likes. */
Test(coord_virtual, an_idle_vm_in_host_time_is_not_broken)
{
	f.spec.instruction_ns = 0;
	f.spec.grace_divisor = 300;
	f.spec.boot_timeout_ns = 600 * NS_PER_MS;
	run_vm(play_silent);
	expect_end(COORD_END_BOOT_TIMEOUT, "the guest did not boot (");
}

/* It takes no CPU time, so nothing but the host's clock can end it. */
Test(coord_virtual, an_interrupt_is_as_fast_as_ever)
{
	struct signalfd_siginfo info = { .ssi_signo = SIGINT };
	int ends[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	f.spec.signal_fd = ends[0];
	cr_assert_eq(write(ends[1], &info, sizeof(info)), (ssize_t)sizeof(info));
	run_vm(play_hangs_in_scenario);
	expect_end(COORD_END_INTERRUPTED, "interrupted by SIGINT");
	cr_assert_lt(f.result.gone_ns, 5 * NS_PER_S);
}
