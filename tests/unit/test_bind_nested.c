/* SPDX-License-Identifier: GPL-2.0-only */
/* Lists, maps, one of many, and plugins within parameters. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "ktstr/plugin.h"
#include "unit/tree.h"

static const struct ktstr_param number[] = {
	{ .key = "number", .type = KTSTR_PARAM_INT, .min = 0, .max = 9 },
};
static const struct ktstr_param inner[] = {
	{ .key = "need", .type = KTSTR_PARAM_INT, .flags = KTSTR_PARAM_REQUIRED },
	{ .key = "extra", .type = KTSTR_PARAM_INT, .fallback = "7" },
	{ .key = NULL },
};
static const struct ktstr_param defaults[] = {
	{ .key = "a", .type = KTSTR_PARAM_INT, .fallback = "1" },
	{ .key = "b", .type = KTSTR_PARAM_STRING, .fallback = "two" },
	{ .key = NULL },
};
static const struct ktstr_param step[] = {
	{ .key = "step", .type = KTSTR_PARAM_MAP, .fields = inner },
};
static const struct ktstr_param actions[] = {
	{ .key = "spawn", .type = KTSTR_PARAM_MAP, .fields = inner },
	{ .key = "hold", .type = KTSTR_PARAM_DURATION },
	{ .key = NULL },
};

enum {
	N_NUMBERS,
	N_MAP,
	N_STEPS,
	N_ACTION
};

static const struct ktstr_param nested[] = {
	[N_NUMBERS] = { .key = "numbers",
			.type = KTSTR_PARAM_LIST,
			.fields = number,
			.min = 1,
			.max = 3 },
	[N_MAP] = { .key = "map", .type = KTSTR_PARAM_MAP, .fields = defaults },
	[N_STEPS] = { .key = "steps", .type = KTSTR_PARAM_LIST, .fields = step },
	[N_ACTION] = { .key = "action", .type = KTSTR_PARAM_ONEOF, .fields = actions },
	{ .key = NULL },
};

static struct node *list_of(const char *const *texts)
{
	struct node *list = at(node_new(NODE_LIST), 3, 5);

	for (uint32_t i = 0; texts[i]; i++)
		cr_assert_eq(node_add(list, NULL, at(node_new_scalar(texts[i]), 4 + i, 7)), 0);
	return list;
}

Test(bind_nested, unset_nests_are_empty_or_at_their_fallbacks)
{
	struct bound *bound = bind_good(nested, NULL);
	const struct ktstr_value *v = bound_values(bound);

	cr_expect_eq(v[N_NUMBERS].count, 0);
	cr_expect_eq(v[N_NUMBERS].is_set, 0);
	cr_expect_eq(v[N_MAP].count, 2);
	cr_expect_eq(v[N_MAP].is_set, 0);
	cr_expect_eq(v[N_MAP].items[0].i, 1);
	cr_expect_str_eq(v[N_MAP].items[1].s, "two");
	cr_expect_eq(v[N_ACTION].count, 0);
	cr_expect_eq(v[N_ACTION].is_set, 0);
	bound_free(bound);
}

Test(bind_nested, lists_keep_their_order)
{
	static const char *const texts[] = { "3", "1", "2", NULL };
	struct node *map = holding("numbers", list_of(texts));
	struct bound *bound = bind_good(nested, map);
	const struct ktstr_value *numbers = &bound_values(bound)[N_NUMBERS];

	cr_assert_eq(numbers->count, 3);
	cr_expect_eq(numbers->is_set, 1);
	cr_expect_eq(numbers->line, 3);
	cr_expect_eq(numbers->items[0].i, 3);
	cr_expect_eq(numbers->items[1].i, 1);
	cr_expect_eq(numbers->items[2].i, 2);
	cr_expect_eq(numbers->items[2].line, 6);
	bound_free(bound);
	node_free(map);
}

Test(bind_nested, lists_are_bounded_and_typed)
{
	static const char *const none[] = { NULL };
	static const char *const four[] = { "1", "2", "3", "4", NULL };
	static const char *const wrong[] = { "1", "x", NULL };
	struct node *map = holding("numbers", list_of(none));

	expect_refused(nested, map, "--checker:3:5: 'numbers' must have at least 1 entries, not 0");
	node_free(map);
	map = holding("numbers", list_of(four));
	expect_refused(nested, map, "--checker:3:5: 'numbers' must have at most 3 entries, not 4");
	node_free(map);
	map = holding("numbers", list_of(wrong));
	expect_refused(nested, map, "--checker:5:7: 'number' must be an integer, not 'x'");
	node_free(map);
	map = holding("numbers", at(node_new_scalar("1"), 2, 10));
	expect_refused(nested, map, "--checker:2:10: 'numbers' must be a list");
	node_free(map);
}

Test(bind_nested, a_key_without_a_value_is_an_empty_list_or_map)
{
	struct node *map = holding("steps", at(node_new_scalar(""), 2, 7));
	struct bound *bound;

	put(map, "map", at(node_new_scalar(""), 3, 5));
	bound = bind_good(nested, map);
	cr_expect_eq(bound_values(bound)[N_STEPS].count, 0);
	cr_expect_eq(bound_values(bound)[N_STEPS].is_set, 1);
	cr_expect_eq(bound_values(bound)[N_MAP].items[0].i, 1);
	bound_free(bound);
	node_free(map);
}

Test(bind_nested, maps_in_lists_have_required_keys)
{
	struct node *steps = at(node_new(NODE_LIST), 3, 3), *map, *first;

	first = at(node_new(NODE_MAP), 3, 5);
	put(first, "need", at(node_new_scalar("1"), 3, 11));
	cr_assert_eq(node_add(steps, NULL, first), 0);
	cr_assert_eq(node_add(steps, NULL, at(node_new(NODE_MAP), 4, 5)), 0);
	map = holding("steps", steps);
	expect_refused(nested, map, "--checker:4:5: missing key 'need'");
	node_free(map);
}

Test(bind_nested, maps_refuse_other_shapes)
{
	struct node *map = holding("map", at(node_new_scalar("x"), 2, 6));

	expect_refused(nested, map, "--checker:2:6: 'map' must be a map");
	node_free(map);
}

Test(bind_nested, required_without_any_text)
{
	expect_refused(inner, NULL, "--checker: missing key 'need'");
}

Test(bind_nested, oneof_takes_the_index_of_its_key)
{
	struct node *choice = at(node_new(NODE_MAP), 3, 3), *map;
	const struct ktstr_value *action;
	struct bound *bound;

	put(choice, "hold", at(node_new_scalar("2s"), 3, 9));
	map = holding("action", choice);
	bound = bind_good(nested, map);
	action = &bound_values(bound)[N_ACTION];
	cr_expect_eq(action->i, 1);
	cr_expect_eq(action->count, 1);
	cr_expect_eq(action->items[0].type, KTSTR_PARAM_DURATION);
	cr_expect_eq(action->items[0].i, 2000000000);
	bound_free(bound);
	node_free(map);
}

Test(bind_nested, oneof_takes_exactly_one_known_key)
{
	struct node *choice = at(node_new(NODE_MAP), 3, 3), *map = holding("action", choice);

	expect_refused(nested, map, "--checker:3:3: 'action' must be a map with exactly one key");
	put(choice, "hodl", at(node_new_scalar("2s"), 3, 9));
	expect_refused(nested, map, "--checker:3:1: unknown key 'hodl', did you mean 'hold'?");
	put(choice, "hold", at(node_new_scalar("2s"), 4, 9));
	expect_refused(nested, map, "--checker:3:3: 'action' must be a map with exactly one key");
	node_free(map);
}

/* Plugins within parameters. */

