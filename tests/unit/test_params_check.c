/* SPDX-License-Identifier: GPL-2.0-only */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "ktstr/plugin.h"
#include "param/bind.h"

static const char *const words[] = { "spin", "sleep", NULL };
static const char *const twice[] = { "spin", "spin", NULL };
static const char *const none[] = { NULL };

#define INT_ROW                                                                                    \
	{                                                                                          \
		.key = "n", .type = KTSTR_PARAM_INT                                                \
	}
#define END                                                                                        \
	{                                                                                          \
		.key = NULL                                                                        \
	}

static const struct ktstr_param element[] = { INT_ROW };
static const struct ktstr_param fields[] = { INT_ROW,
					     { .key = "s", .type = KTSTR_PARAM_STRING },
					     END };
static const struct ktstr_param bad_fields[] = { { .key = "n", .type = 99 }, END };
static const struct ktstr_param empty[] = { END };

static const struct ktstr_param cyclic[] = {
	{ .key = "again", .type = KTSTR_PARAM_MAP, .fields = cyclic },
	END,
};

static const struct ktstr_param wide_cyclic[] = {
	{ .key = "a", .type = KTSTR_PARAM_MAP, .fields = wide_cyclic },
	{ .key = "b", .type = KTSTR_PARAM_LIST, .fields = wide_cyclic },
	{ .key = "c", .type = KTSTR_PARAM_ONEOF, .fields = wide_cyclic },
	END,
};

static const struct ktstr_param good[] = {
	{ .key = "flag", .type = KTSTR_PARAM_BOOL, .fallback = "no" },
	{ .key = "count", .type = KTSTR_PARAM_INT, .fallback = "4", .min = 1, .max = 8 },
	{ .key = "ratio", .type = KTSTR_PARAM_FLOAT, .fallback = "-1.5", .min = -2, .max = 2 },
	{ .key = "hold", .type = KTSTR_PARAM_DURATION, .fallback = "0" },
	{ .key = "size_2", .type = KTSTR_PARAM_SIZE, .fallback = "64K" },
	{ .key = "text", .type = KTSTR_PARAM_STRING, .fallback = "" },
	{ .key = "kind", .type = KTSTR_PARAM_ENUM, .fallback = "sleep", .choices = words },
	{ .key = "limit", .type = KTSTR_PARAM_PERCENT, .fallback = "15%", .min = 0, .max = 100 },
	{ .key = "numbers", .type = KTSTR_PARAM_LIST, .fields = element, .max = 3 },
	{ .key = "map", .type = KTSTR_PARAM_MAP, .fields = fields },
	{ .key = "oneof",
	  .type = KTSTR_PARAM_ONEOF,
	  .flags = KTSTR_PARAM_REQUIRED,
	  .fields = fields },
	{ .key = "work",
	  .type = KTSTR_PARAM_PLUGIN,
	  .fallback = "cpu_spin",
	  .min = KTSTR_KIND_WORKLOAD },
	END,
};

Test(params_check, accepts_a_good_table)
{
	struct ktstr_error err = { 0 };

	cr_expect_eq(params_check(good, sizeof(good[0]), &err), 0, "%s", err.text);
	cr_expect_eq(params_check(empty, sizeof(empty[0]), &err), 0, "%s", err.text);
	cr_expect_eq(params_check(NULL, 0, &err), 0, "%s", err.text);
}

