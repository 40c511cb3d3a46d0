/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/list.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"
#include "judge/verdict.h"
#include "ktstr/plugin.h"
#include "report/meta.h"
#include "report/table.h"
#include "run/finish.h"
#include "run/paths.h"

/* In the place of a plugin that could not be built: a line that says why. */
#define MISSING_SUFFIX ".missing"
#define MISSING_BYTES_MAX 4096u

/* "integer 1..1024 = 4", "choice a|b = a", "duration, required" */
static int add_param_type(struct str *out, const struct listed_param *param)
{
	int rc = str_add(out, param_type_name(param->type));

	if (rc == 0 && param->choices)
		rc = str_addf(out, " %s", param->choices);
	if (rc == 0 && param->type == KTSTR_PARAM_INT && param->min != param->max)
		rc = str_addf(out, " %" PRId64 "..%" PRId64, param->min, param->max);
	if (rc == 0 && (param->flags & KTSTR_PARAM_REQUIRED))
		rc = str_add(out, ", required");
	else if (rc == 0 && param->fallback)
		rc = str_addf(out, " = %s", param->fallback);
	return rc;
}

/* What is inside another one stands below it: "steps[].ops[].spawn" is "    spawn". */
static int add_param(struct table *table, const struct listed_param *param)
{
	const char *leaf = strrchr(param->key, '.');
	struct str type = { 0 };
	int depth = 0;
	int rc = add_param_type(&type, param);

	for (const char *c = param->key; *c; c++)
		depth += *c == '.';
	if (rc == 0)
		rc = table_cell(table, "%*s%s", 2 * depth, "", leaf ? leaf + 1 : param->key);
	if (rc == 0)
		rc = table_cell(table, "%s", str_text(&type));
	if (rc == 0)
		rc = table_cell(table, "%s", param->help ? param->help : "");
	str_done(&type);
	return rc;
}

static int add_params(struct str *text, const struct plugin_listing *listing)
{
	static const struct table_column columns[] = {
		{ "parameter", true },
		{ "type", true },
		{ "meaning", true },
	};
	struct table table;
	int rc = 0;

	table_init(&table, columns, ARRAY_SIZE(columns));
	for (size_t i = 0; i < listing->param_count && rc == 0; i++)
		rc = add_param(&table, &listing->params[i]);
	if (rc == 0)
		rc = table_render(&table, "    ", text);
	table_done(&table);
	return rc;
}

/* A line of text from outside. */
static int add_line(struct str *text, const char *before, const char *line)
{
	int rc = str_add(text, before);

	if (rc == 0)
		rc = text_add_safe(text, line);
	return rc == 0 ? str_add(text, "\n") : rc;
}

static int add_refused(struct str *text, const struct plugin_listing *listing)
{
	int rc;

	/* Only one that was left out has a kind. */
	if (listing->kind)
		rc = str_addf(text, "%s %s is left out\n", plugin_kind_name(listing->kind),
			      listing->name);
	else
		rc = add_line(text, "refused ", listing->path);
	return rc == 0 ? add_line(text, "  ", listing->refused) : rc;
}

static int add_listing(struct str *text, const struct plugin_listing *listing)
{
	int rc = text->length > 0 ? str_add(text, "\n") : 0;

	if (rc == 0 && listing->refused)
		return add_refused(text, listing);
	if (rc == 0)
		rc = str_addf(text, "%s %s %s (ABI %u.%u)\n", plugin_kind_name(listing->kind),
			      listing->name, listing->version ? listing->version : "",
			      listing->abi_major, listing->abi_minor);
	if (rc == 0 && listing->summary && *listing->summary)
		rc = add_line(text, "  ", listing->summary);
	if (rc == 0)
		rc = add_line(text, "  ", listing->path);
	return rc == 0 ? add_params(text, listing) : rc;
}

static json_t *param_json(const struct listed_param *param)
{
	return json_pack("{so so ss sb so sI sI so}", "key", json_text(param->key), "help",
			 json_text(param->help), "type", param_type_name(param->type), "required",
			 (param->flags & KTSTR_PARAM_REQUIRED) != 0, "fallback",
			 json_text(param->fallback), "min", (json_int_t)param->min, "max",
			 (json_int_t)param->max, "choices", json_text(param->choices));
}

static json_t *listing_json(const struct plugin_listing *listing)
{
	json_t *params = json_array();

	for (size_t i = 0; i < listing->param_count; i++)
		json_add(&params, param_json(&listing->params[i]));
	return json_pack("{ss? so so so so so si si so so}", "kind",
			 listing->kind ? plugin_kind_name(listing->kind) : NULL, "name",
			 json_text(listing->name), "version", json_text(listing->version),
			 "summary", json_text(listing->summary), "license",
			 json_text(listing->license), "path", json_text(listing->path), "abi_major",
			 (int)listing->abi_major, "abi_minor", (int)listing->abi_minor, "params",
			 params, "refused", json_text(listing->refused));
}

/* What is asked for. */
struct filter {
	uint32_t kind; /* 0: all */
	char *const *names;
	size_t name_count; /* 0: all */
};

static bool is_wanted(const struct filter *filter, const struct plugin_listing *listing)
{
	/* A refused file may be of any kind. */
	if (filter->kind && listing->kind && listing->kind != filter->kind)
		return false;
	for (size_t i = 0; i < filter->name_count; i++)
		if (strcmp(filter->names[i], listing->name) == 0)
			return true;
	return filter->name_count == 0;
}

