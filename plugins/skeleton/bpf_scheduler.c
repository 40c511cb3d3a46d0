/* SPDX-License-Identifier: MIT */
/*
 * The user half of a scheduler plugin that carries BPF, to start from.
 *
 *	scheduler: {plugin: my_bpf_scheduler, slice: 5ms, timeout: 10s}
 *
 * The library loads the object, looks after the scheduler, and tells why it ended.
 */
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

/* Guest, before the kernel sees the object: what stands in the scenario file goes into it. */
static int configure(struct ktstr_scx *scx, const struct ktstr_value *values,
		     struct ktstr_error *err)
{
	int code = ktstr_scx_set_int(scx, "slice_ns", values[P_SLICE].i, err);

	return code < 0 ? code : ktstr_scx_set_timeout(scx, &values[P_TIMEOUT], err);
}

/* Guest, at the end: a line for the log. */
static void before_stop(struct ktstr_guest *g, struct ktstr_scx *scx)
{
	struct ktstr_error err = { 0 };
	void *count = NULL;

	if (ktstr_scx_variable(scx, "queued_count", sizeof(uint64_t), &count, &err) == 0)
		ktstr_log(g, KTSTR_LOG_INFO, "%llu tasks were queued",
			  (unsigned long long)*(volatile uint64_t *)count);
}

KTSTR_SCX_OBJECT(my_object);

static const struct ktstr_scx_spec spec = {
	.size = sizeof(spec),
	.name = "my_bpf_scheduler",
	.ops = "my_ops", /* as KTSTR_SCX_DEFINE() has it in the BPF half */
	.object = my_object,
	.object_end = my_object_end,
	.configure = configure,
	.before_stop = before_stop,
};

KTSTR_SCX_PLUGIN_DEFINE(spec, .name = "my_bpf_scheduler", .version = "1.0",
			.summary = "a BPF scheduler to start from", .params = params,
			.license = "MIT");
