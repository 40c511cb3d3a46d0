/* SPDX-License-Identifier: GPL-2.0-only */
/* Which saved machines there are for a run, without making one. */
#ifndef RUN_BASE_KNOWN_H
#define RUN_BASE_KNOWN_H

#include "ktstr/error.h"
#include "run/base.h"

/* base_id() of the booted one and of that with the scheduler up, which the caller frees; NULL:
 * there is none. */
int run_base_known(const struct run_base_spec *spec, char **ret_booted, char **ret_attached,
		   struct ktstr_error *err);

#endif
