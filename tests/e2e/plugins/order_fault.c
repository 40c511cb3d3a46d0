/* SPDX-License-Identifier: GPL-2.0-only */
/* A scenario that orders scx_ktstr to break while it runs. */
#include <fcntl.h>
#include <unistd.h>

#include "ktstr/scenario.h"

#define ORDER_PATH "/tmp/ktstr_fault"

enum {
	P_FAULT,
	P_WORKLOAD
};

static const struct ktstr_param params[] = {
	[P_FAULT] = { .key = "fault",
		      .help = "the fault",
		      .type = KTSTR_PARAM_STRING,
		      .flags = KTSTR_PARAM_REQUIRED },
	[P_WORKLOAD] = { .key = "workload",
			 .help = "what runs meanwhile",
			 .type = KTSTR_PARAM_PLUGIN,
			 .fallback = "cpu_spin",
			 .min = KTSTR_KIND_WORKLOAD,
			 .max = KTSTR_KIND_WORKLOAD },
	{ .key = NULL },
};

static int run(struct ktstr_guest *g, const struct ktstr_value *values, void *state,
	       struct ktstr_error *err)
{
	const struct ktstr_spawn_spec spec = { .size = sizeof(spec),
					       .workload = &values[P_WORKLOAD],
					       .workers = 4 };
	const char *fault = values[P_FAULT].s;
	uint32_t group;
	int fd, code;
	ssize_t n;

	(void)state;
	code = ktstr_spawn(g, &spec, &group, err);
	if (code == 0)
		code = ktstr_hold(g, 500000000, err);
	if (code < 0)
		return code;
	fd = open(ORDER_PATH, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	n = fd < 0 ? -1 : write(fd, fault, strlen(fault));
	if (n != (ssize_t)strlen(fault) || close(fd) < 0)
		return ktstr_fail(err, -errno, "cannot write '%s': %s", ORDER_PATH,
				  strerror(errno));
	return ktstr_hold(g, UINT64_C(20000000000), err);
}

static int needs(const struct ktstr_value *values, struct ktstr_needs *needs,
		 struct ktstr_error *err)
{
	needs->duration_ns = UINT64_C(25000000000);
	return ktstr_need_workers(needs, &values[P_WORKLOAD], 4, err);
}

static const struct ktstr_scenario_ops ops = { .size = sizeof(ops), .needs = needs, .run = run };

KTSTR_PLUGIN_DEFINE(KTSTR_KIND_SCENARIO, .name = "order_fault", .version = "1.0",
		    .summary = "orders scx_ktstr to break", .params = params, .scenario = &ops,
		    .license = "GPL-2.0-only");
