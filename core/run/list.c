/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "judge/verdict.h"
#include "ktstr/plugin.h"
#include "plugin/registry.h"
#include "report/report.h"
#include "report/table.h"
#include "run/finish.h"
#include "run/observe.h"
#include "run/paths.h"
#include "vm/kernel.h"

/* "integer 1..1024 = 4", "choice a|b = a", "duration, required" */
static void add_param_type(struct str *out, const struct listed_param *param)
{
	(void)str_add(out, param_type_name(param->type));
	if (param->choices)
		(void)str_addf(out, " %s", param->choices);
	if (param->type == KTSTR_PARAM_INT && param->min != param->max)
		(void)str_addf(out, " %" PRId64 "..%" PRId64, param->min, param->max);
	if (param->flags & KTSTR_PARAM_REQUIRED)
		(void)str_add(out, ", required");
	else if (param->fallback)
		(void)str_addf(out, " = %s", param->fallback);
}

static void show_params(const struct plugin_listing *listing, FILE *out)
{
	static const struct table_column columns[] = {
		{ "parameter", true },
		{ "type", true },
		{ "meaning", true },
	};
	struct str text = { 0 };
	struct table table;

	table_init(&table, columns, ARRAY_SIZE(columns));
	for (size_t i = 0; i < listing->param_count; i++) {
		const struct listed_param *param = &listing->params[i];
		struct str type = { 0 };

		add_param_type(&type, param);
		if (table_cell(&table, "%s", param->key) < 0 ||
		    table_cell(&table, "%s", str_text(&type)) < 0 ||
		    table_cell(&table, "%s", param->help ? param->help : "") < 0)
			log_error("cannot list the parameters of '%s': out of memory",
				  listing->name);
		str_done(&type);
	}
	if (table.cell_count % ARRAY_SIZE(columns) == 0 && table_render(&table, "    ", &text) == 0)
		(void)fputs(str_text(&text), out);
	table_done(&table);
	str_done(&text);
}

static void show_listing(const struct plugin_listing *listing, FILE *out)
{
	struct str line = { 0 };

	if (listing->refused) {
		(void)str_add(&line, "refused  ");
		(void)text_add_safe(&line, listing->path);
		(void)str_add(&line, "\n    ");
		(void)text_add_safe(&line, listing->refused);
	} else {
		(void)str_addf(&line, "%-9s %s %s  ", plugin_kind_name(listing->kind),
			       listing->name, listing->version ? listing->version : "");
		(void)text_add_safe(&line, listing->summary ? listing->summary : "");
		(void)str_add(&line, "\n    ");
		(void)text_add_safe(&line, listing->path);
	}
	(void)fprintf(out, "%s\n", str_text(&line));
	str_done(&line);
	if (!listing->refused)
		show_params(listing, out);
}

static json_t *param_json(const struct listed_param *param)
{
	return json_pack("{ss ss? ss sb ss? sI sI ss?}", "key", param->key, "help", param->help,
			 "type", param_type_name(param->type), "required",
			 (param->flags & KTSTR_PARAM_REQUIRED) != 0, "fallback", param->fallback,
			 "min", (json_int_t)param->min, "max", (json_int_t)param->max, "choices",
			 param->choices);
}

static json_t *listing_json(const struct plugin_listing *listing)
{
	json_t *params = json_array();

	for (size_t i = 0; i < listing->param_count; i++)
		(void)json_array_append_new(params, param_json(&listing->params[i]));
	return json_pack("{ss? ss? ss? ss? ss? ss? si si so ss?}", "kind",
			 listing->kind ? plugin_kind_name(listing->kind) : NULL, "name",
			 listing->name, "version", listing->version, "summary", listing->summary,
			 "license", listing->license, "path", listing->path, "abi_major",
			 (int)listing->abi_major, "abi_minor", (int)listing->abi_minor, "params",
			 params, "refused", listing->refused);
}

/* A document {schema_version, kind, KIND: list}; @list is taken. */
static int show_document(const struct run_options *options, const char *kind, json_t *list)
{
	json_t *document = json_pack("{si ss so}", "schema_version", REPORT_SCHEMA_VERSION, "kind",
				     kind, kind, list);
	int rc = document ? json_dumpf(document, options->out, JSON_INDENT(2)) : -1;

	json_decref(document);
	if (rc < 0 || fputc('\n', options->out) == EOF || fflush(options->out) != 0) {
		log_error("cannot write the list: %s", strerror(errno));
		return EXIT_ERROR;
	}
	return EXIT_PASS;
}

static int show_listings(const struct plugin_listing *listings, size_t count, uint32_t kind,
			 const struct run_options *options)
{
	json_t *list = json_array();
	int exit_code = EXIT_PASS;

	for (size_t i = 0; i < count; i++) {
		/* A refused file may be of any kind. */
		if (kind && listings[i].kind && listings[i].kind != kind)
			continue;
		if (options->is_json)
			(void)json_array_append_new(list, listing_json(&listings[i]));
		else
			show_listing(&listings[i], options->out);
	}
	if (options->is_json)
		exit_code = show_document(options, "plugins", json_incref(list));
	json_decref(list);
	return exit_code;
}

