/* SPDX-License-Identifier: GPL-2.0-only */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "config/scenario.h"

static struct plugin_ref parse(const char *argument)
{
	struct ktstr_error err = { 0 };
	struct plugin_ref ref = { 0 };

	cr_assert_eq(plugin_ref_parse(argument, &ref, &err), 0, "%s", err.text);
	return ref;
}

Test(plugin_ref, a_bare_name)
{
	struct plugin_ref ref = parse("spread");

	cr_expect_str_eq(ref.name, "spread");
	cr_expect_eq(ref.params->child_count, 0);
	cr_expect_eq(ref.line, 0);
	plugin_ref_done(&ref);
	cr_expect_null(ref.name);
	plugin_ref_done(&ref);
	plugin_ref_done(NULL);
}

Test(plugin_ref, a_name_with_values)
{
	struct plugin_ref ref = parse("spread,limit=15%,note=a=b,empty=");

	cr_expect_str_eq(ref.name, "spread");
	cr_expect_eq(ref.params->child_count, 3);
	cr_expect_str_eq(node_get_text(ref.params, "limit"), "15%");
	cr_expect_str_eq(node_get_text(ref.params, "note"), "a=b");
	cr_expect_str_eq(node_get_text(ref.params, "empty"), "");
	plugin_ref_done(&ref);
}

Test(plugin_ref, keys_and_values_know_their_columns)
{
	struct plugin_ref ref = parse("sp,limit=15%,n\u00f6te=a=b,empty=");
	static const uint32_t columns[][2] = { { 4, 10 }, { 14, 19 }, { 23, 29 } };

	cr_assert_eq(ref.params->child_count, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct node *value = ref.params->children[i];

		cr_expect_eq(value->key_line, 1);
		cr_expect_eq(value->line, 1);
		cr_expect_eq(value->key_column, columns[i][0], "%zu: %u", i, value->key_column);
		cr_expect_eq(value->column, columns[i][1], "%zu: %u", i, value->column);
	}
	plugin_ref_done(&ref);
}

Test(plugin_ref, a_path_is_left_as_it_is)
{
	struct plugin_ref ref = parse("./my.so,limit=1");

	cr_expect_str_eq(ref.name, "./my.so");
	cr_expect_str_eq(node_get_text(ref.params, "limit"), "1");
	plugin_ref_done(&ref);
}

static const struct {
	const char *argument;
	const char *says;
} refused[] = {
	{ "", "'': '' is no name of a plugin (lower-case letters, digits and _, at most 31) and no "
	      "path with a '/'" },
	{ ",a=1",
	  "',a=1': '' is no name of a plugin (lower-case letters, digits and _, at most 31) "
	  "and no path with a '/'" },
	{ "A", "'A': 'A' is no name of a plugin (lower-case letters, digits and _, at most 31) and "
	       "no path with a '/'" },
	{ "spread,limit", "'spread,limit': 'limit' is not key=value" },
	{ "spread,", "'spread,': '' is not key=value" },
	{ "spread,=3", "'spread,=3': '=3' is not key=value" },
	{ "spread,a=1,,b=2", "'spread,a=1,,b=2': '' is not key=value" },
	{ "spread,a=1,a=2", "'spread,a=1,a=2': key 'a' is given twice" },
};

Test(plugin_ref, refusals_quote_the_argument)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct ktstr_error err = { 0 };
		struct plugin_ref ref = { 0 };

		cr_expect_eq(plugin_ref_parse(refused[i].argument, &ref, &err), -EINVAL);
		cr_expect_str_eq(err.text, refused[i].says, "%s", err.text);
		cr_expect_null(ref.name);
	}
}

Test(plugin_ref, too_many_keys_are_refused)
{
	struct ktstr_error err = { 0 };
	struct plugin_ref ref = { 0 };
	struct str argument = { 0 };

	cr_assert_eq(str_add(&argument, "spread"), 0);
	for (int i = 0; i <= NODE_KEYS_MAX; i++)
		cr_assert_eq(str_addf(&argument, ",k%d=1", i), 0);
	cr_expect_eq(plugin_ref_parse(argument.data, &ref, &err), -EINVAL);
	cr_expect(str_ends(err.text, "': more than 1024 keys"), "%s", err.text);
	str_done(&argument);
}

Test(plugin_ref, is_taken_as_one_more_checker)
{
	static const char text[] = "scenario: x\ncheckers: [a]\n";
	struct ktstr_error err = { 0 };
	struct scenario_spec *spec = NULL;
	struct plugin_ref ref = parse("b,limit=1");

	cr_assert_eq(scenario_parse("f", text, sizeof(text) - 1, &spec, &err), 0, "%s", err.text);
	cr_expect_eq(scenario_add_checker(spec, &ref, &err), 0, "%s", err.text);
	cr_expect_null(ref.name);
	cr_assert_eq(spec->checker_count, 2);
	cr_expect_str_eq(spec->checkers[0].name, "a");
	cr_expect_str_eq(spec->checkers[1].name, "b");
	cr_expect_str_eq(node_get_text(spec->checkers[1].params, "limit"), "1");
	scenario_free(spec);
}

Test(plugin_ref, is_taken_even_where_there_is_no_room)
{
	static const char text[] = "scenario: x\n";
	struct ktstr_error err = { 0 };
	struct scenario_spec *spec = NULL;
	struct plugin_ref ref;
	int rc = 0, count = 0;

	cr_assert_eq(scenario_parse("f", text, sizeof(text) - 1, &spec, &err), 0, "%s", err.text);
	while (rc == 0 && count < 2000) {
		ref = parse("b");
		rc = scenario_add_checker(spec, &ref, &err);
		cr_expect_null(ref.name);
		count++;
	}
	cr_expect_eq(rc, -EINVAL);
	cr_expect_eq(count, 1001);
	scenario_free(spec);
}
