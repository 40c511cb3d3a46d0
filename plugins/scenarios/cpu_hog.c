/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A few cgroups full of workers that want the CPU, for a while.
 *
 * The cgroups are hog0, hog1 ..., each with `workers` workers. With `cpuset` other than none, they
 * are spread over the CPUs, so that there are walls to keep to:
 *
 *	llc      cgroup I gets LLC I, counted round
 *	split    cgroup I gets part I of the usable CPUs, in equal parts
 */
#include "ktstr/scenario.h"

#include "cpuset_spec.h"

#define CGROUPS_MAX 64

enum {
	P_CGROUPS,
	P_WORKERS,
	P_WORKLOAD,
	P_DURATION,
	P_SETTLE,
	P_CPUSET,
};

enum {
	CPUSET_NONE,
	CPUSET_LLC,
	CPUSET_SPLIT,
};

static const char *const cpuset_choices[] = {
	[CPUSET_NONE] = "none",
	[CPUSET_LLC] = "llc",
	[CPUSET_SPLIT] = "split",
	NULL,
};

static const struct ktstr_param params[] = {
	[P_CGROUPS] = { .key = "cgroups",
			.help = "how many cgroups",
			.type = KTSTR_PARAM_INT,
			.fallback = "2",
			.min = 1,
			.max = CGROUPS_MAX },
	[P_WORKERS] = { .key = "workers",
			.help = "workers in each cgroup",
			.type = KTSTR_PARAM_INT,
			.fallback = "4",
			.min = 1,
			.max = 1024 },
	[P_WORKLOAD] = { .key = "workload",
			 .help = "what the workers do",
			 .type = KTSTR_PARAM_PLUGIN,
			 .fallback = "cpu_spin",
			 .min = KTSTR_KIND_WORKLOAD },
	[P_DURATION] = { .key = "duration",
			 .help = "how long they do it",
			 .type = KTSTR_PARAM_DURATION,
			 .fallback = "5s",
			 .min = 1000000,
			 .max = INT64_C(86400000000000) },
	[P_SETTLE] = { .key = "settle",
		       .help = "pause between the cgroups' creation and the workers' start",
		       .type = KTSTR_PARAM_DURATION,
		       .fallback = "0s",
		       .min = 0,
		       .max = INT64_C(60000000000) },
	[P_CPUSET] = { .key = "cpuset",
		       .help = "how the cgroups are spread over the CPUs",
		       .type = KTSTR_PARAM_ENUM,
		       .fallback = "none",
		       .choices = cpuset_choices },
	{ .key = NULL },
};

/* The CPUs of cgroup @index; empty: no limit. */
static int cgroup_cpus(const struct ktstr_value *values, const struct ktstr_topology *topology,
		       uint32_t index, struct ktstr_cpuset *ret, struct ktstr_error *err)
{
	char text[64];

	memset(ret, 0, sizeof(*ret));
	switch (values[P_CPUSET].i) {
	case CPUSET_LLC:
		(void)snprintf(text, sizeof(text), "llc:%u", index % topology->llcs);
		break;
	case CPUSET_SPLIT:
		(void)snprintf(text, sizeof(text), "disjoint:%u/%lld", index,
			       (long long)values[P_CGROUPS].i);
		break;
	default:
		return 0;
	}
	return cpuset_spec_resolve(text, topology, ret, err);
}

static int needs(const struct ktstr_value *values, struct ktstr_needs *needs,
		 struct ktstr_error *err)
{
	struct ktstr_cpuset cpus;
	int code;

	if (values[P_CPUSET].i == CPUSET_LLC && needs->topology->llcs < 2)
		return ktstr_fail(err, -EINVAL,
				  "cpuset: llc needs at least 2 LLCs: the VM has 1 LLC");
	for (uint32_t i = 0; i < (uint32_t)values[P_CGROUPS].i; i++) {
		code = cgroup_cpus(values, needs->topology, i, &cpus, err);
		if (code < 0)
			return ktstr_prefix(err, "cpuset: %s", values[P_CPUSET].s);
		code = ktstr_need_workers(needs, &values[P_WORKLOAD], (uint32_t)values[P_WORKERS].i,
					  err);
		if (code < 0)
			return code;
	}
	needs->duration_ns = (uint64_t)values[P_SETTLE].i + (uint64_t)values[P_DURATION].i;
	return 0;
}

static int cgroups_create(struct ktstr_guest *g, const struct ktstr_value *values, uint32_t *ids,
			  uint32_t count, struct ktstr_error *err)
{
	for (uint32_t i = 0; i < count; i++) {
		struct ktstr_cgroup_spec spec = { .size = sizeof(spec) };
		char name[32];
		int code;

		code = cgroup_cpus(values, g->topology, i, &spec.cpus, err);
		if (code < 0)
			return code;
		(void)snprintf(name, sizeof(name), "hog%u", i);
		spec.name = name;
		code = ktstr_cgroup_create(g, &spec, &ids[i], err);
		if (code < 0)
			return code;
	}
	return 0;
}

static int workers_spawn(struct ktstr_guest *g, const struct ktstr_value *values,
			 const uint32_t *ids, uint32_t count, struct ktstr_error *err)
{
	for (uint32_t i = 0; i < count; i++) {
		struct ktstr_spawn_spec spec = {
			.size = sizeof(spec),
			.cgroup_id = ids[i],
			.workload = &values[P_WORKLOAD],
			.workers = (uint32_t)values[P_WORKERS].i,
		};
		uint32_t group;
		int code;

		code = ktstr_spawn(g, &spec, &group, err);
		if (code < 0)
			return code;
	}
	return 0;
}

static int run(struct ktstr_guest *g, const struct ktstr_value *values, void *state,
	       struct ktstr_error *err)
{
	uint32_t count = (uint32_t)values[P_CGROUPS].i;
	uint64_t settle_ns = (uint64_t)values[P_SETTLE].i;
	uint64_t duration_ns = (uint64_t)values[P_DURATION].i;
	struct ktstr_error ignored = { 0 };
	uint32_t ids[CGROUPS_MAX];
	int code;

	(void)state;
	code = cgroups_create(g, values, ids, count, err);
	if (code == 0 && settle_ns)
		code = ktstr_hold(g, settle_ns, err);
	if (code == 0)
		code = ktstr_step(g, "hold", 1, 1, duration_ns, err);
	if (code == 0)
		code = workers_spawn(g, values, ids, count, err);
	if (code == 0)
		code = ktstr_hold(g, duration_ns, err);
	if (code == 0)
		code = ktstr_step_end(g, err);
	if (code == -ECANCELED) {
		/* The run is to end early, which is no failure of the scenario. */
		*err = (struct ktstr_error){ 0 };
		code = 0;
	}
	if (code == 0)
		return ktstr_stop(g, 0, err);
	/* What the workers measured until then is evidence too; the first error is the one that
	 * counts. */
	(void)ktstr_stop(g, 0, &ignored);
	return code;
}

static const struct ktstr_scenario_ops ops = {
	.size = sizeof(ops),
	.needs = needs,
	.run = run,
};

KTSTR_PLUGIN_DEFINE(KTSTR_KIND_SCENARIO, .name = "cpu_hog", .version = "1.0",
		    .summary = "cgroups full of workers that want the CPU", .params = params,
		    .scenario = &ops, .license = "GPL-2.0-only");
