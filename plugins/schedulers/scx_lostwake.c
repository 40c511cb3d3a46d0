/* SPDX-License-Identifier: GPL-2.0-only */
/* The user half of scx_lostwake. */
#include <inttypes.h>

#include "ktstr/scx.h"

enum {
	P_SLICE,
	P_FIXED,
	P_TIMEOUT,
};

static const struct ktstr_param params[] = {
	[P_SLICE] = { .key = "slice",
		      .help = "how long a task runs while others wait",
		      .type = KTSTR_PARAM_DURATION,
		      .fallback = "1ms",
		      .min = 100000,
		      .max = 1000000000 },
	[P_FIXED] = { .key = "fixed",
		      .help = "without the fault",
		      .type = KTSTR_PARAM_BOOL,
		      .fallback = "false" },
	[P_TIMEOUT] = KTSTR_SCX_PARAM_TIMEOUT,
	{ .key = NULL },
};

static int configure(struct ktstr_scx *scx, const struct ktstr_value *values,
		     struct ktstr_error *err)
{
	int code = ktstr_scx_set_int(scx, "slice_ns", values[P_SLICE].i, err);

	if (code == 0)
		code = ktstr_scx_set_int(scx, "fixed", values[P_FIXED].i, err);
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
	ktstr_log(g, KTSTR_LOG_INFO,
		  "scx_lostwake: %" PRIu64 " tasks went straight to an idle CPU, %" PRIu64
		  " into the queue, with %" PRIu64 " calls",
		  counter(scx, "direct_count"), counter(scx, "queued_count"),
		  counter(scx, "call_count"));
}

KTSTR_SCX_OBJECT(lostwake_object);

static const struct ktstr_scx_spec spec = {
	.size = sizeof(spec),
	.name = "scx_lostwake",
	.ops = "lostwake",
	.object = lostwake_object,
	.object_end = lostwake_object_end,
	.configure = configure,
	.before_stop = before_stop,
};

KTSTR_SCX_PLUGIN_DEFINE(spec, .name = "scx_lostwake", .version = "1.0",
			.summary = "sched_ext: a queue for each CPU, and seldom a wake-up is lost",
			.params = params, .license = "GPL-2.0-only");
