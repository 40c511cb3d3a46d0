/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How long the parts of a run may take. In the host's time the coordinator holds it to that; in
 * virtual time PID 1 does, by the guest's clock, and the coordinator only looks at how much CPU
 * time QEMU spends, in case PID 1 never runs.
 */
#ifndef RUN_LIMITS_H
#define RUN_LIMITS_H

#include <stdint.h>

#include "plugin/job.h"
#include "run/prepare.h"

struct run_limits {
	uint64_t boot_ns; /* in virtual time: of QEMU's CPU time */
	uint64_t start_ns;
	uint64_t scenario_ns;
	uint64_t changes_ns; /* of the scheduler: so much longer may the scenario's clock stand */
	uint64_t teardown_ns;
};

struct run_limits run_limits_of(const struct prepared *prepared);

/* What the guest holds by itself: nothing in the host's time. */
struct job_limits run_limits_of_guest(const struct prepared *prepared);

#endif
