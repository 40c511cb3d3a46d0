/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Give the CPU up, again and again. A yield lasts as long as the others on the CPU like, so the
 * agent looks at the clock after each.
 */
#include <sched.h>

#include "ktstr/workload.h"

/* Work units of one yield: as many as make the agent look. */
#define YIELD_UNITS 1024

static int run(struct ktstr_worker *w, struct ktstr_error *err)
{
	while (!ktstr_worker_stopping(w)) {
		if (sched_yield() < 0)
			return ktstr_fail(err, -errno, "cannot yield: %s", strerror(errno));
		ktstr_worker_progress(w, YIELD_UNITS);
	}
	return 0;
}

static const struct ktstr_workload_ops ops = {
	.size = sizeof(ops),
	.run = run,
};

KTSTR_PLUGIN_DEFINE(KTSTR_KIND_WORKLOAD, .name = "yield_heavy", .version = "1.0",
		    .summary = "calls sched_yield() all the time", .workload = &ops,
		    .license = "GPL-2.0-only");