/* One row each; the sentence that refuses it. */
static const struct {
	struct ktstr_param row;
	const char *says;
} bad_rows[] = {
	{ { .key = "", .type = KTSTR_PARAM_INT },
	  "parameter '' is no key: lower-case letters, digits and _ only" },
	{ { .key = "Workers", .type = KTSTR_PARAM_INT },
	  "parameter 'Workers' is no key: lower-case letters, digits and _ only" },
	{ { .key = "a-b", .type = KTSTR_PARAM_INT },
	  "parameter 'a-b' is no key: lower-case letters, digits and _ only" },
	{ { .key = "1a", .type = KTSTR_PARAM_INT },
	  "parameter '1a' is no key: lower-case letters, digits and _ only" },
	{ { .key = "x" }, "parameter 'x' has the unknown type 0" },
	{ { .key = "x", .type = 13 }, "parameter 'x' has the unknown type 13" },
	{ { .key = "x", .type = KTSTR_PARAM_INT, .flags = 6 },
	  "parameter 'x' has unknown flags 0x6" },
	{ { .key = "x", .type = KTSTR_PARAM_INT, .min = 3, .max = 2 },
	  "parameter 'x' has a min above its max" },
	{ { .key = "x", .type = KTSTR_PARAM_INT, .fallback = "4x" },
	  "parameter 'x' has a bad fallback: it must be an integer, not '4x'" },
	{ { .key = "x", .type = KTSTR_PARAM_INT, .fallback = "9", .min = 1, .max = 8 },
	  "parameter 'x' has a bad fallback: it must be at most 8, not '9'" },
	{ { .key = "x", .type = KTSTR_PARAM_STRING, .fallback = "", .min = 1, .max = 8 },
	  "parameter 'x' has a bad fallback: it must be at least 1 bytes long, not ''" },
	{ { .key = "x", .type = KTSTR_PARAM_INT, .fallback = "4", .flags = KTSTR_PARAM_REQUIRED },
	  "parameter 'x' is required and has a fallback" },
	{ { .key = "x", .type = KTSTR_PARAM_ENUM }, "parameter 'x' has no choices" },
	{ { .key = "x", .type = KTSTR_PARAM_ENUM, .choices = none },
	  "parameter 'x' has no choices" },
	{ { .key = "x", .type = KTSTR_PARAM_ENUM, .choices = twice },
	  "parameter 'x' has the choice 'spin' twice" },
	{ { .key = "x", .type = KTSTR_PARAM_ENUM, .choices = words, .fallback = "run" },
	  "parameter 'x' has a bad fallback: it must be one of spin, sleep, not 'run'" },
	{ { .key = "x", .type = KTSTR_PARAM_LIST },
	  "parameter 'x' is a list without a table of fields" },
	{ { .key = "x", .type = KTSTR_PARAM_MAP, .fields = empty },
	  "parameter 'x' is a map without a table of fields" },
	{ { .key = "x", .type = KTSTR_PARAM_ONEOF },
	  "parameter 'x' is a one of without a table of fields" },
	{ { .key = "x", .type = KTSTR_PARAM_LIST, .fields = element, .fallback = "1" },
	  "parameter 'x' is a list, which cannot have a fallback" },
	{ { .key = "x", .type = KTSTR_PARAM_MAP, .fields = bad_fields },
	  "in 'x': parameter 'n' has the unknown type 99" },
	{ { .key = "x", .type = KTSTR_PARAM_PLUGIN },
	  "parameter 'x' names no kind of plugin in min" },
	{ { .key = "x", .type = KTSTR_PARAM_PLUGIN, .min = 5 },
	  "parameter 'x' names no kind of plugin in min" },
	{ { .key = "x", .type = KTSTR_PARAM_PLUGIN, .min = 1, .fallback = "" },
	  "parameter 'x' has an empty fallback" },
};

Test(params_check, names_the_row_and_its_fault)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad_rows); i++) {
		const struct ktstr_param table[] = { bad_rows[i].row, END };
		struct ktstr_error err = { 0 };

		cr_expect_eq(params_check(table, sizeof(table[0]), &err), -EINVAL, "row %zu", i);
		cr_expect_str_eq(err.text, bad_rows[i].says, "row %zu: %s", i, err.text);
	}
}

Test(params_check, refuses_a_key_twice)
{
	static const struct ktstr_param table[] = { INT_ROW, INT_ROW, END };
	struct ktstr_error err = { 0 };

	cr_expect_eq(params_check(table, sizeof(table[0]), &err), -EINVAL);
	cr_expect_str_eq(err.text, "parameter 'n' stands twice in its table");
}

Test(params_check, ends_on_tables_that_nest_into_themselves)
{
	struct ktstr_error err = { 0 };

	cr_expect_eq(params_check(cyclic, sizeof(cyclic[0]), &err), -EINVAL);
	cr_expect_not_null(strstr(err.text, "parameter 'again' nests too deeply, or into itself"));
	cr_expect_eq(params_check(wide_cyclic, sizeof(wide_cyclic[0]), &err), -EINVAL);
	cr_expect_not_null(strstr(err.text, "nests too deeply, or into itself"));
}

Test(params_check, refuses_a_table_without_end)
{
	static struct ktstr_param table[1001];
	static char keys[1001][8];
	struct ktstr_error err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		(void)snprintf(keys[i], sizeof(keys[i]), "k%zu", i);
		table[i].key = keys[i];
		table[i].type = KTSTR_PARAM_INT;
	}
	cr_expect_eq(params_check(table, sizeof(table[0]), &err), -EINVAL);
	cr_expect_str_eq(err.text, "the table of parameters has no end within 1000 rows");
}

Test(params_check, refuses_impossible_row_sizes)
{
	static const size_t strides[] = { 0, 8, 79, 81, 4104 };

	for (size_t i = 0; i < ARRAY_SIZE(strides); i++) {
		struct ktstr_error err = { 0 };
		char says[100];

		(void)snprintf(says, sizeof(says),
			       "the rows of the table of parameters cannot be %zu bytes long",
			       strides[i]);
		cr_expect_eq(params_check(good, strides[i], &err), -EINVAL);
		cr_expect_str_eq(err.text, says);
	}
}

Test(params_check, types_have_names)
{
	static const char *const names[] = {
		"unknown", "boolean",	 "integer", "number", "duration", "size",   "string",
		"choice",  "percentage", "list",    "map",    "one of",	  "plugin", "unknown",
	};

	for (uint32_t i = 0; i < ARRAY_SIZE(names); i++)
		cr_expect_str_eq(param_type_name(i), names[i]);
	cr_expect_str_eq(param_type_name(UINT32_MAX), "unknown");
}

/* The ABI: rows of plugins that are built already. */
Test(params_check, abi_never_changes)
{
	cr_expect_eq(sizeof(struct ktstr_param), 80);
	cr_expect_eq(offsetof(struct ktstr_param, fields), 56);
	cr_expect_eq(sizeof(struct ktstr_value), 56);
	cr_expect_eq(offsetof(struct ktstr_value, items), 32);
}
