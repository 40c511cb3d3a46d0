/* SPDX-License-Identifier: GPL-2.0-only */
/* What needs no .so of its own: descriptors in memory, ELF files that every system has, empty
 * search paths. tests/abi/ has the broken files. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "plugin/elf.h"
#include "plugin/loader.h"
#include "plugin/registry.h"

static int scheduler_start(struct ktstr_guest *g, const struct ktstr_value *values,
			   void **ret_state, struct ktstr_error *err)
{
	(void)g;
	(void)values;
	(void)ret_state;
	(void)err;
	return 0;
}

static int scheduler_stop(struct ktstr_guest *g, void *state, struct ktstr_error *err)
{
	(void)g;
	(void)state;
	(void)err;
	return 0;
}

static int scenario_needs(const struct ktstr_value *values, struct ktstr_needs *needs,
			  struct ktstr_error *err)
{
	(void)values;
	(void)needs;
	(void)err;
	return 0;
}

static int scenario_run(struct ktstr_guest *g, const struct ktstr_value *values, void *state,
			struct ktstr_error *err)
{
	(void)g;
	(void)values;
	(void)state;
	(void)err;
	return 0;
}

static int checker_observe(void *state, const struct ktstr_frame *frame, struct ktstr_error *err)
{
	(void)state;
	(void)frame;
	(void)err;
	return 0;
}

static int checker_finish(void *state, uint32_t *ret_outcome, struct ktstr_error *err)
{
	(void)state;
	(void)err;
	*ret_outcome = KTSTR_OUTCOME_PASS;
	return 0;
}

static struct ktstr_plugin descriptor(uint32_t kind, const void *ops)
{
	return (struct ktstr_plugin){
		.magic = KTSTR_PLUGIN_MAGIC,
		.abi_major = KTSTR_ABI_MAJOR,
		.abi_minor = KTSTR_ABI_MINOR,
		.size = sizeof(struct ktstr_plugin),
		.kind = kind,
		.name = "x",
		.version = "1",
		.summary = "s",
		.param_size = sizeof(struct ktstr_param),
		.ops = ops,
	};
}

static void assert_check(const struct ktstr_plugin *plugin, const char *want)
{
	struct ktstr_error err = { 0 };
	int rc = plugin_check(plugin, 0, "x.so", &err);

	cr_expect_eq(rc, want ? -EINVAL : 0, "%d: %s", rc, err.text);
	cr_expect_str_eq(err.text, want ? want : "");
}

Test(plugin_check, asks_each_kind_for_its_ops)
{
	static const struct ktstr_scheduler_ops scheduler = { .size = sizeof(scheduler),
							      .start = scheduler_start,
							      .stop = scheduler_stop };
	static const struct ktstr_scheduler_ops no_start = { .size = sizeof(no_start),
							     .stop = scheduler_stop };
	static const struct ktstr_scheduler_ops no_stop = { .size = sizeof(no_stop),
							    .start = scheduler_start };
	static const struct ktstr_scenario_ops scenario = { .size = sizeof(scenario),
							    .needs = scenario_needs,
							    .run = scenario_run };
	static const struct ktstr_scenario_ops no_needs = { .size = sizeof(no_needs),
							    .run = scenario_run };
	static const struct ktstr_scenario_ops no_run = { .size = sizeof(no_run),
							  .needs = scenario_needs };
	static const struct ktstr_checker_ops checker = { .size = sizeof(checker),
							  .observe = checker_observe,
							  .finish = checker_finish };
	static const struct ktstr_checker_ops no_observe = { .size = sizeof(no_observe),
							     .finish = checker_finish };
	static const struct ktstr_checker_ops no_finish = { .size = sizeof(no_finish),
							    .observe = checker_observe };
	static const struct ktstr_checker_ops no_wants = { .size = sizeof(no_wants),
							   .wants_count = 2,
							   .observe = checker_observe,
							   .finish = checker_finish };
	static const struct ktstr_scenario_ops judged = { .size = sizeof(judged),
							  .needs = scenario_needs,
							  .run = scenario_run,
							  .judgement = &checker };
	static const struct ktstr_scenario_ops badly_judged = { .size = sizeof(badly_judged),
								.needs = scenario_needs,
								.run = scenario_run,
								.judgement = &no_finish };
#define MISSING(OP, STRUCT)                                                                        \
	"'x.so': required op '" OP "' is missing; set ." OP " in its struct " STRUCT
	const struct {
		uint32_t kind;
		const void *ops;
		const char *text;
	} rows[] = {
		{ KTSTR_KIND_SCHEDULER, &scheduler, NULL },
		{ KTSTR_KIND_SCHEDULER, &no_start, MISSING("start", "ktstr_scheduler_ops") },
		{ KTSTR_KIND_SCHEDULER, &no_stop, MISSING("stop", "ktstr_scheduler_ops") },
		{ KTSTR_KIND_SCENARIO, &scenario, NULL },
		{ KTSTR_KIND_SCENARIO, &no_needs, MISSING("needs", "ktstr_scenario_ops") },
		{ KTSTR_KIND_SCENARIO, &no_run, MISSING("run", "ktstr_scenario_ops") },
		{ KTSTR_KIND_SCENARIO, &judged, NULL },
		{ KTSTR_KIND_SCENARIO, &badly_judged,
		  "'x.so': judgement: required op 'finish' is missing; set .finish in its struct "
		  "ktstr_checker_ops" },
		{ KTSTR_KIND_CHECKER, &checker, NULL },
		{ KTSTR_KIND_CHECKER, &no_observe, MISSING("observe", "ktstr_checker_ops") },
		{ KTSTR_KIND_CHECKER, &no_finish, MISSING("finish", "ktstr_checker_ops") },
		{ KTSTR_KIND_CHECKER, &no_wants,
		  "'x.so' wants 2 types of frames, but names none; set .wants" },
		{ KTSTR_KIND_SCHEDULER, NULL, "'x.so' has no ops table; set .scheduler" },
		{ KTSTR_KIND_CHECKER, NULL, "'x.so' has no ops table; set .checker" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ktstr_plugin plugin = descriptor(rows[i].kind, rows[i].ops);

		assert_check(&plugin, rows[i].text);
	}
}

/* A plugin of ABI 1.0 in a later ktstr: its tables end where those of 1.0 did. */
Test(plugin_check, takes_tables_that_end_after_the_required_ops)
{
	static const struct ktstr_scenario_ops scenario = {
		.size = offsetof(struct ktstr_scenario_ops, run) + sizeof(void *),
		.needs = scenario_needs,
		.run = scenario_run,
		/* Beyond the size, so it must not be looked at. */
		.judgement = (const struct ktstr_checker_ops *)1,
	};
	struct ktstr_plugin plugin = descriptor(KTSTR_KIND_SCENARIO, &scenario);

	plugin.size = KTSTR_PLUGIN_SIZE_1_0;
	assert_check(&plugin, NULL);
}

