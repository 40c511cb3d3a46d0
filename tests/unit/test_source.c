/* SPDX-License-Identifier: GPL-2.0-only */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "param/bind.h"

static const char text[] = "scenario:\nworkers: 4\n\tx: 1\n";
static const struct source source = { "x.yaml", text, sizeof(text) - 1, false };
static const struct source nameless = { "--checker", NULL, 0, false };

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

Test(source, an_argument_has_no_numbers)
{
	static const char word[] = "gap,max_gpa=1s", lines[] = "gap,\nmax_gpa=1s";
	const struct source argument = { "--checker: gap", word, sizeof(word) - 1, true };
	const struct source broken = { "--checker: gap", lines, sizeof(lines) - 1, true };

	expect_quote(&argument, 1, 5, "--checker: gap: what 'x'\n  gap,max_gpa=1s\n      ^");
	expect_quote(&argument, 0, 0, "--checker: gap: what 'x'");
	/* A caret below one of several lines would stand anywhere. */
	expect_quote(&broken, 1, 6, "--checker: gap: what 'x'");
}

Test(source, a_caret_may_stand_behind_the_line)
{
	expect_quote(&source, 2, 12, "x.yaml:2:12: what 'x'\n  workers: 4\n             ^");
}

Test(source, columns_are_characters)
{
	static const char umlaut[] = "\xc3\xa4\xc3\xb6: x\r\n";
	const struct source where = { "u", umlaut, sizeof(umlaut) - 1, false };

	expect_quote(&where, 1, 5, "u:1:5: what 'x'\n  \xc3\xa4\xc3\xb6: x\n      ^");
}

Test(source, terminals_are_safe_from_quotes)
{
	static const char escape[] = "a\033[2J\xff";
	const struct source where = { "u", escape, sizeof(escape) - 1, false };

	expect_quote(&where, 1, 1, "u:1:1: what 'x'\n  a?[2J?\n  ^");
}

Test(source, long_lines_are_cut_around_the_column)
{
	char line[4001];
	const struct source where = { "u", line, sizeof(line) - 1, false };
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
