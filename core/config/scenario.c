/* SPDX-License-Identifier: GPL-2.0-only */
#include "config/scenario.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/str.h"
#include "config/plugin_ref.h"
#include "config/yaml.h"
#include "ktstr/plugin.h"

#define DEFAULT_SCHEDULER "eevdf"
/* So that sums of times cannot overflow. */
#define TIME_MAX_NS (24 * 3600 * (int64_t)NS_PER_S)
#define SCHEDULER_TIMEOUT_MAX_NS (600 * (int64_t)NS_PER_S)
/* What the APIC IDs of one guest can number. */
#define CPUS_MAX 255
#define CHECKERS_MAX 1000
#define STAGED_MAX 64
/* QEMU takes shifts up to 10; slower CPUs than this are of no use to anybody. */
#define INSTRUCTION_NS_MAX 64
#define MEMORY_MIN (INT64_C(32) << 20)
#define MEMORY_MAX (INT64_C(1) << 40)

static const char *const accels[] = {
	[ACCEL_AUTO] = "auto", [ACCEL_KVM] = "kvm", [ACCEL_TCG] = "tcg", NULL
};

static const char *const clocks[] = {
	[VM_CLOCK_AUTO] = "auto", [VM_CLOCK_VIRTUAL] = "virtual", [VM_CLOCK_HOST] = "host", NULL
};

enum {
	TOPOLOGY_NUMA,
	TOPOLOGY_LLCS,
	TOPOLOGY_CORES,
	TOPOLOGY_THREADS
};

static const struct ktstr_param topology_params[] = {
	[TOPOLOGY_NUMA] = { .key = "numa",
			    .help = "NUMA nodes",
			    .type = KTSTR_PARAM_INT,
			    .fallback = "1",
			    .min = 1,
			    .max = 64 },
	[TOPOLOGY_LLCS] = { .key = "llcs",
			    .help = "last-level caches in all",
			    .type = KTSTR_PARAM_INT,
			    .fallback = "1",
			    .min = 1,
			    .max = 64 },
	[TOPOLOGY_CORES] = { .key = "cores",
			     .help = "cores in each LLC",
			     .type = KTSTR_PARAM_INT,
			     .fallback = "2",
			     .min = 1,
			     .max = 255 },
	[TOPOLOGY_THREADS] = { .key = "threads",
			       .help = "threads in each core",
			       .type = KTSTR_PARAM_INT,
			       .fallback = "1",
			       .min = 1,
			       .max = 8 },
	{ .key = NULL },
};

enum {
	VM_ACCEL,
	VM_CLOCK,
	VM_INSTRUCTION,
	VM_TOPOLOGY,
	VM_MEMORY,
	VM_KERNEL,
	VM_BOOT_TIMEOUT
};

static const struct ktstr_param vm_params[] = {
	[VM_ACCEL] = { .key = "accel",
		       .help = "how the guest's CPUs are run",
		       .type = KTSTR_PARAM_ENUM,
		       .fallback = "auto",
		       .choices = accels },
	[VM_CLOCK] = { .key = "clock",
		       .help = "whose time the guest lives in: its own, or the host's",
		       .type = KTSTR_PARAM_ENUM,
		       .fallback = "auto",
		       .choices = clocks },
	[VM_INSTRUCTION] = { .key = "instruction_ns",
			     .help = "what an instruction takes in virtual time, a power of two",
			     .type = KTSTR_PARAM_INT,
			     .fallback = "4",
			     .min = 1,
			     .max = INSTRUCTION_NS_MAX },
	[VM_TOPOLOGY] = { .key = "topology",
			  .help = "the guest's CPUs",
			  .type = KTSTR_PARAM_MAP,
			  .fields = topology_params },
	[VM_MEMORY] = { .key = "memory",
			.help = "the guest's memory, or auto",
			.type = KTSTR_PARAM_STRING,
			.fallback = "auto" },
	[VM_KERNEL] = { .key = "kernel",
			.help = "kernel image, seen from this file's folder",
			.type = KTSTR_PARAM_STRING,
			.min = 1,
			.max = PATH_MAX - 1 },
	[VM_BOOT_TIMEOUT] = { .key = "boot_timeout",
			      .help = "how long the guest may take to boot",
			      .type = KTSTR_PARAM_DURATION,
			      .fallback = "60s",
			      .min = (int64_t)NS_PER_S,
			      .max = TIME_MAX_NS },
	{ .key = NULL },
};

enum {
	TOP_NAME,
	TOP_DESCRIPTION,
	TOP_SEED,
	TOP_VM,
	TOP_SCHEDULER_TIMEOUT,
	TOP_WATCHDOG
};

