/* SPDX-License-Identifier: GPL-2.0-only */
#include "plugin/job.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "ktstr/plugin.h"

static struct job_plugin plugins[] = {
	{ .kind = KTSTR_KIND_SCHEDULER,
	  .crc32 = 0xdeadbeef,
	  .name = (char *)"eevdf",
	  .path = (char *)"/plugins/eevdf.so" },
	{ .kind = KTSTR_KIND_SCENARIO,
	  .crc32 = 1,
	  .name = (char *)"spread",
	  .path = (char *)"/plugins/spread.so" },
};

static struct job sample(void)
{
	struct job job = {
		.source_name = (char *)"scenarios/x.yaml",
		.seed = UINT64_MAX,
		.topology = { .size = sizeof(struct ktstr_topology),
			      .numa_nodes = 2,
			      .llcs = 4,
			      .cores = 3,
			      .threads = 2 },
		.scheduler = (char *)"eevdf",
		.scheduler_timeout_ns = UINT64_C(30000000000),
		.limits = { .start_ns = 1,
			    .scenario_ns = 2,
			    .pause_ns = UINT64_MAX / 8,
			    .teardown_ns = 4 },
		.scenario = (char *)"spread",
		.plugins = plugins,
		.plugin_count = ARRAY_SIZE(plugins),
	};

	return job;
}

static struct node *params(void)
{
	struct node *map = node_new(NODE_MAP);
	struct node *workers = node_new_scalar("8");

	workers->line = 12;
	workers->column = 14;
	cr_assert_eq(node_add(map, "workers", workers), 0);
	workers->key_line = 12;
	workers->key_column = 5;
	return map;
}

static struct job *there_and_back(const struct job *job)
{
	struct ktstr_error err = { 0 };
	struct str bytes = { 0 };
	struct job *back = NULL;

	cr_assert_eq(job_encode(job, &bytes), 0);
	cr_assert_eq(job_decode(bytes.data, bytes.length, &back, &err), 0, "%s", err.text);
	str_done(&bytes);
	return back;
}

Test(job, survives_the_way_to_the_guest)
{
	struct job job = sample();
	struct job *back = there_and_back(&job);

	cr_expect_str_eq(back->source_name, "scenarios/x.yaml");
	cr_expect_eq(back->seed, UINT64_MAX);
	cr_expect_eq(back->topology.size, sizeof(struct ktstr_topology));
	cr_expect_eq(back->topology.numa_nodes, 2);
	cr_expect_eq(ktstr_topology_cpus(&back->topology), 24);
	cr_expect_str_eq(back->scheduler, "eevdf");
	cr_expect_str_eq(back->scenario, "spread");
	cr_expect_null(back->scheduler_params);
	cr_expect_null(back->scenario_params);
	cr_expect_eq(back->scheduler_timeout_ns, UINT64_C(30000000000));
	cr_expect_eq(back->staged_count, 0);
	cr_assert_eq(back->plugin_count, 2);
	cr_expect_eq(back->plugins[0].kind, KTSTR_KIND_SCHEDULER);
	cr_expect_eq(back->plugins[0].crc32, 0xdeadbeef);
	cr_expect_str_eq(back->plugins[1].name, "spread");
	cr_expect_str_eq(back->plugins[1].path, "/plugins/spread.so");
	job_free(back);
}

Test(job, can_be_of_a_scheduler_alone)
{
	struct job job = sample();
	struct job *back;

	job.scenario = NULL;
	back = there_and_back(&job);
	cr_expect_null(back->scenario);
	cr_expect_str_eq(back->scheduler, "eevdf");
	job_free(back);
}

