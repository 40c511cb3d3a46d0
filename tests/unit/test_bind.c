/* SPDX-License-Identifier: GPL-2.0-only */
#include "param/bind.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "ktstr/plugin.h"
#include "param/scalar.h"

/* Scalars. */

static const struct {
	const char *text;
	int rc;
	int64_t value;
} durations[] = {
	{ "0", 0, 0 },
	{ "0s", 0, 0 },
	{ "5ns", 0, 5 },
	{ "10us", 0, 10000 },
	{ "250ms", 0, 250000000 },
	{ "1.5s", 0, 1500000000 },
	{ "2m", 0, 120000000000 },
	{ "1h", 0, 3600000000000 },
	{ "0.25m", 0, 15000000000 },
	{ "1.50s", 0, 1500000000 },
	{ "1.000000001s", 0, 1000000001 },
	{ "1.5000000000000000000000s", 0, 1500000000 },
	{ "9223372036854775807ns", 0, INT64_MAX },
	{ "2562047h", 0, INT64_C(2562047) * 3600000000000 },
	{ "9223372036854775808ns", -ERANGE, 0 },
	{ "99999999999999999999s", -ERANGE, 0 },
	{ "2562048h", -ERANGE, 0 },
	{ "9223372036.9s", -ERANGE, 0 },
	{ "1.0000000001s", -EINVAL, 0 },
	{ "1.5ns", -EINVAL, 0 },
	{ "", -EINVAL, 0 },
	{ "5", -EINVAL, 0 },
	{ "0.0", -EINVAL, 0 },
	{ "s", -EINVAL, 0 },
	{ "-5s", -EINVAL, 0 },
	{ "+5s", -EINVAL, 0 },
	{ " 5s", -EINVAL, 0 },
	{ "5 s", -EINVAL, 0 },
	{ "5s ", -EINVAL, 0 },
	{ "5S", -EINVAL, 0 },
	{ "5sec", -EINVAL, 0 },
	{ ".5s", -EINVAL, 0 },
	{ "1.s", -EINVAL, 0 },
	{ "1..5s", -EINVAL, 0 },
	{ "1,5s", -EINVAL, 0 },
	{ "1e3s", -EINVAL, 0 },
	{ "1m30s", -EINVAL, 0 },
};

Test(scalar, durations)
{
	for (size_t i = 0; i < ARRAY_SIZE(durations); i++) {
		int64_t ns = 99;

		cr_expect_eq(parse_duration(durations[i].text, &ns), durations[i].rc, "'%s'",
			     durations[i].text);
		cr_expect_eq(ns, durations[i].rc ? 99 : durations[i].value, "'%s' is %" PRId64,
			     durations[i].text, ns);
	}
}

static const struct {
	const char *text;
	int rc;
	int64_t value;
} sizes[] = {
	{ "0", 0, 0 },
	{ "4096", 0, 4096 },
	{ "64K", 0, 65536 },
	{ "512M", 0, 536870912 },
	{ "2G", 0, 2147483648 },
	{ "1T", 0, 1099511627776 },
	{ "9223372036854775807", 0, INT64_MAX },
	{ "8388607T", 0, INT64_C(8388607) << 40 },
	{ "8388608T", -ERANGE, 0 },
	{ "9223372036854775808", -ERANGE, 0 },
	{ "18446744073709551616K", -ERANGE, 0 },
	{ "", -EINVAL, 0 },
	{ "K", -EINVAL, 0 },
	{ "1k", -EINVAL, 0 },
	{ "1KB", -EINVAL, 0 },
	{ "1.5G", -EINVAL, 0 },
	{ "-1", -EINVAL, 0 },
	{ "0x10", -EINVAL, 0 },
	{ "1 K", -EINVAL, 0 },
};

Test(scalar, sizes)
{
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		int64_t bytes = 99;

		cr_expect_eq(parse_size(sizes[i].text, &bytes), sizes[i].rc, "'%s'", sizes[i].text);
		cr_expect_eq(bytes, sizes[i].rc ? 99 : sizes[i].value, "'%s' is %" PRId64,
			     sizes[i].text, bytes);
	}
}

