/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest in virtual time that stands still to be answered. It writes to a port whose device waits
 * for us to read, inside the guest's own instruction, on the one thread that runs all its CPUs.
 *
 * That thread holds QEMU's big lock while it waits, so QEMU itself answers nothing then. What only
 * QEMU knows, the registers, is asked for before, in the windows that the guest leaves for it, and
 * counts when the guest says that none of its other CPUs moved since.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/str.h"
#include "vm/internal.h"
#include "vm/job.h"
#include "vm/registers.h"
#include "wire/freeze.h"

/* How long the windows of a guest may take on a busy host. One that leaves it at that is hostile.
 */
#define ROUND_TIMEOUT_NS (3 * NS_PER_S)
/* For QEMU's main thread to be done, once it has answered. */
#define WORK_TIMEOUT_NS (500 * NS_PER_MS)
/* From the last byte that we read to the instruction that waits. */
#define STAND_TIMEOUT_NS (200 * NS_PER_MS)
#define LOOK_NS (20 * 1000)
/* Until the time is looked at again. */
#define WAIT_MS 50
/* Where it cannot be seen how QEMU's threads are. */
#define BLIND_WAIT_NS (2 * NS_PER_MS)

/* QEMU's end is left to it as it wants it, without waiting: it would ask for room again and again.
 */
static int make_it_wait(const struct vm *vm, struct ktstr_error *err)
{
	int flags = fcntl(vm->freeze_peer_fd, F_GETFL);

	if (flags < 0 ||
	    (flags & O_NONBLOCK && fcntl(vm->freeze_peer_fd, F_SETFL, flags & ~O_NONBLOCK) < 0))
		return ktstr_fail(err, -errno, "cannot make the guest wait: %s", strerror(errno));
	return 0;
}

/* The CPU that asks is somewhere in its windows, which is no matter of the guest's. */
static void settle_asker(struct runfile_cpu *cpu)
{
	if (cpu->r8 != WIRE_FREEZE_MARK)
		return;
	cpu->rip = cpu->r9;
	cpu->rax = cpu->rcx = cpu->rdx = cpu->r10 = 0;
	cpu->rflags &= ~(uint64_t)WIRE_FREEZE_FLAGS;
}

/* Time that is left, of which nothing counts that we were stopped ourselves. */
struct patience {
	uint64_t left_ns;
	uint64_t seen_ns;
};

static struct patience patience_new(uint64_t ns)
{
	return (struct patience){ .left_ns = ns, .seen_ns = clock_monotonic_ns() };
}

static bool patience_is_over(struct patience *patience)
{
	uint64_t now_ns = clock_monotonic_ns(), spent_ns = now_ns - patience->seen_ns;

	/* No wait of ours is longer. */
	if (spent_ns > 2 * WAIT_MS * NS_PER_MS)
		spent_ns = 2 * WAIT_MS * NS_PER_MS;
	patience->seen_ns = now_ns;
	patience->left_ns -= spent_ns < patience->left_ns ? spent_ns : patience->left_ns;
	return patience->left_ns == 0;
}

/* What one of QEMU's threads waits for in the kernel. */
enum wait {
	WAIT_OTHER,   /* or it runs, or is gone */
	WAIT_CHANNEL, /* for us to read: it runs the guest's CPUs, and holds the lock */
	WAIT_LOCK,
	WAIT_NEWS, /* for something to do */
};

/* -errno where nobody may see that. */
static int thread_wait(const struct vm *vm, const char *thread)
{
	_cleanup_free_ char *path = str_format("/proc/%d/task/%s/syscall", vm->pid, thread);
	_cleanup_free_ char *text = NULL;
	struct ktstr_error ignored;
	char *end;
	unsigned long long arguments[4] = { 0 };
	long number;
	int rc = path ? io_read_file(path, 256, &text, NULL, &ignored) : -ENOMEM;

	if (rc < 0)
		return rc == -ENOENT || rc == -ESRCH ? WAIT_OTHER : rc;
	number = strtol(text, &end, 10);
	if (end == text)
		return WAIT_OTHER;
	for (size_t i = 0; i < ARRAY_SIZE(arguments); i++)
		arguments[i] = strtoull(end, &end, 0);
	if (number == SYS_sendmsg && arguments[0] == (unsigned long long)vm->freeze_number)
		return WAIT_CHANNEL;
	/* Who waits for a lock sets no limit; our gate (qemu_gate.c) does. */
	if (number == SYS_futex)
		return arguments[3] == 0 ? WAIT_LOCK : WAIT_NEWS;
	return number == SYS_ppoll ? WAIT_NEWS : WAIT_OTHER;
}

