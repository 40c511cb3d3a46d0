/* SPDX-License-Identifier: GPL-2.0-only */
#include "plugin/job.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "ktstr/frame.h"
#include "ktstr/plugin.h"

/* Changes when an older agent could misread what a newer host says. */
#define JOB_FORMAT 4
#define JOB_PLUGINS_MAX 1024
#define JOB_LIMIT_MAX_NS (UINT64_MAX / 8)
/* So that sums of times cannot overflow. */
#define JOB_TIMEOUT_MAX_NS (24 * UINT64_C(3600) * UINT64_C(1000000000))

static int add_text(struct node *map, const char *key, const char *text)
{
	return node_add(map, key, node_new_scalar(text));
}

static int add_number(struct node *map, const char *key, uint64_t number)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRIu64, number);
	return add_text(map, key, text);
}

static int add_params(struct node *map, const char *key, const struct node *params)
{
	return params ? node_add(map, key, node_clone(params)) : 0;
}

static int add_topology(struct node *map, const struct ktstr_topology *topology)
{
	struct node *node = node_new(NODE_MAP);
	int rc = node_add(map, "topology", node);

	if (rc == 0)
		rc = add_number(node, "numa_nodes", topology->numa_nodes);
	if (rc == 0)
		rc = add_number(node, "llcs", topology->llcs);
	if (rc == 0)
		rc = add_number(node, "cores", topology->cores);
	if (rc == 0)
		rc = add_number(node, "threads", topology->threads);
	return rc;
}

static int add_plugins(struct node *map, const struct job *job)
{
	struct node *list = node_new(NODE_LIST);
	int rc = node_add(map, "plugins", list);

	for (size_t i = 0; rc == 0 && i < job->plugin_count; i++) {
		const struct job_plugin *plugin = &job->plugins[i];
		struct node *node = node_new(NODE_MAP);

		rc = node_add(list, NULL, node);
		if (rc == 0)
			rc = add_number(node, "kind", plugin->kind);
		if (rc == 0)
			rc = add_number(node, "crc32", plugin->crc32);
		if (rc == 0)
			rc = add_text(node, "name", plugin->name);
		if (rc == 0)
			rc = add_text(node, "path", plugin->path);
	}
	return rc;
}

static int add_staged(struct node *map, const struct job *job)
{
	struct node *list = node_new(NODE_LIST);
	int rc = node_add(map, "staged", list);

	for (size_t i = 0; rc == 0 && i < job->staged_count; i++) {
		const struct job_scheduler *staged = &job->staged[i];
		struct node *node = node_new(NODE_MAP);

		rc = node_add(list, NULL, node);
		if (rc == 0)
			rc = add_text(node, "name", staged->name);
		if (rc == 0)
			rc = add_text(node, "plugin", staged->plugin);
		if (rc == 0)
			rc = add_params(node, "params", staged->params);
	}
	return rc;
}

static int add_limits(struct node *map, const struct job_limits *limits)
{
	struct node *node = node_new(NODE_MAP);
	int rc = node_add(map, "limits", node);

	if (rc == 0)
		rc = add_number(node, "start_ns", limits->start_ns);
	if (rc == 0)
		rc = add_number(node, "scenario_ns", limits->scenario_ns);
	if (rc == 0)
		rc = add_number(node, "pause_ns", limits->pause_ns);
	if (rc == 0)
		rc = add_number(node, "teardown_ns", limits->teardown_ns);
	return rc;
}