static const struct {
	const char *text;
	int rc;
	int64_t value;
} ints[] = {
	{ "0", 0, 0 },
	{ "-1", 0, -1 },
	{ "007", 0, 7 },
	{ "0x1f", 0, 31 },
	{ "-0xA", 0, -10 },
	{ "9223372036854775807", 0, INT64_MAX },
	{ "-9223372036854775808", 0, INT64_MIN },
	{ "0x7fffffffffffffff", 0, INT64_MAX },
	{ "9223372036854775808", -ERANGE, 0 },
	{ "-9223372036854775809", -ERANGE, 0 },
	{ "0x10000000000000000", -ERANGE, 0 },
	{ "99999999999999999999999", -ERANGE, 0 },
	{ "", -EINVAL, 0 },
	{ "-", -EINVAL, 0 },
	{ "0x", -EINVAL, 0 },
	{ "+1", -EINVAL, 0 },
	{ "--1", -EINVAL, 0 },
	{ "1.0", -EINVAL, 0 },
	{ "1e3", -EINVAL, 0 },
	{ "1_000", -EINVAL, 0 },
	{ " 1", -EINVAL, 0 },
	{ "1 ", -EINVAL, 0 },
	{ "99999999999999999999999x", -EINVAL, 0 },
};

Test(scalar, ints)
{
	for (size_t i = 0; i < ARRAY_SIZE(ints); i++) {
		int64_t value = 99;

		cr_expect_eq(parse_int(ints[i].text, &value), ints[i].rc, "'%s'", ints[i].text);
		cr_expect_eq(value, ints[i].rc ? 99 : ints[i].value, "'%s' is %" PRId64,
			     ints[i].text, value);
	}
}

static const struct {
	const char *text;
	int rc;
	double value;
} floats[] = {
	{ "0", 0, 0 },	       { "1.5", 0, 1.5 },	{ "-2", 0, -2 },
	{ "1e3", 0, 1000 },    { "2.5E-1", 0, 0.25 },	{ "1e+2", 0, 100 },
	{ "1e-400", 0, 0 },    { "1e400", -ERANGE, 0 }, { "", -EINVAL, 0 },
	{ "-", -EINVAL, 0 },   { ".", -EINVAL, 0 },	{ ".5", -EINVAL, 0 },
	{ "5.", -EINVAL, 0 },  { "1,5", -EINVAL, 0 },	{ "nan", -EINVAL, 0 },
	{ "inf", -EINVAL, 0 }, { "0x1", -EINVAL, 0 },	{ "1e", -EINVAL, 0 },
	{ "1e+", -EINVAL, 0 }, { "+1", -EINVAL, 0 },	{ " 1", -EINVAL, 0 },
	{ "1 ", -EINVAL, 0 },  { "1e3.5", -EINVAL, 0 }, { "1x", -EINVAL, 0 },
};

Test(scalar, floats)
{
	for (size_t i = 0; i < ARRAY_SIZE(floats); i++) {
		double value = 99;

		cr_expect_eq(parse_float(floats[i].text, &value), floats[i].rc, "'%s'",
			     floats[i].text);
		cr_expect_float_eq(value, floats[i].rc ? 99 : floats[i].value, 1e-12, "'%s' is %g",
				   floats[i].text, value);
	}
}

