/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Spin for a while, sleep for a while. What a sleep takes too long is a wake-up latency.
 *
 * One iteration is one look at the clock within a burst, so that a burst that is interrupted shows
 * as a gap.
 */
#include "ktstr/workload.h"
#include "spin.h"

/* Turns between two looks at the clock: work units of one iteration. */
#define TURNS 1024

enum {
	P_BURST,
	P_SLEEP,
};

static const struct ktstr_param params[] = {
	[P_BURST] = { .key = "burst",
		      .help = "how long to spin",
		      .type = KTSTR_PARAM_DURATION,
		      .fallback = "50ms",
		      .min = 1,
		      .max = INT64_MAX },
	[P_SLEEP] = { .key = "sleep",
		      .help = "how long to sleep after it",
		      .type = KTSTR_PARAM_DURATION,
		      .fallback = "100ms",
		      .min = 1,
		      .max = INT64_MAX },
	{ .key = NULL },
};

static int run(struct ktstr_worker *w, struct ktstr_error *err)
{
	uint64_t burst_ns = (uint64_t)w->values[P_BURST].i;
	uint64_t sleep_ns = (uint64_t)w->values[P_SLEEP].i;

	(void)err;
	while (!ktstr_worker_stopping(w)) {
		uint64_t begin_ns = ktstr_worker_now_ns(w);

		do {
			spin(TURNS);
			ktstr_worker_progress(w, TURNS);
		} while (!ktstr_worker_stopping(w) && ktstr_worker_now_ns(w) - begin_ns < burst_ns);
		if (!ktstr_worker_stopping(w))
			ktstr_worker_sleep_ns(w, sleep_ns);
	}
	return 0;
}

static const struct ktstr_workload_ops ops = {
	.size = sizeof(ops),
	.run = run,
};

KTSTR_PLUGIN_DEFINE(KTSTR_KIND_WORKLOAD, .name = "bursty", .version = "1.0",
		    .summary = "spins and sleeps in turn", .params = params, .workload = &ops,
		    .license = "GPL-2.0-only");