static int add_job(struct node *map, const struct job *job)
{
	int rc = add_number(map, "format", JOB_FORMAT);

	if (rc == 0)
		rc = add_text(map, "source", job->source_name);
	if (rc == 0)
		rc = add_number(map, "seed", job->seed);
	if (rc == 0)
		rc = add_topology(map, &job->topology);
	if (rc == 0)
		rc = add_text(map, "scheduler", job->scheduler);
	if (rc == 0)
		rc = add_params(map, "scheduler_params", job->scheduler_params);
	if (rc == 0)
		rc = add_number(map, "scheduler_timeout_ns", job->scheduler_timeout_ns);
	if (rc == 0)
		rc = add_limits(map, &job->limits);
	if (rc == 0)
		rc = add_staged(map, job);
	if (rc == 0 && job->scenario)
		rc = add_text(map, "scenario", job->scenario);
	if (rc == 0)
		rc = add_params(map, "scenario_params", job->scenario_params);
	if (rc == 0)
		rc = add_plugins(map, job);
	return rc;
}

int job_encode(const struct job *job, struct str *out)
{
	struct node *map = node_new(NODE_MAP);
	int rc;

	if (!map)
		return -ENOMEM;
	rc = add_job(map, job);
	if (rc == 0)
		rc = node_encode(map, out);
	node_free(map);
	return rc;
}

static int get_number(const struct node *map, const char *key, uint64_t max, uint64_t *ret,
		      struct ktstr_error *err)
{
	const char *text = node_get_text(map, key);
	uint64_t number = 0;

	if (!text || !*text)
		return ktstr_fail(err, -EBADMSG, "malformed job: '%s' is missing", key);
	for (const char *at = text; *at; at++) {
		if (*at < '0' || *at > '9')
			return ktstr_fail(err, -EBADMSG, "malformed job: '%s' is no number", key);
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number) || number > max)
			return ktstr_fail(err, -EBADMSG, "malformed job: '%s' is above %" PRIu64,
					  key, max);
	}
	*ret = number;
	return 0;
}

static int get_u32(const struct node *map, const char *key, uint32_t max, uint32_t *ret,
		   struct ktstr_error *err)
{
	uint64_t number;
	int rc = get_number(map, key, max, &number, err);

	if (rc == 0)
		*ret = (uint32_t)number;
	return rc;
}

static int get_text(const struct node *map, const char *key, char **ret, struct ktstr_error *err)
{
	const char *text = node_get_text(map, key);

	if (!text)
		return ktstr_fail(err, -EBADMSG, "malformed job: '%s' is missing", key);
	*ret = strdup(text);
	if (!*ret)
		return ktstr_fail(err, -ENOMEM, "cannot decode the job: out of memory");
	return 0;
}

static bool is_plugin_name(const char *name)
{
	size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return name[0] >= 'a' && name[0] <= 'z' && !name[length] && length <= KTSTR_NAME_MAX;
}

static int get_name(const struct node *map, const char *key, char **ret, struct ktstr_error *err)
{
	const char *name = node_get_text(map, key);

	if (name && !is_plugin_name(name))
		return ktstr_fail(err, -EBADMSG, "malformed job: '%s' is no name of a plugin", key);
	return get_text(map, key, ret, err);
}

static int get_params(const struct node *map, const char *key, struct node **ret,
		      struct ktstr_error *err)
{
	const struct node *params = node_get(map, key);

	if (!params)
		return 0;
	if (params->kind != NODE_MAP)
		return ktstr_fail(err, -EBADMSG, "malformed job: '%s' is no map", key);
	*ret = node_clone(params);
	if (!*ret)
		return ktstr_fail(err, -ENOMEM, "cannot decode the job: out of memory");
	return 0;
}

static int get_topology(const struct node *map, struct ktstr_topology *ret, struct ktstr_error *err)
{
	const struct node *node = node_get(map, "topology");
	const uint32_t max = KTSTR_CPUS_MAX;
	struct ktstr_topology t = { .size = sizeof(t) };
	int rc = get_u32(node, "numa_nodes", max, &t.numa_nodes, err);

	if (rc == 0)
		rc = get_u32(node, "llcs", max, &t.llcs, err);
	if (rc == 0)
		rc = get_u32(node, "cores", max, &t.cores, err);
	if (rc == 0)
		rc = get_u32(node, "threads", max, &t.threads, err);
	if (rc < 0)
		return rc;
	if (!t.numa_nodes || !t.llcs || !t.cores || !t.threads || t.llcs % t.numa_nodes != 0 ||
	    (uint64_t)t.llcs * t.cores * t.threads > max)
		return ktstr_fail(err, -EBADMSG, "malformed job: impossible topology");
	*ret = t;
	return 0;
}

