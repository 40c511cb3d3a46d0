/* SPDX-License-Identifier: GPL-2.0-only */
#include "param/bind.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "unit/tree.h"

enum {
	P_WORKERS,
	P_DURATION,
	P_KIND,
	P_NOTE,
	P_RATIO,
	P_LIMIT,
	P_BIG,
	P_FLAG,
	P_MEMORY
};

static const char *const kinds[] = { "spin", "sleep", NULL };

static const struct ktstr_param params[] = {
	[P_WORKERS] = { .key = "workers",
			.type = KTSTR_PARAM_INT,
			.fallback = "4",
			.min = 1,
			.max = 1024 },
	[P_DURATION] = { .key = "duration",
			 .type = KTSTR_PARAM_DURATION,
			 .fallback = "5s",
			 .min = (int64_t)NS_PER_S,
			 .max = 90 * (int64_t)NS_PER_S },
	[P_KIND] = { .key = "kind",
		     .type = KTSTR_PARAM_ENUM,
		     .fallback = "sleep",
		     .choices = kinds },
	[P_NOTE] = { .key = "note", .type = KTSTR_PARAM_STRING, .max = 8 },
	[P_RATIO] = { .key = "ratio", .type = KTSTR_PARAM_FLOAT, .min = -1, .max = 2 },
	[P_LIMIT] = { .key = "limit",
		      .type = KTSTR_PARAM_PERCENT,
		      .fallback = "15%",
		      .min = 0,
		      .max = 100 },
	[P_BIG] = { .key = "big", .type = KTSTR_PARAM_INT },
	[P_FLAG] = { .key = "flag", .type = KTSTR_PARAM_BOOL, .fallback = "yes" },
	[P_MEMORY] = { .key = "memory", .type = KTSTR_PARAM_SIZE, .min = 1024, .max = 65536 },
	{ .key = NULL },
};

Test(bind, fallbacks_fill_what_is_absent)
{
	struct bound *bound = bind_good(params, NULL);
	const struct ktstr_value *v = bound_values(bound);

	cr_assert_eq(bound_count(bound), ARRAY_SIZE(params) - 1);
	cr_expect_eq(v[P_WORKERS].i, 4);
	cr_expect_eq(v[P_WORKERS].type, KTSTR_PARAM_INT);
	cr_expect_eq(v[P_WORKERS].is_set, 0);
	cr_expect_eq(v[P_WORKERS].line, 0);
	cr_expect_eq(v[P_DURATION].i, 5000000000);
	cr_expect_eq(v[P_KIND].i, 1);
	cr_expect_str_eq(v[P_KIND].s, "sleep");
	cr_expect_null(v[P_NOTE].s);
	cr_expect_eq(v[P_NOTE].type, KTSTR_PARAM_STRING);
	cr_expect_float_eq(v[P_LIMIT].f, 15, 1e-12);
	cr_expect_eq(v[P_BIG].i, 0);
	cr_expect_eq(v[P_FLAG].i, 1);
	bound_free(bound);
}

Test(bind, text_wins_over_fallbacks)
{
	struct node *map = one("workers", "8");
	struct bound *bound;
	const struct ktstr_value *v;

	put(map, "duration", at(node_new_scalar("1.5s"), 3, 11));
	put(map, "kind", at(node_new_scalar("spin"), 4, 7));
	put(map, "note", at(node_new_scalar("hello"), 5, 7));
	put(map, "ratio", at(node_new_scalar("-0.5"), 6, 8));
	put(map, "limit", at(node_new_scalar("2.5"), 7, 8));
	put(map, "big", at(node_new_scalar("-9223372036854775808"), 8, 6));
	put(map, "flag", at(node_new_scalar("off"), 9, 7));
	put(map, "memory", at(node_new_scalar("64K"), 10, 9));
	bound = bind_good(params, map);
	node_free(map);
	v = bound_values(bound);
	cr_expect_eq(v[P_WORKERS].i, 8);
	cr_expect_eq(v[P_WORKERS].is_set, 1);
	cr_expect_eq(v[P_WORKERS].line, 2);
	cr_expect_eq(v[P_WORKERS].column, 10);
	cr_expect_eq(v[P_DURATION].i, 1500000000);
	cr_expect_eq(v[P_KIND].i, 0);
	cr_expect_str_eq(v[P_NOTE].s, "hello");
	cr_expect_float_eq(v[P_RATIO].f, -0.5, 1e-12);
	cr_expect_float_eq(v[P_LIMIT].f, 2.5, 1e-12);
	cr_expect_eq(v[P_BIG].i, INT64_MIN);
	cr_expect_eq(v[P_FLAG].i, 0);
	cr_expect_eq(v[P_MEMORY].i, 65536);
	bound_free(bound);
}

