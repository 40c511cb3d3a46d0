/* SPDX-License-Identifier: GPL-2.0-only */
/* The language of the scenario `steps`: where each word lies in the values. */
#ifndef SCENARIOS_STEPS_LANGUAGE_H
#define SCENARIOS_STEPS_LANGUAGE_H

#include "ktstr/error.h"
#include "ktstr/needs.h"
#include "ktstr/param.h"

/* Most cgroups at one time. */
#define STEPS_CGROUPS_MAX 256u
/* Most snapshots and watches of a story: as many as the host takes. */
#define STEPS_SNAPSHOTS_MAX 64u
#define STEPS_WATCHES_MAX 3u

enum {
	P_STEPS,
};

/* A step. */
enum {
	STEP_NAME,
	STEP_OPS,
	STEP_HOLD,
};

/* What a step can do before it holds: the index of the choice. */
enum {
	OP_ADD_CGROUP,
	OP_REMOVE_CGROUP,
	OP_SET_CPUSET,
	OP_CLEAR_CPUSET,
	OP_SPAWN,
	OP_STOP_CGROUP,
	OP_SNAPSHOT,
	OP_WATCH,
	OP_ATTACH_SCHEDULER,
	OP_DETACH_SCHEDULER,
	OP_RESTART_SCHEDULER,
	OP_REPLACE_SCHEDULER,
	OP_COUNT,
};

enum {
	ADD_NAME,
	ADD_CPUSET,
	ADD_WEIGHT,
	ADD_CPU_MAX,
};

enum {
	CPU_MAX_QUOTA,
	CPU_MAX_PERIOD,
};

/* remove_cgroup */
enum {
	REMOVE_NAME,
};

/* set_cpuset; clear_cpuset and stop_cgroup have the first alone. */
enum {
	SET_CGROUP,
	SET_CPUSET,
};

enum {
	SNAPSHOT_NAME,
};

enum {
	WATCH_SYMBOL,
};

/* attach_scheduler and replace_scheduler; the others are no maps, but true. */
enum {
	SCHEDULER_NAME,
};

enum {
	SPAWN_CGROUP,
	SPAWN_WORKLOAD,
	SPAWN_WORKERS,
	SPAWN_NICE,
	SPAWN_CPUS,
};

extern const struct ktstr_param steps_params[];

/* The key of an op: "add_cgroup". */
const char *steps_op_name(const struct ktstr_value *op);

/* The name of step @index (from 0), or "step N" when it has none. Returns @text. */
const char *steps_name(const struct ktstr_value *step, uint32_t index, char *text, size_t size);

/*
 * Host half: walk through all steps as the guest will, and refuse what could not work there, with a
 * sentence that names the step and the line. Sets needs->duration_ns.
 */
int steps_check(const struct ktstr_value *values, struct ktstr_needs *needs,
		struct ktstr_error *err);

#endif
