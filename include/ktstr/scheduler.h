/* SPDX-License-Identifier: MIT */
/*
 * A scheduler: what is under test. Its host half says what it needs, its guest half starts and
 * stops it.
 */
#ifndef KTSTR_SCHEDULER_H
#define KTSTR_SCHEDULER_H

#include "ktstr/guest.h"
#include "ktstr/needs.h"
#include "ktstr/plugin.h"

struct ktstr_scheduler_ops {
	uint32_t size;
	uint32_t reserved;

	/*
	 * Host, optional: check the values together and say what the VM must have. Must not touch
	 * the machine.
	 */
	int (*needs)(const struct ktstr_value *values, struct ktstr_needs *needs,
		     struct ktstr_error *err);

	/*
	 * Guest, required: bring the scheduler up. Returns when it schedules. *ret_state is handed
	 * to the other ops. On failure nothing may be left behind, and stop() is not called.
	 *
	 * -ESRCH says that the scheduler itself is at fault: the kernel refused it or threw it out,
	 * or its program ended. The run is a FAIL then. Any other error is the machine's or the
	 * plugin's, and the run an ERROR. So it is when start() or stop() take longer than
	 * `scheduler_timeout` of the scenario file: the agent then ends them.
	 */
	int (*start)(struct ktstr_guest *g, const struct ktstr_value *values, void **ret_state,
		     struct ktstr_error *err);

	/*
	 * Guest, optional: 0 while the scheduler is in charge, or -ESRCH with the reason of its
	 * death. Called often between and during steps, so it must be quick.
	 */
	int (*alive)(struct ktstr_guest *g, void *state, struct ktstr_error *err);

	/* Guest, required: take it down, and free the state. Called once after a start() that
	 * returned 0. */
	int (*stop)(struct ktstr_guest *g, void *state, struct ktstr_error *err);
};

#endif
