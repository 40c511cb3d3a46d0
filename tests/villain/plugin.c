/* SPDX-License-Identifier: GPL-2.0-only */
/* The scenario that names a trick to the villain, which plays it in place of the agent. */
#include "ktstr/scenario.h"

enum {
	P_TRICK,
	P_DURATION,
};

static const struct ktstr_param params[] = {
	[P_TRICK] = { .key = "trick",
		      .help = "what the villain does; none: an honest run",
		      .type = KTSTR_PARAM_STRING,
		      .fallback = "none",
		      .min = 1,
		      .max = 64 },
	[P_DURATION] = { .key = "duration",
			 .help = "how long the run may take, beside the watchdog's time",
			 .type = KTSTR_PARAM_DURATION,
			 .fallback = "100ms" },
	{ .key = NULL },
};

static int needs(const struct ktstr_value *values, struct ktstr_needs *needs,
		 struct ktstr_error *err)
{
	(void)err;
	needs->duration_ns = (uint64_t)values[P_DURATION].i;
	return 0;
}

static int run(struct ktstr_guest *g, const struct ktstr_value *values, void *state,
	       struct ktstr_error *err)
{
	(void)g;
	(void)values;
	(void)state;
	return ktstr_fail(err, -ENOTSUP, "this is the real agent, and no villain");
}

static const struct ktstr_scenario_ops ops = { .size = sizeof(ops), .needs = needs, .run = run };

KTSTR_PLUGIN_DEFINE(KTSTR_KIND_SCENARIO, .name = "villain", .version = "1.0",
		    .summary = "tell the villain which trick to play", .params = params,
		    .scenario = &ops, .license = "GPL-2.0-only");
