/* SPDX-License-Identifier: GPL-2.0-only */
#include "judge/request.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"

#define FOLDERS_MAX 256

/* The numbers of a topology, by name. */
static const struct {
	const char *key;
	size_t offset;
} topology_fields[] = {
	{ "numa_nodes", offsetof(struct ktstr_topology, numa_nodes) },
	{ "llcs", offsetof(struct ktstr_topology, llcs) },
	{ "cores", offsetof(struct ktstr_topology, cores) },
	{ "threads", offsetof(struct ktstr_topology, threads) },
};

static uint32_t *topology_field(struct ktstr_topology *topology, size_t number)
{
	return (uint32_t *)((char *)topology + topology_fields[number].offset);
}

static int add_text(struct node *map, const char *key, const char *text)
{
	struct node *scalar = node_new_scalar(text ? text : "");

	return scalar ? node_add(map, key, scalar) : -ENOMEM;
}

static int add_number(struct node *map, const char *key, uint32_t number)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%u", number);
	return add_text(map, key, text);
}

static int add_topology(struct node *root, const struct ktstr_topology *topology)
{
	struct ktstr_topology copy = *topology;
	int rc = 0;

	for (size_t i = 0; i < ARRAY_SIZE(topology_fields) && rc == 0; i++)
		rc = add_number(root, topology_fields[i].key, *topology_field(&copy, i));
	return rc;
}

static int add_folders(struct node *root, const char *const *folders)
{
	struct node *list = node_new(NODE_LIST);
	int rc = list ? 0 : -ENOMEM;

	for (size_t i = 0; folders && folders[i] && rc == 0; i++)
		rc = add_text(list, NULL, folders[i]);
	if (rc == 0)
		return node_add(root, "folders", list);
	node_free(list);
	return rc;
}

static int add_params(struct node *root, const struct node *params)
{
	struct node *copy = node_clone(params);

	return copy ? node_add(root, "params", copy) : -ENOMEM;
}

static int fill(struct node *root, const struct judge_spec *spec,
		const struct judge_checker *checker)
{
	const struct {
		const char *key, *text;
	} texts[] = {
		{ "name", checker->name },	{ "path", checker->path },
		{ "scenario", spec->scenario }, { "scheduler", spec->scheduler },
		{ "kernel", spec->kernel },	{ "accel", spec->accel },
		{ "clock", spec->clock },
	};
	int rc = add_number(root, "kind", checker->kind);

	if (rc == 0)
		rc = add_number(root, "crc32", checker->crc32);
	for (size_t i = 0; i < ARRAY_SIZE(texts) && rc == 0; i++)
		rc = add_text(root, texts[i].key, texts[i].text);
	if (rc == 0)
		rc = add_topology(root, &spec->topology);
	if (rc == 0)
		rc = add_folders(root, spec->plugin_folders);
	if (rc == 0 && checker->params)
		rc = add_params(root, checker->params);
	return rc;
}

int request_encode(const struct judge_spec *spec, const struct judge_checker *checker,
		   struct str *out)
{
	struct node *root = node_new(NODE_MAP);
	int rc = root ? fill(root, spec, checker) : -ENOMEM;

	if (rc == 0)
		rc = node_encode(root, out);
	node_free(root);
	return rc;
}

static int take_number(const struct node *root, const char *key, uint32_t *ret)
{
	const char *text = node_get_text(root, key);
	unsigned long number;
	char *end;

	if (!text)
		return -EBADMSG;
	errno = 0;
	number = strtoul(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || number > UINT32_MAX)
		return -EBADMSG;
	*ret = (uint32_t)number;
	return 0;
}

static int take_folders(const struct node *root, struct request *request)
{
	const struct node *list = node_get(root, "folders");

	if (!list || list->kind != NODE_LIST || list->child_count > FOLDERS_MAX)
		return -EBADMSG;
	request->plugin_folders = calloc(list->child_count + 1, sizeof(char *));
	if (!request->plugin_folders)
		return -ENOMEM;
	for (size_t i = 0; i < list->child_count; i++) {
		if (list->children[i]->kind != NODE_SCALAR)
			return -EBADMSG;
		request->plugin_folders[i] = list->children[i]->text;
	}
	return 0;
}

static int take_all(struct request *request)
{
	const struct node *root = request->tree;
	const struct {
		const char *key;
		const char **text;
	} texts[] = {
		{ "name", &request->name },	    { "path", &request->path },
		{ "scenario", &request->scenario }, { "scheduler", &request->scheduler },
		{ "kernel", &request->kernel },	    { "accel", &request->accel },
		{ "clock", &request->clock },
	};
	int rc = root->kind == NODE_MAP ? take_number(root, "kind", &request->kind) : -EBADMSG;

	if (rc == 0)
		rc = take_number(root, "crc32", &request->crc32);
	for (size_t i = 0; i < ARRAY_SIZE(texts) && rc == 0; i++) {
		*texts[i].text = node_get_text(root, texts[i].key);
		rc = *texts[i].text ? 0 : -EBADMSG;
	}
	request->topology.size = sizeof(request->topology);
	for (size_t i = 0; i < ARRAY_SIZE(topology_fields) && rc == 0; i++)
		rc = take_number(root, topology_fields[i].key,
				 topology_field(&request->topology, i));
	if (rc == 0)
		rc = take_folders(root, request);
	request->params = node_get(root, "params");
	return rc;
}

int request_decode(const void *bytes, size_t length, struct request *ret, struct ktstr_error *err)
{
	struct request request = { 0 };
	int rc = node_decode(bytes, length, &request.tree, err);

	if (rc < 0)
		return ktstr_prefix(err, "cannot read the request");
	rc = take_all(&request);
	if (rc < 0) {
		request_done(&request);
		return ktstr_fail(err, rc, "cannot read the request: %s", strerror(-rc));
	}
	*ret = request;
	return 0;
}

void request_done(struct request *request)
{
	if (!request)
		return;
	free(request->plugin_folders);
	node_free(request->tree);
	*request = (struct request){ 0 };
}
