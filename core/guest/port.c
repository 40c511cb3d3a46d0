/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/port.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/str.h"

/* What the host's socket takes without a reader, and what a frame costs there beyond its bytes. */
#define HOST_BUFFER_BYTES (128 * 1024)
#define HOST_FRAME_BYTES 2048
/* How long a full port is waited for before it is tried again. */
#define FULL_RETRY_MS 5

static const uint64_t never = JOB_AREA_NEVER;

void port_init(struct port *port, int fd)
{
	*port = (struct port){ .fd = fd, .stop_after = &never };
}

void port_done(struct port *port)
{
	if (port && port->fd >= 0)
		(void)close(port->fd); /* writes to a port are done when they return */
	if (port)
		port->fd = -1;
}

static int name_matches(const char *sysfs, const char *entry, const char *name)
{
	_cleanup_free_ char *path = str_format("%s/%s/name", sysfs, entry);
	_cleanup_free_ char *text = NULL;
	struct ktstr_error ignored;

	if (!path || io_read_file(path, 256, &text, NULL, &ignored) < 0)
		return 0;
	text[strcspn(text, "\n")] = '\0';
	return strcmp(text, name) == 0;
}

/* The fd, -ENOENT when there is no such port, or why it cannot be opened. */
static int open_by_name(const char *sysfs, const char *dev, const char *name)
{
	DIR *dir = opendir(sysfs);
	struct dirent *entry;
	int fd = -ENOENT;

	if (!dir)
		return -ENOENT;
	while (fd == -ENOENT && (entry = readdir(dir))) {
		_cleanup_free_ char *path = NULL;

		if (entry->d_name[0] == '.' || !name_matches(sysfs, entry->d_name, name))
			continue;
		path = str_format("%s/%s", dev, entry->d_name);
		fd = path ? open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC) : -1;
		if (fd < 0)
			fd = -errno;
	}
	(void)closedir(dir); /* it was read */
	return fd;
}

int port_open(const char *sysfs, const char *dev, const char *name, uint64_t timeout_ns,
	      struct ktstr_error *err)
{
	uint64_t end_ns = clock_monotonic_ns() + timeout_ns;
	_cleanup_close_ int watch = -1;
	char events[4096];
	int fd;

	for (;;) {
		struct pollfd poll_fd;

		fd = open_by_name(sysfs, dev, name);
		if (fd >= 0)
			return fd;
		if (fd != -ENOENT || clock_monotonic_ns() >= end_ns)
			break;
		if (watch < 0) {
			watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
			(void)inotify_add_watch(watch, dev, IN_CREATE); /* else: by the clock */
		}
		/* The name may come a moment after the node, so the clock wakes us too. */
		poll_fd = (struct pollfd){ .fd = watch, .events = POLLIN };
		if (poll(&poll_fd, 1, 20) > 0)
			(void)!read(watch, events, sizeof(events)); /* only to empty it */
	}
	return ktstr_fail(err, fd, "cannot open the port '%s': %s", name, strerror(-fd));
}

/*
 * The kernel's own wait for room may never end: under TCG of QEMU 7.2 the wake-up of a port's
 * writer gets lost now and then, with both sides idle and the queue empty. So the port is open
 * without waiting, and nobody waits for a wake-up alone.
 */
static void wait_for_room(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };

	(void)poll(&poll_fd, 1, FULL_RETRY_MS); /* the next write tells */
}

static int write_parts(int fd, struct iovec *parts, int count)
{
	while (count > 0) {
		ssize_t n = writev(fd, parts, count);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			wait_for_room(fd);
			continue;
		}
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		while (count > 0 && (size_t)n >= parts->iov_len) {
			n -= (ssize_t)parts->iov_len;
			parts++;
			count--;
		}
		if (count > 0) {
			parts->iov_base = (char *)parts->iov_base + n;
			parts->iov_len -= (size_t)n;
		}
	}
	return 0;
}

int port_write(int fd, const void *bytes, size_t length)
{
	struct iovec part = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = length };

	return length > 0 ? write_parts(fd, &part, 1) : 0;
}

int port_send(struct port *port, uint32_t msg_type, const void *payload, uint32_t length)
{
	uint8_t header[WIRE_HEADER_SIZE];
	struct iovec parts[2] = {
		{ .iov_base = header, .iov_len = sizeof(header) },
		{ .iov_base = (void *)(uintptr_t)payload, .iov_len = length },
	};
	int rc;

	if (length > KTSTR_FRAME_PAYLOAD_MAX)
		return -EMSGSIZE;
	wire_header_encode(msg_type, payload, length, header);
	rc = write_parts(port->fd, parts, length ? 2 : 1);
	if (rc == 0)
		wire_account_add(&port->account, header, length);
	if (port->account.frame_count >= *port->stop_after)
		port->stop();
	return rc;
}

/* The one of @frames, which are whole, after which it is to stop is the last that is sent. */
static void stop_within(struct port *port, const uint8_t *frames, size_t length)
{
	struct ktstr_frame_header header;
	size_t at = 0;

	for (uint64_t count = port->account.frame_count;
	     count < *port->stop_after && at + WIRE_HEADER_SIZE <= length; count++) {
		wire_header_decode(frames + at, &header);
		at += WIRE_HEADER_SIZE + (size_t)header.length;
	}
	/* It stops, come what may. */
	(void)port_write(port->fd, frames, at < length ? at : length);
	port->stop();
}

/* Other processes may have those bytes too, so what was looked at once may be another now. */
static int account_for(struct wire_account *account, const uint8_t *frames, size_t length)
{
	uint8_t bytes[WIRE_HEADER_SIZE];
	struct ktstr_frame_header header;

	while (length >= sizeof(bytes)) {
		memcpy(bytes, frames, sizeof(bytes));
		wire_header_decode(bytes, &header);
		if (header.length > length - sizeof(bytes))
			return -EBADMSG;
		wire_account_add(account, bytes, header.length);
		frames += sizeof(bytes) + header.length;
		length -= sizeof(bytes) + header.length;
	}
	return length > 0 ? -EBADMSG : 0;
}

int port_forward(struct port *port, const void *frames, size_t length)
{
	struct wire_account account = port->account;
	int rc = account_for(&account, frames, length);

	if (rc == 0 && account.frame_count >= *port->stop_after)
		stop_within(port, frames, length);
	if (rc == 0)
		rc = port_write(port->fd, frames, length);
	if (rc == 0)
		port->account = account;
	return rc;
}

int port_end(struct port *port)
{
	struct ktstr_stream_end end = {
		.frame_count = port->account.frame_count,
		.byte_count = port->account.byte_count,
		.headers_crc32 = port->account.headers_crc32,
	};

	return port_send(port, KTSTR_MSG_END, &end, sizeof(end));
}

bool port_may_lag(const struct port *port)
{
	return port->account.byte_count + port->account.frame_count * HOST_FRAME_BYTES >
	       HOST_BUFFER_BYTES;
}
