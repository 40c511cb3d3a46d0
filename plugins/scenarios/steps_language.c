/* SPDX-License-Identifier: GPL-2.0-only */
#include "steps_language.h"

#include "ktstr/frame.h"
#include "ktstr/plugin.h"

#define NAME_BYTES_MAX 128
#define HOLD_NS_MAX INT64_C(86400000000000)

#define CPUSET_HELP "all, llc:0, numa:0, range:0-0.5, disjoint:0/2, overlap:0/2:0.25, or 0-3,5"

static const struct ktstr_param cpu_max_fields[] = {
	[CPU_MAX_QUOTA] = { .key = "quota",
			    .help = "CPU time in each period, for all tasks together",
			    .type = KTSTR_PARAM_DURATION,
			    .min = 1000000,
			    .max = HOLD_NS_MAX },
	[CPU_MAX_PERIOD] = { .key = "period",
			     .help = "length of a period",
			     .type = KTSTR_PARAM_DURATION,
			     .fallback = "100ms",
			     .min = 1000000,
			     .max = 1000000000 },
	{ .key = NULL },
};

static const struct ktstr_param add_fields[] = {
	[ADD_NAME] = { .key = "name",
		       .help = "its name; a/b makes b in a",
		       .type = KTSTR_PARAM_STRING,
		       .flags = KTSTR_PARAM_REQUIRED,
		       .min = 1,
		       .max = NAME_BYTES_MAX },
	[ADD_CPUSET] = { .key = "cpuset",
			 .help = CPUSET_HELP "; without it, no limit",
			 .type = KTSTR_PARAM_STRING },
	[ADD_WEIGHT] = { .key = "weight",
			 .help = "cpu.weight, its share beside its siblings",
			 .type = KTSTR_PARAM_INT,
			 .fallback = "100",
			 .min = 1,
			 .max = 10000 },
	[ADD_CPU_MAX] = { .key = "cpu_max",
			  .help = "cpu.max, a limit on its CPU time",
			  .type = KTSTR_PARAM_MAP,
			  .fields = cpu_max_fields },
	{ .key = NULL },
};

static const struct ktstr_param remove_fields[] = {
	[REMOVE_NAME] = { .key = "name",
			  .help = "which one; its workers are stopped first",
			  .type = KTSTR_PARAM_STRING,
			  .flags = KTSTR_PARAM_REQUIRED,
			  .min = 1,
			  .max = NAME_BYTES_MAX },
	{ .key = NULL },
};

static const struct ktstr_param set_fields[] = {
	[SET_CGROUP] = { .key = "cgroup",
			 .help = "which cgroup",
			 .type = KTSTR_PARAM_STRING,
			 .flags = KTSTR_PARAM_REQUIRED,
			 .min = 1,
			 .max = NAME_BYTES_MAX },
	[SET_CPUSET] = { .key = "cpuset",
			 .help = CPUSET_HELP,
			 .type = KTSTR_PARAM_STRING,
			 .flags = KTSTR_PARAM_REQUIRED },
	{ .key = NULL },
};

static const struct ktstr_param cgroup_fields[] = {
	[SET_CGROUP] = { .key = "cgroup",
			 .help = "which cgroup",
			 .type = KTSTR_PARAM_STRING,
			 .flags = KTSTR_PARAM_REQUIRED,
			 .min = 1,
			 .max = NAME_BYTES_MAX },
	{ .key = NULL },
};

static const struct ktstr_param spawn_fields[] = {
	[SPAWN_CGROUP] = { .key = "cgroup",
			   .help = "where; without it, beside the agent",
			   .type = KTSTR_PARAM_STRING,
			   .min = 1,
			   .max = NAME_BYTES_MAX },
	[SPAWN_WORKLOAD] = { .key = "workload",
			     .help = "what they do",
			     .type = KTSTR_PARAM_PLUGIN,
			     .fallback = "cpu_spin",
			     .min = KTSTR_KIND_WORKLOAD },
	[SPAWN_WORKERS] = { .key = "workers",
			    .help = "how many; a multiple of the workload's group",
			    .type = KTSTR_PARAM_INT,
			    .flags = KTSTR_PARAM_REQUIRED,
			    .min = 1,
			    .max = 1024 },
	[SPAWN_NICE] = { .key = "nice",
			 .help = "their nice value",
			 .type = KTSTR_PARAM_INT,
			 .fallback = "0",
			 .min = -20,
			 .max = 19 },
	[SPAWN_CPUS] = { .key = "cpus",
			 .help = CPUSET_HELP "; their own affinity",
			 .type = KTSTR_PARAM_STRING },
	{ .key = NULL },
};

static const struct ktstr_param snapshot_fields[] = {
	[SNAPSHOT_NAME] = { .key = "name",
			    .help = "its tag in the run file",
			    .type = KTSTR_PARAM_STRING,
			    .flags = KTSTR_PARAM_REQUIRED,
			    .min = 1,
			    .max = KTSTR_SNAPSHOT_TAG_MAX },
	{ .key = NULL },
};

static const struct ktstr_param watch_fields[] = {
	[WATCH_SYMBOL] = { .key = "symbol",
			   .help = "a variable of the kernel, by its name in /proc/kallsyms",
			   .type = KTSTR_PARAM_STRING,
			   .flags = KTSTR_PARAM_REQUIRED,
			   .min = 1,
			   .max = KTSTR_SNAPSHOT_TAG_MAX },
	{ .key = NULL },
};

