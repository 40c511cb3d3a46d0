/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/kvm.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "vm/kvm_guest.h"

/* What the child may take of a CPU; time in which it waits for one is no fault of KVM's. */
#define CPU_TIME_MS 400
/* What it may take if it takes no CPU, and then the time that its end may take. */
#define PROBE_MS 10000
#define END_MS 1000
/* How often its CPU time is looked at. */
#define LOOK_MS 20

/* What the child sends. */
struct answer {
	uint8_t works;
	char reason[sizeof(((struct kvm_probe *)NULL)->reason)];
};

__attribute__((format(printf, 2, 3))) static void say(struct answer *answer, const char *format,
						      ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(answer->reason, sizeof(answer->reason), format, args);
	va_end(args);
}

static void probe(const char *path, struct answer *answer)
{
	_cleanup_close_ int kvm = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	_cleanup_close_ int vm = -1;
	int version;

	if (kvm < 0) {
		say(answer, "cannot open %s: %s", path, strerror(errno));
		return;
	}
	version = ioctl(kvm, KVM_GET_API_VERSION, 0);
	if (version != KVM_API_VERSION) {
		if (version < 0)
			say(answer, "%s is no KVM device: %s", path, strerror(errno));
		else
			say(answer, "%s speaks version %d of KVM's interface instead of %d", path,
			    version, KVM_API_VERSION);
		return;
	}
	do {
		vm = ioctl(kvm, KVM_CREATE_VM, 0);
	} while (vm < 0 && errno == EINTR);
	if (vm < 0) {
		say(answer, "%s cannot make a virtual machine: %s", path, strerror(errno));
		return;
	}
	answer->works = kvm_guest_run(kvm, vm, answer->reason, sizeof(answer->reason));
}

/* In a child: the kernel may take any time for any of these calls. */
__attribute__((noreturn)) static void run_child(const char *path, int out, pid_t parent)
{
	struct answer answer = { 0 };

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	probe(path, &answer);
	_exit(io_write_all(out, &answer, sizeof(answer)) ? 1 : 0);
}

/* Wait for the pipe's other end to say something or to close, until @deadline. */
static bool wait_for(int fd, uint64_t deadline)
{
	for (;;) {
		struct pollfd readable = { .fd = fd, .events = POLLIN };
		uint64_t now = clock_monotonic_ns();
		int found;

		if (now >= deadline)
			return false;
		found = poll(&readable, 1, (int)((deadline - now + NS_PER_MS - 1) / NS_PER_MS));
		if (found > 0)
			return true;
		if (found < 0 && errno != EINTR)
			return false;
	}
}

/* The pipe closes when the child is as good as gone; one that even SIGKILL does not end is left. */
static void end_child(pid_t child, int in, uint64_t deadline)
{
	char rest;

	(void)kill(child, SIGKILL); /* not yet reaped, so it is still this child */
	if (!wait_for(in, deadline) || read(in, &rest, 1) != 0)
		return;
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
}

/* A child that has just ended takes none. */
static uint64_t cpu_time_of(pid_t child)
{
	struct timespec spent;
	clockid_t clock;

	if (clock_getcpuclockid(child, &clock) != 0 || clock_gettime(clock, &spent) < 0)
		return 0;
	return (uint64_t)spent.tv_sec * NS_PER_S + (uint64_t)spent.tv_nsec;
}

/* Until the child answers or is gone; false, and why, when it takes too long. */
static bool wait_for_answer(pid_t child, int in, uint64_t start, struct kvm_probe *ret)
{
	uint64_t deadline = start + PROBE_MS * NS_PER_MS;

	while (!wait_for(in, clock_monotonic_ns() + LOOK_MS * NS_PER_MS)) {
		if (cpu_time_of(child) >= CPU_TIME_MS * NS_PER_MS) {
			(void)snprintf(ret->reason, sizeof(ret->reason),
				       "the test guest did not finish in %d ms of CPU time",
				       CPU_TIME_MS);
			return false;
		}
		if (clock_monotonic_ns() >= deadline) {
			(void)snprintf(ret->reason, sizeof(ret->reason),
				       "the test guest did not finish in %d s", PROBE_MS / 1000);
			return false;
		}
	}
	return true;
}

static void follow_child(pid_t child, int in, uint64_t start, struct kvm_probe *ret)
{
	struct answer answer = { 0 };

	if (wait_for_answer(child, in, start, ret)) {
		if (io_read_all(in, &answer, sizeof(answer)))
			(void)snprintf(ret->reason, sizeof(ret->reason), "the test process died");
		else
			*ret = (struct kvm_probe){ .works = answer.works };
	}
	if (answer.reason[0]) {
		answer.reason[sizeof(answer.reason) - 1] = '\0';
		memcpy(ret->reason, answer.reason, sizeof(ret->reason));
	}
	end_child(child, in, clock_monotonic_ns() + END_MS * NS_PER_MS);
}

void kvm_probe_run(const char *path, struct kvm_probe *ret)
{
	uint64_t start = clock_monotonic_ns();
	pid_t parent = getpid();
	int ends[2];
	pid_t child;

	*ret = (struct kvm_probe){ 0 };
	if (pipe2(ends, O_CLOEXEC)) {
		(void)snprintf(ret->reason, sizeof(ret->reason), "cannot make a pipe: %s",
			       strerror(errno));
		return;
	}
	child = fork();
	if (child == 0)
		run_child(path, ends[1], parent);
	(void)close(ends[1]); /* so that the pipe closes with the child */
	if (child < 0)
		(void)snprintf(ret->reason, sizeof(ret->reason), "cannot start a process: %s",
			       strerror(errno));
	else
		follow_child(child, ends[0], start, ret);
	(void)close(ends[0]); /* only read from */
	ret->took_ns = clock_monotonic_ns() - start;
}
