/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "judge/verdict.h"
#include "report/meta.h"
#include "report/table.h"
#include "run/finish.h"
#include "run/observe.h"

/* Before the line of a kernel, and explained below the table. */
#define MARK_TAKEN "*"
#define MARK_PROBLEM "!"

json_t *list_kernel_json(const struct kernel *kernel)
{
	return json_pack("{so so so so sb sb sb sb so}", "path", json_text(kernel->image), "boot",
			 json_text(kernel->boot), "release", json_text(kernel->release), "origin",
			 json_text(kernel->origin), "has_sched_ext", kernel->has_sched_ext,
			 "has_btf", kernel->has_btf, "is_config_known", kernel->is_config_known,
			 "is_taken", kernel->is_taken, "problem", json_text(kernel->problem));
}

static const char *answer(bool has, bool is_known)
{
	return has ? "yes" : is_known ? "no" : "not known";
}

static int add_row(struct table *table, const struct kernel *k)
{
	/* The types tell of sched_ext too. */
	const char *const cells[] = {
		k->is_taken  ? MARK_TAKEN
		: k->problem ? MARK_PROBLEM
			     : "",
		k->release && *k->release ? k->release : "?",
		answer(k->has_sched_ext, k->is_config_known || k->has_btf),
		answer(k->has_btf, k->is_config_known),
		k->origin,
		k->image,
	};
	int rc = 0;

	for (size_t i = 0; i < ARRAY_SIZE(cells) && rc == 0; i++)
		rc = table_cell(table, "%s", cells[i]);
	return rc;
}

static int add_explanations(struct kernel *const *kernels, size_t count, struct str *text)
{
	int rc = count > 0 ? str_add(text, "\n") : 0;

	for (size_t i = 0; i < count && rc == 0; i++)
		if (kernels[i]->is_taken)
			rc = str_add(text, MARK_TAKEN " what a run takes that asks for none\n");
	for (size_t i = 0; i < count && rc == 0; i++) {
		if (!kernels[i]->problem)
			continue;
		rc = str_add(text, MARK_PROBLEM " ");
		if (rc == 0)
			rc = text_add_safe(text, kernels[i]->problem);
		if (rc == 0)
			rc = str_add(text, "\n");
	}
	/* A table alone needs no blank line behind it. */
	if (text->length > 1 && strcmp(text->data + text->length - 2, "\n\n") == 0)
		text->data[--text->length] = '\0';
	return rc;
}

static int show_text(struct kernel *const *kernels, size_t count, const struct run_options *options)
{
	static const struct table_column columns[] = {
		{ "", true },	 { "kernel", true }, { "sched_ext", true },
		{ "BTF", true }, { "origin", true }, { "path", true },
	};
	struct str text = { 0 };
	struct table table;
	int rc = 0;

	table_init(&table, columns, ARRAY_SIZE(columns));
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = add_row(&table, kernels[i]);
	if (rc == 0)
		rc = table_render(&table, "", &text);
	if (rc == 0)
		rc = add_explanations(kernels, count, &text);
	table_done(&table);
	return list_show_text(options, &text, rc);
}

int list_show_kernels(struct kernel *const *kernels, size_t count,
		      const struct run_options *options)
{
	json_t *list;

	if (!options->is_json)
		return show_text(kernels, count, options);
	list = json_array();
	for (size_t i = 0; i < count; i++)
		json_add(&list, list_kernel_json(kernels[i]));
	return list_show_document(options, "kernels", EXIT_PASS, list);
}

/* Would a run find one? If not, say how to get one. */
static void note_what_is_missing(struct kernel *const *kernels, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (kernels[i]->is_taken)
			return;
		if (kernels[i]->problem && strcmp(kernels[i]->origin, "KTSTR_KERNEL") == 0) {
			log_note("KTSTR_KERNEL names no kernel that can be booted; set it to "
				 "another, or unset it");
			return;
		}
	}
	log_note("there is no kernel with sched_ext; `ktstr kernel fetch` gets one");
}

int run_list_kernels(const struct run_options *options)
{
	struct kernel **kernels = NULL;
	struct ktstr_error err = { 0 };
	size_t count = 0;
	int exit_code;

	if (kernel_list(&kernels, &count, &err) < 0)
		return finish_error(options, EXIT_ERROR, &err);
	if (!options->is_json)
		note_what_is_missing(kernels, count);
	exit_code = list_show_kernels(kernels, count, options);
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
		exit_code = list_show_document(options, "kernels", EXIT_PASS,
					       json_pack("[o]", list_kernel_json(kernel)));
	} else {
		live_done(observe.live, true);
		(void)fprintf(options->out, "%s\n", kernel->image);
	}
	kernel_free(kernel);
	observe_done(&observe, exit_code == EXIT_PASS);
	return exit_code;
}
