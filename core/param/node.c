/* SPDX-License-Identifier: GPL-2.0-only */
#include "param/node.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/*
 * The encoding, all little-endian: the magic, then the root. A node is
 *	u8 kind, u32 line, u32 column,
 *	in a map: u32 key_line, u32 key_column, u32 length and bytes of the key,
 *	SCALAR: u32 length and bytes of the text; LIST, MAP: u32 count and the children.
 */
static const char magic[4] = { 'K', 'T', 'N', '1' };

struct node *node_new(enum node_kind kind)
{
	struct node *node = calloc(1, sizeof(*node));

	if (node)
		node->kind = kind;
	return node;
}

struct node *node_new_scalar(const char *text)
{
	struct node *node = node_new(NODE_SCALAR);

	if (!node)
		return NULL;
	node->text = strdup(text);
	if (!node->text) {
		node_free(node);
		return NULL;
	}
	return node;
}

void node_free(struct node *node)
{
	if (!node)
		return;
	for (size_t i = 0; i < node->child_count; i++)
		node_free(node->children[i]);
	free(node->children);
	free(node->key);
	free(node->text);
	free(node);
}

/* Room for one more child. The array doubles, so its size follows from child_count. */
static int reserve_child(struct node *parent)
{
	size_t count = parent->child_count;
	struct node **children;

	if (count != 0 && (count < 4 || (count & (count - 1)) != 0))
		return 0;
	children = reallocarray(parent->children, count ? count * 2 : 4, sizeof(*children));
	if (!children)
		return -ENOMEM;
	parent->children = children;
	return 0;
}

static int add(struct node *parent, const char *key, struct node *child)
{
	char *copy = NULL;
	int rc;

	assert((key != NULL) == (parent->kind == NODE_MAP));
	if (!child)
		return -ENOMEM;
	if (key && node_get(parent, key))
		return -EEXIST;
	if (key && parent->child_count >= NODE_KEYS_MAX)
		return -E2BIG;
	rc = reserve_child(parent);
	if (rc < 0)
		return rc;
	if (key) {
		copy = strdup(key);
		if (!copy)
			return -ENOMEM;
	}
	free(child->key);
	child->key = copy;
	parent->children[parent->child_count++] = child;
	return 0;
}

int node_add(struct node *parent, const char *key, struct node *child)
{
	int rc = add(parent, key, child);

	if (rc < 0)
		node_free(child);
	return rc;
}

void node_remove(struct node *parent, size_t index)
{
	assert(index < parent->child_count);
	node_free(parent->children[index]);
	parent->child_count--;
	memmove(&parent->children[index], &parent->children[index + 1],
		(parent->child_count - index) * sizeof(*parent->children));
}

const struct node *node_get(const struct node *map, const char *key)
{
	if (!map || map->kind != NODE_MAP)
		return NULL;
	for (size_t i = 0; i < map->child_count; i++)
		if (strcmp(map->children[i]->key, key) == 0)
			return map->children[i];
	return NULL;
}

const char *node_get_text(const struct node *map, const char *key)
{
	const struct node *child = node_get(map, key);

	return child ? child->text : NULL;
}

struct node *node_clone(const struct node *node)
{
	struct node *copy = node_new(node->kind);

	if (!copy)
		return NULL;
	copy->line = node->line;
	copy->column = node->column;
	if (node->text) {
		copy->text = strdup(node->text);
		if (!copy->text)
			goto fail;
	}
	for (size_t i = 0; i < node->child_count; i++) {
		const struct node *child = node->children[i];
		struct node *child_copy = node_clone(child);

		if (child_copy) {
			child_copy->key_line = child->key_line;
			child_copy->key_column = child->key_column;
		}
		if (node_add(copy, child->key, child_copy) < 0)
			goto fail;
	}
	return copy;
fail:
	node_free(copy);
	return NULL;
}

