/* SPDX-License-Identifier: GPL-2.0-only */
/* The user half of scx_vtime. */
#include <inttypes.h>

#include "ktstr/scx.h"

enum {
	P_SLICE,
	P_TIMEOUT,
};

static const struct ktstr_param params[] = {
	[P_SLICE] = { .key = "slice",
		      .help = "how long a task runs before the next has its turn",
		      .type = KTSTR_PARAM_DURATION,
		      .fallback = "20ms",
		      .min = 100000,
		      .max = 1000000000 },
	[P_TIMEOUT] = KTSTR_SCX_PARAM_TIMEOUT,
	{ .key = NULL },
};

static int configure(struct ktstr_scx *scx, const struct ktstr_value *values,
		     struct ktstr_error *err)
{
	int code = ktstr_scx_set_int(scx, "slice_ns", values[P_SLICE].i, err);

	return code < 0 ? code : ktstr_scx_set_timeout(scx, &values[P_TIMEOUT], err);
}

/* A counter of the BPF half; 0 when it cannot be had. */
static uint64_t counter(struct ktstr_scx *scx, const char *variable)
{
	struct ktstr_error err = { 0 };
	void *data = NULL;

	if (ktstr_scx_variable(scx, variable, sizeof(uint64_t), &data, &err) < 0)
		return 0;
	return *(volatile uint64_t *)data;
}

static void before_stop(struct ktstr_guest *g, struct ktstr_scx *scx)
{
	uint64_t crowded = counter(scx, "crowded_count");

	ktstr_log(g, KTSTR_LOG_INFO,
		  "scx_vtime: %" PRIu64 " tasks went straight to an idle CPU, %" PRIu64
		  " into a queue",
		  counter(scx, "direct_count"), counter(scx, "queued_count"));
	if (crowded > 0)
		ktstr_log(g, KTSTR_LOG_WARN,
			  "scx_vtime: there was no place for %" PRIu64
			  " cgroups; their weights did not count",
			  crowded);
}

KTSTR_SCX_OBJECT(vtime_object);

static const struct ktstr_scx_spec spec = {
	.size = sizeof(spec),
	.name = "scx_vtime",
	.ops = "vtime",
	.object = vtime_object,
	.object_end = vtime_object_end,
	.configure = configure,
	.before_stop = before_stop,
};

KTSTR_SCX_PLUGIN_DEFINE(spec, .name = "scx_vtime", .version = "1.0",
			.summary = "sched_ext: weighted virtual time of tasks and cgroups",
			.params = params, .license = "GPL-2.0-only");
