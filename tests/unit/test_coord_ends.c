/* SPDX-License-Identifier: GPL-2.0-only */
/* Every way in which a run ends. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "support/coord_fixture.h"
#include "wire/types.h"

TestSuite(coord_ends, .init = coord_setup, .fini = coord_teardown, .timeout = 60);

static void play_dies(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_boot(&frames);
	frames_add(&frames, KTSTR_MSG_STDOUT, "0123456789", 10);
	fake_send(guest->bulk, frames.bytes, frames.length - 4);
	fake_text(guest->stderr_fd, "qemu: could not\nqemu: no memory\n");
	_exit(3);
}

static void play_killed(struct fake_guest *guest)
{
	(void)guest;
	(void)raise(SIGKILL);
}

static void play_panics(struct fake_guest *guest)
{
	fake_text(guest->com1, "fine\n[ 1.0] Kernel pa");
	fake_text(guest->com1, "nic - not syncing: Attempted to kill init!\n");
	fake_hang();
}

static void play_reset(struct fake_guest *guest)
{
	fake_event(guest, 2);
	fake_hang();
}

static void play_vm_error(struct fake_guest *guest)
{
	fake_event(guest, 3);
	fake_hang();
}

static void play_agent_crash(struct fake_guest *guest)
{
	fake_text(guest->com2, "PANIC: SIGSEGV at 0x10\n frame 1\n");
	fake_hang();
}

/* The reset is seen by QEMU before anybody reads what the agent said. */
static void play_agent_crash_and_reset(struct fake_guest *guest)
{
	fake_text(guest->com2, "PANIC: SIGSEGV at 0x10\n");
	fake_event(guest, 2);
	fake_hang();
}

static void play_shutdown(struct fake_guest *guest)
{
	fake_event(guest, 1);
}

static void play_boots_only(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_boot(&frames);
	fake_frames(guest, &frames);
	fake_hang();
}

static void play_hangs_in_scenario(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	start_scenario(guest, &frames);
	fake_hang();
}

/* Ends its stream when it is asked to. */
static void play_obeys(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	start_scenario(guest, &frames);
	if (fake_wait_byte(guest->console) != WIRE_WAKE_SHUTDOWN)
		_exit(7);
	frames_add_end(&frames);
	fake_frames(guest, &frames);
	wait_until_received(guest);
}

static void play_teardown_hangs(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_boot(&frames);
	add_scenario(&frames);
	fake_frames(guest, &frames);
	fake_hang();
}

static void play_ends_and_stays(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_boot(&frames);
	frames_add_end(&frames);
	fake_frames(guest, &frames);
	fake_hang();
}

static void play_quits_when_asked(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_boot(&frames);
	frames_add_end(&frames);
	fake_frames(guest, &frames);
	(void)fake_wait_byte(guest->monitor);
}

static void play_scheduler_dies(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	start_scenario(guest, &frames);
	frames_add(&frames, KTSTR_MSG_SCHED_EXIT, "\1\0\0\0runnable task stall", 23);
	frames_add_end(&frames);
	fake_frames(guest, &frames);
}

static void play_closes(struct fake_guest *guest)
{
	(void)close(guest->bulk);
	fake_hang();
}

struct end_case {
	fake_script script;
	enum coord_end end;
	const char *text;
};

static const struct end_case end_cases[] = {
	{ play_dies, COORD_END_VM_GONE, "QEMU ended with status 3" },
	{ play_dies, COORD_END_VM_GONE, ": qemu: no memory" },
	{ play_killed, COORD_END_VM_GONE, "QEMU was killed by SIGKILL" },
	{ play_panics, COORD_END_PANIC,
	  ": [ 1.0] Kernel panic - not syncing: Attempted to kill init!" },
	{ play_reset, COORD_END_PANIC, "panicked or reset itself" },
	{ play_vm_error, COORD_END_VM_ERROR, "internal error" },
	{ play_agent_crash, COORD_END_AGENT_CRASH, ": PANIC: SIGSEGV at 0x10" },
	{ play_agent_crash_and_reset, COORD_END_AGENT_CRASH, ": PANIC: SIGSEGV at 0x10" },
	{ play_shutdown, COORD_END_GUEST_SHUTDOWN, "powered off without ending its stream" },
	{ play_scheduler_dies, COORD_END_SCHED_EXIT, ": runnable task stall" },
	{ play_closes, COORD_END_VM_GONE, "QEMU closed its channels" },
	{ play_ends_and_stays, COORD_END_STREAM, "ended its stream" },
};

