/* SPDX-License-Identifier: GPL-2.0-only */
/* The channels between a VM and us: sockets, and in virtual time files where they lead out. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "vm/internal.h"

/* Between two looks at channels that are files. */
#define NEWS_NS ((long)NS_PER_MS)
/* The kernel cuts this at net.core.wmem_max. */
#define CHANNEL_BYTES (1 << 20)

static void enlarge(int fd)
{
	const int bytes = CHANNEL_BYTES;

	/* Only speed depends on it. Beyond the system's limit with CAP_NET_ADMIN alone. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

static int open_socket(struct vm *vm, int *wires, size_t channel)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	vm->fds[channel] = ends[0];
	wires[channel] = ends[1];
	return fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

/* One that is soon full: whoever writes then waits until we read. */
static int narrow(struct vm *vm, const int *wires)
{
	const int least = 1; /* the kernel knows how little that can be */
	int fd = wires[CHANNEL_FREEZE];

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof(least)) < 0)
		return -errno;
	vm->freeze_number = fd;
	vm->freeze_peer_fd = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	return vm->freeze_peer_fd < 0 ? -errno : 0;
}

/* One that takes whatever is written. */
static int open_file(struct vm *vm, int *wires, size_t channel)
{
	vm->fds[channel] = memfd_create("ktstr-channel", MFD_CLOEXEC);
	if (vm->fds[channel] < 0)
		return -errno;
	wires[channel] = fcntl(vm->fds[channel], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	return wires[channel] < 0 ? -errno : 0;
}

/* Time to look at files again: the kernel, which could tell that they grow, takes up to a tenth of
 * a second to forget that it was asked to (inotify). */
static int open_news(struct vm *vm)
{
	const struct itimerspec timer = { .it_interval.tv_nsec = NEWS_NS,
					  .it_value.tv_nsec = NEWS_NS };

	vm->news_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (vm->news_fd < 0)
		return -errno;
	return timerfd_settime(vm->news_fd, 0, &timer, NULL) < 0 ? -errno : 0;
}

static bool leads_out(size_t channel)
{
	return channel == CHANNEL_COM1 || channel == CHANNEL_COM2 || channel == CHANNEL_BULK;
}

int vm_channels_open(struct vm *vm, int wires[CHANNEL_COUNT], int *ret_stderr_fd, bool is_virtual,
		     struct ktstr_error *err)
{
	int ends[2], rc = 0;

	if (is_virtual)
		rc = open_news(vm);
	for (size_t i = 0; i < CHANNEL_COUNT && rc == 0; i++)
		if (is_virtual && leads_out(i))
			rc = open_file(vm, wires, i);
		else if (is_virtual || i != CHANNEL_FREEZE)
			rc = open_socket(vm, wires, i);
	if (rc == 0 && is_virtual)
		rc = narrow(vm, wires);
	if (rc < 0)
		return ktstr_fail(err, rc, "cannot open a channel to the VM: %s", strerror(-rc));
	if (!is_virtual)
		enlarge(wires[CHANNEL_BULK]);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return ktstr_fail(err, -errno, "cannot open a pipe for QEMU's messages: %s",
				  strerror(errno));
	vm->stderr_fd = ends[0];
	*ret_stderr_fd = ends[1];
	if (fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0)
		return ktstr_fail(err, -errno, "cannot open a pipe for QEMU's messages: %s",
				  strerror(errno));
	return 0;
}
