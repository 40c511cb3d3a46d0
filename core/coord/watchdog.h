/* SPDX-License-Identifier: GPL-2.0-only */
/* Which limit of time a run stands under at the moment. Pure arithmetic; all times are ns since the
 * start of the run. */
#ifndef COORD_WATCHDOG_H
#define COORD_WATCHDOG_H

#include <stdint.h>

#include "base/clock.h"
#include "coord/coord.h"

/* The scenario may stop its clock, but not for longer than this at a time, and what its changes of
 * the scheduler may take. */
#define WATCHDOG_PAUSE_MAX_NS (30 * NS_PER_S)

/* The guest may have itself frozen: that is not the scenario's time, up to so much in a run. */
#define WATCHDOG_FREEZE_MAX_NS (60 * NS_PER_S)

struct watchdog_limit {
	uint64_t at_ns; /* UINT64_MAX: there is none */
	enum coord_end end;
	const char *what; /* what did not happen in time */
};

/* @result: what the run has seen so far. */
struct watchdog_limit watchdog_limit(const struct coord_spec *spec,
				     const struct coord_result *result);

/* The guest stood still for @frozen_ns because it asked for that: its limits move. */
void watchdog_extend(struct dispatch_sinks *sinks, uint64_t frozen_ns);

#endif
