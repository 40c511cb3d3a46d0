/* SPDX-License-Identifier: GPL-2.0-only */
#include "param/bind.h"

#include <errno.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "param/scalar.h"
#include "param/table.h"

#define CHUNK_SIZE 4000u

/* Memory that is only given back as a whole. */
struct chunk {
	struct chunk *next;
	size_t size;
	size_t used;
	alignas(max_align_t) char bytes[];
};

struct bound {
	struct chunk *chunks;
	size_t bytes;
	struct ktstr_value *values;
	size_t count;
};

/* A table as it lies in memory. */
struct table {
	const struct ktstr_param *params;
	size_t stride;
};

struct binder {
	struct bound *bound;
	const struct source *source;
	const struct plugin_tables *plugins;
	struct ktstr_error *err;
	int depth;
};

/* Where messages about something point to. */
struct place {
	uint32_t line;
	uint32_t column;
};

static struct place place_of(const struct node *node)
{
	return node ? (struct place){ node->line, node->column } : (struct place){ 0 };
}

static struct place key_place_of(const struct node *node)
{
	return (struct place){ node->key_line, node->key_column };
}

#define FAIL(binder, place, ...)                                                                   \
	source_fail((binder)->source, (place).line, (place).column, (binder)->err, __VA_ARGS__)

/* Zeroed memory that lives as long as @bound, or NULL. */
static void *take(struct bound *bound, size_t size)
{
	struct chunk *chunk = bound->chunks;
	void *memory;

	size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (size > BOUND_BYTES_MAX - bound->bytes)
		return NULL;
	if (!chunk || size > chunk->size - chunk->used) {
		size_t chunk_size = size > CHUNK_SIZE ? size : CHUNK_SIZE;

		chunk = calloc(1, sizeof(*chunk) + chunk_size);
		if (!chunk)
			return NULL;
		chunk->size = chunk_size;
		chunk->next = bound->chunks;
		bound->chunks = chunk;
	}
	memory = chunk->bytes + chunk->used;
	chunk->used += size;
	bound->bytes += size;
	return memory;
}

static int fail_memory(struct binder *binder)
{
	return ktstr_fail(binder->err, -ENOMEM,
			  "cannot bind parameters: out of memory, or more than %u MiB of values",
			  BOUND_BYTES_MAX >> 20);
}

static int take_values(struct binder *binder, size_t count, struct ktstr_value **ret)
{
	*ret = take(binder->bound, (count + 1) * sizeof(**ret));
	return *ret ? 0 : fail_memory(binder);
}

static int take_text(struct binder *binder, const char *text, const char **ret)
{
	size_t size = strlen(text) + 1;
	char *copy = take(binder->bound, size);

	if (!copy)
		return fail_memory(binder);
	memcpy(copy, text, size);
	*ret = copy;
	return 0;
}

static int bind_node(struct binder *binder, const struct ktstr_param *row, size_t stride,
		     const struct node *node, struct ktstr_value *value);
static int bind_fallback(struct binder *binder, const struct ktstr_param *row, size_t stride,
			 struct ktstr_value *value);
static int bind_table(struct binder *binder, const struct table *table, const struct node *map,
		      const char *const *skip, struct ktstr_value **ret, size_t *ret_count);

static int bind_scalar(struct binder *binder, const struct ktstr_param *row, const char *text,
		       struct place place, struct ktstr_value *value)
{
	char why[400];
	int rc = scalar_parse(row, text, value, why, sizeof(why));

	if (rc == -ENOMEM)
		return fail_memory(binder);
	if (rc < 0 && !*text)
		return FAIL(binder, place, "'%s' has no value", row->key);
	if (rc < 0)
		return FAIL(binder, place, "'%s' %s", row->key, why);
	return row->type == KTSTR_PARAM_STRING ? take_text(binder, text, &value->s) : 0;
}

static bool is_empty(const struct node *node)
{
	return node->kind == NODE_SCALAR && !*node->text;
}

static int bind_list(struct binder *binder, const struct ktstr_param *row, size_t stride,
		     const struct node *node, struct ktstr_value *value)
{
	const struct ktstr_param element = param_row(row->fields, stride, 0);
	struct ktstr_value *items;
	int rc;

	if (node->kind != NODE_LIST && !is_empty(node))
		return FAIL(binder, place_of(node), "'%s' must be a list", row->key);
	if (param_has_range(row) && (int64_t)node->child_count < row->min)
		return FAIL(binder, place_of(node), "'%s' must have at least %lld entries, not %zu",
			    row->key, (long long)row->min, node->child_count);
	if (param_has_range(row) && (int64_t)node->child_count > row->max)
		return FAIL(binder, place_of(node), "'%s' must have at most %lld entries, not %zu",
			    row->key, (long long)row->max, node->child_count);
	rc = take_values(binder, node->child_count, &items);
	for (size_t i = 0; rc == 0 && i < node->child_count; i++)
		rc = bind_node(binder, &element, stride, node->children[i], &items[i]);
	if (rc < 0)
		return rc;
	value->items = items;
	value->count = (uint32_t)node->child_count;
	return 0;
}

