/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/vm.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "wire/kernel_op.h"

/* Long enough for any machine; only a failing test waits for it. */
#define LONG_MS 20000

static uint64_t later(void)
{
	return clock_monotonic_ns() + LONG_MS * NS_PER_MS;
}

/* A VM that is to run the fake QEMU, which does what @mode says. */
static struct vm_spec spec_for(const char *mode)
{
	return (struct vm_spec){
		.program = FAKE_QEMU,
		.topology = { .size = sizeof(struct ktstr_topology),
			      .numa_nodes = 1,
			      .llcs = 1,
			      .cores = 1,
			      .threads = 1 },
		.memory_bytes = 64 << 20,
		.kernel = "kernel",
		.initramfs_fds = { -1, -1 },
		.append = mode,
	};
}

static struct vm *start(const char *mode)
{
	struct vm_spec spec = spec_for(mode);
	struct ktstr_error err = { 0 };
	struct vm *vm = NULL;

	cr_assert_eq(vm_start(&spec, &vm, &err), 0, "%s", err.text);
	return vm;
}

static void await(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	cr_assert_eq(poll(&poll_fd, 1, LONG_MS), 1);
}

/* Read from a channel until @length bytes are there. */
static void read_channel(int fd, char *text, size_t length)
{
	size_t at = 0;

	while (at < length) {
		ssize_t n;

		await(fd);
		n = read(fd, text + at, length - at);
		cr_assert_gt(n, 0);
		at += (size_t)n;
	}
	text[length] = '\0';
}

static void expect_line(int fd, const char *line)
{
	char text[256];

	read_channel(fd, text, strlen(line));
	cr_expect_str_eq(text, line);
}

static int count_fds(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(folder))
		count++;
	(void)closedir(folder);
	return count;
}

Test(vm, start_tells_how_to_get_qemu)
{
	struct vm_spec spec = spec_for("");
	struct ktstr_error err = { 0 };
	struct vm *vm = NULL;

	spec.program = "ktstr-no-such-qemu";
	cr_expect_eq(vm_start(&spec, &vm, &err), -ENOENT);
	cr_expect_str_eq(err.text, "cannot run 'ktstr-no-such-qemu': not found; install "
				   "qemu-system-x86 (apt-get install qemu-system-x86) or set "
				   "KTSTR_QEMU");
	cr_expect_null(vm);
}

Test(vm, start_takes_the_program_from_the_environment)
{
	struct vm_spec spec = spec_for("");
	struct ktstr_error err = { 0 };
	struct vm *vm = NULL;

	spec.program = NULL;
	cr_assert_eq(setenv("KTSTR_QEMU", "ktstr-other-qemu", 1), 0);
	cr_expect_eq(vm_start(&spec, &vm, &err), -ENOENT);
	cr_expect(strstr(err.text, "'ktstr-other-qemu': not found"), "%s", err.text);
	cr_assert_eq(setenv("KTSTR_QEMU", FAKE_QEMU, 1), 0);
	cr_assert_eq(vm_start(&spec, &vm, &err), 0, "%s", err.text);
	cr_expect_str_eq(vm_argv(vm)[0], FAKE_QEMU);
	vm_free(vm);
}

Test(vm, start_tells_that_a_program_cannot_be_run)
{
	char path[] = "/tmp/ktstr-test-XXXXXX";
	struct vm_spec spec = spec_for("");
	struct ktstr_error err = { 0 };
	struct vm *vm = NULL;
	char expected[200];
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	(void)close(fd);
	spec.program = path;
	cr_expect_eq(vm_start(&spec, &vm, &err), -EACCES);
	(void)snprintf(expected, sizeof(expected), "cannot run '%s': Permission denied", path);
	cr_expect_str_eq(err.text, expected);
	(void)unlink(path);
}