static const struct ktstr_param top_params[] = {
	[TOP_NAME] = { .key = "name",
		       .help = "name of the run in reports; else that of the file",
		       .type = KTSTR_PARAM_STRING,
		       .min = 1,
		       .max = 128 },
	[TOP_DESCRIPTION] = { .key = "description",
			      .help = "what is tested, for people",
			      .type = KTSTR_PARAM_STRING },
	[TOP_SEED] = { .key = "seed",
		       .help = "of all that is random in the run; else a new one each time",
		       .type = KTSTR_PARAM_INT,
		       .min = 0,
		       .max = INT64_MAX },
	[TOP_VM] = { .key = "vm",
		     .help = "the virtual machine",
		     .type = KTSTR_PARAM_MAP,
		     .fields = vm_params },
	[TOP_SCHEDULER_TIMEOUT] = { .key = "scheduler_timeout",
				    .help = "how long a scheduler may take to start, and to stop",
				    .type = KTSTR_PARAM_DURATION,
				    .fallback = "30s",
				    .min = (int64_t)NS_PER_S,
				    .max = SCHEDULER_TIMEOUT_MAX_NS },
	[TOP_WATCHDOG] = { .key = "watchdog",
			   .help = "time beyond the scenario's duration after which the run is "
				   "ended",
			   .type = KTSTR_PARAM_DURATION,
			   .fallback = "3s",
			   .min = (int64_t)NS_PER_S,
			   .max = TIME_MAX_NS },
	{ .key = NULL },
};

/* Top-level keys that are read by other tables: those of plugins, later, and that of expect.c. */
static const char *const other_keys[] = { "scheduler", "schedulers", "scenario",
					  "checkers",  "expect",     NULL };

static int fail_memory(const struct scenario_spec *spec, struct ktstr_error *err)
{
	return ktstr_fail(err, -ENOMEM, "cannot read '%s': out of memory", spec->source.name);
}

/* "dir/x.yaml" is called "x". */
static char *name_of_file(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	size_t length = strlen(base);

	if (str_ends(base, ".yaml"))
		length -= strlen(".yaml");
	else if (str_ends(base, ".yml"))
		length -= strlen(".yml");
	return length > 0 ? strndup(base, length) : strdup(base);
}

static int read_names(struct scenario_spec *spec, const struct ktstr_value *top,
		      struct ktstr_error *err)
{
	spec->name = top[TOP_NAME].s ? strdup(top[TOP_NAME].s) : name_of_file(spec->source.name);
	if (!spec->name)
		return fail_memory(spec, err);
	if (top[TOP_DESCRIPTION].s) {
		spec->description = strdup(top[TOP_DESCRIPTION].s);
		if (!spec->description)
			return fail_memory(spec, err);
	}
	return 0;
}

static int read_topology(struct scenario_spec *spec, const struct ktstr_value *value,
			 struct ktstr_error *err)
{
	const struct ktstr_value *v = value->items;
	const struct ktstr_topology t = {
		.size = sizeof(t),
		.numa_nodes = (uint32_t)v[TOPOLOGY_NUMA].i,
		.llcs = (uint32_t)v[TOPOLOGY_LLCS].i,
		.cores = (uint32_t)v[TOPOLOGY_CORES].i,
		.threads = (uint32_t)v[TOPOLOGY_THREADS].i,
	};

	if (t.llcs % t.numa_nodes != 0)
		return source_fail(&spec->source, value->line, value->column, err,
				   "'llcs' must be a multiple of 'numa', and %u is none of %u",
				   t.llcs, t.numa_nodes);
	if (ktstr_topology_cpus(&t) > CPUS_MAX)
		return source_fail(&spec->source, value->line, value->column, err,
				   "%u LLCs of %u cores of %u threads are %u CPUs, at most %d can "
				   "be had",
				   t.llcs, t.cores, t.threads, ktstr_topology_cpus(&t), CPUS_MAX);
	spec->vm.topology = t;
	return 0;
}

static int read_memory(struct scenario_spec *spec, const struct ktstr_value *value,
		       struct ktstr_error *err)
{
	int64_t bytes = 0;

	if (strcmp(value->s, "auto") != 0 &&
	    (parse_size(value->s, &bytes) < 0 || bytes < MEMORY_MIN || bytes > MEMORY_MAX))
		return source_fail(&spec->source, value->line, value->column, err,
				   "'memory' must be auto or a size from 32M to 1T, not '%.60s'",
				   value->s);
	spec->vm.memory_bytes = (uint64_t)bytes;
	return 0;
}

static int read_clock(struct scenario_spec *spec, const struct ktstr_value *clock,
		      const struct ktstr_value *instruction, struct ktstr_error *err)
{
	if (instruction->i & (instruction->i - 1))
		return source_fail(&spec->source, instruction->line, instruction->column, err,
				   "'instruction_ns' must be a power of two (1, 2, 4 ... %d), "
				   "not %lld",
				   INSTRUCTION_NS_MAX, (long long)instruction->i);
	spec->vm.clock = (enum vm_clock)clock->i;
	spec->vm.instruction_ns = (uint32_t)instruction->i;
	return 0;
}

