/* SPDX-License-Identifier: GPL-2.0-only */
#include "param/node.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static struct node *sample(void)
{
	struct node *map = node_new(NODE_MAP);
	struct node *list = node_new(NODE_LIST);
	struct node *scalar = node_new_scalar("4");

	scalar->line = 3;
	scalar->column = 9;
	cr_assert_eq(node_add(map, "workers", scalar), 0);
	scalar->key_line = 3;
	scalar->key_column = 1;
	cr_assert_eq(node_add(map, "steps", list), 0);
	cr_assert_eq(node_add(list, NULL, node_new_scalar("a")), 0);
	cr_assert_eq(node_add(list, NULL, node_new_scalar("")), 0);
	map->line = 3;
	map->column = 1;
	return map;
}

static void expect_sample(const struct node *map)
{
	const struct node *workers = node_get(map, "workers"), *steps = node_get(map, "steps");

	cr_assert_eq(map->kind, NODE_MAP);
	cr_expect_null(map->key);
	cr_expect_eq(map->line, 3);
	cr_expect_eq(map->column, 1);
	cr_expect_eq(map->child_count, 2);
	cr_assert_not_null(workers);
	cr_expect_str_eq(workers->text, "4");
	cr_expect_str_eq(workers->key, "workers");
	cr_expect_eq(workers->line, 3);
	cr_expect_eq(workers->column, 9);
	cr_expect_eq(workers->key_line, 3);
	cr_expect_eq(workers->key_column, 1);
	cr_assert_not_null(steps);
	cr_assert_eq(steps->kind, NODE_LIST);
	cr_assert_eq(steps->child_count, 2);
	cr_expect_str_eq(steps->children[0]->text, "a");
	cr_expect_null(steps->children[0]->key);
	cr_expect_str_eq(steps->children[1]->text, "");
}

Test(node, finds_children_by_key)
{
	struct node *map = sample();

	expect_sample(map);
	cr_expect_str_eq(node_get_text(map, "workers"), "4");
	cr_expect_null(node_get_text(map, "steps"));
	cr_expect_null(node_get(map, "nothing"));
	cr_expect_null(node_get_text(map, "nothing"));
	cr_expect_null(node_get(node_get(map, "workers"), "x"));
	cr_expect_null(node_get(NULL, "x"));
	node_free(map);
	node_free(NULL);
}

Test(node, refuses_a_key_twice)
{
	struct node *map = sample();

	cr_expect_eq(node_add(map, "workers", node_new_scalar("5")), -EEXIST);
	expect_sample(map);
	node_free(map);
}

Test(node, refuses_no_child)
{
	struct node *map = sample();

	cr_expect_eq(node_add(map, "x", NULL), -ENOMEM);
	expect_sample(map);
	node_free(map);
}

Test(node, refuses_too_many_keys)
{
	struct node *map = node_new(NODE_MAP);
	char key[16];

	for (int i = 0; i < NODE_KEYS_MAX; i++) {
		(void)snprintf(key, sizeof(key), "k%d", i);
		cr_assert_eq(node_add(map, key, node_new_scalar("")), 0);
	}
	cr_expect_eq(node_add(map, "one_more", node_new_scalar("")), -E2BIG);
	cr_expect_eq(map->child_count, NODE_KEYS_MAX);
	node_free(map);
}

Test(node, keeps_the_order_of_many_children)
{
	struct node *list = node_new(NODE_LIST);
	char text[16];

	for (int i = 0; i < 1000; i++) {
		(void)snprintf(text, sizeof(text), "%d", i);
		cr_assert_eq(node_add(list, NULL, node_new_scalar(text)), 0);
	}
	for (int i = 0; i < 1000; i++)
		cr_expect_eq(strtol(list->children[i]->text, NULL, 10), i);
	node_free(list);
}

Test(node, clone_is_deep)
{
	struct node *map = sample();
	struct node *copy = node_clone(map);

	node_free(map);
	expect_sample(copy);
	node_free(copy);
}

Test(node, clone_of_a_child_has_no_key)
{
	struct node *map = sample();
	struct node *copy = node_clone(node_get(map, "workers"));

	cr_expect_null(copy->key);
	cr_expect_str_eq(copy->text, "4");
	cr_expect_eq(copy->line, 3);
	node_free(copy);
	node_free(map);
}

Test(node, decodes_what_was_encoded)
{
	struct ktstr_error err = { 0 };
	struct node *map = sample(), *back = NULL;
	struct str bytes = { 0 };

	cr_assert_eq(node_encode(map, &bytes), 0);
	cr_assert_eq(node_decode(bytes.data, bytes.length, &back, &err), 0, "%s", err.text);
	expect_sample(back);
	node_free(back);
	node_free(map);
	str_done(&bytes);
}