Test(vm, start_refuses_an_impossible_topology)
{
	struct vm_spec spec = spec_for("");
	struct ktstr_error err = { 0 };
	struct vm *vm = NULL;

	spec.topology.llcs = 0;
	cr_expect_eq(vm_start(&spec, &vm, &err), -EINVAL);
	cr_expect_str_eq(err.text, "topology: 'llcs' is 0, must be 1 to 255");
}

Test(vm, start_refuses_an_initramfs_that_cannot_be_read)
{
	struct vm_spec spec = spec_for("");
	struct ktstr_error err = { 0 };
	struct vm *vm = NULL;

	spec.initramfs_fds[0] = 9999;
	cr_expect_eq(vm_start(&spec, &vm, &err), -EBADF);
	cr_expect_str_eq(err.text, "cannot read the initramfs: Bad file descriptor");
}

Test(vm, leaves_no_descriptor_open)
{
	struct vm_spec spec = spec_for("");
	struct ktstr_error err = { 0 };
	struct vm *vm = NULL;
	int before = count_fds();

	vm_free(start(""));
	cr_expect_eq(count_fds(), before);
	spec.program = "ktstr-no-such-qemu";
	cr_expect_eq(vm_start(&spec, &vm, &err), -ENOENT);
	cr_expect_eq(count_fds(), before);
}

Test(vm, wait_ready_gives_the_words_of_a_qemu_that_ends_at_once)
{
	static const struct {
		const char *mode, *text;
	} cases[] = {
		{ "bad option",
		  "QEMU ended with exit status 1: fake: ?bad option fake: see its manual" },
		{ "silent", "QEMU ended with exit status 3: it said nothing" },
		{ "killed", "QEMU ended with signal 9: it said nothing" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vm *vm = start(cases[i].mode);
		struct ktstr_error err = { 0 };

		cr_expect_eq(vm_wait_ready(vm, later(), &err), -EPIPE);
		cr_expect_str_eq(err.text, cases[i].text);
		vm_free(vm);
	}
}

Test(vm, wait_ready_ends_when_qemu_is_up)
{
	struct ktstr_error err = { 0 };
	struct vm *vm = start("");

	cr_expect_eq(vm_wait_ready(vm, later(), &err), 0, "%s", err.text);
	vm_free(vm);
}

Test(vm, wait_ready_ends_at_its_deadline)
{
	static const struct {
		const char *mode, *text;
	} cases[] = {
		{ "idle", "QEMU's monitor does not answer" },
		{ "hang up", "QEMU closed its monitor and goes on" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vm *vm = start(cases[i].mode);
		struct ktstr_error err = { 0 };

		if (i == 1)
			await(vm_monitor_fd(vm));
		cr_expect_eq(vm_wait_ready(vm, clock_monotonic_ns() + 5 * NS_PER_MS, &err),
			     -ETIMEDOUT);
		cr_expect_str_eq(err.text, cases[i].text);
		vm_free(vm);
	}
}

Test(vm, every_channel_is_wired_to_its_device)
{
	struct vm *vm = start("channels");

	expect_line(vm_com1_fd(vm), "this is com1\n");
	expect_line(vm_com2_fd(vm), "this is com2\n");
	expect_line(vm_console_fd(vm), "this is console\n");
	expect_line(vm_bulk_fd(vm), "this is bulk\n");
	expect_line(vm_stats_fd(vm), "this is stats\n");
	vm_free(vm);
}

Test(vm, channels_do_not_block)
{
	struct vm *vm = start("idle");
	const int fds[] = { vm_com1_fd(vm),  vm_com2_fd(vm),   vm_console_fd(vm), vm_bulk_fd(vm),
			    vm_stats_fd(vm), vm_stderr_fd(vm), vm_monitor_fd(vm) };
	char byte;

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		cr_expect_eq(read(fds[i], &byte, 1), -1);
		cr_expect_eq(errno, EAGAIN, "channel %zu: %s", i, strerror(errno));
	}
	vm_free(vm);
}

Test(vm, archives_are_joined_from_their_start)
{
	struct vm_spec spec = spec_for("initrd");
	struct ktstr_error err = { 0 };
	struct vm *vm = NULL;

	spec.initramfs_fds[0] = io_memfd("one", "first", 5, &err);
	spec.initramfs_fds[1] = io_memfd("two", " second", 7, &err);
	cr_assert_eq(lseek(spec.initramfs_fds[0], 3, SEEK_SET), 3);
	cr_assert_eq(vm_start(&spec, &vm, &err), 0, "%s", err.text);
	expect_line(vm_bulk_fd(vm), "first second");
	vm_free(vm);
	(void)close(spec.initramfs_fds[0]);
	(void)close(spec.initramfs_fds[1]);
}

Test(vm, qemu_inherits_nothing_but_its_wires)
{
	int leak = open("/dev/null", O_RDONLY); /* not close-on-exec */
	sigset_t mask;
	struct vm *vm;

	cr_assert_geq(leak, 0);
	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &mask, NULL);
	(void)signal(SIGINT, SIG_IGN);
	vm = start("report");
	/* Three standard ones, six channels, the initramfs. */
	expect_line(vm_bulk_fd(vm), "group=own blocked=0 ignored=0 fds=12 stdin=/dev/null\n");
	vm_free(vm);
	(void)sigprocmask(SIG_BLOCK, NULL, &mask);
	cr_expect(sigismember(&mask, SIGTERM), "the mask of this process is as it was");
	(void)close(leak);
}

