/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/meta.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "report/meta_expect.h"

json_t *json_text(const char *text)
{
	size_t length = text ? strlen(text) : 0;
	_cleanup_free_ char *safe = NULL;

	if (!text)
		return json_null();
	safe = malloc(length + 1);
	return safe ? json_string(str_copy_safe(safe, length + 1, text, length)) : NULL;
}

void json_add(json_t **list, json_t *value)
{
	/* Takes @value even where it fails, as it does for a list that is NULL. */
	if (json_array_append_new(*list, value) == 0)
		return;
	json_decref(*list);
	*list = NULL;
}

void json_put(json_t **object, const char *key, json_t *value)
{
	if (json_object_set_new(*object, key, value) == 0)
		return;
	json_decref(*object);
	*object = NULL;
}

json_t *node_to_json(const struct node *node)
{
	json_t *json;

	if (node->kind == NODE_SCALAR)
		return json_string(node->text);
	json = node->kind == NODE_LIST ? json_array() : json_object();
	for (size_t i = 0; json && i < node->child_count; i++) {
		const struct node *child = node->children[i];
		json_t *value = node_to_json(child);
		int rc = node->kind == NODE_LIST ? json_array_append_new(json, value)
						 : json_object_set_new(json, child->key, value);

		if (rc < 0) {
			json_decref(json);
			return NULL;
		}
	}
	return json;
}

static struct node *node_from_json_at(const json_t *json, int depth);

/* Add what @json holds below @parent; false when it is no tree of text. */
static bool add_child(struct node *parent, const char *key, const json_t *json, int depth)
{
	struct node *child = node_from_json_at(json, depth + 1);

	return child && node_add(parent, key, child) == 0;
}

static struct node *node_from_json_at(const json_t *json, int depth)
{
	struct node *node;
	const char *key;
	json_t *value;
	size_t i;

	if (depth > NODE_DEPTH_MAX)
		return NULL;
	if (json_is_string(json))
		return node_new_scalar(json_string_value(json));
	if (!json_is_array(json) && !json_is_object(json))
		return NULL;
	node = node_new(json_is_array(json) ? NODE_LIST : NODE_MAP);
	if (!node)
		return NULL;
	json_array_foreach(json, i, value)
	{
		if (!add_child(node, NULL, value, depth))
			goto fail;
	}
	json_object_foreach((json_t *)json, key, value)
	{
		if (!add_child(node, key, value, depth))
			goto fail;
	}
	return node;
fail:
	node_free(node);
	return NULL;
}

struct node *node_from_json(const json_t *json)
{
	return node_from_json_at(json, 1);
}

json_t *meta_seed_to_json(uint64_t seed)
{
	char text[24];

	if (seed <= INT64_MAX)
		return json_integer((json_int_t)seed);
	(void)snprintf(text, sizeof(text), "%" PRIu64, seed);
	return json_string(text);
}

/* A text that may be NULL or no UTF-8 (a path may be anything). */
static json_t *text_or_empty(const char *text)
{
	json_t *json = json_string(text ? text : "");
	char safe[1024];

	if (!json)
		json = json_string(str_copy_safe(safe, sizeof(safe), text, strlen(text)));
	return json;
}

static json_t *params_or_null(const struct node *params)
{
	return params ? node_to_json(params) : json_null();
}

static json_t *plugins_to_json(const struct meta *meta)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < meta->plugin_count; i++) {
		const struct meta_plugin *p = &meta->plugins[i];

		json_add(&list,
			 json_pack("{so so so so sI so}", "kind", text_or_empty(p->kind), "name",
				   text_or_empty(p->name), "version", text_or_empty(p->version),
				   "path", text_or_empty(p->path), "crc32", (json_int_t)p->crc32,
				   "build_id", text_or_empty(p->build_id)));
	}
	return list;
}

static json_t *checkers_to_json(const struct meta *meta)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < meta->checker_count; i++) {
		const struct meta_checker *c = &meta->checkers[i];

		json_add(&list, json_pack("{so so so so}", "name", text_or_empty(c->name), "path",
					  text_or_empty(c->path), "kind", text_or_empty(c->kind),
					  "params", params_or_null(c->params)));
	}
	return list;
}

