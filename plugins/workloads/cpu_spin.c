/* SPDX-License-Identifier: GPL-2.0-only */
/* Spin on the CPU, without ever giving it up. */
#include "ktstr/workload.h"
#include "spin.h"

enum {
	P_BURST,
};

static const struct ktstr_param params[] = {
	[P_BURST] = { .key = "burst",
		      .help = "turns of the spin loop in one iteration, a work unit each",
		      .type = KTSTR_PARAM_INT,
		      .fallback = "1024",
		      .min = 1,
		      .max = 1000000 },
	{ .key = NULL },
};

static int run(struct ktstr_worker *w, struct ktstr_error *err)
{
	int64_t burst = w->values[P_BURST].i;

	(void)err;
	while (!ktstr_worker_stopping(w)) {
		spin(burst);
		ktstr_worker_progress(w, (uint64_t)burst);
	}
	return 0;
}

static const struct ktstr_workload_ops ops = {
	.size = sizeof(ops),
	.run = run,
};

KTSTR_PLUGIN_DEFINE(KTSTR_KIND_WORKLOAD, .name = "cpu_spin", .version = "1.0",
		    .summary = "spins on the CPU", .params = params, .workload = &ops,
		    .license = "GPL-2.0-only");