/* Is there one of each name that is asked for? */
static int check_names(const struct filter *filter, const struct plugin_listing *listings,
		       size_t count, struct ktstr_error *err)
{
	_cleanup_free_ const char **known = calloc(count + 1, sizeof(*known));
	const struct filter all = { .kind = filter->kind };
	size_t known_count = 0;

	if (!known)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < count; i++)
		if (is_wanted(&all, &listings[i]))
			known[known_count++] = listings[i].name;
	for (size_t i = 0; i < filter->name_count; i++) {
		const char *name = filter->names[i], *nearest;
		bool is_there = false;

		for (size_t j = 0; j < known_count; j++)
			is_there |= strcmp(known[j], name) == 0;
		if (is_there)
			continue;
		nearest = str_nearest(name, known, known_count);
		return ktstr_fail(err, -ENOENT, "there is no %s '%s' in the search path%s%s%s",
				  filter->kind ? plugin_kind_name(filter->kind) : "plugin", name,
				  nearest ? "; did you mean '" : "", nearest ? nearest : "",
				  nearest ? "'?" : "");
	}
	return 0;
}

int list_show_plugins(const struct plugin_listing *listings, size_t count, uint32_t kind,
		      char *const *names, size_t name_count, const struct run_options *options)
{
	const struct filter filter = { .kind = kind, .names = names, .name_count = name_count };
	json_t *list = options->is_json ? json_array() : NULL;
	struct ktstr_error err = { 0 };
	struct str text = { 0 };
	int rc = check_names(&filter, listings, count, &err);

	if (rc < 0) {
		json_decref(list);
		return finish_error(options, rc == -ENOMEM ? EXIT_ERROR : EXIT_USAGE, &err);
	}
	for (size_t i = 0; i < count && rc == 0; i++) {
		if (!is_wanted(&filter, &listings[i]))
			continue;
		if (options->is_json)
			json_add(&list, listing_json(&listings[i]));
		else
			rc = add_listing(&text, &listings[i]);
	}
	return options->is_json ? list_show_document(options, "plugins", EXIT_PASS, list)
				: list_show_text(options, &text, rc);
}

static int is_missing_note(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && str_ends(entry->d_name, MISSING_SUFFIX);
}

/* What is to be listed, as it grows. */
struct listings {
	struct plugin_listing *all;
	size_t count;
};

static int add_note(struct listings *listings, uint32_t kind, const char *folder, const char *file)
{
	_cleanup_free_ char *path = str_format("%s/%s", folder, file);
	_cleanup_free_ char *name = strndup(file, strlen(file) - strlen(MISSING_SUFFIX));
	_cleanup_free_ char *why = NULL;
	struct plugin_listing *all;
	struct ktstr_error err = { 0 };
	size_t length = 0;

	if (!path || !name)
		return -ENOMEM;
	/* Somebody may have built it since. */
	for (size_t i = 0; i < listings->count; i++)
		if (listings->all[i].kind == kind && strcmp(listings->all[i].name, name) == 0)
			return 0;
	if (io_read_file(path, MISSING_BYTES_MAX, &why, &length, &err) < 0)
		return err.code == -ENOMEM ? -ENOMEM : 0;
	why[strcspn(why, "\n")] = '\0';
	all = realloc(listings->all, (listings->count + 1) * sizeof(*all));
	if (!all)
		return -ENOMEM;
	listings->all = all;
	all[listings->count++] = (struct plugin_listing){
		.path = steal_ptr(path),
		.kind = kind,
		.name = steal_ptr(name),
		.refused = steal_ptr(why),
	};
	return 0;
}

/* The plugins of one folder that were left out when it was built. */
static int add_notes(struct listings *listings, uint32_t kind, const char *folder)
{
	_cleanup_free_ char *below = str_format("%s/%ss", folder, plugin_kind_name(kind));
	struct dirent **entries;
	int rc = below ? 0 : -ENOMEM;
	int count = rc == 0 ? scandir(below, &entries, is_missing_note, alphasort) : -1;

	for (int i = 0; i < count; i++) {
		if (rc == 0)
			rc = add_note(listings, kind, below, entries[i]->d_name);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return rc;
}

static int add_missing(struct listings *listings, char *const *folders, struct ktstr_error *err)
{
	int rc = 0;

	for (; *folders && rc == 0; folders++)
		for (uint32_t kind = KTSTR_KIND_SCHEDULER; kind <= KTSTR_KIND_CHECKER && rc == 0;
		     kind++)
			rc = add_notes(listings, kind, *folders);
	return rc == 0 ? 0 : ktstr_fail(err, rc, "out of memory");
}

int run_list_plugins(uint32_t kind, char *const *names, size_t name_count,
		     const struct run_options *options)
{
	struct listings listings = { 0 };
	struct registry *registry = NULL;
	struct run_paths paths = { 0 };
	struct ktstr_error err = { 0 };
	int exit_code;
	int rc = run_paths_find(NULL, options->plugin_folders, options->plugin_folder_count,
				getenv("KTSTR_PLUGIN_PATH"), &paths, &err);

	if (rc == 0)
		rc = registry_new((const char *const *)paths.plugin_folders, &registry, &err);
	if (rc == 0)
		rc = registry_list(registry, &listings.all, &listings.count, &err);
	if (rc == 0)
		rc = add_missing(&listings, paths.plugin_folders, &err);
	if (rc == 0)
		exit_code = list_show_plugins(listings.all, listings.count, kind, names, name_count,
					      options);
	else
		exit_code = finish_error(options, rc == -ENOTDIR ? EXIT_USAGE : EXIT_ERROR, &err);
	listing_free(listings.all, listings.count);
	registry_free(registry);
	run_paths_done(&paths);
	return exit_code;
}