static int read_vm(struct scenario_spec *spec, const struct ktstr_value *vm,
		   struct ktstr_error *err)
{
	int rc = read_topology(spec, &vm[VM_TOPOLOGY], err);

	if (rc == 0)
		rc = read_clock(spec, &vm[VM_CLOCK], &vm[VM_INSTRUCTION], err);
	if (rc == 0)
		rc = read_memory(spec, &vm[VM_MEMORY], err);
	if (rc < 0)
		return rc;
	spec->vm.accel = (enum accel)vm[VM_ACCEL].i;
	spec->vm.boot_timeout_ns = (uint64_t)vm[VM_BOOT_TIMEOUT].i;
	if (vm[VM_KERNEL].s) {
		spec->vm.kernel = path_beside(&spec->source, vm[VM_KERNEL].s);
		if (!spec->vm.kernel)
			return fail_memory(spec, err);
	}
	return 0;
}

static int read_keys(struct scenario_spec *spec, const struct node *root, struct ktstr_error *err)
{
	const struct ktstr_value *top;
	struct bound *bound;
	int rc = bind_params(top_params, sizeof(top_params[0]), root, other_keys, &spec->source,
			     NULL, &bound, err);

	if (rc < 0)
		return rc;
	top = bound_values(bound);
	spec->has_seed = node_get(root, "seed") != NULL;
	spec->seed = (uint64_t)top[TOP_SEED].i;
	spec->scheduler_timeout_ns = (uint64_t)top[TOP_SCHEDULER_TIMEOUT].i;
	spec->watchdog_ns = (uint64_t)top[TOP_WATCHDOG].i;
	rc = read_names(spec, top, err);
	if (rc == 0)
		rc = read_vm(spec, top[TOP_VM].items, err);
	bound_free(bound);
	return rc;
}

