/* SPDX-License-Identifier: GPL-2.0-only */
#include "config/yaml_write.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <yaml.h>

/* A map or list is written in one line up to so many bytes of texts. */
#define LINE_MAX_BYTES 60
#define WIDTH 100

static int write_text(void *data, unsigned char *buffer, size_t size)
{
	return str_add_bytes(data, buffer, size) == 0;
}

/* Takes the event, also on failure. */
static bool emit(yaml_emitter_t *emitter, yaml_event_t *event, int is_made)
{
	return is_made && yaml_emitter_emit(emitter, event);
}

static bool emit_scalar(yaml_emitter_t *emitter, const char *text)
{
	yaml_event_t event;

	return emit(emitter, &event,
		    yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text,
						 (int)strlen(text), 1, 1, YAML_ANY_SCALAR_STYLE));
}

/* Does it fit one line? Lists of anything but scalars do not. */
static bool is_short(const struct node *node, size_t *length)
{
	if (node->key)
		*length += strlen(node->key) + 2;
	if (node->kind == NODE_SCALAR)
		*length += strlen(node->text) + 2;
	for (size_t i = 0; i < node->child_count && *length <= LINE_MAX_BYTES; i++) {
		bool is_entry = node->kind == NODE_LIST && node->children[i]->kind != NODE_SCALAR;

		if (is_entry || !is_short(node->children[i], length))
			return false;
	}
	return *length <= LINE_MAX_BYTES;
}

static bool emit_node(yaml_emitter_t *emitter, const struct node *node, bool is_root);

static bool emit_children(yaml_emitter_t *emitter, const struct node *node)
{
	for (size_t i = 0; i < node->child_count; i++) {
		const struct node *child = node->children[i];

		if (child->key && !emit_scalar(emitter, child->key))
			return false;
		if (!emit_node(emitter, child, false))
			return false;
	}
	return true;
}

/* Is it a map of one key, as an entry of a list is that has a name: "- spawn: {...}"? */
static bool is_named(const struct node *node)
{
	return node->kind == NODE_MAP && node->child_count == 1 &&
	       node->children[0]->kind == NODE_MAP;
}

static bool emit_node(yaml_emitter_t *emitter, const struct node *node, bool is_root)
{
	size_t length = 0;
	bool is_line = !is_root && !is_named(node) && is_short(node, &length);
	yaml_event_t event;

	if (node->kind == NODE_SCALAR)
		return emit_scalar(emitter, node->text);
	if (node->kind == NODE_LIST)
		return emit(emitter, &event,
			    yaml_sequence_start_event_initialize(
				    &event, NULL, NULL, 1,
				    is_line ? YAML_FLOW_SEQUENCE_STYLE
					    : YAML_BLOCK_SEQUENCE_STYLE)) &&
		       emit_children(emitter, node) &&
		       emit(emitter, &event, yaml_sequence_end_event_initialize(&event));
	return emit(emitter, &event,
		    yaml_mapping_start_event_initialize(&event, NULL, NULL, 1,
							is_line ? YAML_FLOW_MAPPING_STYLE
								: YAML_BLOCK_MAPPING_STYLE)) &&
	       emit_children(emitter, node) &&
	       emit(emitter, &event, yaml_mapping_end_event_initialize(&event));
}

static bool emit_document(yaml_emitter_t *emitter, const struct node *root)
{
	yaml_event_t event;

	return emit(emitter, &event,
		    yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING)) &&
	       emit(emitter, &event,
		    yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1)) &&
	       emit_node(emitter, root, true) &&
	       emit(emitter, &event, yaml_document_end_event_initialize(&event, 1)) &&
	       emit(emitter, &event, yaml_stream_end_event_initialize(&event)) &&
	       yaml_emitter_flush(emitter);
}

int yaml_write(const struct node *root, struct str *out, struct ktstr_error *err)
{
	yaml_emitter_t emitter;
	struct str text = { 0 };
	int rc = 0;

	if (!yaml_emitter_initialize(&emitter))
		return ktstr_fail(err, -ENOMEM, "cannot write YAML: out of memory");
	yaml_emitter_set_output(&emitter, write_text, &text);
	yaml_emitter_set_unicode(&emitter, 1);
	yaml_emitter_set_width(&emitter, WIDTH);
	if (!emit_document(&emitter, root))
		rc = emitter.error == YAML_EMITTER_ERROR
			     ? ktstr_fail(err, -EINVAL, "cannot write YAML: %s", emitter.problem)
			     : ktstr_fail(err, -ENOMEM, "cannot write YAML: out of memory");
	else if (str_add(out, str_text(&text)) < 0)
		rc = ktstr_fail(err, -ENOMEM, "cannot write YAML: out of memory");
	yaml_emitter_delete(&emitter);
	str_done(&text);
	return rc;
}