/* Parameters cross into another process, so they are numbers, not pointers. */
ParameterizedTestParameters(coord_ends, by_script)
{
	static size_t numbers[ARRAY_SIZE(end_cases)];

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		numbers[i] = i;
	return cr_make_param_array(size_t, numbers, ARRAY_SIZE(numbers));
}

ParameterizedTest(size_t *number, coord_ends, by_script)
{
	const struct end_case *c = &end_cases[*number];
	struct recorded recorded;

	run_vm(c->script);
	expect_end(c->end, c->text);
	read_back(&recorded);
}

Test(coord_ends, keeps_what_a_dying_vm_left)
{
	run_vm(play_dies);
	cr_assert_eq(f.result.summary.frames_received, 2);
	cr_assert_eq(f.result.summary.bytes_left, WIRE_HEADER_SIZE + 6);
	cr_assert_eq(f.result.summary.has_end, 0);
	cr_assert_eq(f.result.summary.qemu_status, 3 << 8);
}

Test(coord_ends, flags_panic_crash_and_scheduler_in_the_summary)
{
	run_vm(play_panics);
	cr_assert_eq(f.result.summary.is_panicked, 1);
	cr_assert_eq(f.result.summary.is_crashed, 0);
}

Test(coord_ends, flags_a_crash_in_the_summary)
{
	struct recorded recorded;

	run_vm(play_agent_crash);
	read_back(&recorded);
	cr_assert_eq(recorded.summary.is_crashed, 1);
	cr_assert_eq(recorded.by_kind[RUNFILE_CRASH], 1);
}

Test(coord_ends, takes_no_reset_behind_a_crash_for_a_panic)
{
	run_vm(play_agent_crash_and_reset);
	cr_assert_eq(f.result.summary.is_crashed, 1);
	cr_assert_eq(f.result.summary.is_panicked, 0);
	run_vm(play_reset);
	cr_assert_eq(f.result.summary.is_panicked, 1);
}

Test(coord_ends, lets_the_guest_end_its_stream_after_the_scheduler_died)
{
	run_vm(play_scheduler_dies);
	cr_assert_eq(f.result.summary.is_sched_exit, 1);
	cr_assert_eq(f.result.summary.end_matches, 1);
	cr_assert_eq(f.vm.kills, 1, "only by the test itself");
}

static uint64_t eventfd_count(int fd)
{
	uint64_t count = 0;

	(void)!read(fd, &count, sizeof(count)); /* nothing there: 0 */
	(void)close(fd);
	return count;
}

Test(coord_ends, wakes_who_waits_beside_the_loop_once)
{
	f.spec.kill_evt = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	f.spec.sys_rdy_evt = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	run_vm(play_scheduler_dies);
	cr_assert_eq(eventfd_count(f.spec.kill_evt), 1);
	cr_assert_eq(eventfd_count(f.spec.sys_rdy_evt), 1);
}

Test(coord_ends, asks_a_vm_to_quit_that_stays_and_then_kills_it)
{
	run_vm(play_ends_and_stays);
	cr_assert_eq(f.vm.quits, 1);
	cr_assert_eq(f.vm.kills, 2);
	cr_assert_eq(f.result.summary.qemu_status, SIGKILL);
}

Test(coord_ends, does_not_kill_a_vm_that_quits_when_asked)
{
	run_vm(play_quits_when_asked);
	cr_assert_eq(f.vm.quits, 1);
	cr_assert_eq(f.vm.kills, 1, "only by the test itself");
	cr_assert_eq(f.result.summary.qemu_status, 0);
}

Test(coord_ends, gives_up_on_a_silent_vm)
{
	f.spec.boot_timeout_ns = 50 * NS_PER_MS;
	run_vm(play_silent);
	expect_end(COORD_END_BOOT_TIMEOUT, "the guest did not boot");
	cr_assert_geq(f.result.gone_ns, 50 * NS_PER_MS);
	cr_assert_lt(f.result.gone_ns, NS_PER_S);
}

Test(coord_ends, gives_up_on_a_guest_that_starts_no_scenario)
{
	f.spec.boot_timeout_ns = 60 * NS_PER_S;
	f.spec.start_timeout_ns = 100 * NS_PER_MS;
	run_vm(play_boots_only);
	expect_end(COORD_END_BOOT_TIMEOUT, "started no scenario");
}

