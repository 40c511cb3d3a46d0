/* SPDX-License-Identifier: GPL-2.0-only */
#include "config/yaml.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <yaml.h>

/*
 * The tree is built from libyaml's events and not from its documents: those would have resolved
 * aliases before anyone can refuse them.
 */
struct loader {
	yaml_parser_t parser;
	const struct source *source;
	struct ktstr_error *err;
	size_t count;
};

#define FAIL_AT(loader, mark, ...)                                                                 \
	source_fail((loader)->source, (uint32_t)(mark).line + 1, (uint32_t)(mark).column + 1,      \
		    (loader)->err, __VA_ARGS__)

static int fail_memory(struct loader *loader)
{
	return ktstr_fail(loader->err, -ENOMEM, "cannot parse '%s': out of memory",
			  loader->source->name);
}

/* Refuse the byte at @offset, which libyaml did not get far enough to have a mark for. */
static int fail_at_offset(struct loader *loader, size_t offset, const char *what)
{
	const char *text = loader->source->text;
	yaml_mark_t mark = { 0 };

	for (size_t i = 0; i < offset && i < loader->source->length; i++) {
		if (text[i] == '\n') {
			mark.line++;
			mark.column = 0;
		} else if (((unsigned char)text[i] & 0xc0) != 0x80) {
			mark.column++;
		}
	}
	return FAIL_AT(loader, mark, "%s", what);
}

/* Does the line of @mark begin with blanks that have a tab among them? */
static bool has_tab_indent(const struct source *source, yaml_mark_t mark)
{
	const char *at = source->text, *end = at + source->length;

	for (size_t line = 0; line < mark.line; line++) {
		at = memchr(at, '\n', (size_t)(end - at));
		if (!at)
			return false;
		at++;
	}
	while (at < end && *at == ' ')
		at++;
	return at < end && *at == '\t';
}

static int fail_libyaml(struct loader *loader)
{
	const yaml_parser_t *parser = &loader->parser;
	const char *problem = parser->problem ? parser->problem : "not YAML";

	if (parser->error == YAML_MEMORY_ERROR)
		return fail_memory(loader);
	if (parser->error == YAML_READER_ERROR)
		return fail_at_offset(loader, parser->problem_offset, problem);
	if (has_tab_indent(loader->source, parser->problem_mark))
		return FAIL_AT(loader, parser->problem_mark,
			       "tabs are not allowed for indentation; use spaces");
	if (parser->context)
		return FAIL_AT(loader, parser->problem_mark, "%s %s", problem, parser->context);
	return FAIL_AT(loader, parser->problem_mark, "%s", problem);
}

static int next_event(struct loader *loader, yaml_event_t *ret)
{
	return yaml_parser_parse(&loader->parser, ret) ? 0 : fail_libyaml(loader);
}

static int build(struct loader *loader, const yaml_event_t *event, int depth, struct node **ret);

/* Anything but plain text and plain nesting is refused. */
static int check_decoration(struct loader *loader, const yaml_event_t *event, const void *anchor,
			    const void *tag)
{
	if (anchor)
		return FAIL_AT(loader, event->start_mark, "anchors are not allowed");
	if (tag)
		return FAIL_AT(loader, event->start_mark, "tags are not allowed");
	return 0;
}

static int build_scalar(struct loader *loader, const yaml_event_t *event, struct node **ret)
{
	const char *text = (const char *)event->data.scalar.value;
	struct node *node;
	int rc = check_decoration(loader, event, event->data.scalar.anchor, event->data.scalar.tag);

	if (rc < 0)
		return rc;
	if (memchr(text, '\0', event->data.scalar.length))
		return FAIL_AT(loader, event->start_mark, "a text cannot hold a NUL character");
	node = node_new_scalar(text);
	if (!node)
		return fail_memory(loader);
	*ret = node;
	return 0;
}

static int build_list(struct loader *loader, const yaml_event_t *start, int depth,
		      struct node *list)
{
	int rc = check_decoration(loader, start, start->data.sequence_start.anchor,
				  start->data.sequence_start.tag);

	while (rc == 0) {
		struct node *child = NULL;
		yaml_event_t event;

		rc = next_event(loader, &event);
		if (rc < 0)
			return rc;
		if (event.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&event);
			return 0;
		}
		rc = build(loader, &event, depth + 1, &child);
		yaml_event_delete(&event);
		if (rc == 0 && node_add(list, NULL, child) < 0)
			rc = fail_memory(loader);
	}
	return rc;
}

static int check_key(struct loader *loader, const yaml_event_t *event)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_-.";
	const char *key = (const char *)event->data.scalar.value;

	if (event->type == YAML_ALIAS_EVENT)
		return FAIL_AT(loader, event->start_mark, "aliases are not allowed");
	if (event->type != YAML_SCALAR_EVENT)
		return FAIL_AT(loader, event->start_mark, "a key must be a plain word");
	if (event->data.scalar.anchor || event->data.scalar.tag)
		return check_decoration(loader, event, event->data.scalar.anchor,
					event->data.scalar.tag);
	if (event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE || !*key ||
	    strspn(key, letters) != event->data.scalar.length)
		return FAIL_AT(loader, event->start_mark,
			       "a key must be a plain word of letters, digits, '_', '-' and '.'");
	return 0;
}

static int add_to_map(struct loader *loader, struct node *map, const yaml_event_t *key_event,
		      struct node *child)
{
	const char *key = (const char *)key_event->data.scalar.value;
	const struct node *first = node_get(map, key);
	int rc;

