/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The wait of a session whose scheduler is up already for the rest of its job. A machine is saved
 * in the middle of it, and each run begins there.
 */
#ifndef GUEST_REST_H
#define GUEST_REST_H

#include <stdint.h>

#include "guest/scheduler_life.h"
#include "guest/session.h"
#include "ktstr/error.h"

/*
 * Tell the host that the scheduler is up, wait for the rest of the job, and unpack it as @spec
 * says. *ret_seed is the run's, and the kernel's random numbers start from it. -ESRCH when the
 * scheduler died meanwhile, -ECANCELED when the host wants an early end.
 */
int rest_take(const struct session_spec *spec, const struct session_status *status,
	      struct life *life, uint64_t *ret_seed, struct ktstr_error *err);

#endif
