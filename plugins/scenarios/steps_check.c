/* SPDX-License-Identifier: GPL-2.0-only */
#include "steps_language.h"

#include <stdbool.h>

#include "cpuset_spec.h"

/* As deep as the agent nests cgroups. */
#define DEPTH_MAX 8

/* The cgroups that exist at one point of the story. */
struct story {
	struct ktstr_needs *needs;
	struct {
		const char *name;
		bool has_workers;
		/* Its controllers were handed down, and stay so when its children are gone. */
		bool was_parent;
	} cgroups[STEPS_CGROUPS_MAX];
	uint32_t count;
	bool has_spawned;
	bool is_scheduler_down; /* the run's own is up at the start */
	uint32_t snapshots;
	const char *watched[STEPS_WATCHES_MAX];
	uint32_t watches;
};

/* The index of cgroup @name, or story->count. */
static uint32_t story_find(const struct story *story, const char *name)
{
	uint32_t i;

	for (i = 0; i < story->count; i++) {
		if (strcmp(story->cgroups[i].name, name) == 0)
			break;
	}
	return i;
}

/* A cgroup right or further below @name that exists, or NULL. */
static const char *story_child(const struct story *story, const char *name)
{
	size_t length = strlen(name);

	for (uint32_t i = 0; i < story->count; i++) {
		const char *other = story->cgroups[i].name;

		if (strncmp(other, name, length) == 0 && other[length] == '/')
			return other;
	}
	return NULL;
}

static int must_exist(const struct story *story, const char *name, uint32_t *ret_index,
		      struct ktstr_error *err)
{
	uint32_t index = story_find(story, name);

	if (index == story->count)
		return ktstr_fail(err, -EINVAL,
				  "there is no cgroup '%s' at this point; add it before", name);
	*ret_index = index;
	return 0;
}

static int name_check(const char *name, struct ktstr_error *err)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_-";
	const char *at = name;

	for (int depth = 1;; depth++, at++) {
		size_t length = strspn(at, letters);

		at += length;
		if (length == 0 || (*at && *at != '/') || depth > DEPTH_MAX)
			return ktstr_fail(err, -EINVAL,
					  "'%s' is no name for a cgroup; use letters, digits, '_', "
					  "'-', and '/' between at most %d levels",
					  name, DEPTH_MAX);
		if (!*at)
			return 0;
	}
}

static int cpuset_check(const struct story *story, const struct ktstr_value *text,
			struct ktstr_error *err)
{
	struct ktstr_cpuset cpus;

	return text->s ? cpuset_spec_resolve(text->s, story->needs->topology, &cpus, err) : 0;
}

/* The parent of a new cgroup must exist and, as the kernel has it, be free of workers. */
static int parent_check(struct story *story, const char *name, struct ktstr_error *err)
{
	const char *slash = strrchr(name, '/');
	size_t length = slash ? (size_t)(slash - name) : 0;
	uint32_t i;

	if (!slash)
		return 0;
	for (i = 0; i < story->count; i++) {
		const char *other = story->cgroups[i].name;

		if (strlen(other) == length && memcmp(other, name, length) == 0)
			break;
	}
	if (i == story->count)
		return ktstr_fail(err, -EINVAL,
				  "cgroup '%s' needs a parent '%.*s' at this point; add it before",
				  name, (int)length, name);
	if (story->cgroups[i].has_workers)
		return ktstr_fail(err, -EINVAL,
				  "cgroup '%s' cannot be added: '%.*s' has workers, and a cgroup "
				  "has either workers or cgroups in it; stop it before",
				  name, (int)length, name);
	story->cgroups[i].was_parent = true;
	return 0;
}