static int put_u32(struct str *out, uint32_t value)
{
	const uint8_t bytes[4] = { (uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
				   (uint8_t)(value >> 24) };

	return str_add_bytes(out, bytes, sizeof(bytes));
}

static int put_text(struct str *out, const char *text)
{
	size_t length = strlen(text);
	int rc;

	if (length > NODE_BYTES_MAX)
		return -E2BIG;
	rc = put_u32(out, (uint32_t)length);
	return rc < 0 ? rc : str_add_bytes(out, text, length);
}

static int put_head(struct str *out, const struct node *node)
{
	const uint8_t kind = (uint8_t)node->kind;
	int rc = str_add_bytes(out, &kind, 1);

	if (rc == 0)
		rc = put_u32(out, node->line);
	if (rc == 0)
		rc = put_u32(out, node->column);
	if (rc == 0 && node->key) {
		rc = put_u32(out, node->key_line);
		if (rc == 0)
			rc = put_u32(out, node->key_column);
		if (rc == 0)
			rc = put_text(out, node->key);
	}
	return rc;
}

struct encoder {
	struct str *out;
	size_t start; /* where the tree begins in @out */
	size_t count;
};

static int encode(struct encoder *encoder, const struct node *node, int depth)
{
	int rc;

	if (depth > NODE_DEPTH_MAX || ++encoder->count > NODE_COUNT_MAX ||
	    encoder->out->length - encoder->start > NODE_BYTES_MAX)
		return -E2BIG;
	rc = put_head(encoder->out, node);
	if (rc < 0)
		return rc;
	if (node->kind == NODE_SCALAR)
		return put_text(encoder->out, node->text);
	if (node->child_count > NODE_COUNT_MAX)
		return -E2BIG;
	rc = put_u32(encoder->out, (uint32_t)node->child_count);
	for (size_t i = 0; rc == 0 && i < node->child_count; i++)
		rc = encode(encoder, node->children[i], depth + 1);
	return rc;
}

/* The root as it is encoded has no key, wherever in a larger tree it hangs. */
int node_encode(const struct node *node, struct str *out)
{
	struct encoder encoder = { .out = out, .start = out->length };
	struct node root = *node;
	int rc;

	root.key = NULL;
	rc = str_add_bytes(out, magic, sizeof(magic));
	if (rc == 0)
		rc = encode(&encoder, &root, 1);
	if (rc == 0 && out->length - encoder.start > NODE_BYTES_MAX)
		rc = -E2BIG;
	if (rc < 0 && out->data) {
		out->length = encoder.start;
		out->data[out->length] = '\0';
	}
	return rc;
}

struct decoder {
	const uint8_t *at;
	size_t left;
	size_t count;
	struct ktstr_error *err;
};

static int malformed(struct decoder *decoder, const char *what)
{
	return ktstr_fail(decoder->err, -EBADMSG, "malformed parameter tree: %s", what);
}

static int get_u32(struct decoder *decoder, uint32_t *ret)
{
	const uint8_t *at = decoder->at;

	if (decoder->left < 4)
		return malformed(decoder, "cut off");
	*ret = (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
	       (uint32_t)at[3] << 24;
	decoder->at += 4;
	decoder->left -= 4;
	return 0;
}

static int get_text(struct decoder *decoder, char **ret)
{
	uint32_t length;
	int rc = get_u32(decoder, &length);

	if (rc < 0)
		return rc;
	if (length > decoder->left)
		return malformed(decoder, "cut off");
	if (memchr(decoder->at, '\0', length))
		return malformed(decoder, "a text holds a NUL byte");
	*ret = strndup((const char *)decoder->at, length);
	if (!*ret)
		return ktstr_fail(decoder->err, -ENOMEM, "cannot decode a tree: out of memory");
	decoder->at += length;
	decoder->left -= length;
	return 0;
}

static int decode(struct decoder *decoder, int depth, bool in_map, struct node *node);

static int decode_children(struct decoder *decoder, int depth, struct node *node)
{
	uint32_t count;
	int rc = get_u32(decoder, &count);

	for (uint32_t i = 0; rc == 0 && i < count; i++) {
		struct node *child = calloc(1, sizeof(*child));
		char *key;

		if (!child)
			return ktstr_fail(decoder->err, -ENOMEM,
					  "cannot decode a tree: out of memory");
		rc = decode(decoder, depth + 1, node->kind == NODE_MAP, child);
		if (rc < 0) {
			node_free(child);
			return rc;
		}
		key = steal_ptr(child->key);
		rc = node_add(node, key, child);
		free(key);
		if (rc == -EEXIST)
			return malformed(decoder, "a key stands twice in a map");
		if (rc == -E2BIG)
			return malformed(decoder, "a map has too many keys");
		if (rc < 0)
			return ktstr_fail(decoder->err, rc, "cannot decode a tree: out of memory");
	}
	return rc;
}

static int decode_head(struct decoder *decoder, bool in_map, struct node *node)
{
	int rc = get_u32(decoder, &node->line);

	if (rc == 0)
		rc = get_u32(decoder, &node->column);
	if (rc == 0 && in_map) {
		rc = get_u32(decoder, &node->key_line);
		if (rc == 0)
			rc = get_u32(decoder, &node->key_column);
		if (rc == 0)
			rc = get_text(decoder, &node->key);
	}
	return rc;
}

static int decode(struct decoder *decoder, int depth, bool in_map, struct node *node)
{
	uint8_t kind;
	int rc;

	if (depth > NODE_DEPTH_MAX)
		return malformed(decoder, "nested too deeply");
	if (++decoder->count > NODE_COUNT_MAX)
		return malformed(decoder, "too many nodes");
	if (decoder->left < 1)
		return malformed(decoder, "cut off");
	kind = *decoder->at++;
	decoder->left--;
	if (kind < NODE_SCALAR || kind > NODE_MAP)
		return malformed(decoder, "unknown kind of node");
	node->kind = kind;
	rc = decode_head(decoder, in_map, node);
	if (rc < 0)
		return rc;
	if (kind == NODE_SCALAR)
		return get_text(decoder, &node->text);
	return decode_children(decoder, depth, node);
}

int node_decode(const void *bytes, size_t length, struct node **ret, struct ktstr_error *err)
{
	struct decoder decoder = { .at = bytes, .left = length, .err = err };
	struct node *root;
	int rc;

	if (length > NODE_BYTES_MAX)
		return malformed(&decoder, "too large");
	if (length < sizeof(magic) || memcmp(bytes, magic, sizeof(magic)) != 0)
		return malformed(&decoder, "it does not begin with KTN1");
	decoder.at += sizeof(magic);
	decoder.left -= sizeof(magic);
	root = calloc(1, sizeof(*root));
	if (!root)
		return ktstr_fail(err, -ENOMEM, "cannot decode a tree: out of memory");
	rc = decode(&decoder, 1, false, root);
	if (rc == 0 && decoder.left != 0)
		rc = malformed(&decoder, "bytes behind the end");
	if (rc < 0) {
		node_free(root);
		return rc;
	}
	*ret = root;
	return 0;
}
