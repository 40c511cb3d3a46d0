/* SPDX-License-Identifier: GPL-2.0-only */
/* What the session, its plugins and its workers print, as frames. */
#ifndef GUEST_FORWARD_H
#define GUEST_FORWARD_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/port.h"

#define FORWARD_CHUNK_MAX 4096u

struct forward {
	int read_fd;  /* non-blocking */
	int write_fd; /* becomes fd 1 or 2 of the session */
	uint32_t msg_type;
};

/* A pipe whose bytes become frames of @msg_type. 0 or a negative errno. */
int forward_init(struct forward *forward, uint32_t msg_type);
void forward_done(struct forward *forward);
/* The reader has no more use of the writing end once the session holds it. */
void forward_close_write(struct forward *forward);

/*
 * Send what is there, in frames of at most FORWARD_CHUNK_MAX bytes; at most @max_frames of them, 0:
 * all. Returns 0, -ENODATA once every writer is gone and all was sent, or what the port said.
 */
int forward_pump(struct forward *forward, struct port *port, unsigned int max_frames);

#endif
