/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The limits of time that PID 1 holds a run to, in virtual time: what the guest's own clock says
 * is the same in each run, whatever the host does. Under the host's time the coordinator holds them
 * (coord/watchdog.h), whose rules these are.
 */
#ifndef GUEST_LIMITS_H
#define GUEST_LIMITS_H

#include <stdint.h>

#include "guest/port.h"
#include "plugin/job.h"

/* What a run is at. */
#define LIMITS_OF_NONE 0u
#define LIMITS_OF_START 1u    /* before SCENARIO_START */
#define LIMITS_OF_SCENARIO 2u /* to SCENARIO_END */
#define LIMITS_OF_TEARDOWN 3u /* to the end of the session */

/* In memory that PID 1 and the session share: the session tells how far the run is. */
struct limits {
	struct job_limits job; /* set before the first stage */
	volatile uint32_t stage;
	volatile uint64_t since_ns; /* when the stage began */
	/* The scenario's clock stands still while the agent works for it. */
	volatile uint64_t pause_ns;  /* when it stopped; 0: it goes */
	volatile uint64_t paused_ns; /* for how long it stood before */
};

void limits_enter(struct limits *limits, uint32_t stage, uint64_t now_ns);
void limits_pause(struct limits *limits, uint64_t now_ns);
void limits_resume(struct limits *limits, uint64_t now_ns);

struct limit {
	uint64_t at_ns; /* CLOCK_MONOTONIC; UINT64_MAX: there is none */
	uint64_t length_ns;
	const char *what; /* what did not happen in time */
};

/* The limit that the run stands under, as things are. */
struct limit limits_next(const struct limits *limits);

/* Tell the host that @limit has passed. What the port said. */
int limits_tell(const struct limit *limit, struct port *port);

#endif