static json_t *staged_to_json(const struct meta *meta)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < meta->staged_count; i++) {
		const struct meta_scheduler *s = &meta->staged[i];

		json_add(&list,
			 json_pack("{so so so}", "name", text_or_empty(s->name), "plugin",
				   text_or_empty(s->plugin), "params", params_or_null(s->params)));
	}
	return list;
}

static json_t *vm_to_json(const struct meta *meta)
{
	const struct ktstr_topology *t = &meta->topology;
	json_t *argv = json_array();

	for (size_t i = 0; argv && i < meta->argv_count; i++)
		json_add(&argv, text_or_empty(meta->argv[i]));
	return json_pack("{so so sI so sI sI sI sI sI so}", "accel", text_or_empty(meta->accel),
			 "clock", text_or_empty(meta->clock), "instruction_ns",
			 (json_int_t)meta->instruction_ns, "base", text_or_empty(meta->base),
			 "numa_nodes", (json_int_t)t->numa_nodes, "llcs", (json_int_t)t->llcs,
			 "cores", (json_int_t)t->cores, "threads", (json_int_t)t->threads,
			 "memory_bytes", (json_int_t)meta->memory_bytes, "argv", argv);
}

json_t *meta_to_json(const struct meta *meta)
{
	json_t *scenario =
		json_pack("{so so so so}", "name", text_or_empty(meta->scenario_name), "plugin",
			  text_or_empty(meta->scenario), "file", text_or_empty(meta->scenario_file),
			  "seed", meta_seed_to_json(meta->seed));
	json_t *kernel = json_pack("{so so so}", "path", text_or_empty(meta->kernel_path),
				   "release", text_or_empty(meta->kernel_release), "origin",
				   text_or_empty(meta->kernel_origin));

	return json_pack(
		"{si so so s{so so} so so so so so so s{sI so} so so so}", "schema_version",
		META_SCHEMA_VERSION, "ktstr_version", text_or_empty(meta->ktstr_version),
		"scenario", scenario, "scheduler", "plugin", text_or_empty(meta->scheduler),
		"params", params_or_null(meta->scheduler_params), "staged", staged_to_json(meta),
		"expect", meta_expect_to_json(&meta->expect), "plugins", plugins_to_json(meta),
		"checkers", checkers_to_json(meta), "kernel", kernel, "vm", vm_to_json(meta),
		"host", "cpus", (json_int_t)meta->host_cpus, "uname",
		text_or_empty(meta->host_uname), "command", text_or_empty(meta->command),
		"console_log", text_or_empty(meta->console_log), "again",
		meta_again_to_json(&meta->again));
}

/* The first thing that was wrong; later reads do nothing once it is set. */
struct parse {
	struct ktstr_error *err;
	int rc;
};

static const json_t *member(struct parse *p, const json_t *object, const char *key, json_type type)
{
	const json_t *value = object ? json_object_get(object, key) : NULL;

	if (!value || json_is_null(value) || p->rc < 0)
		return NULL;
	if (json_typeof(value) != type) {
		p->rc = ktstr_fail(p->err, -EBADMSG, "'%s' in it has the wrong type", key);
		return NULL;
	}
	if (type == JSON_ARRAY && json_array_size(value) > META_ARRAY_MAX) {
		p->rc = ktstr_fail(p->err, -EBADMSG, "'%s' in it has more than %d entries", key,
				   META_ARRAY_MAX);
		return NULL;
	}
	return value;
}

/* Texts come from a file that somebody sent: nothing in them may drive a terminal. */
static char *safe_text(struct parse *p, const char *source)
{
	size_t length = strlen(source);
	char *text = malloc(length + 1);

	if (!text) {
		p->rc = ktstr_fail(p->err, -ENOMEM, "out of memory");
		return NULL;
	}
	str_copy_safe(text, length + 1, source, length);
	for (char *c = text; *c; c++)
		if (*c == '\n' || *c == '\t')
			*c = ' ';
	return text;
}

static char *get_text(struct parse *p, const json_t *object, const char *key)
{
	const json_t *value = member(p, object, key, JSON_STRING);

	return safe_text(p, value ? json_string_value(value) : "");
}

static uint64_t get_number(struct parse *p, const json_t *object, const char *key)
{
	const json_t *value = member(p, object, key, JSON_INTEGER);

	return value ? (uint64_t)json_integer_value(value) : 0;
}

static uint64_t get_seed(struct parse *p, const json_t *scenario)
{
	const char *text = json_string_value(json_object_get(scenario, "seed"));

	return text ? strtoull(text, NULL, 10) : get_number(p, scenario, "seed");
}

