/* SPDX-License-Identifier: GPL-2.0-only */
/* Scenario files, and the parameters of a plugin in them: YAML to a tree to values. */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "config/scenario.h"
#include "config/yaml.h"
#include "fuzz/fuzz.h"
#include "ktstr/plugin.h"

static const char *const words[] = { "spin", "sleep", NULL };
static const struct ktstr_param number[] = { { .key = "number", .type = KTSTR_PARAM_INT } };
static const struct ktstr_param actions[] = {
	{ .key = "spawn", .type = KTSTR_PARAM_PLUGIN, .min = KTSTR_KIND_WORKLOAD },
	{ .key = "hold", .type = KTSTR_PARAM_DURATION, .min = 1, .max = INT64_MAX },
	{ .key = "cpus", .type = KTSTR_PARAM_LIST, .fields = number },
	{ .key = NULL },
};
static const struct ktstr_param action[] = {
	{ .key = "action", .type = KTSTR_PARAM_ONEOF, .fields = actions },
};
static const struct ktstr_param params[] = {
	{ .key = "flag", .type = KTSTR_PARAM_BOOL },
	{ .key = "count", .type = KTSTR_PARAM_INT, .fallback = "4", .min = -5, .max = 1024 },
	{ .key = "ratio", .type = KTSTR_PARAM_FLOAT, .min = -1, .max = 1 },
	{ .key = "size", .type = KTSTR_PARAM_SIZE },
	{ .key = "text", .type = KTSTR_PARAM_STRING, .max = 100 },
	{ .key = "word", .type = KTSTR_PARAM_ENUM, .choices = words },
	{ .key = "limit", .type = KTSTR_PARAM_PERCENT },
	{ .key = "steps", .type = KTSTR_PARAM_LIST, .fields = action, .max = 1000 },
	{ .key = NULL },
};

/* Every plugin exists and takes what the scenario takes, so that plugins nest. */
static int find(void *arg, uint32_t kind, const char *name, const struct ktstr_param **ret_params,
		size_t *ret_stride, struct ktstr_error *err)
{
	(void)arg;
	if (kind != KTSTR_KIND_WORKLOAD)
		return ktstr_fail(err, -ENOENT, "no plugin '%s'", name);
	*ret_params = params;
	*ret_stride = sizeof(params[0]);
	return 0;
}

static void check_error(int rc, const struct ktstr_error *err)
{
	FUZZ_REQUIRE(rc == 0 || (err->code == rc && err->text[0]));
	FUZZ_REQUIRE(memchr(err->text, '\0', sizeof(err->text)));
}

static void bind_tree(const struct source *source, const struct node *tree)
{
	const struct plugin_tables tables = { NULL, find };
	struct ktstr_error err = { 0 };
	struct bound *bound = NULL;
	int rc = bind_params(params, sizeof(params[0]), tree, NULL, source, &tables, &bound, &err);

	check_error(rc, &err);
	FUZZ_REQUIRE((rc == 0) == (bound != NULL));
	bound_free(bound);
}

/* What YAML can say crosses to the guest unchanged. */
static void cross(const struct node *tree)
{
	struct str bytes = { 0 }, again = { 0 };
	struct ktstr_error err = { 0 };
	struct node *back = NULL;

	FUZZ_REQUIRE(node_encode(tree, &bytes) == 0);
	FUZZ_REQUIRE(node_decode(bytes.data, bytes.length, &back, &err) == 0);
	FUZZ_REQUIRE(node_encode(back, &again) == 0);
	FUZZ_REQUIRE(bytes.length == again.length);
	FUZZ_REQUIRE(memcmp(bytes.data, again.data, bytes.length) == 0);
	node_free(back);
	str_done(&bytes);
	str_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct source source = { .name = "fuzz.yaml",
				       .text = (const char *)data,
				       .length = size };
	struct scenario_spec *spec = NULL;
	struct ktstr_error err = { 0 };
	struct node *tree = NULL;
	int rc = yaml_parse(&source, &tree, &err);

	check_error(rc, &err);
	if (rc == 0) {
		cross(tree);
		bind_tree(&source, tree);
	}
	node_free(tree);
	err = (struct ktstr_error){ 0 };
	rc = scenario_parse("fuzz.yaml", (const char *)data, size, &spec, &err);
	check_error(rc, &err);
	if (rc == 0)
		bind_tree(&spec->source, spec->scenario.params);
	scenario_free(spec);
	return 0;
}