/* A plugin or a library may have set a locale with a decimal comma. */
Test(scalar, floats_ignore_the_locale)
{
	static const char *const commas[] = { "de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "fr_FR" };
	double value = 99;

	for (size_t i = 0; i < ARRAY_SIZE(commas) && !setlocale(LC_ALL, commas[i]); i++)
		;
	cr_expect_eq(parse_float("1.5", &value), 0);
	cr_expect_float_eq(value, 1.5, 1e-12);
	cr_expect_eq(parse_float("1,5", &value), -EINVAL);
}

Test(scalar, percentages)
{
	double value = 99;

	cr_expect_eq(parse_percent("15%", &value), 0);
	cr_expect_float_eq(value, 15, 1e-12);
	cr_expect_eq(parse_percent("0.5", &value), 0);
	cr_expect_float_eq(value, 0.5, 1e-12);
	cr_expect_eq(parse_percent("%", &value), -EINVAL);
	cr_expect_eq(parse_percent("15%%", &value), -EINVAL);
	cr_expect_eq(parse_percent("15 %", &value), -EINVAL);
	cr_expect_eq(parse_percent("", &value), -EINVAL);
}

/* Trees, as a test writes them down. */

static struct node *at(struct node *node, uint32_t line, uint32_t column)
{
	node->line = line;
	node->column = column;
	return node;
}

/* Adds @node to @map; its key stands at the beginning of its line. */
static void put(struct node *map, const char *key, struct node *node)
{
	cr_assert_eq(node_add(map, key, node), 0);
	node->key_line = node->line;
	node->key_column = 1;
}

/* "workers: 4" at line 2 as a tree. */
static struct node *one(const char *key, const char *text)
{
	struct node *map = at(node_new(NODE_MAP), 2, 1);

	put(map, key, at(node_new_scalar(text), 2, 10));
	return map;
}

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

static const char text[] = "scenario:\nworkers: 4\n\tx: 1\n";
static const struct source source = { "x.yaml", text, sizeof(text) - 1 };
static const struct source nameless = { "--checker", NULL, 0 };

static struct bound *bind_good(const struct ktstr_param *table, const struct node *map)
{
	struct ktstr_error err = { 0 };
	struct bound *bound = NULL;

	cr_assert_eq(bind_params(table, sizeof(*table), map, NULL, &source, NULL, &bound, &err), 0,
		     "%s", err.text);
	return bound;
}

static void expect_refused(const struct ktstr_param *table, const struct node *map,
			   const char *says)
{
	struct ktstr_error err = { 0 };
	struct bound *bound = NULL;

	cr_expect_eq(bind_params(table, sizeof(*table), map, NULL, &nameless, NULL, &bound, &err),
		     -EINVAL);
	cr_expect_str_eq(err.text, says, "%s", err.text);
	cr_expect_null(bound);
}

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
	cr_expect_eq(bind_params(params, sizeof(params[0]), map, NULL, &source, NULL, &bound, &err),
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

	cr_expect_eq(bind_params(params, sizeof(params[0]), map, skip, &source, NULL, &bound, &err),
		     0, "%s", err.text);
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

	cr_assert_eq(bind_params(&table[0].row, sizeof(table[0]), map, NULL, &source, NULL, &bound,
				 &err),
		     0, "%s", err.text);
	cr_assert_eq(bound_count(bound), 2);
	cr_expect_eq(bound_values(bound)[0].i, 1);
	cr_expect_eq(bound_values(bound)[1].i, 7);
	bound_free(bound);
	node_free(map);
}

/* Lists, maps, one of many. */

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

static struct node *holding(const char *key, struct node *node)
{
	struct node *map = at(node_new(NODE_MAP), 2, 1);

	put(map, key, node);
	return map;
}

Test(bind, unset_nests_are_empty_or_at_their_fallbacks)
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

Test(bind, lists_keep_their_order)
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

Test(bind, lists_are_bounded_and_typed)
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

Test(bind, a_key_without_a_value_is_an_empty_list_or_map)
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

Test(bind, maps_in_lists_have_required_keys)
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

Test(bind, maps_refuse_other_shapes)
{
	struct node *map = holding("map", at(node_new_scalar("x"), 2, 6));

	expect_refused(nested, map, "--checker:2:6: 'map' must be a map");
	node_free(map);
}

Test(bind, required_without_any_text)
{
	expect_refused(inner, NULL, "--checker: missing key 'need'");
}

Test(bind, oneof_takes_the_index_of_its_key)
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

Test(bind, oneof_takes_exactly_one_known_key)
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

Test(bind, a_plugin_can_be_a_bare_name)
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

Test(bind, a_plugin_can_have_parameters)
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

Test(bind, a_plugin_can_be_a_fallback)
{
	struct ktstr_error err = { 0 };
	struct bound *bound = NULL;

	cr_assert_eq(bind_work(has_fallback, NULL, &bound, &err), 0, "%s", err.text);
	cr_expect_str_eq(bound_values(bound)[0].s, "defaults");
	cr_expect_eq(bound_values(bound)[0].is_set, 0);
	cr_expect_eq(bound_values(bound)[0].items[0].i, 1);
	bound_free(bound);
}

Test(bind, plugins_nest)
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

Test(bind, plugins_are_refused_where_they_stand)
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

Test(bind, no_plugins_where_none_can_be_found)
{
	struct node *map = holding("work", at(node_new_scalar("plain"), 2, 7));

	expect_refused(wraps, map, "--checker:2:7: 'work' cannot name a plugin here");
	node_free(map);
}

/* A row that makes much of little text. */
Test(bind, memory_is_bounded)
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
	cr_expect_eq(bind_params(table, sizeof(table[0]), map, NULL, &source, NULL, &bound, &err),
		     -ENOMEM);
	cr_expect_str_eq(err.text,
			 "cannot bind parameters: out of memory, or more than 64 MiB of values");
	node_free(map);
}

