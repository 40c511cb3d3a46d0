/* SPDX-License-Identifier: GPL-2.0-only */
/* Trees of text as the tests of binding write them down. */
#ifndef UNIT_TREE_H
#define UNIT_TREE_H

#include <criterion/criterion.h>
#include <errno.h>

#include "param/bind.h"

/* Without a text to quote. */
static const struct source nameless = { .name = "--checker" };

/* @node, which now stands at a place. */
static inline struct node *at(struct node *node, uint32_t line, uint32_t column)
{
	node->line = line;
	node->column = column;
	return node;
}

/* Adds @node to @map; its key stands at the beginning of its line. */
static inline void put(struct node *map, const char *key, struct node *node)
{
	cr_assert_eq(node_add(map, key, node), 0);
	node->key_line = node->line;
	node->key_column = 1;
}

/* "workers: 4" at line 2 as a tree. */
static inline struct node *one(const char *key, const char *text)
{
	struct node *map = at(node_new(NODE_MAP), 2, 1);

	put(map, key, at(node_new_scalar(text), 2, 10));
	return map;
}

static inline struct node *holding(const char *key, struct node *node)
{
	struct node *map = at(node_new(NODE_MAP), 2, 1);

	put(map, key, node);
	return map;
}

/* @map bound by @table, which must work. */
static inline struct bound *bind_good(const struct ktstr_param *table, const struct node *map)
{
	struct ktstr_error err = { 0 };
	struct bound *bound = NULL;

	cr_assert_eq(bind_params(table, sizeof(*table), map, NULL, &nameless, NULL, &bound, &err),
		     0, "%s", err.text);
	return bound;
}

/* Must not work, for the reason that @says. */
static inline void expect_refused(const struct ktstr_param *table, const struct node *map,
				  const char *says)
{
	struct ktstr_error err = { 0 };
	struct bound *bound = NULL;

	cr_expect_eq(bind_params(table, sizeof(*table), map, NULL, &nameless, NULL, &bound, &err),
		     -EINVAL);
	cr_expect_str_eq(err.text, says, "%s", err.text);
	cr_expect_null(bound);
}

#endif