static const struct ktstr_param attach_fields[] = {
	[SCHEDULER_NAME] = { .key = "name",
			     .help = "one of 'schedulers' of the file; without it, the run's own",
			     .type = KTSTR_PARAM_STRING,
			     .min = 1,
			     .max = KTSTR_NAME_MAX },
	{ .key = NULL },
};

static const struct ktstr_param replace_fields[] = {
	[SCHEDULER_NAME] = { .key = "name",
			     .help = "one of 'schedulers' of the file",
			     .type = KTSTR_PARAM_STRING,
			     .flags = KTSTR_PARAM_REQUIRED,
			     .min = 1,
			     .max = KTSTR_NAME_MAX },
	{ .key = NULL },
};

static const struct ktstr_param ops_choices[] = {
	[OP_ADD_CGROUP] = { .key = "add_cgroup",
			    .help = "create a cgroup",
			    .type = KTSTR_PARAM_MAP,
			    .fields = add_fields },
	[OP_REMOVE_CGROUP] = { .key = "remove_cgroup",
			       .help = "stop the workers of a cgroup and remove it",
			       .type = KTSTR_PARAM_MAP,
			       .fields = remove_fields },
	[OP_SET_CPUSET] = { .key = "set_cpuset",
			    .help = "bind a cgroup to CPUs",
			    .type = KTSTR_PARAM_MAP,
			    .fields = set_fields },
	[OP_CLEAR_CPUSET] = { .key = "clear_cpuset",
			      .help = "let a cgroup run everywhere",
			      .type = KTSTR_PARAM_MAP,
			      .fields = cgroup_fields },
	[OP_SPAWN] = { .key = "spawn",
		       .help = "start workers",
		       .type = KTSTR_PARAM_MAP,
		       .fields = spawn_fields },
	[OP_STOP_CGROUP] = { .key = "stop_cgroup",
			     .help = "stop the workers of a cgroup and keep it",
			     .type = KTSTR_PARAM_MAP,
			     .fields = cgroup_fields },
	[OP_SNAPSHOT] = { .key = "snapshot",
			  .help = "stop the VM for a moment and keep the registers of its CPUs",
			  .type = KTSTR_PARAM_MAP,
			  .fields = snapshot_fields },
	[OP_WATCH] = { .key = "watch",
		       .help = "from now on do that each time the kernel writes a variable",
		       .type = KTSTR_PARAM_MAP,
		       .fields = watch_fields },
	[OP_ATTACH_SCHEDULER] = { .key = "attach_scheduler",
				  .help = "bring up a scheduler; none may be up",
				  .type = KTSTR_PARAM_MAP,
				  .fields = attach_fields },
	[OP_DETACH_SCHEDULER] = { .key = "detach_scheduler",
				  .help = "take down the scheduler that is up",
				  .type = KTSTR_PARAM_BOOL },
	[OP_RESTART_SCHEDULER] = { .key = "restart_scheduler",
				   .help = "take down what is up, and bring up the run's own",
				   .type = KTSTR_PARAM_BOOL },
	[OP_REPLACE_SCHEDULER] = { .key = "replace_scheduler",
				   .help = "take down what is up, and bring up another one",
				   .type = KTSTR_PARAM_MAP,
				   .fields = replace_fields },
	{ .key = NULL },
};

static const struct ktstr_param op_rows[] = {
	{ .key = "op",
	  .help = "one thing to do",
	  .type = KTSTR_PARAM_ONEOF,
	  .fields = ops_choices },
	{ .key = NULL },
};

static const struct ktstr_param step_fields[] = {
	[STEP_NAME] = { .key = "name",
			.help = "what the report calls it",
			.type = KTSTR_PARAM_STRING,
			.min = 0,
			.max = NAME_BYTES_MAX },
	[STEP_OPS] = { .key = "ops",
		       .help = "what to do, in this order",
		       .type = KTSTR_PARAM_LIST,
		       .min = 0,
		       .max = 1000,
		       .fields = op_rows },
	[STEP_HOLD] = { .key = "hold",
			.help = "how long to let the workers work after that",
			.type = KTSTR_PARAM_DURATION,
			.fallback = "1s",
			.min = 0,
			.max = HOLD_NS_MAX },
	{ .key = NULL },
};

static const struct ktstr_param step_rows[] = {
	{ .key = "step", .help = "one step", .type = KTSTR_PARAM_MAP, .fields = step_fields },
	{ .key = NULL },
};

const struct ktstr_param steps_params[] = {
	[P_STEPS] = { .key = "steps",
		      .help = "the steps, one after the other",
		      .type = KTSTR_PARAM_LIST,
		      .flags = KTSTR_PARAM_REQUIRED,
		      .min = 1,
		      .max = 1000,
		      .fields = step_rows },
	{ .key = NULL },
};

const char *steps_op_name(const struct ktstr_value *op)
{
	return ops_choices[op->i].key;
}

const char *steps_name(const struct ktstr_value *step, uint32_t index, char *text, size_t size)
{
	const char *name = step->items[STEP_NAME].s;

	if (name && *name)
		(void)snprintf(text, size, "%s", name);
	else
		(void)snprintf(text, size, "step %u", index + 1);
	return text;
}
