/* SPDX-License-Identifier: GPL-2.0-only */
#include "config/yaml.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"

static struct node *parse(const char *text)
{
	const struct source source = { "x", text, strlen(text), false };
	struct ktstr_error err = { 0 };
	struct node *root = NULL;

	cr_assert_eq(yaml_parse(&source, &root, &err), 0, "%s", err.text);
	return root;
}

static void expect_refused(const char *text, size_t length, const char *says)
{
	const struct source source = { "x", text, length, false };
	struct ktstr_error err = { 0 };
	struct node *root = NULL;

	cr_expect_eq(yaml_parse(&source, &root, &err), -EINVAL, "'%s' is taken", text);
	cr_expect_str_eq(err.text, says, "%s", err.text);
	cr_expect_null(root);
}

static void expect_place(const struct node *node, uint32_t line, uint32_t column)
{
	cr_expect_eq(node->line, line, "line %u, not %u", node->line, line);
	cr_expect_eq(node->column, column, "column %u, not %u", node->column, column);
}

Test(yaml, becomes_a_tree)
{
	struct node *root =
		parse("# about\nname: x y\nlist:\n  - 1\n  - {a: 2, b-c.d: ''}\nlast: |\n"
		      "  two\n  lines\n");
	const struct node *list = node_get(root, "list");

	cr_assert_eq(root->kind, NODE_MAP);
	cr_expect_eq(root->child_count, 3);
	cr_expect_str_eq(node_get_text(root, "name"), "x y");
	cr_assert_eq(list->kind, NODE_LIST);
	cr_assert_eq(list->child_count, 2);
	cr_expect_str_eq(list->children[0]->text, "1");
	cr_expect_str_eq(node_get_text(list->children[1], "a"), "2");
	cr_expect_str_eq(node_get_text(list->children[1], "b-c.d"), "");
	cr_expect_str_eq(node_get_text(root, "last"), "two\nlines\n");
	node_free(root);
}

Test(yaml, keeps_places)
{
	struct node *root = parse("name: x\nvm:\n  accel: kvm\nlist:\n  - a\n  - [b]\n");
	const struct node *vm = node_get(root, "vm"), *list = node_get(root, "list");

	expect_place(root, 1, 1);
	expect_place(node_get(root, "name"), 1, 7);
	expect_place(node_get(vm, "accel"), 3, 10);
	cr_expect_eq(node_get(vm, "accel")->key_line, 3);
	cr_expect_eq(node_get(vm, "accel")->key_column, 3);
	expect_place(list->children[0], 5, 5);
	expect_place(list->children[1], 6, 5);
	expect_place(list->children[1]->children[0], 6, 6);
	node_free(root);
}

Test(yaml, columns_count_characters)
{
	struct node *root = parse("a: {b: \"\xc3\xa4\xe2\x82\xac\", c: 1}\n");

	expect_place(node_get(node_get(root, "a"), "c"), 1, 17);
	node_free(root);
}

Test(yaml, keys_without_values_are_empty_texts)
{
	struct node *root = parse("a:\nb: ~\n");

	cr_expect_str_eq(node_get_text(root, "a"), "");
	cr_expect_str_eq(node_get_text(root, "b"), "~");
	node_free(root);
}

Test(yaml, a_byte_order_mark_may_come_first)
{
	struct node *root = parse("\xef\xbb\xbf"
				  "a: 1\n");

	cr_expect_str_eq(node_get_text(root, "a"), "1");
	node_free(root);
}

Test(yaml, document_marks_may_stand)
{
	struct node *root = parse("%YAML 1.1\n---\na: 1\n...\n");

	cr_expect_str_eq(node_get_text(root, "a"), "1");
	node_free(root);
}

Test(yaml, tabs_may_stand_in_texts)
{
	struct node *root = parse("a: |\n  x\n  \ty\n");

	cr_expect_str_eq(node_get_text(root, "a"), "x\n\ty\n");
	node_free(root);
}

#define BYTES(literal) literal, sizeof(literal) - 1