Test(job, keeps_where_parameters_stood)
{
	struct job job = sample();
	const struct node *workers;
	struct job *back;

	job.scheduler_params = params();
	job.scenario_params = params();
	back = there_and_back(&job);
	cr_assert_not_null(back->scheduler_params);
	workers = node_get(back->scenario_params, "workers");
	cr_assert_not_null(workers);
	cr_expect_str_eq(workers->text, "8");
	cr_expect_eq(workers->line, 12);
	cr_expect_eq(workers->column, 14);
	cr_expect_eq(workers->key_line, 12);
	cr_expect_eq(workers->key_column, 5);
	job_free(back);
	node_free(job.scheduler_params);
	node_free(job.scenario_params);
}

Test(job, carries_the_staged_schedulers_in_their_order)
{
	struct node *map = params();
	struct job_scheduler staged[] = {
		{ .name = (char *)"second-one", .plugin = (char *)"scx_fifo", .params = map },
		{ .name = (char *)"b_2", .plugin = (char *)"scx_fifo" },
	};
	struct job job = sample();
	struct job *back;

	job.staged = staged;
	job.staged_count = ARRAY_SIZE(staged);
	back = there_and_back(&job);
	cr_assert_eq(back->staged_count, 2);
	cr_expect_str_eq(back->staged[0].name, "second-one");
	cr_expect_str_eq(back->staged[0].plugin, "scx_fifo");
	cr_assert_not_null(back->staged[0].params);
	cr_expect_str_eq(node_get_text(back->staged[0].params, "workers"), "8");
	cr_expect_eq(node_get(back->staged[0].params, "workers")->line, 12);
	cr_expect_str_eq(back->staged[1].name, "b_2");
	cr_expect_null(back->staged[1].params);
	job_free(back);
	node_free(map);
}

Test(job, goes_without_plugins)
{
	struct job job = sample();
	struct job *back;

	job.plugin_count = 0;
	back = there_and_back(&job);
	cr_expect_eq(back->plugin_count, 0);
	job_free(back);
}

Test(job, appends_behind_what_is_there)
{
	struct job job = sample();
	struct str bytes = { 0 };
	struct ktstr_error err = { 0 };
	struct job *back = NULL;

	cr_assert_eq(str_add(&bytes, "head"), 0);
	cr_assert_eq(job_encode(&job, &bytes), 0);
	cr_expect_eq(memcmp(bytes.data, "head", 4), 0);
	cr_expect_eq(job_decode(bytes.data + 4, bytes.length - 4, &back, &err), 0, "%s", err.text);
	job_free(back);
	str_done(&bytes);
}

Test(job, frees_nothing)
{
	job_free(NULL);
}

Test(job, refuses_every_cut)
{
	struct job_scheduler staged = { (char *)"other", (char *)"scx_fifo", NULL };
	struct job job = sample();
	struct str bytes = { 0 };

	job.scenario_params = params();
	job.staged = &staged;
	job.staged_count = 1;
	cr_assert_eq(job_encode(&job, &bytes), 0);
	for (size_t length = 0; length < bytes.length; length++) {
		struct ktstr_error err = { 0 };
		struct job *back = NULL;

		cr_expect_eq(job_decode(bytes.data, length, &back, &err), -EBADMSG);
		cr_expect_null(back);
		cr_expect_neq(err.text[0], '\0');
	}
	str_done(&bytes);
	node_free(job.scenario_params);
}

/* One line of the tree a sample encodes to, replaced or (text NULL) left out. */
struct damage {
	const char *key;
	const char *text;
	const char *says;
};