int run_list_plugins(uint32_t kind, const struct run_options *options)
{
	struct plugin_listing *listings = NULL;
	struct registry *registry = NULL;
	struct run_paths paths = { 0 };
	struct ktstr_error err = { 0 };
	size_t count = 0;
	int exit_code;
	int rc = run_paths_find(NULL, options->plugin_folders, options->plugin_folder_count,
				getenv("KTSTR_PLUGIN_PATH"), &paths, &err);

	if (rc == 0)
		rc = registry_new((const char *const *)paths.plugin_folders, &registry, &err);
	if (rc == 0)
		rc = registry_list(registry, &listings, &count, &err);
	if (rc == 0)
		exit_code = show_listings(listings, count, kind, options);
	else
		exit_code = finish_error(options, rc == -ENOTDIR ? EXIT_USAGE : EXIT_ERROR, &err);
	listing_free(listings, count);
	registry_free(registry);
	run_paths_done(&paths);
	return exit_code;
}

static json_t *kernel_json(const struct kernel *kernel)
{
	return json_pack("{ss ss ss? ss? sb sb sb}", "path", kernel->image, "boot", kernel->boot,
			 "release", kernel->release, "origin", kernel->origin, "has_sched_ext",
			 kernel->has_sched_ext, "has_btf", kernel->has_btf, "is_config_known",
			 kernel->is_config_known);
}

static int show_kernels(struct kernel *const *kernels, size_t count,
			const struct run_options *options)
{
	static const struct table_column columns[] = {
		{ "kernel", true },
		{ "origin", true },
		{ "sched_ext", true },
		{ "path", true },
	};
	json_t *list = json_array();
	struct str text = { 0 };
	struct table table;
	int rc = 0;

	table_init(&table, columns, ARRAY_SIZE(columns));
	for (size_t i = 0; i < count && rc == 0; i++) {
		const struct kernel *k = kernels[i];

		(void)json_array_append_new(list, kernel_json(k));
		if (table_cell(&table, "%s", k->release ? k->release : "?") < 0 ||
		    table_cell(&table, "%s", k->origin) < 0 ||
		    table_cell(&table, "%s",
			       k->has_sched_ext	    ? "yes"
			       : k->is_config_known ? "no"
						    : "not known") < 0 ||
		    table_cell(&table, "%s", k->image) < 0)
			rc = -ENOMEM;
	}
	if (options->is_json) {
		table_done(&table);
		return show_document(options, "kernels", list);
	}
	if (rc == 0)
		rc = table_render(&table, "", &text);
	if (rc == 0)
		(void)fputs(str_text(&text), options->out);
	table_done(&table);
	str_done(&text);
	json_decref(list);
	return rc == 0 ? EXIT_PASS : EXIT_ERROR;
}

int run_list_kernels(const struct run_options *options)
{
	struct kernel **kernels = NULL;
	struct ktstr_error err = { 0 };
	size_t count = 0;
	int exit_code;

	if (kernel_list(&kernels, &count, &err) < 0)
		return finish_error(options, EXIT_ERROR, &err);
	if (count == 0 && !options->is_json)
		log_note("there is no kernel with sched_ext; `ktstr kernel fetch` gets one");
	exit_code = show_kernels(kernels, count, options);
	for (size_t i = 0; i < count; i++)
		kernel_free(kernels[i]);
	free(kernels);
	return exit_code;
}

static void show_progress(void *arg, const char *line)
{
	live_update(arg, line);
	log_debug("%s", line);
}

/* Is a kernel that can run sched_ext schedulers there already? */
static bool has_kernel(void)
{
	struct ktstr_error ignored = { 0 };
	struct kernel *kernel = NULL;
	bool has = kernel_find(NULL, &kernel, &ignored) == 0 && kernel->has_sched_ext;

	kernel_free(kernel);
	return has;
}

int run_fetch_kernel(const struct run_options *options)
{
	struct ktstr_error err = { 0 };
	struct kernel *kernel = NULL;
	struct observe observe;
	int exit_code = EXIT_PASS;

	if (options->is_if_missing && has_kernel())
		return EXIT_PASS;
	observe_init(&observe, options);
	observe_phase(&observe, "fetch", "a kernel with sched_ext");
	if (kernel_fetch(show_progress, observe.live, &kernel, &err) < 0) {
		live_done(observe.live, false);
		exit_code = finish_error(options, EXIT_ERROR, &err);
	} else if (options->is_json) {
		exit_code =
			show_document(options, "kernels", json_pack("[o]", kernel_json(kernel)));
	} else {
		live_done(observe.live, true);
		(void)fprintf(options->out, "%s\n", kernel->image);
	}
	kernel_free(kernel);
	observe_done(&observe, exit_code == EXIT_PASS);
	return exit_code;
}