	if (first) {
		node_free(child);
		return FAIL_AT(loader, key_event->start_mark,
			       "key '%.60s' stands twice, the first time in line %u", key,
			       first->key_line);
	}
	rc = node_add(map, key, child);
	if (rc == -E2BIG)
		return FAIL_AT(loader, key_event->start_mark, "more than %d keys in one map",
			       NODE_KEYS_MAX);
	if (rc < 0)
		return fail_memory(loader);
	child->key_line = (uint32_t)key_event->start_mark.line + 1;
	child->key_column = (uint32_t)key_event->start_mark.column + 1;
	return 0;
}

static int build_entry(struct loader *loader, const yaml_event_t *key_event, int depth,
		       struct node *map)
{
	struct node *child = NULL;
	yaml_event_t event;
	int rc = check_key(loader, key_event);

	if (rc == 0)
		rc = next_event(loader, &event);
	if (rc < 0)
		return rc;
	rc = build(loader, &event, depth + 1, &child);
	yaml_event_delete(&event);
	return rc < 0 ? rc : add_to_map(loader, map, key_event, child);
}

static int build_map(struct loader *loader, const yaml_event_t *start, int depth, struct node *map)
{
	int rc = check_decoration(loader, start, start->data.mapping_start.anchor,
				  start->data.mapping_start.tag);

	while (rc == 0) {
		yaml_event_t event;

		rc = next_event(loader, &event);
		if (rc < 0)
			return rc;
		if (event.type == YAML_MAPPING_END_EVENT) {
			yaml_event_delete(&event);
			return 0;
		}
		rc = build_entry(loader, &event, depth, map);
		yaml_event_delete(&event);
	}
	return rc;
}

static int build_nest(struct loader *loader, const yaml_event_t *event, int depth,
		      struct node **ret)
{
	bool is_map = event->type == YAML_MAPPING_START_EVENT;
	struct node *node = node_new(is_map ? NODE_MAP : NODE_LIST);
	int rc;

	if (!node)
		return fail_memory(loader);
	rc = is_map ? build_map(loader, event, depth, node)
		    : build_list(loader, event, depth, node);
	if (rc < 0) {
		node_free(node);
		return rc;
	}
	*ret = node;
	return 0;
}

/* The node that begins with @event, which stays the caller's. */
static int build(struct loader *loader, const yaml_event_t *event, int depth, struct node **ret)
{
	struct node *node = NULL;
	int rc;

	if (event->type == YAML_ALIAS_EVENT)
		return FAIL_AT(loader, event->start_mark, "aliases are not allowed");
	if (depth > NODE_DEPTH_MAX)
		return FAIL_AT(loader, event->start_mark, "nested more than %d deep",
			       NODE_DEPTH_MAX);
	if (++loader->count > NODE_COUNT_MAX)
		return FAIL_AT(loader, event->start_mark, "more than %d values", NODE_COUNT_MAX);
	rc = event->type == YAML_SCALAR_EVENT ? build_scalar(loader, event, &node)
					      : build_nest(loader, event, depth, &node);
	if (rc < 0)
		return rc;
	node->line = (uint32_t)event->start_mark.line + 1;
	node->column = (uint32_t)event->start_mark.column + 1;
	*ret = node;
	return 0;
}

/* The next event, of which only the type and the place matter. */
static int next_type(struct loader *loader, yaml_event_type_t *ret_type, yaml_mark_t *ret_mark)
{
	yaml_event_t event;
	int rc = next_event(loader, &event);

	if (rc < 0)
		return rc;
	*ret_type = event.type;
	*ret_mark = event.start_mark;
	yaml_event_delete(&event);
	return 0;
}

/* Stream start, document start, the document, document end, stream end; nothing else. */
static int build_document(struct loader *loader, struct node **ret)
{
	yaml_event_type_t type;
	yaml_event_t event;
	yaml_mark_t mark;
	int rc = next_type(loader, &type, &mark);

	if (rc == 0)
		rc = next_type(loader, &type, &mark);
	if (rc < 0)
		return rc;
	if (type == YAML_STREAM_END_EVENT)
		return FAIL_AT(loader, mark, "there is nothing in it");
	rc = next_event(loader, &event);
	if (rc < 0)
		return rc;
	rc = build(loader, &event, 1, ret);
	yaml_event_delete(&event);
	if (rc == 0)
		rc = next_type(loader, &type, &mark);
	if (rc == 0)
		rc = next_type(loader, &type, &mark);
	if (rc == 0 && type != YAML_STREAM_END_EVENT)
		rc = FAIL_AT(loader, mark, "only one document may stand in a file");
	return rc;
}

int yaml_parse(const struct source *source, struct node **ret, struct ktstr_error *err)
{
	struct loader loader = { .source = source, .err = err };
	struct node *root = NULL;
	const char *nul;
	int rc;

	if (source->length > YAML_FILE_MAX)
		return source_fail(&(struct source){ .name = source->name }, 1, 1, err,
				   "larger than %u bytes", YAML_FILE_MAX);
	nul = memchr(source->text, '\0', source->length);
	if (nul)
		return fail_at_offset(&loader, (size_t)(nul - source->text),
				      "NUL bytes are not allowed");
	if (!yaml_parser_initialize(&loader.parser))
		return fail_memory(&loader);
	/* Said here, so that no byte order mark can choose another one. */
	yaml_parser_set_encoding(&loader.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&loader.parser, (const unsigned char *)source->text,
				     source->length);
	rc = build_document(&loader, &root);
	yaml_parser_delete(&loader.parser);
	if (rc < 0) {
		node_free(root);
		return rc;
	}
	*ret = root;
	return 0;
}
