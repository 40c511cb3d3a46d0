/* SPDX-License-Identifier: GPL-2.0-only */
#include "plugin/folders.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "param/table.h"
#include "plugin/descriptor.h"
#include "plugin/registry.h"

#define DEPTH_MAX 16u
#define PARAMS_MAX 4096u

struct flatten {
	struct plugin_listing *listing;
	size_t stride;
	size_t size;
	/* The tables that are being walked: one that holds itself is shown once. */
	const struct ktstr_param *open[DEPTH_MAX];
	unsigned int depth;
};

/* A copy of an optional text; false when there is no memory. */
static bool copy_text(char **ret, const char *text)
{
	*ret = text ? strdup(text) : NULL;
	return *ret || !text;
}

static char *join_choices(const char *const *choices)
{
	struct str joined = { 0 };

	for (; choices && *choices; choices++) {
		if (str_addf(&joined, "%s%s", joined.length ? "|" : "", *choices) < 0) {
			str_done(&joined);
			return NULL;
		}
	}
	return joined.data;
}

static int add_param(struct flatten *f, const char *key, const struct ktstr_param *param)
{
	struct plugin_listing *listing = f->listing;
	struct listed_param *listed;

	if (listing->param_count == PARAMS_MAX)
		return 0;
	if (listing->param_count == f->size) {
		size_t size = f->size ? f->size * 2 : 16;

		listed = realloc(listing->params, size * sizeof(*listed));
		if (!listed)
			return -ENOMEM;
		listing->params = listed;
		f->size = size;
	}
	listed = &listing->params[listing->param_count++];
	*listed = (struct listed_param){
		.type = param->type, .flags = param->flags, .min = param->min, .max = param->max
	};
	if (!copy_text(&listed->key, key) || !copy_text(&listed->help, param->help) ||
	    !copy_text(&listed->fallback, param->fallback))
		return -ENOMEM;
	if (param->choices && *param->choices) {
		listed->choices = join_choices(param->choices);
		if (!listed->choices)
			return -ENOMEM;
	}
	return 0;
}

static int add_table(struct flatten *f, const char *prefix, const struct ktstr_param *table);

static bool has_keys(const struct ktstr_param *param)
{
	return param->type == KTSTR_PARAM_MAP || param->type == KTSTR_PARAM_ONEOF;
}

/* What a parameter is made of; @key is its own. */
static int add_inside(struct flatten *f, const char *key, const struct ktstr_param *param,
		      unsigned int lists)
{
	struct ktstr_param element;
	_cleanup_free_ char *inner = NULL;
	int rc;

	if (!param->fields)
		return 0;
	if (has_keys(param)) {
		inner = str_format("%s.", key);
		return inner ? add_table(f, inner, param->fields) : -ENOMEM;
	}
	element = param_row(param->fields, f->stride, 0);
	if (param->type != KTSTR_PARAM_LIST || !element.key || lists == DEPTH_MAX)
		return 0;
	inner = str_format("%s[]", key);
	if (!inner)
		return -ENOMEM;
	/* The row of an element that only holds others says nothing that those do not say. */
	rc = has_keys(&element) ? 0 : add_param(f, inner, &element);
	return rc < 0 ? rc : add_inside(f, inner, &element, lists + 1);
}

static int add_table(struct flatten *f, const char *prefix, const struct ktstr_param *table)
{
	int rc = 0;

	if (f->depth == DEPTH_MAX)
		return 0;
	for (unsigned int i = 0; i < f->depth; i++)
		if (f->open[i] == table)
			return 0;
	f->open[f->depth++] = table;
	for (size_t i = 0; rc == 0 && f->listing->param_count < PARAMS_MAX; i++) {
		const struct ktstr_param param = param_row(table, f->stride, i);
		_cleanup_free_ char *key = NULL;

		if (!param.key)
			break;
		key = str_format("%s%s", prefix, param.key);
		rc = key ? add_param(f, key, &param) : -ENOMEM;
		if (rc == 0)
			rc = add_inside(f, key, &param, 0);
	}
	f->depth--;
	return rc;
}

static int fill(struct plugin_listing *listing, const struct ktstr_plugin *plugin)
{
	struct flatten f = { .listing = listing, .stride = plugin->param_size };

	listing->kind = plugin->kind;
	listing->abi_major = plugin->abi_major;
	listing->abi_minor = plugin->abi_minor;
	if (!copy_text(&listing->name, plugin->name) ||
	    !copy_text(&listing->version, plugin->version) ||
	    !copy_text(&listing->summary, plugin->summary) ||
	    !copy_text(&listing->license, plugin->license))
		return -ENOMEM;
	return plugin->params ? add_table(&f, "", plugin->params) : 0;
}

/* One file. 0 or -ENOMEM: whatever else is wrong stands in the listing. */
static int read_one(const char *path, const char *name, struct plugin_listing *ret)
{
	struct descriptor *descriptor = NULL;
	struct ktstr_error err;
	int rc;

	ret->path = realpath(path, NULL);
	if (!ret->path && !copy_text(&ret->path, path))
		return -ENOMEM;
	rc = descriptor_read(path, &descriptor, &err);
	if (rc == 0)
		rc = plugin_check(&descriptor->plugin, 0, path, &err);
	if (rc == 0)
		rc = fill(ret, &descriptor->plugin);
	else if (rc != -ENOMEM)
		rc = copy_text(&ret->refused, err.text) && copy_text(&ret->name, name) ? 0
										       : -ENOMEM;
	descriptor_free(descriptor);
	return rc;
}

static uint32_t rank(const struct plugin_listing *listing)
{
	return listing->kind ? listing->kind : UINT32_MAX;
}

/* Insertion keeps equal ones in search order; there are few. */
static void sort(struct plugin_listing *listings, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct plugin_listing one = listings[i];
		size_t at = i;

		while (at > 0 && (rank(&listings[at - 1]) > rank(&one) ||
				  (rank(&listings[at - 1]) == rank(&one) &&
				   strcmp(listings[at - 1].name, one.name) > 0))) {
			listings[at] = listings[at - 1];
			at--;
		}
		listings[at] = one;
	}
}

int listing_read(const struct folder_files *files, struct plugin_listing **ret, size_t *ret_count,
		 struct ktstr_error *err)
{
	struct plugin_listing *listings = calloc(files->count + 1, sizeof(*listings));

	if (!listings)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < files->count; i++) {
		if (read_one(files->paths[i], files->names[i], &listings[i]) < 0) {
			listing_free(listings, i + 1);
			return ktstr_fail(err, -ENOMEM, "out of memory");
		}
	}
	sort(listings, files->count);
	*ret = listings;
	*ret_count = files->count;
	return 0;
}

static void listed_param_done(struct listed_param *param)
{
	free(param->key);
	free(param->help);
	free(param->fallback);
	free(param->choices);
}

void listing_free(struct plugin_listing *listings, size_t count)
{
	for (size_t i = 0; listings && i < count; i++) {
		struct plugin_listing *listing = &listings[i];

		for (size_t p = 0; p < listing->param_count; p++)
			listed_param_done(&listing->params[p]);
		free(listing->params);
		free(listing->path);
		free(listing->name);
		free(listing->version);
		free(listing->summary);
		free(listing->license);
		free(listing->refused);
	}
	free(listings);
}
