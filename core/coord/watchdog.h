/* SPDX-License-Identifier: GPL-2.0-only */
/* Which limit of time a run stands under at the moment. Pure arithmetic; all times are ns since the
 * start of the run, by the clock of limits. */
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

/*
 * What an instruction of an emulated CPU takes of the host's CPU time at most: QEMU does 20
 * millions of them a second, also on a slow host and at its worst.
 */
#define WATCHDOG_INSTRUCTION_CPU_NS 50u

/*
 * So much of its own time a guest in virtual time must at least have had, when QEMU took
 * @cpu_time_ns for it and an instruction takes @instruction_ns there: the clock of limits then.
 */
uint64_t watchdog_spent_ns(uint64_t cpu_time_ns, uint32_t instruction_ns);

/* The other way round: what @spent_ns of the guest may take of CPU time. Without virtual time
 * (@instruction_ns 0) so long itself. */
uint64_t watchdog_cpu_time_ns(uint64_t spent_ns, uint32_t instruction_ns);

struct watchdog_limit {
	uint64_t at_ns; /* UINT64_MAX: there is none */
	enum coord_end end;
	const char *what; /* what did not happen in time */
};

/* @result: what the run has seen so far. */
struct watchdog_limit watchdog_limit(const struct coord_spec *spec,
				     const struct coord_result *result);

/* The guest stood still for @frozen_ns because it asked for that: its limits move, but those of a
 * guest in virtual time, which did not spend anything then. */
void watchdog_extend(struct dispatch_sinks *sinks, uint64_t frozen_ns);

#endif