/* Places in sources. */

static void expect_quote(const struct source *where, uint32_t line, uint32_t column,
			 const char *says)
{
	struct ktstr_error err = { 0 };

	cr_expect_eq(source_fail(where, line, column, &err, "what '%s'", "x"), -EINVAL);
	cr_expect_eq(err.code, -EINVAL);
	cr_expect_str_eq(err.text, says, "%s", err.text);
}

Test(source, quotes_the_line_with_a_caret)
{
	expect_quote(&source, 2, 10, "x.yaml:2:10: what 'x'\n  workers: 4\n           ^");
	expect_quote(&source, 2, 1, "x.yaml:2:1: what 'x'\n  workers: 4\n  ^");
}

Test(source, caret_keeps_tabs)
{
	expect_quote(&source, 3, 2, "x.yaml:3:2: what 'x'\n  \tx: 1\n  \t^");
}

Test(source, quotes_nothing_it_does_not_have)
{
	expect_quote(&source, 0, 0, "x.yaml: what 'x'");
	expect_quote(&source, 4, 1, "x.yaml:4:1: what 'x'");
	expect_quote(&source, 99, 1, "x.yaml:99:1: what 'x'");
	expect_quote(&source, 2, 0, "x.yaml:2:0: what 'x'");
	expect_quote(&nameless, 2, 3, "--checker:2:3: what 'x'");
	expect_quote(NULL, 2, 3, "what 'x'");
}

Test(source, a_caret_may_stand_behind_the_line)
{
	expect_quote(&source, 2, 12, "x.yaml:2:12: what 'x'\n  workers: 4\n             ^");
}

Test(source, columns_are_characters)
{
	static const char umlaut[] = "\xc3\xa4\xc3\xb6: x\r\n";
	const struct source where = { "u", umlaut, sizeof(umlaut) - 1 };

	expect_quote(&where, 1, 5, "u:1:5: what 'x'\n  \xc3\xa4\xc3\xb6: x\n      ^");
}

Test(source, terminals_are_safe_from_quotes)
{
	static const char escape[] = "a\033[2J\xff";
	const struct source where = { "u", escape, sizeof(escape) - 1 };

	expect_quote(&where, 1, 1, "u:1:1: what 'x'\n  a?[2J?\n  ^");
}

Test(source, long_lines_are_cut_around_the_column)
{
	char line[4001];
	const struct source where = { "u", line, sizeof(line) - 1 };
	struct ktstr_error err = { 0 };
	const char *quote, *caret;

	memset(line, '.', sizeof(line));
	line[1999] = '#';
	cr_expect_eq(source_fail(&where, 1, 2000, &err, "what"), -EINVAL);
	cr_expect_lt(strlen(err.text), 300);
	quote = strchr(err.text, '\n') + 1;
	caret = strchr(quote, '\n') + 1;
	cr_expect_eq(strchr(quote, '#') - quote, strchr(caret, '^') - caret, "%s", err.text);
	cr_expect_eq(strncmp(quote, "  ...", 5), 0);
}