static struct node *get_params(struct parse *p, const json_t *object)
{
	const json_t *value = member(p, object, "params", JSON_OBJECT);
	struct node *node = value ? node_from_json(value) : NULL;

	if (value && !node)
		p->rc = ktstr_fail(p->err, -EBADMSG, "'params' in it is no tree of text");
	return node;
}

/* Memory for the entries of an array; NULL when there are none. */
static void *new_entries(struct parse *p, const json_t *list, size_t size)
{
	void *entries = list ? calloc(json_array_size(list) + 1, size) : NULL;

	if (list && !entries)
		p->rc = ktstr_fail(p->err, -ENOMEM, "out of memory");
	return entries;
}

static void parse_plugins(struct parse *p, const json_t *root, struct meta *meta)
{
	const json_t *list = member(p, root, "plugins", JSON_ARRAY);

	meta->plugins = new_entries(p, list, sizeof(*meta->plugins));
	for (size_t i = 0; meta->plugins && i < json_array_size(list); i++) {
		const json_t *item = json_array_get(list, i);

		meta->plugins[meta->plugin_count++] = (struct meta_plugin){
			.kind = get_text(p, item, "kind"),
			.name = get_text(p, item, "name"),
			.version = get_text(p, item, "version"),
			.path = get_text(p, item, "path"),
			.crc32 = (uint32_t)get_number(p, item, "crc32"),
			.build_id = get_text(p, item, "build_id"),
		};
	}
}

static void parse_checkers(struct parse *p, const json_t *root, struct meta *meta)
{
	const json_t *list = member(p, root, "checkers", JSON_ARRAY);

	meta->checkers = new_entries(p, list, sizeof(*meta->checkers));
	for (size_t i = 0; meta->checkers && i < json_array_size(list); i++) {
		const json_t *item = json_array_get(list, i);

		meta->checkers[meta->checker_count++] = (struct meta_checker){
			.name = get_text(p, item, "name"),
			.path = get_text(p, item, "path"),
			.kind = get_text(p, item, "kind"),
			.params = get_params(p, item),
		};
	}
}

static void parse_staged(struct parse *p, const json_t *root, struct meta *meta)
{
	const json_t *list = member(p, root, "staged", JSON_ARRAY);

	meta->staged = new_entries(p, list, sizeof(*meta->staged));
	for (size_t i = 0; meta->staged && i < json_array_size(list); i++) {
		const json_t *item = json_array_get(list, i);

		meta->staged[meta->staged_count++] = (struct meta_scheduler){
			.name = get_text(p, item, "name"),
			.plugin = get_text(p, item, "plugin"),
			.params = get_params(p, item),
		};
	}
}

static void parse_expect(struct parse *p, const json_t *root, struct meta *meta)
{
	if (p->rc == 0)
		p->rc = meta_expect_parse(json_object_get(root, "expect"), &meta->expect, p->err);
}

static void parse_vm(struct parse *p, const json_t *root, struct meta *meta)
{
	const json_t *vm = member(p, root, "vm", JSON_OBJECT);
	const json_t *argv = member(p, vm, "argv", JSON_ARRAY);

	meta->accel = get_text(p, vm, "accel");
	meta->clock = get_text(p, vm, "clock");
	meta->instruction_ns = (uint32_t)get_number(p, vm, "instruction_ns");
	meta->base = get_text(p, vm, "base");
	meta->topology = (struct ktstr_topology){
		.size = sizeof(meta->topology),
		.numa_nodes = (uint32_t)get_number(p, vm, "numa_nodes"),
		.llcs = (uint32_t)get_number(p, vm, "llcs"),
		.cores = (uint32_t)get_number(p, vm, "cores"),
		.threads = (uint32_t)get_number(p, vm, "threads"),
	};
	meta->memory_bytes = get_number(p, vm, "memory_bytes");
	meta->argv = new_entries(p, argv, sizeof(*meta->argv));
	for (size_t i = 0; meta->argv && i < json_array_size(argv); i++) {
		const char *word = json_string_value(json_array_get(argv, i));

		meta->argv[meta->argv_count++] = safe_text(p, word ? word : "");
	}
}