static int check_add(struct story *story, const struct ktstr_value *values, struct ktstr_error *err)
{
	const struct ktstr_value *cpu_max = &values[ADD_CPU_MAX];
	const char *name = values[ADD_NAME].s;
	int code;

	code = name_check(name, err);
	if (code < 0)
		return code;
	if (story_find(story, name) < story->count)
		return ktstr_fail(err, -EINVAL, "cgroup '%s' exists already; remove it before",
				  name);
	code = parent_check(story, name, err);
	if (code == 0)
		code = cpuset_check(story, &values[ADD_CPUSET], err);
	if (code < 0)
		return code;
	if (story->count == STEPS_CGROUPS_MAX)
		return ktstr_fail(err, -E2BIG, "more than %u cgroups at one time",
				  STEPS_CGROUPS_MAX);
	if (cpu_max->is_set && !cpu_max->items[CPU_MAX_QUOTA].is_set)
		return ktstr_fail(err, -EINVAL, "cpu_max of cgroup '%s' needs a quota", name);
	memset(&story->cgroups[story->count], 0, sizeof(story->cgroups[0]));
	story->cgroups[story->count++].name = name;
	return 0;
}

static int check_remove(struct story *story, const struct ktstr_value *values,
			struct ktstr_error *err)
{
	const char *name = values[REMOVE_NAME].s;
	const char *child;
	uint32_t index = 0;
	int code;

	code = must_exist(story, name, &index, err);
	if (code < 0)
		return code;
	child = story_child(story, name);
	if (child)
		return ktstr_fail(err, -EINVAL, "cgroup '%s' still holds '%s'; remove that before",
				  name, child);
	story->cgroups[index] = story->cgroups[--story->count];
	return 0;
}

static int check_set(struct story *story, const struct ktstr_value *values, struct ktstr_error *err)
{
	uint32_t index = 0;
	int code = must_exist(story, values[SET_CGROUP].s, &index, err);

	return code < 0 ? code : cpuset_check(story, &values[SET_CPUSET], err);
}

static int check_clear(struct story *story, const struct ktstr_value *values,
		       struct ktstr_error *err)
{
	uint32_t index = 0;

	return must_exist(story, values[SET_CGROUP].s, &index, err);
}

static int check_spawn(struct story *story, const struct ktstr_value *values,
		       struct ktstr_error *err)
{
	const char *name = values[SPAWN_CGROUP].s;
	uint32_t index = 0;
	int code;

	code = ktstr_need_workers(story->needs, &values[SPAWN_WORKLOAD],
				  (uint32_t)values[SPAWN_WORKERS].i, err);
	if (code == 0)
		code = cpuset_check(story, &values[SPAWN_CPUS], err);
	if (code < 0)
		return code;
	story->has_spawned = true;
	if (!name)
		return 0;
	code = must_exist(story, name, &index, err);
	if (code < 0)
		return code;
	if (story->cgroups[index].was_parent)
		return ktstr_fail(
			err, -EINVAL,
			"cgroup '%s' holds or held other cgroups, and a cgroup has either "
			"workers or cgroups in it",
			name);
	story->cgroups[index].has_workers = true;
	return 0;
}

static int check_stop(struct story *story, const struct ktstr_value *values,
		      struct ktstr_error *err)
{
	uint32_t index = 0;
	int code = must_exist(story, values[SET_CGROUP].s, &index, err);

	if (code == 0)
		story->cgroups[index].has_workers = false;
	return code;
}

static int check_snapshot(struct story *story, const struct ktstr_value *values,
			  struct ktstr_error *err)
{
	(void)values;
	if (story->snapshots++ == STEPS_SNAPSHOTS_MAX)
		return ktstr_fail(err, -E2BIG, "more than %u snapshots", STEPS_SNAPSHOTS_MAX);
	return 0;
}

static int check_watch(struct story *story, const struct ktstr_value *values,
		       struct ktstr_error *err)
{
	const char *symbol = values[WATCH_SYMBOL].s;

	for (uint32_t i = 0; i < story->watches; i++)
		if (strcmp(story->watched[i], symbol) == 0)
			return ktstr_fail(err, -EINVAL, "symbol '%s' is watched already", symbol);
	if (story->watches == STEPS_WATCHES_MAX)
		return ktstr_fail(err, -E2BIG, "more than %u watches", STEPS_WATCHES_MAX);
	story->watched[story->watches++] = symbol;
	return 0;
}

/* @name (unset: the run's own) is brought up. */
static int bring_up(struct story *story, const struct ktstr_value *name, struct ktstr_error *err)
{
	int code = ktstr_need_scheduler(story->needs, name && name->s ? name->s : "", err);

	if (code < 0 && name && !err->line) {
		err->line = name->line;
		err->column = name->column;
	}
	if (code == 0)
		story->is_scheduler_down = false;
	return code;
}