static const struct damage damages[] = {
	{ "format", NULL, "malformed job: 'format' is missing" },
	{ "format", "1",
	  "the job has format 1, this agent reads 4: host and agent are from different builds" },
	{ "source", NULL, "malformed job: 'source' is missing" },
	{ "seed", NULL, "malformed job: 'seed' is missing" },
	{ "seed", "", "malformed job: 'seed' is missing" },
	{ "seed", "-1", "malformed job: 'seed' is no number" },
	{ "seed", "18446744073709551616", "malformed job: 'seed' is above 18446744073709551615" },
	{ "topology", NULL, "malformed job: 'numa_nodes' is missing" },
	{ "topology", "x", "malformed job: 'numa_nodes' is missing" },
	{ "scheduler", NULL, "malformed job: 'scheduler' is missing" },
	{ "scheduler", "../x", "malformed job: 'scheduler' is no name of a plugin" },
	{ "scheduler", "", "malformed job: 'scheduler' is no name of a plugin" },
	{ "scheduler", "a234567890123456789012345678901x",
	  "malformed job: 'scheduler' is no name of a plugin" },
	{ "scheduler_params", "x", "malformed job: 'scheduler_params' is no map" },
	{ "scheduler_timeout_ns", NULL, "malformed job: 'scheduler_timeout_ns' is missing" },
	{ "scheduler_timeout_ns", "0", "malformed job: 'scheduler_timeout_ns' is 0" },
	{ "scheduler_timeout_ns", "18446744073709551615",
	  "malformed job: 'scheduler_timeout_ns' is above 86400000000000" },
	{ "limits", NULL, "malformed job: 'start_ns' is missing" },
	{ "limits", "x", "malformed job: 'start_ns' is missing" },
	{ "staged", NULL, "malformed job: 'staged' is missing" },
	{ "staged", "x", "malformed job: 'staged' is missing" },
	{ "scenario", "../x", "malformed job: 'scenario' is no name of a plugin" },
	{ "scenario_params", "x", "malformed job: 'scenario_params' is no map" },
	{ "plugins", NULL, "malformed job: 'plugins' is missing" },
	{ "plugins", "x", "malformed job: 'plugins' is missing" },
};

static void expect_refused(const struct node *map, const char *says)
{
	struct ktstr_error err = { 0 };
	struct str bytes = { 0 };
	struct job *back = NULL;

	cr_assert_eq(node_encode(map, &bytes), 0);
	cr_expect_eq(job_decode(bytes.data, bytes.length, &back, &err), -EBADMSG);
	cr_expect_str_eq(err.text, says);
	cr_expect_null(back);
	str_done(&bytes);
}

static struct node *sample_tree(const struct job *job)
{
	struct ktstr_error err = { 0 };
	struct str bytes = { 0 };
	struct node *tree = NULL;

	cr_assert_eq(job_encode(job, &bytes), 0);
	cr_assert_eq(node_decode(bytes.data, bytes.length, &tree, &err), 0, "%s", err.text);
	str_done(&bytes);
	return tree;
}

Test(job, says_what_is_malformed)
{
	struct job job = sample();
	struct node *tree = sample_tree(&job);

	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		struct node *map = node_new(NODE_MAP);

		for (size_t k = 0; k < tree->child_count; k++)
			if (strcmp(tree->children[k]->key, damages[i].key) != 0)
				cr_assert_eq(node_add(map, tree->children[k]->key,
						      node_clone(tree->children[k])),
					     0);
		if (damages[i].text)
			cr_assert_eq(
				node_add(map, damages[i].key, node_new_scalar(damages[i].text)), 0);
		expect_refused(map, damages[i].says);
		node_free(map);
	}
	node_free(tree);
}

static const struct {
	struct ktstr_topology topology;
	const char *says;
} topologies[] = {
	{ { .numa_nodes = 0, .llcs = 1, .cores = 1, .threads = 1 },
	  "malformed job: impossible topology" },
	{ { .numa_nodes = 1, .llcs = 1, .cores = 0, .threads = 1 },
	  "malformed job: impossible topology" },
	{ { .numa_nodes = 2, .llcs = 3, .cores = 1, .threads = 1 },
	  "malformed job: impossible topology" },
	{ { .numa_nodes = 1, .llcs = 1024, .cores = 1024, .threads = 1024 },
	  "malformed job: impossible topology" },
	{ { .numa_nodes = 1, .llcs = 1025, .cores = 1, .threads = 1 },
	  "malformed job: 'llcs' is above 1024" },
};

