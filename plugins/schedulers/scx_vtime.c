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

static void before_stop(struct ktstr_guest *g, struct ktstr_scx *scx)
{
	struct ktstr_error err = { 0 };
	void *direct = NULL, *queued = NULL;

	if (ktstr_scx_variable(scx, "direct_count", sizeof(uint64_t), &direct, &err) == 0 &&
	    ktstr_scx_variable(scx, "queued_count", sizeof(uint64_t), &queued, &err) == 0)
		ktstr_log(g, KTSTR_LOG_INFO,
			  "scx_vtime: %" PRIu64 " tasks went straight to an idle CPU, %" PRIu64
			  " into the queue",
			  *(volatile uint64_t *)direct, *(volatile uint64_t *)queued);
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