/* A VM that says it waited for a CPU far longer than it is there. */
static uint64_t always_waiting(void *vm)
{
	(void)vm;
	return 1000 * NS_PER_S;
}

static void run_starved_vm(fake_script script)
{
	struct coord_vm_ops ops;

	fake_vm_start(&f.vm, script, &f.spec);
	ops = *f.spec.vm_ops;
	ops.cpu_wait_ns = always_waiting;
	f.spec.vm_ops = &ops;
	cr_assert_eq(coord_run(&f.spec, &f.result, &f.err), 0, "%s", f.err.text);
	fake_vm_done(&f.vm);
}

Test(coord_ends, gives_a_boot_the_time_in_which_the_host_had_no_cpu)
{
	f.spec.boot_timeout_ns = 50 * NS_PER_MS;
	f.spec.cpu_wait_max_ns = 1200 * NS_PER_MS;
	run_starved_vm(play_silent);
	expect_end(COORD_END_BOOT_TIMEOUT, " s of them without a CPU of the host)");
	cr_assert_geq(f.result.gone_ns, 1250 * NS_PER_MS);
}

Test(coord_ends, does_not_count_what_a_vm_waited_before_it_was_ready)
{
	f.spec.boot_timeout_ns = 60 * NS_PER_S;
	f.spec.start_timeout_ns = 100 * NS_PER_MS;
	f.spec.cpu_wait_max_ns = 1000 * NS_PER_S;
	run_starved_vm(play_boots_only);
	expect_end(COORD_END_BOOT_TIMEOUT, "started no scenario");
	cr_assert_eq(f.result.cpu_wait_ns, 0);
}

static void play_a_scenario_of_50_ms(struct fake_guest *guest)
{
	const struct timespec pause = { .tv_nsec = (long)(50 * NS_PER_MS) };
	struct ktstr_scenario_end end = { .elapsed_ms = 50 };
	struct frames frames = { 0 };

	start_scenario(guest, &frames);
	(void)nanosleep(&pause, NULL);
	frames_add(&frames, KTSTR_MSG_SCENARIO_END, &end, sizeof(end));
	frames_add(&frames, KTSTR_MSG_EXIT, "\0\0\0\0", 4);
	frames_add_end(&frames);
	fake_frames(guest, &frames);
	fake_event(guest, 1);
}

/* What each look at the threads finds, one after the other. */
static const struct coord_thread *looks[2];
static uint32_t look_counts[2], looked;

static uint32_t show_threads(void *vm, struct coord_thread *ret, uint32_t max)
{
	uint32_t count = look_counts[looked];

	(void)vm;
	cr_assert_leq(count, max);
	memcpy(ret, looks[looked], count * sizeof(*ret));
	looked++;
	return count;
}

static void run_vm_with_threads(const struct coord_thread *before, uint32_t before_count,
				const struct coord_thread *after, uint32_t after_count)
{
	struct coord_vm_ops ops;

	looks[0] = before;
	looks[1] = after;
	look_counts[0] = before_count;
	look_counts[1] = after_count;
	looked = 0;
	fake_vm_start(&f.vm, play_a_scenario_of_50_ms, &f.spec);
	ops = *f.spec.vm_ops;
	ops.threads = show_threads;
	f.spec.vm_ops = &ops;
	cr_assert_eq(coord_run(&f.spec, &f.result, &f.err), 0, "%s", f.err.text);
	fake_vm_done(&f.vm);
	cr_assert_eq(looked, 2);
}

Test(coord_ends, tells_how_long_the_host_had_no_cpu_for_a_scenario)
{
	static const struct coord_thread before[] = { { 7, 100 * NS_PER_MS }, { 8, NS_PER_S } };
	static const struct coord_thread after[] = { { 8, NS_PER_S + 5 * NS_PER_MS },
						     { 7, 110 * NS_PER_MS },
						     { 9, 2 * NS_PER_MS } };
	struct recorded recorded;

	run_vm_with_threads(before, 2, after, 3);
	expect_end(COORD_END_STREAM, "");
	cr_assert_eq(f.result.host_wait_ns, 10 * NS_PER_MS, "that of the thread that waited most");
	read_back(&recorded);
	cr_assert_eq(recorded.summary.host_wait_ns, 10 * NS_PER_MS);
}

