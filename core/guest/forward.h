/* SPDX-License-Identifier: GPL-2.0-only */
/* What the session, its plugins and its workers print, and what schedulers log, as frames. */
#ifndef GUEST_FORWARD_H
#define GUEST_FORWARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "guest/port.h"

#define FORWARD_CHUNK_MAX 4096u
/* Of a scheduler's log: the largest frame, and the bytes that are kept of a run. What comes after
 * is read and dropped, this often: whoever writes so much waits, and all others get to work. */
#define FORWARD_LOG_CHUNK_MAX (64u * 1024u)
#define FORWARD_LOG_MAX (UINT64_C(16) << 20)
#define FORWARD_DROP_INTERVAL_NS (10 * NS_PER_MS)

struct forward {
	int read_fd;  /* non-blocking */
	int write_fd; /* the session's */
	uint32_t msg_type;
	uint32_t chunk_max;
	uint64_t bytes_max; /* that are sent; 0: all */
	uint64_t sent;
	uint64_t dropped;
	uint64_t rest_ns; /* not to be read before this; 0: at any time */
};

/* A pipe whose bytes become frames of @msg_type. 0 or a negative errno. */
int forward_init(struct forward *forward, uint32_t msg_type);
/* The same for KTSTR_MSG_SCHED_LOG, with the limits above. */
int forward_init_log(struct forward *forward);
void forward_done(struct forward *forward);
/* In the session: the writing end, which is the caller's from now on; the other is closed. */
int forward_take_write_fd(struct forward *forward);
/* The reader has no more use of the writing end once the session holds it. */
void forward_close_write(struct forward *forward);

/* What to wait for: -1 while it rests. */
int forward_poll_fd(const struct forward *forward, uint64_t now_ns);

/*
 * Send what is there, in frames of at most chunk_max bytes; at most @max_frames of them, 0: all.
 * Beyond bytes_max it is only counted, and the last frame says so. Returns 0, -ENODATA once every
 * writer is gone and all was sent, or what the port said.
 */
int forward_pump(struct forward *forward, struct port *port, unsigned int max_frames);

/* One more frame that says how much was dropped, if anything was. */
int forward_tell_dropped(const struct forward *forward, struct port *port);

#endif