Test(node, encodes_a_child_without_its_key)
{
	struct ktstr_error err = { 0 };
	struct node *map = sample(), *back = NULL;
	struct str bytes = { 0 };

	cr_assert_eq(node_encode(node_get(map, "workers"), &bytes), 0);
	cr_assert_eq(node_decode(bytes.data, bytes.length, &back, &err), 0, "%s", err.text);
	cr_expect_str_eq(back->text, "4");
	cr_expect_null(back->key);
	node_free(back);
	node_free(map);
	str_done(&bytes);
}

/* The bytes are a format of run files: they must not change. */
Test(node, bytes_never_change)
{
	static const unsigned char expected[] = {
		'K', 'T', 'N', '1',				     /* magic */
		3,   2,	  0,   0,   0,	 1,   0, 0, 0,		     /* map at 2:1 */
		1,   0,	  0,   0,				     /* one child */
		1,   2,	  0,   0,   0,	 4,   0, 0, 0,		     /* scalar at 2:4 */
		2,   0,	  0,   0,   1,	 0,   0, 0, 1, 0, 0, 0, 'k', /* key at 2:1 */
		2,   0,	  0,   0,   'v', 'w',			     /* text */
	};
	struct node *map = node_new(NODE_MAP), *scalar = node_new_scalar("vw");
	struct str bytes = { 0 };

	map->line = 2;
	map->column = 1;
	cr_assert_eq(node_add(map, "k", scalar), 0);
	scalar->line = 2;
	scalar->column = 4;
	scalar->key_line = 2;
	scalar->key_column = 1;
	cr_assert_eq(node_encode(map, &bytes), 0);
	cr_assert_eq(bytes.length, sizeof(expected));
	cr_expect_arr_eq(bytes.data, expected, sizeof(expected));
	node_free(map);
	str_done(&bytes);
}

static struct node *chain(int depth)
{
	struct node *root = node_new(NODE_LIST), *at = root;

	for (int i = 1; i < depth; i++) {
		struct node *child = node_new(NODE_LIST);

		cr_assert_eq(node_add(at, NULL, child), 0);
		at = child;
	}
	return root;
}

Test(node, encodes_to_the_deepest_allowed)
{
	struct ktstr_error err = { 0 };
	struct node *tree = chain(NODE_DEPTH_MAX), *back = NULL;
	struct str bytes = { 0 };

	cr_assert_eq(node_encode(tree, &bytes), 0);
	cr_expect_eq(node_decode(bytes.data, bytes.length, &back, &err), 0, "%s", err.text);
	node_free(back);
	node_free(tree);
	str_done(&bytes);
}

Test(node, refuses_to_encode_deeper)
{
	struct node *tree = chain(NODE_DEPTH_MAX + 1);
	struct str bytes = { 0 };

	cr_assert_eq(str_add(&bytes, "before"), 0);
	cr_expect_eq(node_encode(tree, &bytes), -E2BIG);
	cr_expect_str_eq(str_text(&bytes), "before");
	node_free(tree);
	str_done(&bytes);
}

Test(node, refuses_to_encode_too_many)
{
	struct node *list = node_new(NODE_LIST);
	struct str bytes = { 0 };

	for (int i = 0; i < NODE_COUNT_MAX - 1; i++)
		cr_assert_eq(node_add(list, NULL, node_new(NODE_LIST)), 0);
	cr_expect_eq(node_encode(list, &bytes), 0);
	str_clear(&bytes);
	cr_assert_eq(node_add(list, NULL, node_new(NODE_LIST)), 0);
	cr_expect_eq(node_encode(list, &bytes), -E2BIG);
	node_free(list);
	str_done(&bytes);
}

Test(node, refuses_to_encode_too_much)
{
	char *text = calloc(1, NODE_BYTES_MAX + 1);
	struct str bytes = { 0 };
	struct node *node;

	memset(text, 'x', NODE_BYTES_MAX);
	node = node_new_scalar(text);
	cr_expect_eq(node_encode(node, &bytes), -E2BIG);
	cr_expect_eq(bytes.length, 0);
	node_free(node);
	free(text);
	str_done(&bytes);
}

/* Hostile bytes. */

#define BYTES(literal) literal, sizeof(literal) - 1
#define HEAD "KTN1"
#define AT "\0\0\0\0\0\0\0\0"

