/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/needs.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "config/plugin_ref.h"
#include "plugin/op.h"

/* A worker's kernel stack, page tables, copied pages and report; measured at about 180 KiB. */
#define WORKER_MEMORY (UINT64_C(256) << 10)

static int no_memory(struct ktstr_error *err)
{
	return ktstr_fail(err, -ENOMEM, "out of memory");
}

static int is_option_name(const char *option)
{
	if (!str_starts(option, "CONFIG_") || !option[7])
		return 0;
	for (; *option; option++)
		if (!isupper((unsigned char)*option) && !isdigit((unsigned char)*option) &&
		    !islower((unsigned char)*option) && *option != '_')
			return 0;
	return 1;
}

static int need_kernel_config(struct ktstr_needs *public_needs, const char *option,
			      struct ktstr_error *err)
{
	struct run_needs *needs = public_needs->host;
	struct run_needs_option *more, entry;

	if (!option || !is_option_name(option))
		return ktstr_fail(err, -EINVAL, "it needs the kernel option '%s', which is no name",
				  option ? option : "(null)");
	needs->asked++;
	for (size_t i = 0; i < needs->option_count; i++)
		if (strcmp(needs->options[i].option, option) == 0)
			return 0;
	if (needs->option_count == RUN_NEEDS_OPTIONS_MAX)
		return ktstr_fail(err, -E2BIG, "more than %d kernel options are needed",
				  RUN_NEEDS_OPTIONS_MAX);
	more = reallocarray(needs->options, needs->option_count + 1, sizeof(*more));
	if (!more)
		return no_memory(err);
	needs->options = more;
	entry = (struct run_needs_option){ strdup(option), strdup(needs->asker) };
	if (!entry.option || !entry.asker) {
		free(entry.option);
		free(entry.asker);
		return no_memory(err);
	}
	needs->options[needs->option_count++] = entry;
	return 0;
}