static int bind_map(struct binder *binder, const struct ktstr_param *row, size_t stride,
		    const struct node *node, struct ktstr_value *value)
{
	const struct table table = { row->fields, stride };
	struct ktstr_value *items;
	size_t count;
	int rc;

	if (node && node->kind != NODE_MAP && !is_empty(node))
		return FAIL(binder, place_of(node), "'%s' must be a map", row->key);
	rc = bind_table(binder, &table, node, NULL, &items, &count);
	if (rc < 0)
		return rc;
	value->items = items;
	value->count = (uint32_t)count;
	return 0;
}

/* The index of @key in @table, or -1. */
static int64_t find_row(const struct table *table, const char *key)
{
	size_t count = param_count(table->params, table->stride);

	for (size_t i = 0; i < count; i++)
		if (strcmp(param_row(table->params, table->stride, i).key, key) == 0)
			return (int64_t)i;
	return -1;
}

/* Refuse @key, which stands at @place, and say which ones there are. */
static int fail_unknown_key(struct binder *binder, const struct table *table,
			    const char *const *skip, const char *key, struct place place)
{
	const char *words[PARAM_ROWS_MAX] = { NULL };
	size_t rows = param_count(table->params, table->stride), count = 0;
	struct str known = { 0 };
	const char *nearest;
	int rc;

	while (skip && skip[count] && count < PARAM_ROWS_MAX) {
		words[count] = skip[count];
		count++;
	}
	for (size_t i = 0; i < rows && count < PARAM_ROWS_MAX; i++)
		words[count++] = param_row(table->params, table->stride, i).key;
	nearest = str_nearest(key, words, count);
	if (nearest)
		return FAIL(binder, place, "unknown key '%.60s', did you mean '%s'?", key, nearest);
	/* Without memory the list is shorter, the refusal is the same. */
	for (size_t i = 0; i < count && known.length < 300; i++)
		(void)str_addf(&known, "%s%s", i ? ", " : "", words[i]);
	if (count == 0)
		rc = FAIL(binder, place, "unknown key '%.60s', there are no keys here", key);
	else
		rc = FAIL(binder, place, "unknown key '%.60s', known are: %s", key,
			  str_text(&known));
	str_done(&known);
	return rc;
}

static int bind_oneof(struct binder *binder, const struct ktstr_param *row, size_t stride,
		      const struct node *node, struct ktstr_value *value)
{
	const struct table table = { row->fields, stride };
	struct ktstr_param field;
	struct ktstr_value *items;
	const struct node *child;
	int64_t index;
	int rc;

	if (node->kind != NODE_MAP || node->child_count != 1)
		return FAIL(binder, place_of(node), "'%s' must be a map with exactly one key",
			    row->key);
	child = node->children[0];
	index = find_row(&table, child->key);
	if (index < 0)
		return fail_unknown_key(binder, &table, NULL, child->key, key_place_of(child));
	field = param_row(table.params, table.stride, (size_t)index);
	rc = take_values(binder, 1, &items);
	if (rc == 0)
		rc = bind_node(binder, &field, stride, child, &items[0]);
	if (rc < 0)
		return rc;
	value->i = index;
	value->items = items;
	value->count = 1;
	return 0;
}

/* The plugin @name, with the parameters in @map beside the key `plugin` (NULL: none given). */
static int bind_plugin_name(struct binder *binder, const struct ktstr_param *row, const char *name,
			    const struct node *map, struct place place, struct ktstr_value *value)
{
	static const char *const skip[] = { "plugin", NULL };
	struct table table = { NULL, sizeof(struct ktstr_param) };
	struct ktstr_error why = { 0 };
	struct ktstr_value *items;
	size_t count;
	int rc;

	if (!*name)
		return FAIL(binder, place, "'%s' names no plugin", row->key);
	if (!binder->plugins)
		return FAIL(binder, place, "'%s' cannot name a plugin here", row->key);
	rc = binder->plugins->find(binder->plugins->arg, (uint32_t)row->min, name, &table.params,
				   &table.stride, &why);
	if (rc < 0)
		return FAIL(binder, place, "%s", why.text);
	rc = bind_table(binder, &table, map, map ? skip : NULL, &items, &count);
	if (rc == 0)
		rc = take_text(binder, name, &value->s);
	if (rc < 0)
		return rc;
	value->items = items;
	value->count = (uint32_t)count;
	return 0;
}

static int bind_plugin(struct binder *binder, const struct ktstr_param *row,
		       const struct node *node, struct ktstr_value *value)
{
	const struct node *name;

	if (node->kind == NODE_SCALAR)
		return bind_plugin_name(binder, row, node->text, NULL, place_of(node), value);
	name = node_get(node, "plugin");
	if (!name || name->kind != NODE_SCALAR)
		return FAIL(binder, place_of(node),
			    "'%s' must be a plugin: NAME, or {plugin: NAME, key: value}", row->key);
	return bind_plugin_name(binder, row, name->text, node, place_of(name), value);
}

