/* SPDX-License-Identifier: GPL-2.0-only */
#include "explore/reduce.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "config/yaml.h"
#include "config/yaml_write.h"
#include "param/scalar.h"

static struct ktstr_error err;
static unsigned int tries;

static struct node *parse(const char *text)
{
	const struct source source = { "x", text, strlen(text), false };
	struct node *root = NULL;

	cr_assert_eq(yaml_parse(&source, &root, &err), 0, "%s", err.text);
	return root;
}

static char *write_tree(const struct node *root)
{
	struct str out = { 0 };

	cr_assert_eq(yaml_write(root, &out, &err), 0, "%s", err.text);
	return out.data;
}

/* Reduce @text as long as @is_good holds; the result as YAML. */
static char *reduce_while(const char *text, bool (*is_good)(const struct node *root))
{
	struct node *root = parse(text), *tried;
	struct reduction *reduction = reduction_new(root);
	char what[200];
	char *result;

	cr_assert(is_good(root));
	node_free(root);
	tries = 0;
	while (reduction_next(reduction, &tried, what, sizeof(what)) == 1) {
		cr_assert(what[0]);
		cr_assert_lt(tries++, 500u, "it goes on for ever");
		reduction_answer(reduction, is_good(tried));
		node_free(tried);
	}
	cr_assert(is_good(reduction_best(reduction)));
	result = write_tree(reduction_best(reduction));
	reduction_free(reduction);
	return result;
}

static void expect_reduced(const char *text, bool (*is_good)(const struct node *root),
			   const char *reduced)
{
	_cleanup_free_ char *result = reduce_while(text, is_good);

	cr_expect_str_eq(result, reduced, "%s", result);
}

static int64_t number_of(const struct node *map, const char *key)
{
	const char *text = node_get_text(map, key);
	int64_t number = -1;

	if (text)
		(void)parse_int(text, &number);
	return number;
}

static bool has_two_workers(const struct node *root)
{
	return number_of(node_get(root, "scenario"), "workers") >= 2;
}

Test(reduce, finds_the_fewest_workers)
{
	expect_reduced("scenario: {plugin: cpu_hog, cgroups: 7, workers: 13, duration: 4s}\n",
		       has_two_workers,
		       "scenario:\n"
		       "  plugin: cpu_hog\n"
		       "  cgroups: 1\n"
		       "  workers: 2\n"
		       "  duration: 10ms\n");
	cr_expect_lt(tries, 30u, "%u tries", tries);
}

static bool takes_a_second(const struct node *root)
{
	const char *text = node_get_text(node_get(root, "scenario"), "duration");
	int64_t ns = 0;

	return text && parse_duration(text, &ns) == 0 && ns >= INT64_C(1000000000);
}

Test(reduce, finds_about_the_shortest_time)
{
	_cleanup_free_ char *result =
		reduce_while("scenario: {plugin: p, duration: 20s}\n", takes_a_second);
	struct node *root = parse(result);
	int64_t ns;

	cr_assert_eq(parse_duration(node_get_text(node_get(root, "scenario"), "duration"), &ns), 0);
	cr_expect_leq(ns, INT64_C(1600000000), "%s", result);
	node_free(root);
}

static bool any(const struct node *root)
{
	(void)root;
	return true;
}

Test(reduce, takes_away_what_nothing_needs)
{
	expect_reduced("name: x\n"
		       "description: much\n"
		       "watchdog: 20s\n"
		       "scheduler: {plugin: mine, slice: 5ms}\n"
		       "schedulers: {other: eevdf, third: eevdf}\n"
		       "vm: {accel: tcg, topology: {numa: 2, llcs: 4, cores: 4, threads: 2}}\n"
		       "scenario:\n"
		       "  plugin: steps\n"
		       "  steps:\n"
		       "    - {name: a, hold: 3s}\n"
		       "    - {name: b, ops: [{spawn: {workers: 4}}]}\n"
		       "checkers: [starvation, {plugin: gap, max_gap: 3s}]\n",
		       any,
		       "name: x\n"
		       "description: much\n"
		       "watchdog: 20s\n"
		       "scheduler: {plugin: mine, slice: 5ms}\n"
		       "schedulers: {}\n"
		       "vm: {accel: tcg, topology: {cores: 1}}\n"
		       "scenario: {plugin: steps}\n"
		       "checkers: [starvation]\n");
}

/* A scenario of steps in which each cgroup is there when it is used. */
static bool speaks_of_what_is_there(const struct node *root)
{
	const struct node *steps = node_get(node_get(root, "scenario"), "steps");
	const char *names[16];
	size_t count = 0;

	for (size_t i = 0; steps && i < steps->child_count; i++) {
		const struct node *ops = node_get(steps->children[i], "ops");

		for (size_t k = 0; ops && k < ops->child_count; k++) {
			const struct node *op = ops->children[k];
			const struct node *add = node_get(op, "add_cgroup");
			const char *used = node_get_text(node_get(op, "spawn"), "cgroup");
			bool is_there = false;

			if (add && node_get_text(add, "name"))
				names[count++] = node_get_text(add, "name");
			for (size_t n = 0; used && n < count; n++)
				is_there |= strcmp(names[n], used) == 0;
			if (used && !is_there)
				return false;
		}
	}
	return true;
}

