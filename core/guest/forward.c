/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/forward.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Bytes in the pipe of a scheduler's log, so that a short burst does not make it wait. */
#define LOG_PIPE_BYTES (1024 * 1024)

int forward_init(struct forward *forward, uint32_t msg_type)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	if (fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0) {
		int rc = -errno;

		(void)close(fds[0]); /* nothing is in it */
		(void)close(fds[1]);
		return rc;
	}
	*forward = (struct forward){ .read_fd = fds[0],
				     .write_fd = fds[1],
				     .msg_type = msg_type,
				     .chunk_max = FORWARD_CHUNK_MAX };
	return 0;
}

int forward_init_log(struct forward *forward)
{
	int rc = forward_init(forward, KTSTR_MSG_SCHED_LOG);

	if (rc < 0)
		return rc;
	forward->chunk_max = FORWARD_LOG_CHUNK_MAX;
	forward->bytes_max = FORWARD_LOG_MAX;
	(void)fcntl(forward->read_fd, F_SETPIPE_SZ, LOG_PIPE_BYTES); /* or a small one */
	return 0;
}

int forward_take_write_fd(struct forward *forward)
{
	int fd = steal_fd(&forward->write_fd);

	forward_done(forward);
	return fd;
}

void forward_close_write(struct forward *forward)
{
	if (forward->write_fd >= 0)
		(void)close(forward->write_fd); /* another process holds it */
	forward->write_fd = -1;
}

void forward_done(struct forward *forward)
{
	if (!forward)
		return;
	forward_close_write(forward);
	if (forward->read_fd >= 0)
		(void)close(forward->read_fd);
	forward->read_fd = -1;
}

int forward_poll_fd(const struct forward *forward, uint64_t now_ns)
{
	return now_ns < forward->rest_ns ? -1 : forward->read_fd;
}

static int tell_full(struct forward *forward, struct port *port)
{
	char line[128];
	int length = snprintf(line, sizeof(line),
			      "\nktstr: more than %llu MiB of log; the rest is dropped\n",
			      (unsigned long long)(forward->bytes_max >> 20));

	return port_send(port, forward->msg_type, line, (uint32_t)length);
}

/* Send what fits of @length bytes, and count the rest. */
static int take(struct forward *forward, struct port *port, const char *bytes, size_t length)
{
	uint64_t room = forward->bytes_max - forward->sent;
	uint32_t fits = (uint32_t)(forward->bytes_max && room < length ? room : length);
	int rc = fits ? port_send(port, forward->msg_type, bytes, fits) : 0;

	forward->sent += fits;
	if (rc == 0 && fits < length && !forward->dropped)
		rc = tell_full(forward, port);
	forward->dropped += length - fits;
	if (forward->dropped)
		forward->rest_ns = clock_monotonic_ns() + FORWARD_DROP_INTERVAL_NS;
	return rc;
}

int forward_pump(struct forward *forward, struct port *port, unsigned int max_frames)
{
	char chunk[FORWARD_LOG_CHUNK_MAX];

	for (unsigned int frames = 0; max_frames == 0 || frames < max_frames;) {
		ssize_t n = read(forward->read_fd, chunk, forward->chunk_max);
		int rc;

		if (n == 0)
			return -ENODATA;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		rc = take(forward, port, chunk, (size_t)n);
		if (rc < 0)
			return rc;
		frames++;
	}
	return 0;
}

int forward_tell_dropped(const struct forward *forward, struct port *port)
{
	char line[128];
	int length;

	if (!forward->dropped)
		return 0;
	length = snprintf(line, sizeof(line), "ktstr: %llu bytes of log were dropped\n",
			  (unsigned long long)forward->dropped);
	return port_send(port, forward->msg_type, line, (uint32_t)length);
}
