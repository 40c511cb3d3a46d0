/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/meta.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

static struct ktstr_error err;

static int parse(const char *text, struct meta **ret)
{
	return meta_parse(text, strlen(text), ret, &err);
}

Test(meta, comes_back_as_it_was_written)
{
	struct meta_plugin plugin = { "checker", "gap", "1.0", "/p/gap.so", 0xf0000000, "ab" };
	struct node *params = node_new(NODE_MAP);
	struct meta_checker checker = { "gap", "/p/gap.so", "checker", params };
	char *words[] = { "qemu", "-M", "q35" };
	const struct meta meta = {
		.ktstr_version = "0.1.0",
		.scenario_name = "hog",
		.scenario = "cpu_hog",
		.scenario_file = "hog.yaml",
		.seed = UINT64_MAX,
		.scheduler = "eevdf",
		.plugins = &plugin,
		.plugin_count = 1,
		.checkers = &checker,
		.checker_count = 1,
		.kernel_release = "7.2",
		.accel = "kvm",
		.topology = { .numa_nodes = 1, .llcs = 2, .cores = 3, .threads = 4 },
		.memory_bytes = 1 << 28,
		.argv = words,
		.argv_count = 3,
		.command = "ktstr run hog.yaml",
	};
	struct node *list = node_new(NODE_LIST);
	json_t *json;
	struct meta *back;
	char *text;

	cr_assert_eq(node_add(list, NULL, node_new_scalar("a")), 0);
	cr_assert_eq(node_add(params, "max_gap", node_new_scalar("1s")), 0);
	cr_assert_eq(node_add(params, "list", list), 0);
	json = meta_to_json(&meta);
	cr_assert_not_null(json);
	text = json_dumps(json, 0);
	cr_assert_eq(parse(text, &back), 0, "%s", err.text);
	cr_assert_str_eq(back->scenario_name, "hog");
	cr_assert_eq(back->seed, UINT64_MAX);
	cr_assert_eq(back->plugins[0].crc32, 0xf0000000);
	cr_assert_str_eq(back->checkers[0].kind, "checker");
	cr_assert_str_eq(node_get_text(back->checkers[0].params, "max_gap"), "1s");
	cr_assert_str_eq(node_get(back->checkers[0].params, "list")->children[0]->text, "a");
	cr_assert_eq(back->topology.threads, 4);
	cr_assert_eq(back->argv_count, 3);
	cr_assert_str_eq(back->argv[2], "q35");
	cr_assert_str_eq(back->kernel_path, "");
	meta_free(back);
	free(text);
	json_decref(json);
	node_free(params);
}

Test(meta, keeps_the_staged_schedulers)
{
	struct node *params = node_new(NODE_MAP);
	struct meta_scheduler staged[] = { { (char *)"fifo", (char *)"scx_fifo", params },
					   { (char *)"other", (char *)"eevdf", NULL } };
	const struct meta meta = { .staged = staged, .staged_count = 2 };
	json_t *json;
	struct meta *back;
	char *text;

	cr_assert_eq(node_add(params, "slice", node_new_scalar("1ms")), 0);
	json = meta_to_json(&meta);
	text = json_dumps(json, 0);
	cr_assert_eq(parse(text, &back), 0, "%s", err.text);
	cr_assert_eq(back->staged_count, 2);
	cr_expect_str_eq(back->staged[0].name, "fifo");
	cr_expect_str_eq(back->staged[0].plugin, "scx_fifo");
	cr_expect_str_eq(node_get_text(back->staged[0].params, "slice"), "1ms");
	cr_expect_null(back->staged[1].params);
	cr_expect_not(back->expect.is_given);
	meta_free(back);
	free(text);
	json_decref(json);
	node_free(params);
}

Test(meta, refuses_what_it_cannot_read)
{
	static const struct {
		const char *text;
		const char *error;
	} cases[] = {
		{ "", "it is no JSON object" },
		{ "[1]", "it is no JSON object" },
		{ "{\"a\": 1, \"a\": 2}", "it is no JSON object" },
		{ "{}", "its schema version is not 1" },
		{ "{\"schema_version\": 2}", "its schema version is not 1" },
		{ "{\"schema_version\": 1, \"scenario\": []}",
		  "'scenario' in it has the wrong type" },
		{ "{\"schema_version\": 1, \"plugins\": [{\"crc32\": \"x\"}]}",
		  "'crc32' in it has the wrong type" },
		{ "{\"schema_version\": 1, \"staged\": {}}", "'staged' in it has the wrong type" },
		{ "{\"schema_version\": 1, \"expect\": 1}",
		  "'expect' in it is nothing that can be expected" },
		{ "{\"schema_version\": 1, \"checkers\": [{\"params\": {\"a\": 1}}]}",
		  "'params' in it is no tree of text" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct meta *meta = NULL;

		cr_assert_eq(parse(cases[i].text, &meta), -EBADMSG, "%s", cases[i].text);
		cr_assert_null(meta);
		cr_assert(strncmp(err.text, "the META record cannot be read: ", 32) == 0, "%s",
			  err.text);
		cr_assert_str_eq(err.text + 32, cases[i].error);
	}
}

Test(meta, bounds_its_arrays)
{
	struct str text = { 0 };
	struct meta *meta;

	cr_assert_eq(str_add(&text, "{\"schema_version\": 1, \"plugins\": [{}"), 0);
	for (int i = 0; i < META_ARRAY_MAX; i++)
		cr_assert_eq(str_add(&text, ",{}"), 0);
	cr_assert_eq(str_add(&text, "]}"), 0);
	cr_assert_eq(parse(text.data, &meta), -EBADMSG);
	cr_assert(strstr(err.text, "'plugins' in it has more than 1024 entries"), "%s", err.text);
	str_done(&text);
}

Test(meta, makes_texts_safe)
{
	struct meta *meta;

	cr_assert_eq(parse("{\"schema_version\": 1, \"command\": \"a\\u001b[2J\\nb\"}", &meta), 0,
		     "%s", err.text);
	cr_assert_str_eq(meta->command, "a?[2J b");
	meta_free(meta);
}

Test(meta, refuses_trees_that_are_too_deep)
{
	json_t *json = json_string("x");

	for (int i = 0; i < NODE_DEPTH_MAX; i++)
		json = json_pack("[o]", json);
	cr_assert_null(node_from_json(json));
	json_decref(json);
}