static int get_plugin(const struct node *map, struct job_plugin *ret, struct ktstr_error *err)
{
	int rc = get_u32(map, "kind", KTSTR_KIND_CHECKER, &ret->kind, err);

	if (rc == 0 && ret->kind < KTSTR_KIND_SCHEDULER)
		rc = ktstr_fail(err, -EBADMSG, "malformed job: 'kind' is 0");
	if (rc == 0)
		rc = get_u32(map, "crc32", UINT32_MAX, &ret->crc32, err);
	if (rc == 0)
		rc = get_name(map, "name", &ret->name, err);
	if (rc == 0)
		rc = get_text(map, "path", &ret->path, err);
	if (rc == 0 && (ret->path[0] != '/' || strlen(ret->path) >= PATH_MAX))
		rc = ktstr_fail(err, -EBADMSG, "malformed job: 'path' is not absolute");
	return rc;
}

static int get_plugins(const struct node *map, struct job *job, struct ktstr_error *err)
{
	const struct node *list = node_get(map, "plugins");
	int rc = 0;

	if (!list || list->kind != NODE_LIST)
		return ktstr_fail(err, -EBADMSG, "malformed job: 'plugins' is missing");
	if (list->child_count > JOB_PLUGINS_MAX)
		return ktstr_fail(err, -EBADMSG, "malformed job: too many plugins");
	job->plugins = calloc(list->child_count + 1, sizeof(*job->plugins));
	if (!job->plugins)
		return ktstr_fail(err, -ENOMEM, "cannot decode the job: out of memory");
	for (size_t i = 0; rc == 0 && i < list->child_count; i++) {
		job->plugin_count = i + 1;
		rc = get_plugin(list->children[i], &job->plugins[i], err);
	}
	return rc;
}

/* As the keys of `schedulers:` in a scenario file. */
static bool is_staged_name(const char *name)
{
	size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");

	return name[0] >= 'a' && name[0] <= 'z' && !name[length] && length <= KTSTR_NAME_MAX;
}

static int get_scheduler(const struct node *map, const struct job *job, struct job_scheduler *ret,
			 struct ktstr_error *err)
{
	int rc = get_text(map, "name", &ret->name, err);

	if (rc == 0 && !is_staged_name(ret->name))
		return ktstr_fail(err, -EBADMSG,
				  "malformed job: 'name' is no name of a staged scheduler");
	for (const struct job_scheduler *other = job->staged; rc == 0 && other < ret; other++)
		if (strcmp(other->name, ret->name) == 0)
			return ktstr_fail(err, -EBADMSG,
					  "malformed job: two schedulers are called '%s'",
					  ret->name);
	if (rc == 0)
		rc = get_name(map, "plugin", &ret->plugin, err);
	if (rc == 0)
		rc = get_params(map, "params", &ret->params, err);
	return rc;
}

static int get_staged(const struct node *map, struct job *job, struct ktstr_error *err)
{
	const struct node *list = node_get(map, "staged");
	int rc = 0;

	if (!list || list->kind != NODE_LIST)
		return ktstr_fail(err, -EBADMSG, "malformed job: 'staged' is missing");
	if (list->child_count > JOB_STAGED_MAX)
		return ktstr_fail(err, -EBADMSG, "malformed job: too many staged schedulers");
	job->staged = calloc(list->child_count + 1, sizeof(*job->staged));
	if (!job->staged)
		return ktstr_fail(err, -ENOMEM, "cannot decode the job: out of memory");
	for (size_t i = 0; rc == 0 && i < list->child_count; i++) {
		job->staged_count = i + 1;
		rc = get_scheduler(list->children[i], job, &job->staged[i], err);
	}
	return rc;
}