/* A plugin built with headers that know more, but of the same ABI: larger everywhere. */
Test(plugin_check, takes_structs_that_are_longer_than_its_own)
{
	static const struct {
		struct ktstr_scheduler_ops ops;
		void *more[4];
	} scheduler = { .ops = { .size = sizeof(scheduler),
				 .start = scheduler_start,
				 .stop = scheduler_stop } };
	static const struct {
		struct ktstr_param row;
		void *more[2];
	} params[] = {
		{ .row = { .key = "a", .help = "h", .type = KTSTR_PARAM_INT, .fallback = "1" } },
		{ .row = { .key = "b", .help = "h", .type = KTSTR_PARAM_BOOL, .fallback = "no" } },
		{ .row = { .key = NULL } },
	};
	struct ktstr_plugin plugin = descriptor(KTSTR_KIND_SCHEDULER, &scheduler);

	plugin.size = sizeof(plugin) + 64;
	plugin.params = &params[0].row;
	plugin.param_size = sizeof(params[0]);
	assert_check(&plugin, NULL);
	plugin.param_size = 84;
	assert_check(&plugin, "'x.so' has parameter rows of 84 bytes, want at least 80; define the "
			      "descriptor with KTSTR_PLUGIN_DEFINE");
}

Test(plugin_check, shows_no_control_characters_of_a_name)
{
	struct ktstr_plugin plugin = descriptor(KTSTR_KIND_SCHEDULER, NULL);

	plugin.name = "a\033[2Jb";
	assert_check(&plugin, "'x.so' is named 'a?[2Jb', want [a-z][a-z0-9_]* of at most 31 "
			      "characters; set .name");
}

