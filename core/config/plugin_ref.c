/* SPDX-License-Identifier: GPL-2.0-only */
#include "config/plugin_ref.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "ktstr/plugin.h"

#define NAME_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789_"

static bool is_name_or_path(const char *name)
{
	if (strchr(name, '/'))
		return true;
	return name[0] >= 'a' && name[0] <= 'z' && !name[strspn(name, NAME_LETTERS)] &&
	       strlen(name) <= KTSTR_NAME_MAX;
}

char *path_beside(const struct source *source, const char *path)
{
	const char *slash = strrchr(source->name, '/');

	if (path[0] == '/' || !slash)
		return strdup(path);
	return str_format("%.*s/%s", (int)(slash - source->name), source->name, path);
}

/* The children of @map but @without. NULL when out of memory. */
static struct node *clone_without(const struct node *map, const char *without)
{
	struct node *copy = node_new(NODE_MAP);

	if (!copy)
		return NULL;
	copy->line = map->line;
	copy->column = map->column;
	for (size_t i = 0; i < map->child_count; i++) {
		const struct node *child = map->children[i];
		struct node *child_copy;

		if (strcmp(child->key, without) == 0)
			continue;
		child_copy = node_clone(child);
		if (child_copy) {
			child_copy->key_line = child->key_line;
			child_copy->key_column = child->key_column;
		}
		if (node_add(copy, child->key, child_copy) < 0) {
			node_free(copy);
			return NULL;
		}
	}
	return copy;
}

/* The name in @ref is a copy already; a path in a file is seen from that file. */
static int make_path(const struct source *source, struct plugin_ref *ref)
{
	char *path;

	if (!strchr(ref->name, '/'))
		return 0;
	path = path_beside(source, ref->name);
	if (!path)
		return -ENOMEM;
	free(ref->name);
	ref->name = path;
	return 0;
}

int plugin_ref_from_node(const struct source *source, const char *key, const struct node *node,
			 struct plugin_ref *ret, struct ktstr_error *err)
{
	const struct node *name = node->kind == NODE_MAP ? node_get(node, "plugin") : node;
	struct plugin_ref ref;

	if (!name || name->kind != NODE_SCALAR)
		return source_fail(source, node->line, node->column, err,
				   "'%s' must be NAME or {plugin: NAME, key: value}", key);
	if (!*name->text)
		return source_fail(source, name->line, name->column, err, "'%s' names no plugin",
				   key);
	if (!is_name_or_path(name->text))
		return source_fail(source, name->line, name->column, err,
				   "'%.60s' is no name of a plugin (lower-case letters, digits "
				   "and _, at most %u) and no path with a '/'",
				   name->text, KTSTR_NAME_MAX);
	ref = (struct plugin_ref){
		.name = strdup(name->text),
		.line = name->line,
		.column = name->column,
		.params =
			node->kind == NODE_MAP ? clone_without(node, "plugin") : node_new(NODE_MAP),
	};
	if (!ref.name || !ref.params || make_path(source, &ref) < 0) {
		plugin_ref_done(&ref);
		return ktstr_fail(err, -ENOMEM, "cannot read '%s': out of memory", source->name);
	}
	if (node->kind == NODE_SCALAR) {
		ref.params->line = node->line;
		ref.params->column = node->column;
	}
	*ret = ref;
	return 0;
}

/* The column, in characters from 1, of what stands @offset bytes into @argument. */
static uint32_t column_of(const char *argument, size_t offset)
{
	uint32_t column = 1;

	for (size_t i = 0; i < offset; i++)
		column += ((unsigned char)argument[i] & 0xc0) != 0x80;
	return column;
}

/* One "key=value", @offset bytes into @argument, which is cut in two at its '='. */
static int add_argument(struct node *params, char *part, size_t offset, const char *argument,
			struct ktstr_error *err)
{
	char *equals = strchr(part, '=');
	struct node *value;
	int rc;

	if (!equals || equals == part)
		return ktstr_fail(err, -EINVAL, "'%s': '%s' is not key=value", argument, part);
	*equals = '\0';
	value = node_new_scalar(equals + 1);
	if (value) {
		value->line = value->key_line = 1;
		value->key_column = column_of(argument, offset);
		value->column = column_of(argument, offset + (size_t)(equals + 1 - part));
	}
	rc = node_add(params, part, value);
	if (rc == -EEXIST)
		return ktstr_fail(err, -EINVAL, "'%s': key '%s' is given twice", argument, part);
	if (rc == -E2BIG)
		return ktstr_fail(err, -EINVAL, "'%.60s': more than %d keys", argument,
				  NODE_KEYS_MAX);
	return rc < 0 ? ktstr_fail(err, rc, "cannot read '%.60s': out of memory", argument) : 0;
}

int plugin_ref_parse(const char *argument, struct plugin_ref *ret, struct ktstr_error *err)
{
	_cleanup_free_ char *copy = strdup(argument);
	struct plugin_ref ref = { .params = node_new(NODE_MAP) };
	char *rest = copy, *name, *part;
	int rc = 0;

	name = rest ? strsep(&rest, ",") : NULL;
	ref.name = name ? strdup(name) : NULL;
	if (!ref.name || !ref.params)
		rc = ktstr_fail(err, -ENOMEM, "cannot read '%.60s': out of memory", argument);
	else if (!is_name_or_path(ref.name))
		rc = ktstr_fail(err, -EINVAL,
				"'%s': '%s' is no name of a plugin (lower-case letters, digits "
				"and _, at most %u) and no path with a '/'",
				argument, ref.name, KTSTR_NAME_MAX);
	while (rc == 0 && rest) {
		part = strsep(&rest, ",");
		rc = add_argument(ref.params, part, (size_t)(part - copy), argument, err);
	}
	if (rc < 0) {
		plugin_ref_done(&ref);
		return rc;
	}
	*ret = ref;
	return 0;
}

void plugin_ref_done(struct plugin_ref *ref)
{
	if (!ref)
		return;
	free(ref->name);
	node_free(ref->params);
	*ref = (struct plugin_ref){ 0 };
}