static const struct {
	const char *bytes;
	size_t length;
	const char *says;
} hostile[] = {
	{ BYTES(""), "malformed parameter tree: it does not begin with KTN1" },
	{ BYTES("KTN"), "malformed parameter tree: it does not begin with KTN1" },
	{ BYTES("KTN2\1" AT "\0\0\0\0"), "malformed parameter tree: it does not begin with KTN1" },
	{ BYTES(HEAD), "malformed parameter tree: cut off" },
	{ BYTES(HEAD "\1" AT), "malformed parameter tree: cut off" },
	{ BYTES(HEAD "\0" AT "\0\0\0\0"), "malformed parameter tree: unknown kind of node" },
	{ BYTES(HEAD "\4" AT "\0\0\0\0"), "malformed parameter tree: unknown kind of node" },
	{ BYTES(HEAD "\1" AT "\2\0\0\0x"), "malformed parameter tree: cut off" },
	{ BYTES(HEAD "\1" AT "\377\377\377\377x"), "malformed parameter tree: cut off" },
	{ BYTES(HEAD "\1" AT "\3\0\0\0a\0b"), "malformed parameter tree: a text holds a NUL byte" },
	{ BYTES(HEAD "\1" AT "\1\0\0\0ab"), "malformed parameter tree: bytes behind the end" },
	{ BYTES(HEAD "\2" AT "\377\377\377\377"), "malformed parameter tree: cut off" },
	{ BYTES(HEAD "\3" AT "\2\0\0\0\1" AT AT "\1\0\0\0k\0\0\0\0\1" AT AT "\1\0\0\0k\0\0\0\0"),
	  "malformed parameter tree: a key stands twice in a map" },
};

Test(node, refuses_hostile_bytes)
{
	for (size_t i = 0; i < ARRAY_SIZE(hostile); i++) {
		struct ktstr_error err = { 0 };
		struct node *node = NULL;

		cr_expect_eq(node_decode(hostile[i].bytes, hostile[i].length, &node, &err),
			     -EBADMSG);
		cr_expect_str_eq(err.text, hostile[i].says, "row %zu: %s", i, err.text);
		cr_expect_null(node);
	}
}

/* @count nodes of @bytes each behind the magic. */
static void expect_refused(const char *bytes, size_t length, size_t count, const char *says)
{
	struct ktstr_error err = { 0 };
	struct str all = { 0 };
	struct node *node = NULL;

	cr_assert_eq(str_add(&all, HEAD), 0);
	for (size_t i = 0; i < count; i++)
		cr_assert_eq(str_add_bytes(&all, bytes, length), 0);
	cr_expect_eq(node_decode(all.data, all.length, &node, &err), -EBADMSG);
	cr_expect_str_eq(err.text, says);
	str_done(&all);
}

Test(node, refuses_to_decode_deeper)
{
	expect_refused(BYTES("\2" AT "\1\0\0\0"), 5000,
		       "malformed parameter tree: nested too deeply");
}

Test(node, refuses_to_decode_too_much)
{
	expect_refused(BYTES("\2" AT "\1\0\0\0"), NODE_BYTES_MAX / 13 + 1,
		       "malformed parameter tree: too large");
}

Test(node, refuses_to_decode_too_many)
{
	struct ktstr_error err = { 0 };
	struct str all = { 0 };
	struct node *node = NULL;

	cr_assert_eq(str_add(&all, HEAD), 0);
	cr_assert_eq(str_add_bytes(&all, BYTES("\2" AT "\377\377\377\0")), 0);
	for (size_t i = 0; i < NODE_COUNT_MAX; i++)
		cr_assert_eq(str_add_bytes(&all, BYTES("\1" AT "\0\0\0\0")), 0);
	cr_expect_eq(node_decode(all.data, all.length, &node, &err), -EBADMSG);
	cr_expect_str_eq(err.text, "malformed parameter tree: too many nodes");
	str_done(&all);
}

Test(node, refuses_to_decode_too_many_keys)
{
	struct ktstr_error err = { 0 };
	struct str all = { 0 };
	struct node *node = NULL;

	cr_assert_eq(str_add(&all, HEAD), 0);
	cr_assert_eq(str_add_bytes(&all, BYTES("\3" AT "\377\377\0\0")), 0);
	for (int i = 0; i <= NODE_KEYS_MAX; i++) {
		char key[8];

		(void)snprintf(key, sizeof(key), "%04d", i);
		cr_assert_eq(str_add_bytes(&all, BYTES("\1" AT AT "\4\0\0\0")), 0);
		cr_assert_eq(str_add_bytes(&all, key, 4), 0);
		cr_assert_eq(str_add_bytes(&all, BYTES("\0\0\0\0")), 0);
	}
	cr_expect_eq(node_decode(all.data, all.length, &node, &err), -EBADMSG);
	cr_expect_str_eq(err.text, "malformed parameter tree: a map has too many keys");
	str_done(&all);
}

Test(node, survives_every_flipped_byte)
{
	struct node *map = sample();
	struct str bytes = { 0 };

	cr_assert_eq(node_encode(map, &bytes), 0);
	for (size_t i = 0; i < bytes.length; i++) {
		for (int bit = 0; bit < 8; bit++) {
			struct ktstr_error err = { 0 };
			struct node *node = NULL;
			int rc;

			bytes.data[i] ^= (char)(1 << bit);
			rc = node_decode(bytes.data, bytes.length, &node, &err);
			cr_expect(rc == 0 ? node != NULL : err.code == rc);
			node_free(node);
			bytes.data[i] ^= (char)(1 << bit);
		}
	}
	node_free(map);
	str_done(&bytes);
}