Test(plugin_kind_name, knows_all_kinds)
{
	cr_assert_str_eq(plugin_kind_name(KTSTR_KIND_SCHEDULER), "scheduler");
	cr_assert_str_eq(plugin_kind_name(KTSTR_KIND_SCENARIO), "scenario");
	cr_assert_str_eq(plugin_kind_name(KTSTR_KIND_WORKLOAD), "workload");
	cr_assert_str_eq(plugin_kind_name(KTSTR_KIND_CHECKER), "checker");
	cr_assert_str_eq(plugin_kind_name(0), "unknown");
	cr_assert_str_eq(plugin_kind_name(UINT32_MAX), "unknown");
}

static bool holds(char *const *texts, const char *start)
{
	for (; *texts; texts++)
		if (str_starts(*texts, start))
			return true;
	return false;
}

Test(elf, reads_a_program)
{
	struct elf_info *info = NULL;
	struct ktstr_error err;

	cr_assert_eq(elf_read("/proc/self/exe", &info, &err), 0, "%s", err.text);
	cr_assert_not(info->is_shared_object);
	cr_assert_not_null(info->interpreter);
	cr_assert_eq(info->interpreter[0], '/');
	cr_assert(holds(info->needed, "libc.so."));
	cr_assert(holds(info->needed, "libelf.so."));
	elf_free(info);
}

/* libcriterion stands for any library: this program is linked with it. */
Test(elf, closure_is_what_the_dynamic_linker_loaded)
{
	char **paths = NULL, *const * path;
	struct ktstr_error err;
	unsigned int linkers = 0;

	cr_assert_eq(elf_closure("/proc/self/exe", &paths, &err), 0, "%s", err.text);
	for (path = paths; *path; path++) {
		const char *name = strrchr(*path, '/') + 1;
		struct stat st;

		cr_expect_eq((*path)[0], '/');
		cr_expect_eq(stat(*path, &st), 0, "%s", *path);
		linkers += str_starts(name, "ld-linux");
		for (char *const *other = path + 1; *other; other++)
			cr_expect_neq(strcmp(*path, *other), 0, "%s is there twice", *path);
	}
	cr_assert_eq(linkers, 1);
	elf_paths_free(paths);
}

/* Every library that is mapped into this process is in the closure, by its file. */
Test(elf, closure_has_all_that_is_mapped)
{
	_cleanup_fclose_ FILE *maps = fopen("/proc/self/maps", "re");
	char line[4096], **paths = NULL;
	struct ktstr_error err;
	unsigned int seen = 0;

	cr_assert_not_null(maps);
	cr_assert_eq(elf_closure("/proc/self/exe", &paths, &err), 0, "%s", err.text);
	while (fgets(line, sizeof(line), maps)) {
		char *file = strchr(line, '/');
		bool is_found = false;

		if (!file || !strstr(line, "r-xp") || !strstr(file, ".so"))
			continue;
		file[strcspn(file, "\n")] = '\0';
		for (char **path = paths; *path && !is_found; path++) {
			_cleanup_free_ char *real = realpath(*path, NULL);

			is_found = real && strcmp(real, file) == 0;
		}
		cr_expect(is_found, "%s is not in the closure", file);
		seen++;
	}
	cr_assert_geq(seen, 4);
	elf_paths_free(paths);
}

