/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/forward.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"

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
	*forward = (struct forward){ .read_fd = fds[0], .write_fd = fds[1], .msg_type = msg_type };
	return 0;
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

int forward_pump(struct forward *forward, struct port *port, unsigned int max_frames)
{
	char chunk[FORWARD_CHUNK_MAX];

	for (unsigned int frames = 0; max_frames == 0 || frames < max_frames;) {
		ssize_t n = read(forward->read_fd, chunk, sizeof(chunk));
		int rc;

		if (n == 0)
			return -ENODATA;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		rc = port_send(port, forward->msg_type, chunk, (uint32_t)n);
		if (rc < 0)
			return rc;
		frames++;
	}
	return 0;
}