/* Somebody spawns two at least in `b`. */
static bool needs_b(const struct node *root)
{
	const struct node *steps = node_get(node_get(root, "scenario"), "steps");
	bool is_found = false;

	for (size_t i = 0; steps && i < steps->child_count; i++) {
		const struct node *ops = node_get(steps->children[i], "ops");

		for (size_t k = 0; ops && k < ops->child_count; k++) {
			const struct node *spawn = node_get(ops->children[k], "spawn");
			const char *used = node_get_text(spawn, "cgroup");

			is_found |=
				used && strcmp(used, "b") == 0 && number_of(spawn, "workers") >= 2;
		}
	}
	return is_found && speaks_of_what_is_there(root);
}

Test(reduce, takes_cgroups_away_with_all_that_speaks_of_them)
{
	expect_reduced("scenario:\n"
		       "  plugin: steps\n"
		       "  steps:\n"
		       "    - ops:\n"
		       "        - add_cgroup: {name: a, cpuset: 0-1}\n"
		       "        - add_cgroup: {name: b, weight: 20}\n"
		       "        - spawn: {cgroup: a, workers: 4}\n"
		       "        - spawn: {cgroup: b, workers: 9, nice: 3}\n"
		       "      hold: 1s\n"
		       "    - ops:\n"
		       "        - spawn: {cgroup: a, workers: 2}\n"
		       "      hold: 2s\n",
		       needs_b,
		       "scenario:\n"
		       "  plugin: steps\n"
		       "  steps:\n"
		       "  - ops:\n"
		       "    - add_cgroup: {name: b}\n"
		       "    - spawn: {cgroup: b, workers: 2}\n"
		       "    hold: 10ms\n");
}

static bool has_fifo(const struct node *root)
{
	return node_get(node_get(root, "schedulers"), "fifo") != NULL;
}

Test(reduce, takes_schedulers_away_with_changes_to_them)
{
	expect_reduced("schedulers: {fifo: scx_fifo, vtime: {plugin: scx_vtime, slice: 5ms}}\n"
		       "scenario:\n"
		       "  plugin: steps\n"
		       "  steps:\n"
		       "    - ops: [{replace_scheduler: {name: vtime}}]\n",
		       has_fifo,
		       "schedulers: {fifo: scx_fifo}\n"
		       "scenario: {plugin: steps}\n");
}

static bool has_third_checker(const struct node *root)
{
	const struct node *checkers = node_get(root, "checkers");

	for (size_t i = 0; checkers && i < checkers->child_count; i++)
		if (checkers->children[i]->text && strcmp(checkers->children[i]->text, "c") == 0)
			return true;
	return false;
}

Test(reduce, leaves_the_checker_that_matters)
{
	expect_reduced("scenario: s\ncheckers: [a, b, c, d]\n", has_third_checker,
		       "scenario: s\ncheckers: [c]\n");
}

/* At least a quarter of what it was. */
static bool is_half_enough(const struct node *root)
{
	int64_t ns = 0;
	const char *text = node_get_text(node_get(root, "scenario"), "t");

	return text && parse_duration(text, &ns) == 0 && ns >= INT64_C(900000000) &&
	       number_of(node_get(root, "scenario"), "workers") >= 3;
}

Test(reduce, halves_all_that_it_can_at_once)
{
	struct node *root = parse("scenario: {plugin: p, workers: 9, t: 4s}\n"), *tried;
	struct reduction *reduction = reduction_new(root);
	const struct node *scenario;
	char what[100];

	node_free(root);
	/* 5 and 2s, 3 and 1s, 2 and 500ms. */
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(reduction_next(reduction, &tried, what, sizeof(what)), 1);
		cr_expect_str_eq(what, "scenario: half of all numbers and times");
		reduction_answer(reduction, is_half_enough(tried));
		node_free(tried);
	}
	scenario = node_get(reduction_best(reduction), "scenario");
	cr_expect_str_eq(node_get_text(scenario, "workers"), "3");
	cr_expect_str_eq(node_get_text(scenario, "t"), "1s");
	reduction_free(reduction);
}

