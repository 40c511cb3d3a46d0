/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What PID 1 does while the session works: pass frames and output on, listen to the host, see the
 * session's end whatever it is, and close the stream.
 */
#ifndef GUEST_SUPERVISOR_H
#define GUEST_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "guest/port.h"
#include "guest/session.h"
#include "ktstr/error.h"

/* After the host asked for an early end: how long plugin code may go on, and how long the agent may
 * then take to wind up. */
#define SUPERVISOR_STOP_GRACE_NS (1 * NS_PER_S)
#define SUPERVISOR_WIND_UP_NS (8 * NS_PER_S)
/* A scheduler that does not let go for so long is thrown out by the kernel. */
#define SUPERVISOR_RELEASE_NS (2 * NS_PER_S)

struct supervisor_spec {
	struct port *port;
	int wake_fd;  /* see wake.h; -1: none */
	bool is_init; /* this process is PID 1: nothing else may live after the session */
	uint64_t stop_grace_ns;
	uint64_t wind_up_ns;
	const char *sched_ext; /* see SCX_SYSFS; NULL: nobody looks whether the kernel is free */
	const char *sysrq;     /* see SCX_SYSRQ; NULL: nothing is thrown out */
	/* The session: runs in a child process, and returns its exit code. */
	int (*session)(void *arg, struct session_link *link);
	void *arg;
};

/*
 * Run the session to its end, then send EXIT and END. Returns the exit code that was sent, or a
 * negative errno when the session could not be started or the port is broken.
 */
int supervisor_run(const struct supervisor_spec *spec, struct ktstr_error *err);

#endif
