/* SPDX-License-Identifier: GPL-2.0-only */
#include "plugin/registry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "plugin/folders.h"

struct registry {
	char **folders; /* ended by NULL */
	struct plugin **plugins;
	size_t plugin_count;
};

int registry_new(const char *const *folders, struct registry **ret, struct ktstr_error *err)
{
	struct registry *registry = calloc(1, sizeof(*registry));
	size_t count = 0;

	while (folders[count])
		count++;
	if (!registry)
		goto no_memory;
	registry->folders = calloc(count + 1, sizeof(*registry->folders));
	if (!registry->folders)
		goto no_memory;
	for (size_t i = 0; i < count; i++) {
		registry->folders[i] = strdup(folders[i]);
		if (!registry->folders[i])
			goto no_memory;
	}
	*ret = registry;
	return 0;

no_memory:
	registry_free(registry);
	return ktstr_fail(err, -ENOMEM, "out of memory");
}

void registry_free(struct registry *registry)
{
	if (!registry)
		return;
	for (char **folder = registry->folders; folder && *folder; folder++)
		free(*folder);
	free(registry->folders);
	for (size_t i = 0; i < registry->plugin_count; i++)
		plugin_free(registry->plugins[i]);
	free(registry->plugins);
	free(registry);
}

static struct plugin *find_loaded(const struct registry *registry, uint32_t kind, const char *name)
{
	for (size_t i = 0; i < registry->plugin_count; i++) {
		const struct ktstr_plugin *d = registry->plugins[i]->descriptor;

		if (d->kind == kind && strcmp(d->name, name) == 0)
			return registry->plugins[i];
	}
	return NULL;
}

/* Takes @plugin. */
static int add(struct registry *registry, struct plugin *plugin, struct ktstr_error *err)
{
	struct plugin **grown =
		realloc(registry->plugins, (registry->plugin_count + 1) * sizeof(struct plugin *));

	if (!grown) {
		plugin_free(plugin);
		return ktstr_fail(err, -ENOMEM, "out of memory");
	}
	registry->plugins = grown;
	registry->plugins[registry->plugin_count++] = plugin;
	return 0;
}

/* Where it was looked for, and the name that was probably meant. */
static int no_such(const struct registry *registry, uint32_t kind, const char *name,
		   struct ktstr_error *err)
{
	struct folder_files files = { 0 };
	struct str where = { 0 }, hint = { 0 };
	const char *nearest = NULL;
	int rc = 0;

	for (char **folder = registry->folders; *folder && rc == 0; folder++)
		rc = str_addf(&where, "%s%s", where.length ? ", " : "", *folder);
	if (rc == 0)
		rc = folders_scan(registry->folders, kind, &files);
	if (rc == 0)
		nearest = str_nearest(name, (const char *const *)files.names, files.count);
	if (rc == 0 && nearest)
		rc = str_addf(&hint, "; did you mean '%s'?", nearest);
	else if (rc == 0)
		rc = str_addf(&hint, "; 'ktstr plugins' lists all there are");
	if (rc < 0)
		rc = ktstr_fail(err, rc, "out of memory");
	else if (!where.length)
		rc = ktstr_fail(
			err, -ENOENT,
			"no %s '%s': the search path for plugins is empty; give --plugin-dir",
			plugin_kind_name(kind), name);
	else
		rc = ktstr_fail(err, -ENOENT, "no %s '%s' in %s%s", plugin_kind_name(kind), name,
				str_text(&where), str_text(&hint));
	folder_files_done(&files);
	str_done(&where);
	str_done(&hint);
	return rc;
}

/* The file of a name; *ret is NULL when there is none. */
static int find_file(const struct registry *registry, uint32_t kind, const char *name, char **ret)
{
	*ret = NULL;
	for (char **folder = registry->folders; *folder; folder++) {
		_cleanup_free_ char *below =
			str_format("%s/%ss/%s.so", *folder, plugin_kind_name(kind), name);
		_cleanup_free_ char *beside = str_format("%s/%s.so", *folder, name);

		if (!below || !beside)
			return -ENOMEM;
		if (access(below, F_OK) == 0)
			*ret = steal_ptr(below);
		else if (access(beside, F_OK) == 0)
			*ret = steal_ptr(beside);
		if (*ret)
			return 0;
	}
	return 0;
}

static int get_by_name(struct registry *registry, uint32_t kind, const char *name,
		       struct plugin **ret, struct ktstr_error *err)
{
	_cleanup_free_ char *path = NULL;
	struct plugin *plugin;
	int rc;

	plugin = find_loaded(registry, kind, name);
	if (plugin) {
		*ret = plugin;
		return 0;
	}
	if (find_file(registry, kind, name, &path) < 0)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	if (!path)
		return no_such(registry, kind, name, err);
	rc = plugin_load(path, kind, &plugin, err);
	if (rc < 0)
		return rc;
	if (strcmp(plugin->descriptor->name, name) != 0) {
		rc = ktstr_fail(err, -EINVAL, "'%s' calls itself '%s'; rename the file to %s.so",
				path, plugin->descriptor->name, plugin->descriptor->name);
		plugin_free(plugin);
		return rc;
	}
	rc = add(registry, plugin, err);
	if (rc == 0)
		*ret = plugin;
	return rc;
}

static int get_by_path(struct registry *registry, uint32_t kind, const char *path,
		       struct plugin **ret, struct ktstr_error *err)
{
	struct plugin *plugin, *other;
	int rc;

	rc = plugin_load(path, kind, &plugin, err);
	if (rc < 0)
		return rc;
	other = find_loaded(registry, plugin->descriptor->kind, plugin->descriptor->name);
	if (!other) {
		rc = add(registry, plugin, err);
		if (rc == 0)
			*ret = plugin;
		return rc;
	}
	if (strcmp(other->path, plugin->path) != 0)
		rc = ktstr_fail(
			err, -EEXIST,
			"%s '%s' of '%s' is loaded already from '%s'; give one of them another "
			"name",
			plugin_kind_name(plugin->descriptor->kind), plugin->descriptor->name, path,
			other->path);
	else
		*ret = other;
	plugin_free(plugin);
	return rc;
}

int registry_get(struct registry *registry, uint32_t kind, const char *name, struct plugin **ret,
		 struct ktstr_error *err)
{
	if (strchr(name, '/'))
		return get_by_path(registry, kind, name, ret, err);
	return get_by_name(registry, kind, name, ret, err);
}

struct plugin *const *registry_loaded(const struct registry *registry, size_t *ret_count)
{
	*ret_count = registry->plugin_count;
	return registry->plugins;
}

static int find_table(void *arg, uint32_t kind, const char *name,
		      const struct ktstr_param **ret_params, size_t *ret_stride,
		      struct ktstr_error *err)
{
	struct plugin *plugin;
	int rc;

	rc = registry_get(arg, kind, name, &plugin, err);
	if (rc < 0)
		return rc;
	*ret_params = plugin->descriptor->params;
	*ret_stride = plugin->descriptor->param_size;
	return 0;
}

struct plugin_tables registry_tables(struct registry *registry)
{
	return (struct plugin_tables){ .arg = registry, .find = find_table };
}

int registry_list(const struct registry *registry, struct plugin_listing **ret, size_t *ret_count,
		  struct ktstr_error *err)
{
	struct folder_files files = { 0 };
	int rc;

	rc = folders_scan(registry->folders, 0, &files);
	if (rc < 0)
		rc = ktstr_fail(err, rc, "out of memory");
	else
		rc = listing_read(&files, ret, ret_count, err);
	folder_files_done(&files);
	return rc;
}
