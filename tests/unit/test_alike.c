/* SPDX-License-Identifier: GPL-2.0-only */
/* What repeated runs are told to be. */
#include <criterion/criterion.h>

#include "base/str.h"
#include "run/alike.h"

static void expect_words(struct alike alike, const char *words, bool is_known)
{
	struct str out = { 0 };

	cr_expect_eq(alike_add(&alike, &out), 0);
	cr_expect_str_eq(str_text(&out), words);
	cr_expect_eq(alike_is_known(&alike), is_known, "%s", words);
	str_done(&out);
}

Test(alike, is_told_of_all_runs_only_where_all_have_a_stream)
{
	expect_words((struct alike){ 2, 2, 1 }, "one stream, the same in all", true);
	expect_words((struct alike){ 3, 3, 1 }, "one stream, the same in all", true);
	expect_words((struct alike){ 3, 2, 1 }, "one stream, the same in 2 of 3", false);
	expect_words((struct alike){ 3, 1, 1 }, "nothing to compare", false);
	expect_words((struct alike){ 2, 0, 0 }, "nothing to compare", false);
	expect_words((struct alike){ 3, 3, 2 }, "2 different streams", false);
	expect_words((struct alike){ 4, 3, 2 }, "2 different streams in 3 of 4", false);
}

static void expect_reason(const char *one, const char *other, const char *words)
{
	const uint32_t numbers[2] = { 1, 3 };
	const char *const bases[2] = { one, other };
	struct str out = { 0 };

	cr_expect_eq(alike_add_bases(numbers, bases, &out), 0);
	cr_expect_str_eq(str_text(&out), words);
	str_done(&out);
}

Test(alike, knows_machines_that_did_not_begin_alike)
{
	expect_reason("a1", "a1", "");
	expect_reason("", "", "");
	expect_reason("a1", "b2",
		      "run 1 was restored from the saved VM a1 and run 3 was restored from the "
		      "saved VM b2, so they did not begin alike");
	expect_reason("a1", "",
		      "run 1 was restored from the saved VM a1 and run 3 was booted, so they did "
		      "not begin alike");
	expect_reason("", "b2",
		      "run 1 was booted and run 3 was restored from the saved VM b2, so they did "
		      "not begin alike");
}