Test(vm, poll_tells_the_event)
{
	static const struct {
		const char *mode;
		enum vm_event event;
	} cases[] = {
		{ "", VM_EVENT_NONE },
		{ "event:RESUME", VM_EVENT_NONE },
		{ "reason:host-signal", VM_EVENT_NONE },
		{ "reason:guest-shutdown", VM_EVENT_SHUTDOWN },
		{ "reason:guest-reset", VM_EVENT_RESET },
		{ "reason:guest-panic", VM_EVENT_PANICKED },
		{ "reason:host-error", VM_EVENT_INTERNAL_ERROR },
		{ "event:GUEST_PANICKED", VM_EVENT_PANICKED },
		{ "status:internal-error", VM_EVENT_INTERNAL_ERROR },
		{ "status:io-error", VM_EVENT_INTERNAL_ERROR },
		{ "status:guest-panicked", VM_EVENT_PANICKED },
		{ "status:paused", VM_EVENT_NONE },
		{ "garbage", VM_EVENT_INTERNAL_ERROR },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vm *vm = start(cases[i].mode);
		struct ktstr_error err = { 0 };

		/* The answer to this comes behind the event. */
		if (vm_thaw(vm, &err) < 0)
			cr_expect_eq(err.code, -EPROTO, "%s: %s", cases[i].mode, err.text);
		cr_expect_eq(vm_poll(vm), cases[i].event, "%s", cases[i].mode);
		cr_expect_eq(vm_poll(vm), cases[i].event, "%s: stays", cases[i].mode);
		vm_free(vm);
	}
}

Test(vm, freeze_and_thaw_are_no_event)
{
	struct ktstr_error err = { 0 };
	struct vm *vm = start("");

	cr_expect_eq(vm_freeze(vm, &err), 0, "%s", err.text);
	cr_expect_eq(vm_thaw(vm, &err), 0, "%s", err.text);
	cr_expect_eq(vm_poll(vm), VM_EVENT_NONE);
	vm_free(vm);
}

Test(vm, freeze_tells_a_refusal)
{
	struct ktstr_error err = { 0 };
	struct vm *vm = start("refuse");

	cr_expect_eq(vm_freeze(vm, &err), -EREMOTEIO);
	cr_expect_str_eq(err.text, "QEMU refused 'stop': not now");
	vm_free(vm);
}

