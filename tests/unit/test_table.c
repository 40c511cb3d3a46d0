/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/table.h"

#include <math.h>
#include <string.h>

#include <criterion/criterion.h>

static const struct table_column columns[] = {
	{ "name", true },
	{ "n", false },
	{ "note", true },
};

Test(table, aligns_words_left_and_figures_right)
{
	struct str out = { 0 };
	struct table table;

	table_init(&table, columns, 3);
	cr_assert_eq(table_cell(&table, "a"), 0);
	cr_assert_eq(table_cell(&table, "%d", 1000), 0);
	cr_assert_eq(table_cell(&table, "%s", ""), 0);
	cr_assert_eq(table_cell(&table, "\xc3\xa4longer"), 0);
	cr_assert_eq(table_cell(&table, "7"), 0);
	cr_assert_eq(table_cell(&table, "x"), 0);
	cr_assert_eq(table_render(&table, " ", &out), 0);
	cr_assert_str_eq(out.data, " name        n  note\n"
				   " a        1000\n"
				   " \xc3\xa4longer     7  x\n");
	table_done(&table);
	str_done(&out);
}

Test(table, of_no_rows_is_nothing)
{
	struct str out = { 0 };
	struct table table;

	table_init(&table, columns, 3);
	cr_assert_eq(table_render(&table, "", &out), 0);
	cr_assert_str_eq(str_text(&out), "");
	table_done(&table);
}

Test(table, cuts_wide_cells_but_not_the_last_of_text)
{
	char wide[101];
	struct table table;

	memset(wide, 'w', 100);
	wide[100] = '\0';
	table_init(&table, columns, 3);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(table_cell(&table, "%s", wide), 0);
	cr_assert_eq(strlen(table.cells[0]), TABLE_CELL_MAX);
	cr_assert_str_eq(table.cells[0] + TABLE_CELL_MAX - 3, "w..");
	cr_assert_eq(strlen(table.cells[2]), 100);
	table_done(&table);
}

Test(table, writes_figures_as_a_person_does)
{
	static const struct {
		double value;
		const char *text;
	} cases[] = {
		{ 0, "0" },
		{ 1.2, "1.2" },
		{ 0.0125, "0.013" },
		{ 14.25, "14.2" },
		{ 15, "15" },
		{ 100, "100" },
		{ 1234.6, "1235" },
		{ 1e16, "1e+16" },
		{ -2.5, "-2.5" },
		{ NAN, "not a number" },
		{ INFINITY, "infinite" },
	};
	char text[40];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		text_figure(text, sizeof(text), cases[i].value);
		cr_assert_str_eq(text, cases[i].text);
	}
}