static const struct {
	const char *text;
	size_t length;
	const char *says;
} refused[] = {
	{ BYTES(""), "x:1:1: there is nothing in it" },
	{ BYTES("# only\n"), "x:2:1: there is nothing in it" },
	{ BYTES("a: 1\n---\nb: 1\n"), "x:2:1: only one document may stand in a file\n  ---\n  ^" },
	{ BYTES("a: 1\nb: 2\na: 3\n"),
	  "x:3:1: key 'a' stands twice, the first time in line 1\n  a: 3\n  ^" },
	{ BYTES("vm:\n\taccel: kvm\n"),
	  "x:2:1: tabs are not allowed for indentation; use spaces\n  \taccel: kvm\n  ^" },
	{ BYTES("vm:\n  a: 1\n \tb: 1\n"),
	  "x:3:2: tabs are not allowed for indentation; use spaces\n   \tb: 1\n   ^" },
	{ BYTES("a: &b 1\n"), "x:1:4: anchors are not allowed\n  a: &b 1\n     ^" },
	{ BYTES("a: &b [1]\n"), "x:1:4: anchors are not allowed\n  a: &b [1]\n     ^" },
	{ BYTES("a: &b {c: 1}\n"), "x:1:4: anchors are not allowed\n  a: &b {c: 1}\n     ^" },
	{ BYTES("&a b: 1\n"), "x:1:1: anchors are not allowed\n  &a b: 1\n  ^" },
	{ BYTES("a: *b\n"), "x:1:4: aliases are not allowed\n  a: *b\n     ^" },
	{ BYTES("*b : 1\n"), "x:1:1: aliases are not allowed\n  *b : 1\n  ^" },
	{ BYTES("- *b\n"), "x:1:3: aliases are not allowed\n  - *b\n    ^" },
	{ BYTES("a: !!int 1\n"), "x:1:4: tags are not allowed\n  a: !!int 1\n     ^" },
	{ BYTES("a: !x {}\n"), "x:1:4: tags are not allowed\n  a: !x {}\n     ^" },
	{ BYTES("[a]: 1\n"), "x:1:1: a key must be a plain word\n  [a]: 1\n  ^" },
	{ BYTES("'a': 1\n"),
	  "x:1:1: a key must be a plain word of letters, digits, '_', '-' and '.'"
	  "\n  'a': 1\n  ^" },
	{ BYTES("a b: 1\n"),
	  "x:1:1: a key must be a plain word of letters, digits, '_', '-' and '.'"
	  "\n  a b: 1\n  ^" },
	{ BYTES("<<: {a: 1}\n"),
	  "x:1:1: a key must be a plain word of letters, digits, '_', '-' and '.'"
	  "\n  <<: {a: 1}\n  ^" },
	{ BYTES("a: b: c\n"),
	  "x:1:5: mapping values are not allowed in this context\n  a: b: c\n      ^" },
	{ BYTES("a: [1, 2\nb: 3\n"), "x:2:2: did not find expected ',' or ']' while parsing a flow "
				     "sequence\n  b: 3\n   ^" },
	{ BYTES("a: x\0y\n"), "x:1:5: NUL bytes are not allowed\n  a: x?y\n      ^" },
	{ BYTES("a: \"\\0\"\n"),
	  "x:1:4: a text cannot hold a NUL character\n  a: \"\\0\"\n     ^" },
	{ BYTES("a: 1\nb: \xff\n"), "x:2:4: invalid leading UTF-8 octet\n  b: ?\n     ^" },
	{ BYTES("\xff\xfe\x61\x3a"), "x:1:1: invalid leading UTF-8 octet\n  ??a:\n  ^" },
	{ BYTES("a: \x1b[2J\n"), "x:1:4: control characters are not allowed\n  a: ?[2J\n     ^" },
};

Test(yaml, refusals_name_the_place)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		expect_refused(refused[i].text, refused[i].length, refused[i].says);
}

/* @front, then @count times @middle. */
static char *repeat(const char *front, const char *middle, size_t count)
{
	struct str text = { 0 };

	cr_assert_eq(str_add(&text, front), 0);
	for (size_t i = 0; i < count; i++)
		cr_assert_eq(str_add(&text, middle), 0);
	return text.data;
}

static void expect_said(char *text, const char *says)
{
	const struct source source = { "x", text, strlen(text), false };
	struct ktstr_error err = { 0 };
	struct node *root = NULL;

	cr_expect_eq(yaml_parse(&source, &root, &err), -EINVAL);
	cr_expect(str_starts(err.text, says), "%s", err.text);
	cr_expect_null(root);
	free(text);
}

/* Each of these would keep a naive reader busy for long, or overflow its stack. */
Test(yaml, limits_hold)
{
	expect_said(repeat("a: ", "[", 500000), "x:1:35: nested more than 32 deep");
	expect_said(repeat("", "- ", 500000), "x:1:65: nested more than 32 deep");
	expect_said(repeat("a: [", "x,", 200000), "x:1:200001: more than 100000 values");
	expect_said(repeat("", "x", YAML_FILE_MAX + 1), "x:1:1: larger than 1048576 bytes");
}

Test(yaml, keys_of_a_map_are_limited)
{
	struct str text = { 0 };

	for (int i = 0; i <= NODE_KEYS_MAX; i++)
		cr_assert_eq(str_addf(&text, "k%d: 1\n", i), 0);
	expect_said(text.data, "x:1025:1: more than 1024 keys in one map");
}

Test(yaml, the_deepest_allowed_is_taken)
{
	char *text = repeat("", "[", NODE_DEPTH_MAX), *closed;
	struct node *root;

	closed = repeat(text, "]", NODE_DEPTH_MAX);
	root = parse(closed);
	cr_expect_eq(root->kind, NODE_LIST);
	node_free(root);
	free(text);
	free(closed);
}

/* What was parsed can always cross to the guest. */
Test(yaml, the_largest_tree_can_be_encoded)
{
	char *text = repeat("- [", "\"\\L\",", 99000), *closed = repeat(text, "]", 1);
	struct node *root = parse(closed);
	struct str bytes = { 0 };

	cr_expect_eq(node_encode(root, &bytes), 0);
	str_done(&bytes);
	node_free(root);
	free(text);
	free(closed);
}