Test(reduce, tries_nothing_twice)
{
	struct node *root = parse("scenario: {plugin: p, a: 5, b: 9, list: [1, 2, 3], t: 1s}\n");
	struct reduction *reduction = reduction_new(root);
	char *seen[200];
	size_t count = 0;
	struct node *tried;
	char what[100];

	node_free(root);
	while (reduction_next(reduction, &tried, what, sizeof(what)) == 1) {
		char *text = write_tree(tried);

		for (size_t i = 0; i < count; i++)
			cr_assert_str_neq(seen[i], text, "%s", text);
		cr_assert_lt(count, 200u);
		seen[count++] = text;
		/* One change is good: so there is a second time. */
		reduction_answer(reduction, strstr(what, "scenario.b: 1 instead") != NULL);
		node_free(tried);
	}
	cr_assert_gt(count, 8u);
	for (size_t i = 0; i < count; i++)
		free(seen[i]);
	reduction_free(reduction);
}

Test(reduce, is_the_same_each_time)
{
	static const char text[] = "vm: {topology: {cores: 4}}\n"
				   "scenario: {plugin: p, workers: 30, list: [1, 2, 3], t: 9s}\n";
	_cleanup_free_ char *once = reduce_while(text, has_two_workers);
	unsigned int first_tries = tries;
	_cleanup_free_ char *again = reduce_while(text, has_two_workers);

	cr_assert_str_eq(once, again);
	cr_assert_eq(first_tries, tries);
}

Test(reduce, says_what_it_does)
{
	struct node *root = parse("vm: {topology: {llcs: 1, cores: 4}}\n"
				  "scenario: {plugin: p, workers: 8, x: y, steps: [{hold: 4s}]}\n"
				  "checkers: [a, b]\n");
	static const char *const says[] = {
		"scenario: half of all numbers and times",
		"scenario.steps: 0 of 1 entries",
		"vm.topology: without what is 1 in any case",
		"scenario.x: left out",
		"scenario.steps: left out",
		"scenario.workers: 1 instead of 8",
		"vm.topology.cores: 1 instead of 4",
		"scenario.steps[0].hold: 500ms instead of 4s",
		"checkers: 1 of 2 entries",
	};
	struct reduction *reduction = reduction_new(root);
	struct node *tried;
	size_t found = 0;
	char what[100];

	node_free(root);
	while (reduction_next(reduction, &tried, what, sizeof(what)) == 1) {
		if (found < ARRAY_SIZE(says) && strcmp(what, says[found]) == 0)
			found++;
		reduction_answer(reduction, false);
		node_free(tried);
	}
	reduction_free(reduction);
	cr_assert_eq(found, ARRAY_SIZE(says), "it does not say '%s'", says[found]);
}

Test(reduce, measures_what_there_is)
{
	struct node *root = parse("name: x\n"
				  "scenario: {plugin: p, workers: 4, steps: [{hold: 1s}, {hold: "
				  "250ms}]}\n"
				  "vm: {topology: {cores: 3}}\n"
				  "checkers: [a, {plugin: b, max: 100}]\n");
	struct reduction_size size;

	reduction_measure(root, &size);
	node_free(root);
	cr_expect_eq(size.values, 7); /* p, 4, 1s, 250ms, 3, a, b */
	cr_expect_eq(size.steps, 2);
	cr_expect_eq(size.size, 7 + 4 + 10 + 3 + 3);
}

Test(yaml_write, is_read_as_the_same_tree)
{
	static const char long_text[] =
		"a: a text that is far longer than what can be put into one line of a file that a "
		"person is to read, so it may be folded but must stay the same\n";
	static const char *const texts[] = {
		"a: b\n",
		"[]\n",
		"{}\n",
		"a: {b: [], c: {}, d: ''}\n",
		"a: [1, [2, [3]], {x: {y: z}}]\n",
		"a: 'yes: no'\nb: '- x'\nc: '#'\nd: ' blank '\ne: \"tab\\there\"\nf: \"\\u00e4\"\n",
		"a: |\n  two\n  lines\nb: \"it's \\\"quoted\\\"\"\nc: '0-1,6'\nd: '~'\n",
		long_text,
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct node *root = parse(texts[i]), *again;
		_cleanup_free_ char *once = write_tree(root);
		_cleanup_free_ char *twice = NULL;

		again = parse(once);
		twice = write_tree(again);
		cr_expect_str_eq(once, twice);
		for (size_t k = 0; k < root->child_count; k++)
			if (root->children[k]->kind == NODE_SCALAR)
				cr_expect_str_eq(root->children[k]->text, again->children[k]->text,
						 "%s", once);
		cr_expect_eq(root->child_count, again->child_count);
		node_free(root);
		node_free(again);
	}
}

Test(yaml_write, refuses_no_depth_that_is_read)
{
	struct node *root = node_new(NODE_LIST), *at = root;
	_cleanup_free_ char *text = NULL;

	for (int i = 2; i < NODE_DEPTH_MAX; i++) {
		struct node *child = node_new(NODE_LIST);

		cr_assert_eq(node_add(at, NULL, child), 0);
		at = child;
	}
	text = write_tree(root);
	node_free(root);
	root = parse(text);
	node_free(root);
}
