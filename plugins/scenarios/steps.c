/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A scenario that is told in YAML: a list of steps, each with things to do and a time to hold. Its
 * parameter table is the language; the host has checked the whole story before the VM started.
 */
#include "ktstr/scenario.h"

#include "cpuset_spec.h"
#include "steps_language.h"

#define NS_PER_US 1000u

/* The set of CPUs that @text names; empty when there is none. */
static int cpus_get(struct ktstr_guest *g, const struct ktstr_value *text, struct ktstr_cpuset *ret,
		    struct ktstr_error *err)
{
	memset(ret, 0, sizeof(*ret));
	return text->s ? cpuset_spec_resolve(text->s, g->topology, ret, err) : 0;
}

static int cgroup_get(struct ktstr_guest *g, const char *name, uint32_t *ret_id,
		      struct ktstr_error *err)
{
	int code = ktstr_cgroup_find(g, name, ret_id);

	if (code < 0)
		return ktstr_fail(err, code, "cannot find cgroup '%s': %s", name, strerror(-code));
	return 0;
}

static int do_add(struct ktstr_guest *g, const struct ktstr_value *values, struct ktstr_error *err)
{
	const struct ktstr_value *cpu_max = &values[ADD_CPU_MAX];
	struct ktstr_cgroup_spec spec = {
		.size = sizeof(spec),
		.name = values[ADD_NAME].s,
	};
	uint32_t id;
	int code;

	/* The kernel's own default is left alone. */
	if (values[ADD_WEIGHT].is_set)
		spec.cpu_weight = (uint32_t)values[ADD_WEIGHT].i;
	if (cpu_max->is_set) {
		spec.cpu_max_quota_us = (uint64_t)cpu_max->items[CPU_MAX_QUOTA].i / NS_PER_US;
		spec.cpu_max_period_us = (uint64_t)cpu_max->items[CPU_MAX_PERIOD].i / NS_PER_US;
	}
	code = cpus_get(g, &values[ADD_CPUSET], &spec.cpus, err);
	return code < 0 ? code : ktstr_cgroup_create(g, &spec, &id, err);
}

static int do_remove(struct ktstr_guest *g, const struct ktstr_value *values,
		     struct ktstr_error *err)
{
	uint32_t id;
	int code = cgroup_get(g, values[REMOVE_NAME].s, &id, err);

	return code < 0 ? code : ktstr_cgroup_remove(g, id, err);
}

static int do_set(struct ktstr_guest *g, const struct ktstr_value *values, struct ktstr_error *err)
{
	struct ktstr_cpuset cpus;
	uint32_t id;
	int code;

	code = cgroup_get(g, values[SET_CGROUP].s, &id, err);
	if (code == 0)
		code = cpus_get(g, &values[SET_CPUSET], &cpus, err);
	return code < 0 ? code : ktstr_cgroup_set_cpus(g, id, &cpus, err);
}

static int do_clear(struct ktstr_guest *g, const struct ktstr_value *values,
		    struct ktstr_error *err)
{
	const struct ktstr_cpuset everywhere = { 0 };
	uint32_t id;
	int code = cgroup_get(g, values[SET_CGROUP].s, &id, err);

	return code < 0 ? code : ktstr_cgroup_set_cpus(g, id, &everywhere, err);
}

static int do_spawn(struct ktstr_guest *g, const struct ktstr_value *values,
		    struct ktstr_error *err)
{
	struct ktstr_spawn_spec spec = {
		.size = sizeof(spec),
		.workload = &values[SPAWN_WORKLOAD],
		.workers = (uint32_t)values[SPAWN_WORKERS].i,
		.nice = (int32_t)values[SPAWN_NICE].i,
	};
	uint32_t group;
	int code = 0;

	if (values[SPAWN_CGROUP].s)
		code = cgroup_get(g, values[SPAWN_CGROUP].s, &spec.cgroup_id, err);
	if (code == 0)
		code = cpus_get(g, &values[SPAWN_CPUS], &spec.affinity, err);
	return code < 0 ? code : ktstr_spawn(g, &spec, &group, err);
}

