/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/relay.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

int relay_init(struct relay *relay, int from_fd)
{
	int ends[2];

	relay->from_fd = from_fd;
	relay->to_fd = relay->session_fd = -1;
	relay->start = relay->end = 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	relay->to_fd = ends[0];
	relay->session_fd = ends[1];
	return 0;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* whoever reads it will see its end */
	*fd = -1;
}

void relay_done(struct relay *relay)
{
	if (!relay)
		return;
	close_fd(&relay->to_fd);
	close_fd(&relay->session_fd);
	relay->from_fd = -1;
}

int relay_take_session_fd(struct relay *relay)
{
	int fd = steal_fd(&relay->session_fd);

	relay_done(relay);
	return fd;
}

void relay_close_session_fd(struct relay *relay)
{
	close_fd(&relay->session_fd);
}

void relay_poll(const struct relay *relay, struct pollfd *ret)
{
	if (relay->start < relay->end)
		*ret = (struct pollfd){ .fd = relay->to_fd, .events = POLLOUT };
	else
		*ret = (struct pollfd){ .fd = relay->from_fd, .events = POLLIN };
}

/* Nothing will be passed on any more, and the session sees that. */
static void stop(struct relay *relay)
{
	relay->from_fd = -1;
	relay->start = relay->end = 0;
	close_fd(&relay->to_fd);
}

void relay_pump(struct relay *relay, const struct pollfd *poll_fd)
{
	ssize_t n;

	if (relay->start == relay->end) {
		/* A port without a host is always ready, and has nothing. */
		n = poll_fd->revents & POLLIN ? read(relay->from_fd, relay->bytes, RELAY_BYTES) : 0;
		if (n <= 0 && !(n < 0 && (errno == EINTR || errno == EAGAIN)))
			stop(relay);
		if (n <= 0)
			return;
		relay->start = 0;
		relay->end = (size_t)n;
	}
	n = send(relay->to_fd, relay->bytes + relay->start, relay->end - relay->start,
		 MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		stop(relay); /* the session is gone */
	else if (n > 0)
		relay->start += (size_t)n;
}
