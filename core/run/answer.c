/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/answer.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "run/cpu_wait.h"

/* How often the clock is looked at. */
#define LOOK_MS 50

enum {
	BULK,
	CRASHES,
	MONITOR,
	QEMU,
	SIGNALS,
	SOURCES
};

static bool is_late(const struct vm *vm, uint64_t start_ns, uint64_t timeout_ns)
{
	uint64_t elapsed_ns = clock_monotonic_ns() - start_ns;

	if (elapsed_ns < timeout_ns)
		return false;
	return elapsed_ns - timeout_ns >=
	       cpu_wait_allowance_ns(cpu_wait_ns(vm_pid(vm)), elapsed_ns, timeout_ns);
}

/* A socket that was closed is ready, too. */
static bool has_words(const struct pollfd *poll_fd)
{
	char byte;

	return poll_fd->revents & POLLIN &&
	       recv(poll_fd->fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT) > 0;
}

int answer_wait(struct vm *vm, int signal_fd, uint64_t timeout_ns, struct ktstr_error *err)
{
	struct pollfd poll_fds[SOURCES] = {
		[BULK] = { .fd = vm_bulk_fd(vm), .events = POLLIN },
		[CRASHES] = { .fd = vm_com2_fd(vm), .events = POLLIN },
		[MONITOR] = { .fd = vm_monitor_fd(vm), .events = POLLIN },
		[QEMU] = { .fd = vm_pid_fd(vm), .events = POLLIN },
		[SIGNALS] = { .fd = signal_fd, .events = POLLIN },
	};
	uint64_t start_ns = clock_monotonic_ns();

	for (;;) {
		enum vm_event event;

		/* What it said before it ended counts. */
		if (has_words(&poll_fds[BULK]) || has_words(&poll_fds[CRASHES]))
			return 0;
		if (poll_fds[SIGNALS].revents)
			return ktstr_fail(err, -EINTR, "interrupted");
		event = vm_poll(vm);
		if (event != VM_EVENT_NONE)
			return ktstr_fail(err, event == VM_EVENT_INTERNAL_ERROR ? -EPIPE : -EBADMSG,
					  "the restored VM broke before its guest said anything");
		if (poll_fds[QEMU].revents || poll_fds[BULK].revents & POLLHUP)
			return ktstr_fail(err, -EPIPE,
					  "QEMU ended before the restored guest said anything");
		if (is_late(vm, start_ns, timeout_ns))
			return ktstr_fail(err, -ETIMEDOUT,
					  "the restored guest did not say anything for %.1f s",
					  (double)timeout_ns / NS_PER_S);
		(void)poll(poll_fds, ARRAY_SIZE(poll_fds), LOOK_MS);
	}
}
