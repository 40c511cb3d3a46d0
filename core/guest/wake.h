/* SPDX-License-Identifier: GPL-2.0-only */
/* The host's single bytes to the agent, on the console port. */
#ifndef GUEST_WAKE_H
#define GUEST_WAKE_H

#include <stdbool.h>
#include <stdint.h>

struct wake_news {
	bool is_shutdown; /* WIRE_WAKE_SHUTDOWN: end early, in order */
	bool is_received; /* WIRE_WAKE_STREAM_RECEIVED */
};

/* Open the terminal @path raw and non-blocking. The fd, or a negative errno: then no wake comes. */
int wake_open(const char *path);

/* Read what is there, and add it to @news. 0, or a negative errno when nothing will ever come any
 * more. */
int wake_read(int fd, struct wake_news *news);

/* Wait until the host has the stream or wants an end, at most @timeout_ns. */
void wake_wait_received(int fd, uint64_t timeout_ns);

#endif