Test(coord_ends, a_scenario_cannot_have_waited_for_longer_than_it_took)
{
	static const struct coord_thread before[] = { { 7, 0 } };
	static const struct coord_thread after[] = { { 7, 1000 * NS_PER_S } };

	run_vm_with_threads(before, 1, after, 1);
	cr_assert_eq(f.result.host_wait_ns, f.result.scenario_end_ns - f.result.scenario_start_ns);
}

Test(coord_ends, a_thread_that_began_in_a_scenario_counts)
{
	static const struct coord_thread after[] = { { 7, 3 * NS_PER_MS } };

	run_vm_with_threads(after, 0, after, 1);
	cr_assert_eq(f.result.host_wait_ns, 3 * NS_PER_MS);
}

Test(coord_ends, ends_a_scenario_that_outlives_its_budget)
{
	f.spec.workload_duration_ns = 50 * NS_PER_MS;
	run_vm(play_hangs_in_scenario);
	expect_end(COORD_END_WATCHDOG, "the scenario did not end in its time");
	cr_assert_eq(f.vm.quits, 1);
}

Test(coord_ends, asks_the_guest_first_when_the_watchdog_expires)
{
	f.spec.workload_duration_ns = 50 * NS_PER_MS;
	run_vm(play_obeys);
	expect_end(COORD_END_WATCHDOG, "");
	cr_assert_eq(f.result.summary.end_matches, 1, "and takes what it still sends");
	cr_assert_eq(f.result.summary.qemu_status, 0);
	cr_assert_eq(f.vm.quits, 0);
}

Test(coord_ends, serves_its_deadlines_during_a_flood)
{
	f.spec.workload_duration_ns = 100 * NS_PER_MS;
	run_vm(play_floods);
	expect_end(COORD_END_WATCHDOG, "");
	cr_assert_lt(f.result.gone_ns, 5 * NS_PER_S);
}

/* A signalfd that has these to tell. */
static void give_signals(const struct signalfd_siginfo *info, size_t size)
{
	int ends[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	f.spec.signal_fd = ends[0];
	cr_assert_eq(write(ends[1], info, size), (ssize_t)size);
}

Test(coord_ends, serves_signals_during_a_flood)
{
	struct signalfd_siginfo info = { .ssi_signo = SIGTERM };

	give_signals(&info, sizeof(info));
	run_vm(play_floods);
	expect_end(COORD_END_INTERRUPTED, "interrupted by SIGTERM");
}

Test(coord_ends, ends_a_teardown_that_takes_too_long)
{
	f.spec.teardown_timeout_ns = 50 * NS_PER_MS;
	run_vm(play_teardown_hangs);
	expect_end(COORD_END_TEARDOWN_TIMEOUT, "did not end its stream after the scenario");
}

Test(coord_ends, ends_in_order_on_the_first_signal)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	cr_assert_eq(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	f.spec.signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	(void)raise(SIGINT);
	run_vm(play_obeys);
	expect_end(COORD_END_INTERRUPTED, "interrupted by SIGINT");
	cr_assert_eq(f.result.signal, SIGINT);
	cr_assert_eq(f.result.summary.has_end, 1);
	cr_assert_eq(f.vm.quits, 0);
	(void)close(f.spec.signal_fd);
}

Test(coord_ends, kills_at_once_on_the_second_signal)
{
	struct signalfd_siginfo info[2] = { { .ssi_signo = SIGINT }, { .ssi_signo = SIGHUP } };

	f.spec.grace_divisor = 1;
	give_signals(info, sizeof(info));
	run_vm(play_silent);
	expect_end(COORD_END_INTERRUPTED, "interrupted by SIGINT");
	cr_assert_eq(f.vm.quits, 0);
	cr_assert_lt(f.result.gone_ns, NS_PER_S);
}

Test(coord_names, only_two_ends_hurry_the_guest)
{
	for (int end = 0; end <= COORD_END_STOPPED + 1; end++)
		cr_assert_eq(coord_end_cuts_short(end),
			     end == COORD_END_INTERRUPTED || end == COORD_END_WATCHDOG);
}

Test(coord_names, every_end_has_a_name)
{
	for (int end = 0; end <= COORD_END_STOPPED; end++) {
		cr_assert_not_null(coord_end_name(end));
		cr_assert_str_neq(coord_end_name(end), "unknown");
	}
	cr_assert_str_eq(coord_end_name(COORD_END_STOPPED + 1), "unknown");
}