Test(elf, refuses_what_is_no_file)
{
	struct elf_info *info = NULL;
	struct ktstr_error err = { 0 };

	cr_assert_eq(elf_read("/nonexistent/x.so", &info, &err), -ENOENT);
	cr_assert_str_eq(err.text, "cannot open '/nonexistent/x.so': No such file or directory");
	cr_assert_eq(elf_read("/dev/null", &info, &err), -EINVAL);
	cr_assert_str_eq(err.text, "'/dev/null' is not a regular file");
}

Test(elf, does_not_wait_for_a_fifo)
{
	char folder[] = "/tmp/ktstr-elf-XXXXXX", path[64];
	struct elf_info *info = NULL;
	struct ktstr_error err = { 0 };

	cr_assert_not_null(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/fifo", folder);
	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_expect_eq(elf_read(path, &info, &err), -EINVAL);
	cr_expect_not_null(strstr(err.text, "is not a regular file"));
	(void)unlink(path);
	(void)rmdir(folder);
}

Test(registry, says_that_nothing_is_searched)
{
	static const char *const folders[] = { NULL };
	struct registry *registry = NULL;
	struct ktstr_error err = { 0 };
	struct plugin *plugin = NULL;
	size_t count = 1;

	cr_assert_eq(registry_new(folders, &registry, &err), 0);
	cr_assert_eq(registry_get(registry, KTSTR_KIND_CHECKER, "gap", &plugin, &err), -ENOENT);
	cr_assert_str_eq(err.text, "no checker 'gap': the search path for plugins is empty; give "
				   "--plugin-dir");
	(void)registry_loaded(registry, &count);
	cr_assert_eq(count, 0);
	registry_free(registry);
}

Test(registry, lists_nothing_of_nothing)
{
	static const char *const folders[] = { "/nonexistent", NULL };
	struct plugin_listing *listings = NULL;
	struct registry *registry = NULL;
	struct ktstr_error err = { 0 };
	size_t count = 1;

	cr_assert_eq(registry_new(folders, &registry, &err), 0);
	cr_assert_eq(registry_list(registry, &listings, &count, &err), 0, "%s", err.text);
	cr_assert_eq(count, 0);
	listing_free(listings, count);
	registry_free(registry);
}

/* A plugin of a kind lies in the kind's folder or beside it; the kind's folder comes first. */
Test(registry, looks_in_the_folder_of_the_kind_first)
{
	char folder[] = "/tmp/ktstr-registry-XXXXXX", below[128], beside[128], kind[64];
	const char *const folders[] = { folder, NULL };
	struct registry *registry = NULL;
	struct ktstr_error err = { 0 };
	struct plugin *plugin = NULL;
	char want[512];

	cr_assert_not_null(mkdtemp(folder));
	(void)snprintf(kind, sizeof(kind), "%s/checkers", folder);
	(void)snprintf(below, sizeof(below), "%s/gap.so", kind);
	(void)snprintf(beside, sizeof(beside), "%s/gap.so", folder);
	cr_assert_eq(mkdir(kind, 0755), 0);
	/* Folders in place of files: the refusal tells which one was found. */
	cr_assert_eq(mkdir(beside, 0755), 0);
	cr_assert_eq(registry_new(folders, &registry, &err), 0);
	cr_expect_lt(registry_get(registry, KTSTR_KIND_CHECKER, "gap", &plugin, &err), 0);
	(void)snprintf(want, sizeof(want), "'%s' is not a regular file", beside);
	cr_expect_str_eq(err.text, want);

	cr_assert_eq(mkdir(below, 0755), 0);
	cr_expect_lt(registry_get(registry, KTSTR_KIND_CHECKER, "gap", &plugin, &err), 0);
	(void)snprintf(want, sizeof(want), "'%s' is not a regular file", below);
	cr_expect_str_eq(err.text, want);

	cr_expect_eq(registry_get(registry, KTSTR_KIND_CHECKER, "gpa", &plugin, &err), -ENOENT);
	(void)snprintf(want, sizeof(want), "no checker 'gpa' in %s; did you mean 'gap'?", folder);
	cr_expect_str_eq(err.text, want);
	registry_free(registry);
	(void)rmdir(below);
	(void)rmdir(beside);
	(void)rmdir(kind);
	(void)rmdir(folder);
}