static int check_file(const char *host_path, const char *guest_path, struct ktstr_error *err)
{
	struct stat status;

	if (!host_path || !guest_path)
		return ktstr_fail(err, -EINVAL, "it ships a file without a name");
	if (!str_starts(guest_path, RUN_PAYLOAD_FOLDER) || str_ends(guest_path, "/") ||
	    strstr(guest_path, "/../") || str_ends(guest_path, "/.."))
		return ktstr_fail(err, -EINVAL,
				  "it ships '%s' as '%s', which is not a path below '%s'",
				  host_path, guest_path, RUN_PAYLOAD_FOLDER);
	if (stat(host_path, &status) < 0)
		return ktstr_fail(err, -errno, "cannot ship '%s': %s", host_path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		return ktstr_fail(err, -EINVAL, "cannot ship '%s': not a regular file", host_path);
	return 0;
}

static int add_file(struct run_needs *needs, const char *host_path, const char *guest_path,
		    struct ktstr_error *err)
{
	struct run_needs_file *more, entry;
	int rc = check_file(host_path, guest_path, err);

	if (rc < 0)
		return rc;
	needs->asked++;
	for (size_t i = 0; i < needs->file_count; i++) {
		if (strcmp(needs->files[i].guest_path, guest_path) != 0)
			continue;
		needs->files[i].is_schedulers |= needs->is_asking_scheduler;
		if (strcmp(needs->files[i].host_path, host_path) == 0)
			return 0;
		return ktstr_fail(err, -EEXIST, "cannot ship '%s' as '%s': '%s' is shipped there",
				  host_path, guest_path, needs->files[i].host_path);
	}
	if (needs->file_count == RUN_NEEDS_FILES_MAX)
		return ktstr_fail(err, -E2BIG, "cannot ship '%s': more than %d files", host_path,
				  RUN_NEEDS_FILES_MAX);
	more = reallocarray(needs->files, needs->file_count + 1, sizeof(*more));
	if (!more)
		return no_memory(err);
	needs->files = more;
	entry = (struct run_needs_file){ strdup(host_path), strdup(guest_path),
					 needs->is_asking_scheduler };
	if (!entry.host_path || !entry.guest_path) {
		free(entry.host_path);
		free(entry.guest_path);
		return no_memory(err);
	}
	needs->files[needs->file_count++] = entry;
	return 0;
}

static int need_file(struct ktstr_needs *public_needs, const char *host_path,
		     const char *guest_path, struct ktstr_error *err)
{
	struct run_needs *needs = public_needs->host;
	_cleanup_free_ char *path = NULL;

	if (!host_path || !needs->source)
		return add_file(needs, host_path, guest_path, err);
	path = path_beside(needs->source, host_path);
	return path ? add_file(needs, path, guest_path, err) : no_memory(err);
}

static uint64_t add_saturating(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* One figure each: the longest duration, the sum of memory, neither beyond its type. */
static void merge(struct ktstr_needs *all, uint64_t duration_ns, uint64_t memory_bytes)
{
	if (duration_ns > all->duration_ns)
		all->duration_ns = duration_ns;
	all->memory_bytes = add_saturating(all->memory_bytes, memory_bytes);
}

static int need_workers(struct ktstr_needs *public_needs, const struct ktstr_value *workload,
			uint32_t workers, struct ktstr_error *err)
{
	struct run_needs *needs = public_needs->host;
	const struct ktstr_workload_ops *ops;
	struct plugin *plugin;
	uint32_t group;
	int rc;

	if (!workload->s || strchr(workload->s, '/'))
		return 0; /* refused by the walk over all plugins that are named */
	rc = registry_get(needs->registry, KTSTR_KIND_WORKLOAD, workload->s, &plugin, err);
	if (rc < 0)
		return rc;
	ops = plugin->descriptor->workload;
	group = KTSTR_HAS(ops, group) ? ops->group(workload->items) : ops->group_size;
	if (group < 2 || workers % group == 0) {
		merge(public_needs, 0, workers * WORKER_MEMORY);
		return 0;
	}
	return ktstr_fail_at(err, workload, -EINVAL,
			     "workload '%s' works in groups of %u; %u workers do not fill them",
			     workload->s, group, workers);
}

/* The nearest name of `schedulers:`, or NULL. */
static const char *nearest_scheduler(const struct scenario_spec *spec, const char *name)
{
	_cleanup_free_ const char **names = calloc(spec->staged_count + 1, sizeof(*names));

	for (size_t i = 0; names && i < spec->staged_count; i++)
		names[i] = spec->staged[i].name;
	return names ? str_nearest(name, names, spec->staged_count) : NULL;
}

static int no_scheduler(const struct scenario_spec *spec, const char *name, struct ktstr_error *err)
{
	const char *nearest = nearest_scheduler(spec, name);

	if (nearest)
		return ktstr_fail(err, -ENOENT,
				  "'schedulers' has no scheduler '%.60s', did you mean '%s'?", name,
				  nearest);
	return ktstr_fail(err, -ENOENT,
			  "'schedulers' has no scheduler '%.60s'; add it beside 'scheduler', like "
			  "'schedulers: {%.60s: PLUGIN}'",
			  name, name);
}

static int need_scheduler(struct ktstr_needs *public_needs, const char *name,
			  struct ktstr_error *err)
{
	struct run_needs *needs = public_needs->host;
	const struct scenario_spec *spec = needs->spec;
	size_t i = 0;

	while (name && *name && i < spec->staged_count && strcmp(spec->staged[i].name, name) != 0)
		i++;
	if (name && *name && i == spec->staged_count)
		return no_scheduler(spec, name, err);
	needs->changes_ns = add_saturating(needs->changes_ns, spec->scheduler_timeout_ns);
	return 0;
}

void run_needs_init(struct run_needs *needs, const struct scenario_spec *spec,
		    struct registry *registry)
{
	*needs = (struct run_needs){
		.needs = { .size = sizeof(needs->needs),
			   .topology = &spec->vm.topology,
			   .kernel_config = need_kernel_config,
			   .file = need_file,
			   .workers = need_workers,
			   .scheduler = need_scheduler },
		.registry = registry,
		.spec = spec,
		.asker = "ktstr",
	};
}

typedef int (*needs_op)(const struct ktstr_value *values, struct ktstr_needs *needs,
			struct ktstr_error *err);

static needs_op op_of(const struct plugin *plugin)
{
	const struct ktstr_plugin *d = plugin->descriptor;

	switch (d->kind) {
	case KTSTR_KIND_SCHEDULER:
		return KTSTR_HAS(d->scheduler, needs) ? d->scheduler->needs : NULL;
	case KTSTR_KIND_SCENARIO:
		return KTSTR_HAS(d->scenario, needs) ? d->scenario->needs : NULL;
	case KTSTR_KIND_WORKLOAD:
		return KTSTR_HAS(d->workload, needs) ? d->workload->needs : NULL;
	default:
		return NULL;
	}
}

int run_needs_ask(struct run_needs *needs, const struct plugin *plugin,
		  const struct ktstr_value *values, struct ktstr_error *err)
{
	const struct ktstr_plugin *d = plugin->descriptor;
	needs_op op = op_of(plugin);
	struct ktstr_needs asked = needs->needs;
	_cleanup_free_ char *asker = NULL;
	int rc;

	if (!op)
		return 0;
	asker = str_format("%s '%s'", plugin_kind_name(d->kind), d->name);
	if (!asker)
		return no_memory(err);
	needs->asker = asker;
	asked.host = needs;
	asked.duration_ns = 0;
	asked.memory_bytes = 0;
	*err = (struct ktstr_error){ 0 };
	rc = plugin_op_result(op(values, &asked, err), "needs", err);
	needs->asker = "ktstr";
	if (rc < 0 && !err->text[0])
		return ktstr_fail(err, rc,
				  "%s does not accept its parameters, and does not say why", asker);
	if (rc < 0)
		return ktstr_prefix(err, "%s", asker);
	merge(&needs->needs, asked.duration_ns, asked.memory_bytes);
	return 0;
}

struct walk {
	struct run_needs *needs;
	struct registry *registry;
	struct ktstr_error *err;
};

static int walk_table(struct walk *walk, const struct ktstr_param *params, size_t stride,
		      const struct ktstr_value *values, size_t count);

static int walk_plugin(struct walk *walk, uint32_t kind, const struct ktstr_value *value)
{
	struct plugin *plugin;
	int rc;

	if (!value->s)
		return 0;
	if (strchr(value->s, '/'))
		return ktstr_fail_at(walk->err, value, -EINVAL,
				     "%s '%s' is a path; name the plugin, and its folder with "
				     "--plugin-dir",
				     plugin_kind_name(kind), value->s);
	rc = registry_get(walk->registry, kind, value->s, &plugin, walk->err);
	if (rc == 0 && kind == KTSTR_KIND_WORKLOAD)
		rc = run_needs_ask(walk->needs, plugin, value->items, walk->err);
	if (rc == 0 && plugin->descriptor->params)
		rc = walk_table(walk, plugin->descriptor->params, plugin->descriptor->param_size,
				value->items, value->count);
	return rc;
}

static int walk_value(struct walk *walk, const struct ktstr_param *param, size_t stride,
		      const struct ktstr_value *value)
{
	const char *row = (const char *)param->fields;
	int rc = 0;

	switch (param->type) {
	case KTSTR_PARAM_PLUGIN:
		return walk_plugin(walk, (uint32_t)param->min, value);
	case KTSTR_PARAM_LIST:
		for (uint32_t i = 0; i < value->count && rc == 0; i++)
			rc = walk_value(walk, param->fields, stride, &value->items[i]);
		return rc;
	case KTSTR_PARAM_MAP:
		return walk_table(walk, param->fields, stride, value->items, value->count);
	case KTSTR_PARAM_ONEOF:
		if (value->count == 0)
			return 0;
		row += (size_t)value->i * stride;
		return walk_value(walk, (const struct ktstr_param *)(const void *)row, stride,
				  value->items);
	default:
		return 0;
	}
}

static int walk_table(struct walk *walk, const struct ktstr_param *params, size_t stride,
		      const struct ktstr_value *values, size_t count)
{
	const char *row = (const char *)params;
	int rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++, row += stride)
		rc = walk_value(walk, (const struct ktstr_param *)(const void *)row, stride,
				&values[i]);
	return rc;
}

/* Rows of a table without the one that ends it. */
static size_t count_rows(const struct ktstr_param *params, size_t stride)
{
	const char *row = (const char *)params;
	size_t count = 0;

	while (row && ((const struct ktstr_param *)(const void *)row)->key) {
		row += stride;
		count++;
	}
	return count;
}

int run_needs_ask_workloads(struct run_needs *needs, const struct plugin *plugin,
			    const struct ktstr_value *values, struct ktstr_error *err)
{
	struct walk walk = { needs, needs->registry, err };
	const struct ktstr_plugin *d = plugin->descriptor;

	return walk_table(&walk, d->params, d->param_size, values,
			  count_rows(d->params, d->param_size));
}

void run_needs_done(struct run_needs *needs)
{
	if (!needs)
		return;
	for (size_t i = 0; i < needs->option_count; i++) {
		free(needs->options[i].option);
		free(needs->options[i].asker);
	}
	for (size_t i = 0; i < needs->file_count; i++) {
		free(needs->files[i].host_path);
		free(needs->files[i].guest_path);
	}
	free(needs->options);
	free(needs->files);
	*needs = (struct run_needs){ 0 };
}
