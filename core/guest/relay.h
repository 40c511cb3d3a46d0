/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bytes from the host to the session: PID 1 alone has the port, and the session alone asks. They
 * are passed on as they are; what the session does not take waits, and then the host does.
 */
#ifndef GUEST_RELAY_H
#define GUEST_RELAY_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

#define RELAY_BYTES ((size_t)32 * 1024)

struct relay {
	int from_fd;	/* the port; -1 once nothing comes any more. Not ours to close */
	int to_fd;	/* PID 1's end of a socket to the session */
	int session_fd; /* the session's end */
	size_t start;
	size_t end;
	uint8_t bytes[RELAY_BYTES];
};

/* 0 or a negative errno. */
int relay_init(struct relay *relay, int from_fd);
void relay_done(struct relay *relay);

/* In the session: the end to read replies from, which is the caller's from now on; the others are
 * closed. */
int relay_take_session_fd(struct relay *relay);
/* In PID 1, once there is a session. */
void relay_close_session_fd(struct relay *relay);

/* What to wait for: the port while there is room, else the session. */
void relay_poll(const struct relay *relay, struct pollfd *ret);
/* That happened. */
void relay_pump(struct relay *relay, const struct pollfd *poll_fd);

#endif