static void parse_root(struct parse *p, const json_t *root, struct meta *meta)
{
	const json_t *scenario = member(p, root, "scenario", JSON_OBJECT);
	const json_t *scheduler = member(p, root, "scheduler", JSON_OBJECT);
	const json_t *kernel = member(p, root, "kernel", JSON_OBJECT);
	const json_t *host = member(p, root, "host", JSON_OBJECT);

	meta->ktstr_version = get_text(p, root, "ktstr_version");
	meta->scenario_name = get_text(p, scenario, "name");
	meta->scenario = get_text(p, scenario, "plugin");
	meta->scenario_file = get_text(p, scenario, "file");
	meta->seed = get_seed(p, scenario);
	meta->scheduler = get_text(p, scheduler, "plugin");
	meta->scheduler_params = get_params(p, scheduler);
	parse_staged(p, root, meta);
	parse_expect(p, root, meta);
	parse_plugins(p, root, meta);
	parse_checkers(p, root, meta);
	meta->kernel_path = get_text(p, kernel, "path");
	meta->kernel_release = get_text(p, kernel, "release");
	meta->kernel_origin = get_text(p, kernel, "origin");
	parse_vm(p, root, meta);
	meta->host_cpus = (uint32_t)get_number(p, host, "cpus");
	meta->host_uname = get_text(p, host, "uname");
	meta->command = get_text(p, root, "command");
	meta->console_log = get_text(p, root, "console_log");
	if (p->rc == 0)
		p->rc = meta_again_parse(json_object_get(root, "again"), &meta->again, p->err);
}

int meta_parse(const void *bytes, size_t length, struct meta **ret, struct ktstr_error *err)
{
	struct parse p = { .err = err };
	json_error_t json_error;
	json_t *root = json_loadb(bytes, length, JSON_REJECT_DUPLICATES, &json_error);
	struct meta *meta = NULL;

	if (!root && json_error_code(&json_error) == json_error_out_of_memory) {
		p.rc = ktstr_fail(err, -ENOMEM, "out of memory");
		goto done;
	}
	if (!json_is_object(root)) {
		p.rc = ktstr_fail(err, -EBADMSG, "it is no JSON object");
		goto done;
	}
	if (json_integer_value(json_object_get(root, "schema_version")) != META_SCHEMA_VERSION) {
		p.rc = ktstr_fail(err, -EBADMSG, "its schema version is not %d",
				  META_SCHEMA_VERSION);
		goto done;
	}
	meta = calloc(1, sizeof(*meta));
	if (!meta) {
		p.rc = ktstr_fail(err, -ENOMEM, "out of memory");
		goto done;
	}
	parse_root(&p, root, meta);
	if (p.rc == 0)
		*ret = steal_ptr(meta);
done:
	meta_free(meta);
	json_decref(root);
	return p.rc < 0 ? ktstr_prefix(err, "the META record cannot be read") : 0;
}

void meta_done(struct meta *meta)
{
	for (size_t i = 0; i < meta->plugin_count; i++) {
		struct meta_plugin *p = &meta->plugins[i];

		free(p->kind);
		free(p->name);
		free(p->version);
		free(p->path);
		free(p->build_id);
	}
	for (size_t i = 0; i < meta->checker_count; i++) {
		struct meta_checker *c = &meta->checkers[i];

		free(c->name);
		free(c->path);
		free(c->kind);
		node_free(c->params);
	}
	for (size_t i = 0; i < meta->staged_count; i++) {
		struct meta_scheduler *s = &meta->staged[i];

		free(s->name);
		free(s->plugin);
		node_free(s->params);
	}
	for (size_t i = 0; i < meta->argv_count; i++)
		free(meta->argv[i]);
	free(meta->staged);
	expectation_done(&meta->expect);
	free(meta->plugins);
	free(meta->checkers);
	free(meta->argv);
	free(meta->ktstr_version);
	free(meta->scenario_name);
	free(meta->scenario);
	free(meta->scenario_file);
	free(meta->scheduler);
	node_free(meta->scheduler_params);
	free(meta->kernel_path);
	free(meta->kernel_release);
	free(meta->kernel_origin);
	free(meta->accel);
	free(meta->clock);
	free(meta->base);
	free(meta->host_uname);
	free(meta->command);
	free(meta->console_log);
	meta_again_done(&meta->again);
	*meta = (struct meta){ 0 };
}

void meta_free(struct meta *meta)
{
	if (!meta)
		return;
	meta_done(meta);
	free(meta);
}
