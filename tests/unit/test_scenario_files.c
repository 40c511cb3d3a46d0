/* SPDX-License-Identifier: GPL-2.0-only */
/* Every scenario file that ships is whole: its plugins exist, its parameters bind, its story holds.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <glob.h>

#include "config/scenario.h"
#include "ktstr/scenario.h"
#include "plugin/registry.h"

/* The schedulers that the file names. */
static int know_scheduler(struct ktstr_needs *needs, const char *name, struct ktstr_error *err)
{
	const struct scenario_spec *spec = needs->host;
	size_t i = 0;

	while (name && *name && i < spec->staged_count && strcmp(spec->staged[i].name, name) != 0)
		i++;
	return name && *name && i == spec->staged_count
		       ? ktstr_fail(err, -ENOENT, "there is no '%s'", name)
		       : 0;
}

static void bind_reference(struct registry *registry, const struct scenario_spec *spec,
			   const struct plugin_ref *ref, uint32_t kind, const char *path)
{
	const struct plugin_tables tables = registry_tables(registry);
	struct ktstr_needs needs = { .size = sizeof(needs),
				     .topology = &spec->vm.topology,
				     .host = (void *)spec,
				     .scheduler = know_scheduler };
	const struct ktstr_plugin *descriptor;
	struct ktstr_error err = { 0 };
	struct bound *bound = NULL;
	struct plugin *plugin;

	cr_assert_eq(registry_get(registry, kind, ref->name, &plugin, &err), 0, "%s: %s", path,
		     err.text);
	descriptor = plugin->descriptor;
	cr_assert_eq(bind_params(descriptor->params, descriptor->param_size, ref->params, NULL,
				 &spec->source, &tables, &bound, &err),
		     0, "%s", err.text);
	if (kind == KTSTR_KIND_SCENARIO) {
		cr_expect_eq(descriptor->scenario->needs(bound_values(bound), &needs, &err), 0,
			     "%s: %s", path, err.text);
		cr_expect_gt(needs.duration_ns, 0, "%s", path);
	}
	bound_free(bound);
}

static void check_file(struct registry *registry, const char *path)
{
	struct scenario_spec *spec = NULL;
	struct ktstr_error err = { 0 };

	cr_assert_eq(scenario_load(path, &spec, &err), 0, "%s", err.text);
	cr_expect_not_null(spec->description, "%s does not say what it is", path);
	cr_expect_eq(strncmp(spec->source.text, "# ", 2), 0,
		     "%s does not begin by saying what it shows", path);
	bind_reference(registry, spec, &spec->scheduler, KTSTR_KIND_SCHEDULER, path);
	for (size_t i = 0; i < spec->staged_count; i++)
		bind_reference(registry, spec, &spec->staged[i].plugin, KTSTR_KIND_SCHEDULER, path);
	bind_reference(registry, spec, &spec->scenario, KTSTR_KIND_SCENARIO, path);
	cr_expect_gt(spec->checker_count, 0, "%s has no checker", path);
	for (size_t i = 0; i < spec->checker_count; i++)
		bind_reference(registry, spec, &spec->checkers[i], KTSTR_KIND_CHECKER, path);
	scenario_free(spec);
}

Test(scenario_files, all_are_whole)
{
	static const char *const folders[] = { SHIPPED_PLUGIN_DIR, NULL };
	struct registry *registry = NULL;
	struct ktstr_error err = { 0 };
	glob_t files;

	cr_assert_eq(registry_new(folders, &registry, &err), 0, "%s", err.text);
	cr_assert_eq(glob(SHIPPED_SCENARIO_DIR "/*.yaml", 0, NULL, &files), 0);
	cr_assert_geq(files.gl_pathc, 6);
	for (size_t i = 0; i < files.gl_pathc; i++)
		check_file(registry, files.gl_pathv[i]);
	globfree(&files);
	registry_free(registry);
}