/* 1: all CPUs stand still; 0: not yet. */
static int stands_still(const struct vm *vm)
{
	_cleanup_free_ char *path = str_format("/proc/%d/task", vm->pid);
	DIR *dir = path ? opendir(path) : NULL;
	struct dirent *entry;
	int rc = dir ? 0 : -ENOENT;

	while (rc >= 0 && rc != WAIT_CHANNEL && (entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]))
			rc = thread_wait(vm, entry->d_name);
	if (dir)
		(void)closedir(dir); /* it was read */
	return rc < 0 ? rc : rc == WAIT_CHANNEL;
}

/* What QEMU's main thread waits for, or -errno. The lock it gets when the guest goes on, if it is
 * quick. */
static int main_wait(const struct vm *vm)
{
	char thread[16];

	(void)snprintf(thread, sizeof(thread), "%d", vm->pid);
	return thread_wait(vm, thread);
}

static bool is_main_at_work(const struct vm *vm)
{
	int wait = main_wait(vm);

	return wait == WAIT_OTHER || wait == WAIT_LOCK;
}

static void rest(uint64_t ns)
{
	const struct timespec pause = { .tv_nsec = (long)ns };

	(void)nanosleep(&pause, NULL);
}

static bool has_commit(const struct vm *vm)
{
	char bytes[WIRE_FREEZE_TAIL_COUNT];
	ssize_t n = recv(vm->fds[CHANNEL_FREEZE], bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);

	return n > 0 && memchr(bytes, WIRE_FREEZE_COMMIT, (size_t)n);
}

/* The next byte, or -1. */
static int take_byte(const struct vm *vm)
{
	uint8_t byte;

	return recv(vm->fds[CHANNEL_FREEZE], &byte, 1, MSG_DONTWAIT) == 1 ? byte : -1;
}

/* Take bytes up to one of two. Returns which, or an error. */
static int pass_until(const struct vm *vm, int one, int other, struct patience *patience,
		      struct ktstr_error *err)
{
	for (;;) {
		struct pollfd poll_fd = { .fd = vm->fds[CHANNEL_FREEZE], .events = POLLIN };
		int byte = take_byte(vm);

		if (byte == one || byte == other)
			return byte;
		if (patience_is_over(patience))
			return ktstr_fail(err, -EAGAIN, "the guest does not stand still");
		if (byte < 0)
			(void)poll(&poll_fd, 1, WAIT_MS);
	}
}

/* Let the guest pass a window, as soon as that is of use to QEMU's main thread. Its byte, or -1. */
static int pass_window(const struct vm *vm)
{
	int wait = main_wait(vm), stands = wait < 0 ? wait : stands_still(vm), byte = -1;

	/* Where nobody can see that, they go by as they come. */
	if (wait < 0 || (wait == WAIT_LOCK && stands != 0))
		byte = take_byte(vm);
	if (byte < 0)
		rest(LOOK_NS);
	return byte;
}

/* Let the guest pass windows until QEMU has answered. -ERESTART: the guest started anew before. One
 * question at a time, or a guest that starts all the time would bury QEMU in them. */
static int pass_windows(struct vm *vm, json_t **ret, struct patience *patience,
			struct ktstr_error *err)
{
	bool is_late = false;