static const struct ktstr_param wraps[] = {
	{ .key = "work", .type = KTSTR_PARAM_PLUGIN, .min = KTSTR_KIND_WORKLOAD },
	{ .key = "rest", .type = KTSTR_PARAM_STRING, .fallback = "x" },
	{ .key = NULL },
};
static const struct ktstr_param has_fallback[] = {
	{ .key = "work",
	  .type = KTSTR_PARAM_PLUGIN,
	  .fallback = "defaults",
	  .min = KTSTR_KIND_WORKLOAD },
	{ .key = NULL },
};
static const struct ktstr_param falls_into_itself[] = {
	{ .key = "work",
	  .type = KTSTR_PARAM_PLUGIN,
	  .fallback = "falls_into_itself",
	  .min = KTSTR_KIND_WORKLOAD },
	{ .key = NULL },
};

static int find(void *arg, uint32_t kind, const char *name, const struct ktstr_param **ret_params,
		size_t *ret_stride, struct ktstr_error *err)
{
	static const struct {
		const char *name;
		const struct ktstr_param *params;
	} known[] = {
		{ "plain", NULL },
		{ "inner", inner },
		{ "defaults", defaults },
		{ "wraps", wraps },
		{ "falls_into_itself", falls_into_itself },
	};

	cr_expect_eq(kind, KTSTR_KIND_WORKLOAD);
	++*(int *)arg;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (strcmp(known[i].name, name) == 0) {
			*ret_params = known[i].params;
			*ret_stride = sizeof(struct ktstr_param);
			return 0;
		}
	}
	return ktstr_fail(err, -ENOENT, "no workload '%s'", name);
}

static int bind_work(const struct ktstr_param *table, const struct node *map, struct bound **ret,
		     struct ktstr_error *err)
{
	int calls = 0;
	const struct plugin_tables tables = { &calls, find };

	return bind_params(table, sizeof(*table), map, NULL, &nameless, &tables, ret, err);
}

Test(bind_nested, a_plugin_can_be_a_bare_name)
{
	struct node *map = holding("work", at(node_new_scalar("defaults"), 2, 7));
	struct ktstr_error err = { 0 };
	struct bound *bound = NULL;
	const struct ktstr_value *work;

	cr_assert_eq(bind_work(wraps, map, &bound, &err), 0, "%s", err.text);
	node_free(map);
	work = &bound_values(bound)[0];
	cr_expect_str_eq(work->s, "defaults");
	cr_expect_eq(work->count, 2);
	cr_expect_eq(work->items[0].i, 1);
	cr_expect_eq(work->is_set, 1);
	bound_free(bound);
}