Test(job, refuses_impossible_topologies)
{
	for (size_t i = 0; i < ARRAY_SIZE(topologies); i++) {
		struct job job = sample();
		struct node *tree;

		job.topology = topologies[i].topology;
		tree = sample_tree(&job);
		expect_refused(tree, topologies[i].says);
		node_free(tree);
	}
}

static const struct {
	struct job_plugin plugin;
	const char *says;
} bad_plugins[] = {
	{ { .kind = 0, .name = (char *)"x", .path = (char *)"/x" }, "malformed job: 'kind' is 0" },
	{ { .kind = 5, .name = (char *)"x", .path = (char *)"/x" },
	  "malformed job: 'kind' is above 4" },
	{ { .kind = 1, .name = (char *)"X", .path = (char *)"/x" },
	  "malformed job: 'name' is no name of a plugin" },
	{ { .kind = 1, .name = (char *)"x", .path = (char *)"x" },
	  "malformed job: 'path' is not absolute" },
};

Test(job, refuses_impossible_plugins)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad_plugins); i++) {
		struct job_plugin plugin = bad_plugins[i].plugin;
		struct job job = sample();
		struct node *tree;

		job.plugins = &plugin;
		job.plugin_count = 1;
		tree = sample_tree(&job);
		expect_refused(tree, bad_plugins[i].says);
		node_free(tree);
	}
}

static const struct {
	struct job_scheduler staged[2];
	const char *says;
} bad_schedulers[] = {
	{ { { (char *)"", (char *)"x", NULL }, { (char *)"b", (char *)"x", NULL } },
	  "malformed job: 'name' is no name of a staged scheduler" },
	{ { { (char *)"A", (char *)"x", NULL }, { (char *)"b", (char *)"x", NULL } },
	  "malformed job: 'name' is no name of a staged scheduler" },
	{ { { (char *)"a234567890123456789012345678901x", (char *)"x", NULL },
	    { (char *)"b", (char *)"x", NULL } },
	  "malformed job: 'name' is no name of a staged scheduler" },
	{ { { (char *)"a", (char *)"x", NULL }, { (char *)"a", (char *)"y", NULL } },
	  "malformed job: two schedulers are called 'a'" },
	{ { { (char *)"a", (char *)"x", NULL }, { (char *)"b", (char *)"../x", NULL } },
	  "malformed job: 'plugin' is no name of a plugin" },
};

Test(job, refuses_impossible_staged_schedulers)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad_schedulers); i++) {
		struct job_scheduler staged[2];
		struct job job = sample();
		struct node *tree;

		memcpy(staged, bad_schedulers[i].staged, sizeof(staged));
		job.staged = staged;
		job.staged_count = ARRAY_SIZE(staged);
		tree = sample_tree(&job);
		expect_refused(tree, bad_schedulers[i].says);
		node_free(tree);
	}
}

Test(job, refuses_staged_schedulers_without_end)
{
	struct job_scheduler staged[65];
	char names[ARRAY_SIZE(staged)][8];
	struct job job = sample();
	struct node *tree;

	for (size_t i = 0; i < ARRAY_SIZE(staged); i++) {
		(void)snprintf(names[i], sizeof(names[i]), "s%zu", i);
		staged[i] = (struct job_scheduler){ names[i], (char *)"x", NULL };
	}
	job.staged = staged;
	job.staged_count = ARRAY_SIZE(staged);
	tree = sample_tree(&job);
	expect_refused(tree, "malformed job: too many staged schedulers");
	node_free(tree);
}

Test(job, refuses_parameters_of_a_staged_scheduler_that_are_no_map)
{
	struct node *scalar = node_new_scalar("x");
	struct job_scheduler staged = { (char *)"a", (char *)"x", scalar };
	struct job job = sample();
	struct node *tree;

	job.staged = &staged;
	job.staged_count = 1;
	tree = sample_tree(&job);
	expect_refused(tree, "malformed job: 'params' is no map");
	node_free(tree);
	node_free(scalar);
}
