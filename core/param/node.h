/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A tree of text: what a YAML document says, without YAML.
 *
 * config/ makes it from YAML, bind.h types it, and it crosses to the guest and into run files as
 * bytes, with the places in the source kept, so that an error in the guest names file, line and
 * column too.
 */
#ifndef PARAM_NODE_H
#define PARAM_NODE_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "ktstr/error.h"

#define NODE_DEPTH_MAX 32
#define NODE_COUNT_MAX 100000
#define NODE_BYTES_MAX (4u * 1024u * 1024u)
#define NODE_KEYS_MAX 1024 /* in one map */

enum node_kind {
	NODE_SCALAR = 1,
	NODE_LIST = 2,
	NODE_MAP = 3,
};

struct node {
	enum node_kind kind;
	/* Where it stands in its source, 1-based; 0: nowhere. */
	uint32_t line;
	uint32_t column;
	/* In a map: the key of this child, and where the key stands. Else NULL. */
	char *key;
	uint32_t key_line;
	uint32_t key_column;
	/* SCALAR: its text, NUL-terminated, never with a NUL inside. Else NULL. */
	char *text;
	/* LIST, MAP: children in their order. Keys of a map are unique. */
	struct node **children;
	size_t child_count;
};

struct node *node_new_scalar(const char *text);
struct node *node_new(enum node_kind kind);
/*
 * Append @child (taken, even on failure; NULL is -ENOMEM) under @key (copied; NULL in a list).
 * 0, -ENOMEM, -EEXIST when the key is there already, -E2BIG beyond NODE_KEYS_MAX.
 */
int node_add(struct node *parent, const char *key, struct node *child);
/* Take child number @index out, and free it. */
void node_remove(struct node *parent, size_t index);
/* The child of a map by key, or NULL. */
const struct node *node_get(const struct node *map, const char *key);
/* The text of a scalar child of a map, or NULL. */
const char *node_get_text(const struct node *map, const char *key);
/* A deep copy without the key of @node itself, NULL when out of memory. */
struct node *node_clone(const struct node *node);
void node_free(struct node *node);

/*
 * The tree as bytes, appended to @out, and back. Encoding returns 0, -ENOMEM, or -E2BIG over the
 * limits above, and leaves @out as it was on failure. Decoding trusts nothing: -EBADMSG for
 * anything malformed or over the limits.
 */
int node_encode(const struct node *node, struct str *out);
int node_decode(const void *bytes, size_t length, struct node **ret, struct ktstr_error *err);

#endif