static int read_checkers(struct scenario_spec *spec, const struct node *list,
			 struct ktstr_error *err)
{
	if (list->kind == NODE_SCALAR && !*list->text)
		return 0;
	if (list->kind != NODE_LIST)
		return source_fail(&spec->source, list->line, list->column, err,
				   "'checkers' must be a list");
	for (size_t i = 0; i < list->child_count; i++) {
		struct plugin_ref ref;
		int rc = plugin_ref_from_node(&spec->source, "checkers", list->children[i], &ref,
					      err);

		if (rc == 0)
			rc = scenario_add_checker(spec, &ref, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static bool is_staged_name(const char *name)
{
	size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");

	return name[0] >= 'a' && name[0] <= 'z' && !name[length] && length <= KTSTR_NAME_MAX;
}

static int read_staged_one(struct scenario_spec *spec, const struct node *node,
			   struct ktstr_error *err)
{
	struct staged_scheduler *staged = &spec->staged[spec->staged_count];
	int rc;

	if (!is_staged_name(node->key))
		return source_fail(&spec->source, node->key_line, node->key_column, err,
				   "'%.60s' is no name for a scheduler (lower-case letters, "
				   "digits, _ and -, a letter first, at most %u)",
				   node->key, KTSTR_NAME_MAX);
	rc = plugin_ref_from_node(&spec->source, node->key, node, &staged->plugin, err);
	if (rc < 0)
		return rc;
	spec->staged_count++;
	staged->name = strdup(node->key);
	return staged->name ? 0 : fail_memory(spec, err);
}

static int read_staged(struct scenario_spec *spec, const struct node *map, struct ktstr_error *err)
{
	int rc = 0;

	if (map->kind == NODE_SCALAR && !*map->text)
		return 0;
	if (map->kind != NODE_MAP)
		return source_fail(&spec->source, map->line, map->column, err,
				   "'schedulers' must be a map of names, like {other: eevdf}");
	if (map->child_count > STAGED_MAX)
		return source_fail(&spec->source, map->line, map->column, err,
				   "more than %d schedulers", STAGED_MAX);
	spec->staged = calloc(map->child_count + 1, sizeof(*spec->staged));
	if (!spec->staged)
		return fail_memory(spec, err);
	for (size_t i = 0; i < map->child_count && rc == 0; i++)
		rc = read_staged_one(spec, map->children[i], err);
	return rc;
}

static int read_plugins(struct scenario_spec *spec, const struct node *root,
			struct ktstr_error *err)
{
	const struct node *scheduler = node_get(root, "scheduler");
	const struct node *scenario = node_get(root, "scenario");
	const struct node *schedulers = node_get(root, "schedulers");
	const struct node *checkers = node_get(root, "checkers");
	int rc = 0;

	if (!scenario)
		return source_fail(&spec->source, root->line, root->column, err,
				   "missing key 'scenario'");
	if (scheduler) {
		rc = plugin_ref_from_node(&spec->source, "scheduler", scheduler, &spec->scheduler,
					  err);
	} else {
		spec->scheduler.name = strdup(DEFAULT_SCHEDULER);
		if (!spec->scheduler.name)
			rc = fail_memory(spec, err);
	}
	if (rc == 0 && schedulers)
		rc = read_staged(spec, schedulers, err);
	if (rc == 0)
		rc = plugin_ref_from_node(&spec->source, "scenario", scenario, &spec->scenario,
					  err);
	if (rc == 0 && checkers)
		rc = read_checkers(spec, checkers, err);
	return rc;
}

static int read_root(struct scenario_spec *spec, struct ktstr_error *err)
{
	const struct node *expect;
	struct node *root;
	int rc = yaml_parse(&spec->source, &root, err);

	if (rc < 0)
		return rc;
	if (root->kind != NODE_MAP)
		rc = source_fail(&spec->source, root->line, root->column, err,
				 "a scenario file is a map of keys, like 'scenario: NAME'");
	if (rc == 0)
		rc = read_keys(spec, root, err);
	if (rc == 0)
		rc = read_plugins(spec, root, err);
	expect = rc == 0 ? node_get(root, "expect") : NULL;
	if (expect)
		rc = expectation_read(&spec->source, expect, &spec->expect, err);
	node_free(root);
	return rc;
}

/* @text is taken, also on failure. */
static int parse_taken(const char *name, char *text, size_t length, struct scenario_spec **ret,
		       struct ktstr_error *err)
{
	struct scenario_spec *spec = calloc(1, sizeof(*spec));
	int rc;

	if (!spec) {
		free(text);
		return ktstr_fail(err, -ENOMEM, "cannot read '%s': out of memory", name);
	}
	spec->source.text = text;
	spec->source.length = length;
	spec->source.name = strdup(name);
	rc = spec->source.name ? read_root(spec, err)
			       : ktstr_fail(err, -ENOMEM, "cannot read '%s': out of memory", name);
	if (rc < 0) {
		scenario_free(spec);
		return rc;
	}
	*ret = spec;
	return 0;
}

static int fail_too_large(const char *name, struct ktstr_error *err)
{
	const struct source source = { .name = name };

	return source_fail(&source, 1, 1, err, "larger than %u bytes", YAML_FILE_MAX);
}

int scenario_load(const char *path, struct scenario_spec **ret, struct ktstr_error *err)
{
	size_t length;
	char *text;
	int rc = io_read_file(path, YAML_FILE_MAX, &text, &length, err);

	if (rc == -EFBIG)
		return fail_too_large(path, err);
	return rc < 0 ? rc : parse_taken(path, text, length, ret, err);
}

int scenario_parse(const char *name, const char *text, size_t length, struct scenario_spec **ret,
		   struct ktstr_error *err)
{
	char *copy;

	if (length > YAML_FILE_MAX)
		return fail_too_large(name, err);
	copy = malloc(length + 1);
	if (!copy)
		return ktstr_fail(err, -ENOMEM, "cannot read '%s': out of memory", name);
	memcpy(copy, text, length);
	copy[length] = '\0';
	return parse_taken(name, copy, length, ret, err);
}

int scenario_add_checker(struct scenario_spec *spec, struct plugin_ref *ref,
			 struct ktstr_error *err)
{
	struct plugin_ref *checkers;

	if (spec->checker_count >= CHECKERS_MAX) {
		plugin_ref_done(ref);
		return ktstr_fail(err, -EINVAL, "more than %d checkers", CHECKERS_MAX);
	}
	checkers = reallocarray(spec->checkers, spec->checker_count + 1, sizeof(*checkers));
	if (!checkers) {
		plugin_ref_done(ref);
		return fail_memory(spec, err);
	}
	spec->checkers = checkers;
	checkers[spec->checker_count++] = *ref;
	*ref = (struct plugin_ref){ 0 };
	return 0;
}

void scenario_free(struct scenario_spec *spec)
{
	if (!spec)
		return;
	for (size_t i = 0; i < spec->checker_count; i++)
		plugin_ref_done(&spec->checkers[i]);
	free(spec->checkers);
	for (size_t i = 0; i < spec->staged_count; i++) {
		free(spec->staged[i].name);
		plugin_ref_done(&spec->staged[i].plugin);
	}
	free(spec->staged);
	expectation_done(&spec->expect);
	plugin_ref_done(&spec->scheduler);
	plugin_ref_done(&spec->scenario);
	free(spec->vm.kernel);
	free(spec->name);
	free(spec->description);
	free((void *)spec->source.name);
	free((void *)spec->source.text);
	free(spec);
}