static int take_down(struct story *story, struct ktstr_error *err)
{
	if (story->is_scheduler_down)
		return ktstr_fail(err, -EINVAL,
				  "no scheduler is up at this point; attach one before");
	story->is_scheduler_down = true;
	return ktstr_need_scheduler(story->needs, NULL, err);
}

static int check_attach(struct story *story, const struct ktstr_value *values,
			struct ktstr_error *err)
{
	if (!story->is_scheduler_down)
		return ktstr_fail(err, -EINVAL,
				  "a scheduler is up at this point; detach it before, or use "
				  "replace_scheduler");
	return bring_up(story, &values[SCHEDULER_NAME], err);
}

static int check_detach(struct story *story, const struct ktstr_value *values,
			struct ktstr_error *err)
{
	(void)values;
	return take_down(story, err);
}

static int check_restart(struct story *story, const struct ktstr_value *values,
			 struct ktstr_error *err)
{
	int code = take_down(story, err);

	(void)values;
	return code < 0 ? code : bring_up(story, NULL, err);
}

static int check_replace(struct story *story, const struct ktstr_value *values,
			 struct ktstr_error *err)
{
	int code = take_down(story, err);

	return code < 0 ? code : bring_up(story, &values[SCHEDULER_NAME], err);
}

static int (*const checks[OP_COUNT])(struct story *story, const struct ktstr_value *values,
				     struct ktstr_error *err) = {
	[OP_ADD_CGROUP] = check_add,
	[OP_REMOVE_CGROUP] = check_remove,
	[OP_SET_CPUSET] = check_set,
	[OP_CLEAR_CPUSET] = check_clear,
	[OP_SPAWN] = check_spawn,
	[OP_STOP_CGROUP] = check_stop,
	[OP_SNAPSHOT] = check_snapshot,
	[OP_WATCH] = check_watch,
	[OP_ATTACH_SCHEDULER] = check_attach,
	[OP_DETACH_SCHEDULER] = check_detach,
	[OP_RESTART_SCHEDULER] = check_restart,
	[OP_REPLACE_SCHEDULER] = check_replace,
};

static int op_check(struct story *story, const struct ktstr_value *op, struct ktstr_error *err)
{
	const struct ktstr_value *what = &op->items[0];

	if (what->type == KTSTR_PARAM_BOOL && !what->i)
		return ktstr_fail(err, -EINVAL, "'false' does nothing; say 'true' or leave it out");
	return checks[op->i](story, what->items, err);
}

/* Step @index with its ops; a message names the step and the op. */
static int step_check(struct story *story, const struct ktstr_value *step, uint32_t index,
		      struct ktstr_error *err)
{
	const struct ktstr_value *ops = &step->items[STEP_OPS];
	char name[160];

	for (uint32_t i = 0; i < ops->count; i++) {
		const struct ktstr_value *op = &ops->items[i];

		if (op_check(story, op, err) == 0)
			continue;
		if (!err->line) {
			err->line = op->line;
			err->column = op->column;
		}
		return ktstr_prefix(err, "step '%s': %s",
				    steps_name(step, index, name, sizeof(name)), steps_op_name(op));
	}
	return 0;
}

int steps_check(const struct ktstr_value *values, struct ktstr_needs *needs,
		struct ktstr_error *err)
{
	const struct ktstr_value *steps = &values[P_STEPS];
	struct story story = { .needs = needs };
	uint64_t duration_ns = 0;

	for (uint32_t i = 0; i < steps->count; i++) {
		const struct ktstr_value *step = &steps->items[i];
		int code = step_check(&story, step, i, err);

		if (code < 0)
			return code;
		/* The table limits each hold and their number, so the sum fits. */
		duration_ns += (uint64_t)step->items[STEP_HOLD].i;
	}
	if (!story.has_spawned)
		return ktstr_fail(err, -EINVAL,
				  "no step spawns workers, so there would be nothing to judge");
	if (duration_ns == 0)
		return ktstr_fail(err, -EINVAL, "no step holds, so no worker would get to work");
	needs->duration_ns = duration_ns;
	return 0;
}
