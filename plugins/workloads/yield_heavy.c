/* SPDX-License-Identifier: GPL-2.0-only */
/* Give the CPU up after every unit of work. */
#include <sched.h>

#include "ktstr/workload.h"

static int run(struct ktstr_worker *w, struct ktstr_error *err)
{
	while (!ktstr_worker_stopping(w)) {
		if (sched_yield() < 0)
			return ktstr_fail(err, -errno, "cannot yield: %s", strerror(errno));
		ktstr_worker_progress(w, 1);
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