static int do_stop(struct ktstr_guest *g, const struct ktstr_value *values, struct ktstr_error *err)
{
	uint32_t id;
	int code = cgroup_get(g, values[SET_CGROUP].s, &id, err);

	return code < 0 ? code : ktstr_stop_cgroup(g, id, err);
}

static int do_snapshot(struct ktstr_guest *g, const struct ktstr_value *values,
		       struct ktstr_error *err)
{
	return ktstr_snapshot(g, values[SNAPSHOT_NAME].s, NULL, 0, err);
}

static int do_watch(struct ktstr_guest *g, const struct ktstr_value *values,
		    struct ktstr_error *err)
{
	return ktstr_watch(g, values[WATCH_SYMBOL].s, err);
}

static int do_attach(struct ktstr_guest *g, const struct ktstr_value *values,
		     struct ktstr_error *err)
{
	const char *name = values[SCHEDULER_NAME].s;

	return ktstr_scheduler_attach(g, name ? name : "", err);
}

static int do_detach(struct ktstr_guest *g, const struct ktstr_value *values,
		     struct ktstr_error *err)
{
	(void)values;
	return ktstr_scheduler_detach(g, err);
}

static int do_restart(struct ktstr_guest *g, const struct ktstr_value *values,
		      struct ktstr_error *err)
{
	(void)values;
	return ktstr_scheduler_restart(g, err);
}

static int do_replace(struct ktstr_guest *g, const struct ktstr_value *values,
		      struct ktstr_error *err)
{
	return ktstr_scheduler_replace(g, values[SCHEDULER_NAME].s, err);
}

static int (*const deeds[OP_COUNT])(struct ktstr_guest *g, const struct ktstr_value *values,
				    struct ktstr_error *err) = {
	[OP_ADD_CGROUP] = do_add,
	[OP_REMOVE_CGROUP] = do_remove,
	[OP_SET_CPUSET] = do_set,
	[OP_CLEAR_CPUSET] = do_clear,
	[OP_SPAWN] = do_spawn,
	[OP_STOP_CGROUP] = do_stop,
	[OP_SNAPSHOT] = do_snapshot,
	[OP_WATCH] = do_watch,
	[OP_ATTACH_SCHEDULER] = do_attach,
	[OP_DETACH_SCHEDULER] = do_detach,
	[OP_RESTART_SCHEDULER] = do_restart,
	[OP_REPLACE_SCHEDULER] = do_replace,
};

static int step_run(struct ktstr_guest *g, const struct ktstr_value *step, uint32_t index,
		    uint32_t count, struct ktstr_error *err)
{
	const struct ktstr_value *ops = &step->items[STEP_OPS];
	uint64_t hold_ns = (uint64_t)step->items[STEP_HOLD].i;
	char name[160];
	int code;

	(void)steps_name(step, index, name, sizeof(name));
	code = ktstr_step(g, name, index + 1, count, hold_ns, err);
	for (uint32_t i = 0; i < ops->count && code == 0; i++) {
		const struct ktstr_value *op = &ops->items[i];

		code = deeds[op->i](g, op->items[0].items, err);
		if (code < 0 && code != -ECANCELED)
			code = ktstr_prefix(err, "step '%s': %s", name, steps_op_name(op));
	}
	if (code == 0 && hold_ns)
		code = ktstr_hold(g, hold_ns, err);
	return code < 0 ? code : ktstr_step_end(g, err);
}

static int run(struct ktstr_guest *g, const struct ktstr_value *values, void *state,
	       struct ktstr_error *err)
{
	const struct ktstr_value *steps = &values[P_STEPS];
	struct ktstr_error ignored = { 0 };
	int code = 0;

	(void)state;
	for (uint32_t i = 0; i < steps->count && code == 0; i++) {
		if (ktstr_stopping(g))
			break;
		code = step_run(g, &steps->items[i], i, steps->count, err);
	}
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
	.needs = steps_check,
	.run = run,
};

KTSTR_PLUGIN_DEFINE(KTSTR_KIND_SCENARIO, .name = "steps", .version = "1.0",
		    .summary = "a story of cgroups, cpusets and workers, told in YAML",
		    .params = steps_params, .scenario = &ops, .license = "GPL-2.0-only");