/* One value from the text in @node. */
static int bind_node(struct binder *binder, const struct ktstr_param *row, size_t stride,
		     const struct node *node, struct ktstr_value *value)
{
	value->type = row->type;
	value->is_set = 1;
	value->line = node->line;
	value->column = node->column;
	switch (row->type) {
	case KTSTR_PARAM_LIST:
		return bind_list(binder, row, stride, node, value);
	case KTSTR_PARAM_MAP:
		return bind_map(binder, row, stride, node, value);
	case KTSTR_PARAM_ONEOF:
		return bind_oneof(binder, row, stride, node, value);
	case KTSTR_PARAM_PLUGIN:
		return bind_plugin(binder, row, node, value);
	}
	if (node->kind != NODE_SCALAR)
		return FAIL(binder, place_of(node), "'%s' must be a single value, not a %s",
			    row->key, node->kind == NODE_LIST ? "list" : "map");
	return bind_scalar(binder, row, node->text, place_of(node), value);
}

/* One value that no text gives. */
static int bind_fallback(struct binder *binder, const struct ktstr_param *row, size_t stride,
			 struct ktstr_value *value)
{
	const struct place nowhere = { 0 };

	value->type = row->type;
	if (row->type == KTSTR_PARAM_MAP)
		return bind_map(binder, row, stride, NULL, value);
	if (!row->fallback)
		return 0;
	if (row->type == KTSTR_PARAM_PLUGIN)
		return bind_plugin_name(binder, row, row->fallback, NULL, nowhere, value);
	return bind_scalar(binder, row, row->fallback, nowhere, value);
}

static bool is_skipped(const char *const *skip, const char *key)
{
	for (; skip && *skip; skip++)
		if (strcmp(*skip, key) == 0)
			return true;
	return false;
}

static int refuse_unknown_keys(struct binder *binder, const struct table *table,
			       const struct node *map, const char *const *skip)
{
	for (size_t i = 0; map && i < map->child_count; i++) {
		const struct node *child = map->children[i];

		if (!is_skipped(skip, child->key) && find_row(table, child->key) < 0)
			return fail_unknown_key(binder, table, skip, child->key,
						key_place_of(child));
	}
	return 0;
}

static int bind_row(struct binder *binder, const struct ktstr_param *row, size_t stride,
		    const struct node *map, struct ktstr_value *value)
{
	const struct node *child = node_get(map, row->key);

	if (child)
		return bind_node(binder, row, stride, child, value);
	if (row->flags & KTSTR_PARAM_REQUIRED)
		return FAIL(binder, place_of(map), "missing key '%s'", row->key);
	return bind_fallback(binder, row, stride, value);
}

static int bind_table(struct binder *binder, const struct table *table, const struct node *map,
		      const char *const *skip, struct ktstr_value **ret, size_t *ret_count)
{
	size_t count = param_count(table->params, table->stride);
	struct ktstr_value *values;
	int rc;

	if (binder->depth >= BOUND_DEPTH_MAX)
		return FAIL(binder, place_of(map), "parameters are nested more than %d deep",
			    BOUND_DEPTH_MAX);
	rc = refuse_unknown_keys(binder, table, map, skip);
	if (rc < 0)
		return rc;
	rc = take_values(binder, count, &values);
	binder->depth++;
	for (size_t i = 0; rc == 0 && i < count; i++) {
		struct ktstr_param row = param_row(table->params, table->stride, i);

		rc = bind_row(binder, &row, table->stride, map, &values[i]);
	}
	binder->depth--;
	if (rc < 0)
		return rc;
	*ret = values;
	*ret_count = count;
	return 0;
}

int bind_params(const struct ktstr_param *params, size_t stride, const struct node *map,
		const char *const *skip, const struct source *source,
		const struct plugin_tables *plugins, struct bound **ret, struct ktstr_error *err)
{
	struct bound *bound = calloc(1, sizeof(*bound));
	struct binder binder = { .bound = bound, .source = source, .plugins = plugins, .err = err };
	const struct table table = { params, stride };
	int rc;

	if (!bound)
		return ktstr_fail(err, -ENOMEM, "cannot bind parameters: out of memory");
	if (map && map->kind != NODE_MAP && !is_empty(map))
		rc = FAIL(&binder, place_of(map), "a map of parameters must stand here");
	else
		rc = bind_table(&binder, &table, map, skip, &bound->values, &bound->count);
	if (rc < 0) {
		bound_free(bound);
		return rc;
	}
	*ret = bound;
	return 0;
}

const struct ktstr_value *bound_values(const struct bound *bound)
{
	return bound->values;
}

size_t bound_count(const struct bound *bound)
{
	return bound->count;
}

void bound_free(struct bound *bound)
{
	if (!bound)
		return;
	while (bound->chunks) {
		struct chunk *chunk = bound->chunks;

		bound->chunks = chunk->next;
		free(chunk);
	}
	free(bound);
}