	for (;;) {
		int rc = qmp_take(vm->qmp, ret, err);

		if (rc == 1)
			return is_late ? -ERESTART : 0;
		if (rc < 0)
			return rc;
		if (has_commit(vm) || patience_is_over(patience))
			return ktstr_fail(err, -EAGAIN, "QEMU did not come to tell the registers");
		if (pass_window(vm) == WIRE_FREEZE_START)
			is_late = true;
	}
}

/* And then, as long as there are any, until its main thread is done with that, or it would look at
 * the CPUs when they are about to sleep (see qemu_gate.c). -ERESTART: the guest started anew. */
static int pass_more_windows(const struct vm *vm)
{
	struct patience patience = patience_new(WORK_TIMEOUT_NS);

	while (is_main_at_work(vm) && !has_commit(vm) && !patience_is_over(&patience))
		if (pass_window(vm) == WIRE_FREEZE_START)
			return -ERESTART;
	return 0;
}

/* Ask for the registers in the windows of one start. -ERESTART: there was another one. */
static int ask_registers(struct vm *vm, json_t **ret, struct patience *patience,
			 struct ktstr_error *err)
{
	int rc = qmp_ask(vm->qmp, "human-monitor-command",
			 json_pack("{s:s}", "command-line", "info registers -a"), err);

	if (rc == 0)
		rc = pass_windows(vm, ret, patience, err);
	qmp_forget(vm->qmp);
	if (rc == 0)
		rc = pass_more_windows(vm);
	if (rc == 0)
		rc = pass_until(vm, WIRE_FREEZE_COMMIT, WIRE_FREEZE_START, patience, err);
	if (rc == WIRE_FREEZE_START)
		rc = -ERESTART;
	if (rc == -ERESTART)
		json_decref(steal_ptr(*ret));
	return rc < 0 ? rc : 0;
}

static int wait_until_it_stands(const struct vm *vm, struct ktstr_error *err)
{
	struct patience patience = patience_new(STAND_TIMEOUT_NS);

	for (;;) {
		int rc = stands_still(vm);

		if (rc < 0)
			rest(BLIND_WAIT_NS);
		if (rc != 0)
			return 0;
		if (patience_is_over(&patience))
			return ktstr_fail(err, -EAGAIN, "the guest does not stand still");
		rest(LOOK_NS);
	}
}

static int take_registers(struct vm *vm, const json_t *answer, struct ktstr_error *err)
{
	int rc;

	if (!vm->held)
		vm->held = calloc(vm->cpus, sizeof(*vm->held));
	if (!vm->held)
		return ktstr_fail(err, -ENOMEM, "out of memory for registers");
	if (!json_is_string(answer))
		return ktstr_fail(err, -EPROTO, "QEMU's monitor gave no text");
	rc = registers_parse_all(json_string_value(answer), vm->held, vm->cpus, err);
	for (uint32_t i = 0; i < vm->cpus && rc == 0; i++)
		settle_asker(&vm->held[i]);
	return rc;
}

int vm_hold(struct vm *vm, struct ktstr_error *err)
{
	struct patience patience = patience_new(ROUND_TIMEOUT_NS);
	json_t *answer = NULL;
	int rc = make_it_wait(vm, err);

	if (rc == 0)
		rc = pass_until(vm, WIRE_FREEZE_START, WIRE_FREEZE_START, &patience, err);
	if (rc >= 0)
		do
			rc = ask_registers(vm, &answer, &patience, err);
		while (rc == -ERESTART);
	if (rc == 0)
		rc = take_registers(vm, answer, err);
	json_decref(answer);
	if (rc == 0)
		rc = wait_until_it_stands(vm, err);
	vm->is_held = rc == 0;
	return rc;
}

void vm_release(struct vm *vm)
{
	vm->is_held = false;
	io_drain(vm->fds[CHANNEL_FREEZE]);
}

int vm_answer(struct vm *vm, const void *frames, size_t length, struct ktstr_error *err)
{
	if (vm->answers_fd < 0)
		return ktstr_fail(err, -ENODEV, "this VM has no memory for answers");
	return job_answer(vm->answers_fd, ++vm->answers, frames, length, err);
}
