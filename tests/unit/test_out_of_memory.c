/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Each allocation of a whole way through the text modules fails once. The linker hands the
 * allocators to us (--wrap). Leaks on the way are found by the sanitizer builds.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "config/scenario.h"
#include "ktstr/plugin.h"
#include "plugin/job.h"

/* Allocations that still succeed; negative: all do. */
static long left = -1;
static bool has_failed;

static bool is_refused(void)
{
	if (left < 0)
		return false;
	if (left > 0) {
		left--;
		return false;
	}
	has_failed = true;
	left = -1;
	return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_reallocarray(void *memory, size_t count, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_reallocarray(void *memory, size_t count, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);

void *__wrap_malloc(size_t size)
{
	return is_refused() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return is_refused() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
	return is_refused() ? NULL : __real_realloc(memory, size);
}

void *__wrap_reallocarray(void *memory, size_t count, size_t size)
{
	return is_refused() ? NULL : __real_reallocarray(memory, count, size);
}

char *__wrap_strdup(const char *text)
{
	return is_refused() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t size)
{
	return is_refused() ? NULL : __real_strndup(text, size);
}

static const char *const words[] = { "spin", "sleep", NULL };
static const struct ktstr_param number[] = { { .key = "number", .type = KTSTR_PARAM_INT } };
static const struct ktstr_param inner[] = {
	{ .key = "note", .type = KTSTR_PARAM_STRING, .fallback = "x" },
	{ .key = NULL },
};
static const struct ktstr_param params[] = {
	{ .key = "limit", .type = KTSTR_PARAM_PERCENT, .fallback = "15%" },
	{ .key = "word", .type = KTSTR_PARAM_ENUM, .choices = words },
	{ .key = "numbers", .type = KTSTR_PARAM_LIST, .fields = number },
	{ .key = "map", .type = KTSTR_PARAM_MAP, .fields = inner },
	{ .key = "oneof", .type = KTSTR_PARAM_ONEOF, .fields = inner },
	{ .key = "work", .type = KTSTR_PARAM_PLUGIN, .min = KTSTR_KIND_WORKLOAD },
	{ .key = NULL },
};

static const char text[] = "name: x\n"
			   "description: y\n"
			   "vm: {kernel: k}\n"
			   "scenario: {plugin: steps, limit: 3%, word: spin, numbers: [1, 2],\n"
			   "           map: {note: y}, oneof: {note: z}, work: inner}\n"
			   "scheduler: ./s.so\n"
			   "schedulers: {other: {plugin: s, n: 1}}\n"
			   "expect: {outcome: fail, start: x, checkers: [a, b],\n"
			   "         scx_exit: {kind: error, message: y}}\n"
			   "checkers: [a, {plugin: b, n: 1}]\n";

static int find(void *arg, uint32_t kind, const char *name, const struct ktstr_param **ret_params,
		size_t *ret_stride, struct ktstr_error *err)
{
	(void)arg;
	(void)kind;
	(void)name;
	(void)err;
	*ret_params = inner;
	*ret_stride = sizeof(inner[0]);
	return 0;
}

/* A job of @spec there and back, and its parameters bound as the guest binds them. */
static int cross(const struct scenario_spec *spec, struct ktstr_error *err)
{
	struct job_plugin plugin = { 2, 1, (char *)"steps", (char *)"/plugins/steps.so" };
	struct job_scheduler staged = { (char *)"other", (char *)"s", spec->scenario.params };
	struct job sent = { .source_name = (char *)"x.yaml",
			    .topology = spec->vm.topology,
			    .scheduler = (char *)"s",
			    .staged = &staged,
			    .staged_count = 1,
			    .scheduler_timeout_ns = spec->scheduler_timeout_ns,
			    .scenario = spec->scenario.name,
			    .scenario_params = spec->scenario.params,
			    .plugins = &plugin,
			    .plugin_count = 1 };
	const struct plugin_tables tables = { NULL, find };
	struct bound *bound = NULL;
	struct str bytes = { 0 };
	struct job *job = NULL;
	int rc = job_encode(&sent, &bytes);

	if (rc < 0)
		(void)ktstr_fail(err, rc, "cannot encode: out of memory");
	if (rc == 0)
		rc = job_decode(bytes.data, bytes.length, &job, err);
	if (rc == 0)
		rc = bind_params(params, sizeof(params[0]), job->scenario_params, NULL,
				 &spec->source, &tables, &bound, err);
	bound_free(bound);
	job_free(job);
	str_done(&bytes);
	return rc;
}

static int go(struct ktstr_error *err)
{
	struct scenario_spec *spec = NULL;
	struct plugin_ref ref = { 0 };
	int rc = scenario_parse("dir/x.yaml", text, sizeof(text) - 1, &spec, err);

	if (rc == 0)
		rc = plugin_ref_parse("spread,limit=3", &ref, err);
	if (rc == 0)
		rc = scenario_add_checker(spec, &ref, err);
	if (rc == 0)
		rc = cross(spec, err);
	scenario_free(spec);
	return rc;
}

Test(out_of_memory, every_failed_allocation_is_told)
{
	long step;

	for (step = 0;; step++) {
		struct ktstr_error err = { 0 };
		int rc;

		has_failed = false;
		left = step;
		rc = go(&err);
		left = -1;
		if (!has_failed) {
			cr_expect_eq(rc, 0, "%s", err.text);
			break;
		}
		cr_expect_eq(rc, -ENOMEM, "allocation %ld: %d %s", step, rc, err.text);
		cr_expect_not_null(strstr(err.text, "out of memory"), "allocation %ld: %s", step,
				   err.text);
	}
	cr_expect_gt(step, 100);
}