static const struct {
	const char *key;
	const char *text;
	const char *says;
} refused[] = {
	{ "wrokers", "4", "--checker:2:1: unknown key 'wrokers', did you mean 'workers'?" },
	{ "zzzzzzzz", "4",
	  "--checker:2:1: unknown key 'zzzzzzzz', known are: workers, duration, kind, note, ratio, "
	  "limit, big, flag, memory" },
	{ "workers", "x", "--checker:2:10: 'workers' must be an integer, not 'x'" },
	{ "workers", "", "--checker:2:10: 'workers' has no value" },
	{ "workers", "0", "--checker:2:10: 'workers' must be at least 1, not '0'" },
	{ "workers", "1025", "--checker:2:10: 'workers' must be at most 1024, not '1025'" },
	{ "workers", "99999999999999999999",
	  "--checker:2:10: 'workers' is out of range: '99999999999999999999'" },
	{ "workers", "\033[2J", "--checker:2:10: 'workers' must be an integer, not '?[2J'" },
	{ "workers", "a\nb", "--checker:2:10: 'workers' must be an integer, not 'a b'" },
	{ "duration", "5",
	  "--checker:2:10: 'duration' must be a duration like 250ms, 1.5s or 2m, not '5'" },
	{ "duration", "999ms", "--checker:2:10: 'duration' must be at least 1s, not '999ms'" },
	{ "duration", "91s", "--checker:2:10: 'duration' must be at most 90s, not '91s'" },
	{ "kind", "run", "--checker:2:10: 'kind' must be one of spin, sleep, not 'run'" },
	{ "note", "too long!",
	  "--checker:2:10: 'note' must be at most 8 bytes long, not 'too long!'" },
	{ "ratio", "nan", "--checker:2:10: 'ratio' must be a number, not 'nan'" },
	{ "ratio", "2.1", "--checker:2:10: 'ratio' must be at most 2, not '2.1'" },
	{ "limit", "101%", "--checker:2:10: 'limit' must be at most 100%, not '101%'" },
	{ "limit", "x", "--checker:2:10: 'limit' must be a percentage like 15%, not 'x'" },
	{ "flag", "maybe", "--checker:2:10: 'flag' must be true or false, not 'maybe'" },
	{ "flag", "1", "--checker:2:10: 'flag' must be true or false, not '1'" },
	{ "memory", "1000", "--checker:2:10: 'memory' must be at least 1K, not '1000'" },
	{ "memory", "1G", "--checker:2:10: 'memory' must be at most 64K, not '1G'" },
	{ "memory", "lots",
	  "--checker:2:10: 'memory' must be a size like 4096, 64K, 512M or 2G, not 'lots'" },
};

Test(bind, says_where_and_what_is_wrong)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct node *map = one(refused[i].key, refused[i].text);

		expect_refused(params, map, refused[i].says);
		node_free(map);
	}
}

Test(bind, quotes_only_the_front_of_a_long_text)
{
	char long_text[5001];
	struct ktstr_error err = { 0 };
	struct bound *bound = NULL;
	struct node *map;

	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	map = one("workers", long_text);
	cr_expect_eq(
		bind_params(params, sizeof(params[0]), map, NULL, &nameless, NULL, &bound, &err),
		-EINVAL);
	cr_expect_lt(strlen(err.text), 300);
	node_free(map);
}

Test(bind, refuses_wrong_shapes)
{
	struct node *map = at(node_new(NODE_MAP), 2, 1);

	put(map, "workers", at(node_new(NODE_LIST), 2, 10));
	expect_refused(params, map, "--checker:2:10: 'workers' must be a single value, not a list");
	node_free(map);
	map = at(node_new(NODE_MAP), 2, 1);
	put(map, "workers", at(node_new(NODE_MAP), 2, 10));
	expect_refused(params, map, "--checker:2:10: 'workers' must be a single value, not a map");
	node_free(map);
	map = at(node_new(NODE_LIST), 2, 3);
	expect_refused(params, map, "--checker:2:3: a map of parameters must stand here");
	node_free(map);
}

Test(bind, a_plugin_without_parameters_takes_none)
{
	struct node *map = one("workers", "4");
	struct bound *bound = bind_good(NULL, NULL);

	cr_expect_eq(bound_count(bound), 0);
	bound_free(bound);
	expect_refused(NULL, map, "--checker:2:1: unknown key 'workers', there are no keys here");
	node_free(map);
}

Test(bind, passes_over_skipped_keys)
{
	static const char *const skip[] = { "plugin", NULL };
	struct node *map = one("plugin", "x");
	struct ktstr_error err = { 0 };
	struct bound *bound = NULL;

	cr_expect_eq(
		bind_params(params, sizeof(params[0]), map, skip, &nameless, NULL, &bound, &err), 0,
		"%s", err.text);
	bound_free(bound);
	node_free(map);
}

Test(bind, reads_rows_of_another_size)
{
	struct newer {
		struct ktstr_param row;
		const char *newer_field[2];
	} table[] = {
		{ .row = { .key = "a", .type = KTSTR_PARAM_INT, .fallback = "1" } },
		{ .row = { .key = "b", .type = KTSTR_PARAM_INT, .fallback = "2" } },
		{ .row = { .key = NULL } },
	};
	struct node *map = one("b", "7");
	struct ktstr_error err = { 0 };
	struct bound *bound = NULL;

	cr_assert_eq(bind_params(&table[0].row, sizeof(table[0]), map, NULL, &nameless, NULL,
				 &bound, &err),
		     0, "%s", err.text);
	cr_assert_eq(bound_count(bound), 2);
	cr_expect_eq(bound_values(bound)[0].i, 1);
	cr_expect_eq(bound_values(bound)[1].i, 7);
	bound_free(bound);
	node_free(map);
}