Test(vm, tells_that_qemu_shows_no_registers)
{
	static const struct {
		const char *mode, *text;
	} cases[] = {
		{ "", "registers of CPU 0: QEMU's monitor gave no text" },
		{ "human:nothing", "registers of CPU 0: QEMU does not print register 'RAX'" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vm *vm = start(cases[i].mode);
		struct ktstr_error err = { 0 };
		struct runfile_cpu cpu;
		uint32_t count = 77;

		cr_expect_eq(vm_registers(vm, &cpu, 1, &count, &err), -EPROTO);
		cr_expect_str_eq(err.text, cases[i].text);
		cr_expect_eq(count, 77);
		vm_free(vm);
	}
}

Test(vm, tells_that_it_cannot_walk_without_registers)
{
	static const struct ktstr_kern_addrs addrs = { .phys_base_plus_1 = 1 };
	struct vm *vm = start("human:nothing");
	struct ktstr_error err = { 0 };
	uint32_t word;

	cr_expect_eq(vm_read_kernel(vm, &addrs, WIRE_TARGET_KVA, UINT64_C(0xffffc90000000000),
				    &word, 4, &err),
		     -EPROTO);
	cr_expect_str_eq(err.text, "the guest's page tables: QEMU does not print register 'RAX'");
	cr_expect_eq(vm_write_kernel(vm, &addrs, WIRE_TARGET_KVA, UINT64_C(0xffffc90000000000),
				     &word, 4, &err),
		     -EPROTO);
	vm_free(vm);
}

Test(vm, tells_that_the_debugger_port_cannot_be_attached)
{
	struct vm *vm = start("human:Could not open gdbserver on device");
	struct ktstr_error err = { 0 };
	struct vm_hit hit;

	cr_expect_eq(vm_watch(vm, 1, 0x1000, 4, &err), -EREMOTEIO);
	cr_expect_str_eq(err.text, "QEMU cannot attach its debugger port: Could not open gdbserver "
				   "on device");
	cr_expect_eq(vm_watch_hit(vm, &hit, &err), 0);
	vm_free(vm);
}

Test(vm, quit_ends_qemu)
{
	struct ktstr_error err = { 0 };
	struct vm *vm = start("");

	cr_expect_eq(vm_quit(vm, &err), 0, "%s", err.text);
	await(vm_pid_fd(vm));
	cr_expect_eq(vm_wait(vm), 0);
	cr_expect_eq(vm_poll(vm), VM_EVENT_NONE, "what we asked for is no event");
	vm_free(vm);
}

Test(vm, quit_tells_that_qemu_is_gone)
{
	struct ktstr_error err = { 0 };
	struct vm *vm = start("silent");

	await(vm_pid_fd(vm));
	cr_expect_eq(vm_quit(vm, &err), -EPIPE);
	cr_expect_str_eq(err.text, "QEMU's monitor is gone");
	vm_free(vm);
}

Test(vm, kill_ends_qemu_for_good)
{
	struct vm *vm = start("idle");
	pid_t pid = vm_pid(vm);
	int status;

	vm_kill(vm);
	cr_expect_eq(kill(pid, 0), -1);
	cr_expect_eq(errno, ESRCH);
	status = vm_wait(vm);
	cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	vm_kill(vm);
	cr_expect_eq(vm_wait(vm), status);
	vm_free(vm);
}

Test(vm, killed_parent_leaves_no_qemu)
{
	int ends[2], pid_fd;
	pid_t parent, qemu = 0;

	cr_assert_eq(pipe(ends), 0);
	parent = fork();
	if (parent == 0) {
		pid_t pid = vm_pid(start("idle"));

		_exit(write(ends[1], &pid, sizeof(pid)) == sizeof(pid) ? pause() : 1);
	}
	cr_assert_gt(parent, 0);
	cr_assert_eq(io_read_all(ends[0], &qemu, sizeof(qemu)), 0);
	pid_fd = (int)syscall(SYS_pidfd_open, qemu, 0U);
	cr_assert_geq(pid_fd, 0);
	cr_assert_eq(kill(parent, SIGKILL), 0);
	await(pid_fd);
	cr_expect_eq(waitpid(parent, NULL, 0), parent);
	(void)close(pid_fd);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

Test(vm, free_accepts_null)
{
	vm_free(NULL);
}