static int get_timeout(const struct node *map, struct job *job, struct ktstr_error *err)
{
	int rc = get_number(map, "scheduler_timeout_ns", JOB_TIMEOUT_MAX_NS,
			    &job->scheduler_timeout_ns, err);

	if (rc == 0 && job->scheduler_timeout_ns == 0)
		return ktstr_fail(err, -EBADMSG, "malformed job: 'scheduler_timeout_ns' is 0");
	return rc;
}

static int get_limits(const struct node *map, struct job_limits *ret, struct ktstr_error *err)
{
	const struct node *node = node_get(map, "limits");
	int rc = get_number(node, "start_ns", JOB_LIMIT_MAX_NS, &ret->start_ns, err);

	if (rc == 0)
		rc = get_number(node, "scenario_ns", JOB_LIMIT_MAX_NS, &ret->scenario_ns, err);
	if (rc == 0)
		rc = get_number(node, "pause_ns", JOB_LIMIT_MAX_NS, &ret->pause_ns, err);
	if (rc == 0)
		rc = get_number(node, "teardown_ns", JOB_LIMIT_MAX_NS, &ret->teardown_ns, err);
	return rc;
}

static int get_job(const struct node *map, struct job *job, struct ktstr_error *err)
{
	uint64_t format;
	int rc = get_number(map, "format", UINT32_MAX, &format, err);

	if (rc == 0 && format != JOB_FORMAT)
		rc = ktstr_fail(err, -EBADMSG,
				"the job has format %" PRIu64
				", this agent reads %d: host and agent are from different builds",
				format, JOB_FORMAT);
	if (rc == 0)
		rc = get_text(map, "source", &job->source_name, err);
	if (rc == 0)
		rc = get_number(map, "seed", UINT64_MAX, &job->seed, err);
	if (rc == 0)
		rc = get_topology(map, &job->topology, err);
	if (rc == 0)
		rc = get_name(map, "scheduler", &job->scheduler, err);
	if (rc == 0)
		rc = get_params(map, "scheduler_params", &job->scheduler_params, err);
	if (rc == 0)
		rc = get_timeout(map, job, err);
	if (rc == 0)
		rc = get_limits(map, &job->limits, err);
	if (rc == 0)
		rc = get_staged(map, job, err);
	if (rc == 0 && node_get(map, "scenario"))
		rc = get_name(map, "scenario", &job->scenario, err);
	if (rc == 0)
		rc = get_params(map, "scenario_params", &job->scenario_params, err);
	if (rc == 0)
		rc = get_plugins(map, job, err);
	return rc;
}

int job_decode(const void *bytes, size_t length, struct job **ret, struct ktstr_error *err)
{
	struct node *map;
	struct job *job;
	int rc = node_decode(bytes, length, &map, err);

	if (rc < 0)
		return ktstr_prefix(err, "cannot decode the job");
	job = calloc(1, sizeof(*job));
	rc = job ? get_job(map, job, err)
		 : ktstr_fail(err, -ENOMEM, "cannot decode the job: out of memory");
	node_free(map);
	if (rc < 0) {
		job_free(job);
		return rc;
	}
	*ret = job;
	return 0;
}

void job_free(struct job *job)
{
	if (!job)
		return;
	for (size_t i = 0; i < job->plugin_count; i++) {
		free(job->plugins[i].name);
		free(job->plugins[i].path);
	}
	free(job->plugins);
	for (size_t i = 0; i < job->staged_count; i++) {
		free(job->staged[i].name);
		free(job->staged[i].plugin);
		node_free(job->staged[i].params);
	}
	free(job->staged);
	free(job->source_name);
	free(job->scheduler);
	node_free(job->scheduler_params);
	free(job->scenario);
	node_free(job->scenario_params);
	free(job);
}