Test(bind_nested, a_plugin_can_have_parameters)
{
	struct node *work = at(node_new(NODE_MAP), 2, 7), *map;
	struct ktstr_error err = { 0 };
	struct bound *bound = NULL;

	put(work, "need", at(node_new_scalar("3"), 2, 8));
	put(work, "plugin", at(node_new_scalar("inner"), 2, 16));
	map = holding("work", work);
	cr_assert_eq(bind_work(wraps, map, &bound, &err), 0, "%s", err.text);
	cr_expect_str_eq(bound_values(bound)[0].s, "inner");
	cr_expect_eq(bound_values(bound)[0].items[0].i, 3);
	cr_expect_eq(bound_values(bound)[0].items[1].i, 7);
	bound_free(bound);
	node_free(map);
}

Test(bind_nested, a_plugin_can_be_a_fallback)
{
	struct ktstr_error err = { 0 };
	struct bound *bound = NULL;

	cr_assert_eq(bind_work(has_fallback, NULL, &bound, &err), 0, "%s", err.text);
	cr_expect_str_eq(bound_values(bound)[0].s, "defaults");
	cr_expect_eq(bound_values(bound)[0].is_set, 0);
	cr_expect_eq(bound_values(bound)[0].items[0].i, 1);
	bound_free(bound);
}

Test(bind_nested, plugins_nest)
{
	struct node *outer = at(node_new(NODE_MAP), 2, 7), *map;
	struct ktstr_error err = { 0 };
	struct bound *bound = NULL;

	put(outer, "plugin", at(node_new_scalar("wraps"), 2, 8));
	put(outer, "work", at(node_new_scalar("plain"), 2, 20));
	map = holding("work", outer);
	cr_assert_eq(bind_work(wraps, map, &bound, &err), 0, "%s", err.text);
	cr_expect_str_eq(bound_values(bound)[0].items[0].s, "plain");
	bound_free(bound);
	node_free(map);
}

static void expect_work_refused(const struct ktstr_param *table, struct node *map, const char *says)
{
	struct ktstr_error err = { 0 };
	struct bound *bound = NULL;

	cr_expect_eq(bind_work(table, map, &bound, &err), -EINVAL);
	cr_expect_str_eq(err.text, says, "%s", err.text);
	cr_expect_null(bound);
	node_free(map);
}

Test(bind_nested, plugins_are_refused_where_they_stand)
{
	struct node *work;

	expect_work_refused(wraps, holding("work", at(node_new_scalar("none"), 2, 7)),
			    "--checker:2:7: no workload 'none'");
	expect_work_refused(wraps, holding("work", at(node_new_scalar(""), 2, 7)),
			    "--checker:2:7: 'work' names no plugin");
	expect_work_refused(
		wraps, holding("work", at(node_new(NODE_LIST), 2, 7)),
		"--checker:2:7: 'work' must be a plugin: NAME, or {plugin: NAME, key: value}");
	expect_work_refused(
		wraps, holding("work", at(node_new(NODE_MAP), 2, 7)),
		"--checker:2:7: 'work' must be a plugin: NAME, or {plugin: NAME, key: value}");
	work = at(node_new(NODE_MAP), 2, 7);
	put(work, "plugin", at(node_new_scalar("inner"), 2, 8));
	put(work, "nede", at(node_new_scalar("1"), 3, 8));
	expect_work_refused(wraps, holding("work", work),
			    "--checker:3:1: unknown key 'nede', did you mean 'need'?");
	expect_work_refused(falls_into_itself, NULL,
			    "--checker: parameters are nested more than 32 deep");
}

Test(bind_nested, no_plugins_where_none_can_be_found)
{
	struct node *map = holding("work", at(node_new_scalar("plain"), 2, 7));

	expect_refused(wraps, map, "--checker:2:7: 'work' cannot name a plugin here");
	node_free(map);
}

/* A row that makes much of little text. */
Test(bind_nested, memory_is_bounded)
{
	static struct ktstr_param wide[1000];
	static char keys[999][8];
	static const struct ktstr_param element[] = {
		{ .key = "element", .type = KTSTR_PARAM_MAP, .fields = wide },
	};
	static const struct ktstr_param table[] = {
		{ .key = "list", .type = KTSTR_PARAM_LIST, .fields = element },
		{ .key = NULL },
	};
	struct node *list = node_new(NODE_LIST), *map = holding("list", list);
	struct ktstr_error err = { 0 };
	struct bound *bound = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		(void)snprintf(keys[i], sizeof(keys[i]), "k%zu", i);
		wide[i].key = keys[i];
		wide[i].type = KTSTR_PARAM_INT;
	}
	for (int i = 0; i < 2000; i++)
		cr_assert_eq(node_add(list, NULL, node_new(NODE_MAP)), 0);
	cr_expect_eq(bind_params(table, sizeof(table[0]), map, NULL, &nameless, NULL, &bound, &err),
		     -ENOMEM);
	cr_expect_str_eq(err.text,
			 "cannot bind parameters: out of memory, or more than 64 MiB of values");
	node_free(map);
}
