/* SPDX-License-Identifier: GPL-2.0-only */
#include "explore/sites.h"

#include <string.h>

#include "base/cleanup.h"
#include "param/bind.h"
#include "param/scalar.h"

/* Keys of numbers that are no amounts. */
static const char *const no_amounts[] = { "cpu", "cpus", "cpuset", "nice", "weight", "seed" };

struct walk {
	enum site_kind kind;
	size_t number; /* so many are still to pass */
	struct site found;
	struct str *path;
};

bool site_number(const struct node *node, int64_t *ret)
{
	if (node->kind != NODE_SCALAR || parse_int(node->text, ret) < 0 || *ret < 0)
		return false;
	for (size_t i = 0; node->key && i < ARRAY_SIZE(no_amounts); i++)
		if (strcmp(node->key, no_amounts[i]) == 0)
			return false;
	return true;
}

bool site_time(const struct node *node, int64_t *ret_ns)
{
	return node->kind == NODE_SCALAR && strcmp(node->text, "0") != 0 &&
	       parse_duration(node->text, ret_ns) == 0;
}

static bool is_site(enum site_kind kind, const struct node *node, const struct node *parent)
{
	int64_t ignored;

	switch (kind) {
	case SITE_WHOLE:
		return !parent;
	case SITE_LIST:
		return node->kind == NODE_LIST;
	case SITE_KEY:
		return parent && parent->kind == NODE_MAP && strcmp(node->key, "plugin") != 0 &&
		       !site_number(node, &ignored) && !site_time(node, &ignored);
	case SITE_NUMBER:
	case SITE_CPUS:
		return site_number(node, &ignored);
	case SITE_TIME:
		return site_time(node, &ignored);
	case SITE_ONES:
	case SITE_CHECKER:
	case SITE_KINDS:
		break;
	}
	return false;
}

/* Is it the one? */
static bool take(struct walk *walk, struct node *node, struct node *parent, size_t index)
{
	if (walk->number-- > 0)
		return false;
	walk->found = (struct site){ .node = node, .parent = parent, .index = index };
	return true;
}

static bool walk_tree(struct walk *walk, struct node *node, struct node *parent, size_t index)
{
	size_t length = walk->path->length;

	if (node->key)
		(void)str_addf(walk->path, "%s%s", parent ? "." : "", node->key);
	else if (parent)
		(void)str_addf(walk->path, "[%zu]", index);
	if (is_site(walk->kind, node, parent) && take(walk, node, parent, index))
		return true;
	for (size_t i = 0; i < node->child_count; i++)
		if (walk_tree(walk, node->children[i], node, i))
			return true;
	walk->path->length = length;
	if (walk->path->data)
		walk->path->data[length] = '\0';
	return false;
}

/* The child @key of @map as something to change. */
static struct node *child_of(struct node *map, const char *key)
{
	for (size_t i = 0; map && map->kind == NODE_MAP && i < map->child_count; i++)
		if (strcmp(map->children[i]->key, key) == 0)
			return map->children[i];
	return NULL;
}

/* The tree that places of this kind are in; NULL: there is none. */
static struct node *top_of(struct node *root, enum site_kind kind)
{
	if (kind == SITE_CHECKER)
		return child_of(root, "checkers");
	if (kind == SITE_CPUS || kind == SITE_ONES)
		return child_of(child_of(root, "vm"), "topology");
	return child_of(root, "scenario");
}

/* A node that is a place as a whole. */
static bool find_whole(struct walk *walk, struct node *node, enum node_kind kind)
{
	if (!node || node->kind != kind || !take(walk, node, NULL, 0))
		return false;
	(void)str_add(walk->path, node->key);
	return true;
}

bool site_find(struct node *root, enum site_kind kind, size_t number, struct site *ret,
	       struct str *path)
{
	struct walk walk = { .kind = kind, .number = number, .path = path };
	struct node *top = top_of(root, kind);
	bool is_found;

	str_clear(path);
	if (kind == SITE_CPUS || kind == SITE_ONES)
		(void)str_add(path, "vm.");
	if (kind == SITE_CHECKER)
		is_found = find_whole(&walk, top, NODE_LIST);
	else if (kind == SITE_ONES)
		is_found = find_whole(&walk, top, NODE_MAP);
	else
		is_found = top && walk_tree(&walk, top, NULL, 0);
	if (!is_found && kind == SITE_LIST)
		is_found = find_whole(&walk, child_of(root, "schedulers"), NODE_MAP);
	*ret = walk.found;
	return is_found;
}
