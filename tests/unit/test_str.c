/* SPDX-License-Identifier: GPL-2.0-only */
#include "base/str.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "ktstr/error.h"

Test(str, grows_as_it_is_added_to)
{
	struct str str = { 0 };

	cr_expect_str_eq(str_text(&str), "");
	cr_expect_eq(str_add(&str, "a"), 0);
	cr_expect_eq(str_addf(&str, "%d%s", 12, "b"), 0);
	cr_expect_eq(str_add_bytes(&str, "c\0d", 3), 0);
	cr_expect_eq(str.length, 7);
	cr_expect_eq(memcmp(str.data, "a12bc\0d", 8), 0);
	str_done(&str);
	cr_expect_null(str.data);
	str_done(&str);
	str_done(NULL);
}

Test(str, holds_long_texts)
{
	struct str str = { 0 };
	char chunk[100];

	memset(chunk, 'x', sizeof(chunk));
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(str_add_bytes(&str, chunk, sizeof(chunk)), 0);
	cr_expect_eq(str.length, 100000);
	cr_expect_eq(strlen(str.data), 100000);
	str_done(&str);
}

Test(str, adding_nothing_makes_a_text)
{
	struct str str = { 0 };

	cr_expect_eq(str_add_bytes(&str, NULL, 0), 0);
	cr_expect_str_eq(str.data, "");
	str_done(&str);
}

Test(str, clear_keeps_the_memory)
{
	struct str str = { 0 };

	str_clear(&str);
	cr_expect_str_eq(str_text(&str), "");
	cr_assert_eq(str_add(&str, "abc"), 0);
	str_clear(&str);
	cr_expect_str_eq(str_text(&str), "");
	cr_expect_eq(str.length, 0);
	cr_expect_not_null(str.data);
	str_done(&str);
}

Test(str, refuses_lengths_that_wrap)
{
	struct str str = { 0 };

	cr_assert_eq(str_add(&str, "abc"), 0);
	cr_expect_eq(str_add_bytes(&str, "x", SIZE_MAX), -ENOMEM);
	cr_expect_eq(str_add_bytes(&str, "x", SIZE_MAX - 3), -ENOMEM);
	cr_expect_eq(str_add_bytes(&str, "x", SIZE_MAX / 2), -ENOMEM);
	cr_expect_str_eq(str_text(&str), "abc");
	str_done(&str);
}

Test(str, format)
{
	char *text = str_format("%s-%d", "a", 5);

	cr_expect_str_eq(text, "a-5");
	free(text);
}

Test(str, starts_and_ends)
{
	cr_expect(str_starts("abc", "ab"));
	cr_expect(str_starts("abc", ""));
	cr_expect(str_starts("abc", "abc"));
	cr_expect_not(str_starts("abc", "abcd"));
	cr_expect_not(str_starts("abc", "bc"));
	cr_expect(str_ends("abc", "bc"));
	cr_expect(str_ends("abc", ""));
	cr_expect(str_ends("abc", "abc"));
	cr_expect_not(str_ends("abc", "zabc"));
	cr_expect_not(str_ends("abc", "ab"));
}

static const struct {
	const char *word;
	const char *nearest;
} slips[] = {
	{ "workers", "workers" },
	{ "wrokers", "workers" },
	{ "worker", "workers" },
	{ "workerss", "workers" },
	{ "duratoin", "duration" },
	{ "hodl", "hold" },
	{ "nothing", NULL },
	{ "", NULL },
	{ "xyz", NULL },
};

Test(str, nearest_is_a_slip_of_the_keys_away)
{
	static const char *const words[] = { "workers", "duration", "hold" };

	for (size_t i = 0; i < ARRAY_SIZE(slips); i++) {
		const char *nearest = str_nearest(slips[i].word, words, ARRAY_SIZE(words));

		cr_expect_eq(nearest != NULL, slips[i].nearest != NULL, "'%s'", slips[i].word);
		if (nearest && slips[i].nearest)
			cr_expect_str_eq(nearest, slips[i].nearest);
	}
	cr_expect_null(str_nearest("x", words, 0));
}

Test(str, nearest_survives_long_words)
{
	static char word[10001];
	const char *const words[] = { "workers", word };

	memset(word, 'x', sizeof(word) - 1);
	cr_expect_eq(str_nearest(word, words, 2), word);
}

Test(str, copy_always_ends)
{
	char target[4];

	cr_expect_str_eq(str_copy(target, sizeof(target), "ab"), "ab");
	cr_expect_str_eq(str_copy(target, sizeof(target), "abc"), "abc");
	cr_expect_str_eq(str_copy(target, sizeof(target), "abcd"), "abc");
	cr_expect_str_eq(str_copy(target, 1, "abcd"), "");
}

#define BYTES(literal) literal, sizeof(literal) - 1

static const struct {
	const char *bytes;
	size_t length;
	const char *safe;
} unsafe[] = {
	{ BYTES("plain\n\ttext"), "plain\n\ttext" },
	{ BYTES("\033[2J"), "?[2J" },
	{ BYTES("a\0b"), "a?b" },
	{ BYTES("\r\b\177"), "???" },
	{ BYTES("\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa7"), "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa7" },
	{ BYTES("\x80\xbf\xff"), "???" },
	{ BYTES("\xc2\x9b"), "??" },	       /* C1: the one-byte CSI */
	{ BYTES("\xc0\xaf"), "??" },	       /* overlong */
	{ BYTES("\xe0\x80\xaf"), "???" },      /* overlong */
	{ BYTES("\xed\xa0\x80"), "???" },      /* surrogate */
	{ BYTES("\xf4\x90\x80\x80"), "????" }, /* beyond Unicode */
	{ BYTES("x\xe2\x82"), "x??" },	       /* cut off */
	{ BYTES("\xe2\x80\xae"), "???" },      /* U+202E: right to left from here */
	{ BYTES("\xe2\x81\xa6"), "???" },      /* U+2066 */
	{ BYTES("\xe2\x80\xa8"), "???" },      /* U+2028: a line ends */
	{ BYTES("\xe2\x80\x8f"), "???" },      /* U+200F */
	{ BYTES("\xd8\x9c"), "??" },	       /* U+061C */
	{ BYTES("\xe2\x80\xa7\xe2\x80\xaf"), "\xe2\x80\xa7\xe2\x80\xaf" },
	{ BYTES(""), "" },
};

Test(str, copy_safe_cannot_drive_a_terminal)
{
	char target[64];

	for (size_t i = 0; i < ARRAY_SIZE(unsafe); i++)
		cr_expect_str_eq(
			str_copy_safe(target, sizeof(target), unsafe[i].bytes, unsafe[i].length),
			unsafe[i].safe, "row %zu: '%s'", i, target);
}

Test(str, copy_line_makes_one_line)
{
	char target[64];

	cr_expect_str_eq(str_copy_line(target, sizeof(target), BYTES("a\nb\tc\033")), "a b c?");
	cr_expect_str_eq(str_copy_line(target, 3, BYTES("\n\n\n")), "  ");
}

Test(str, copy_safe_cuts_between_characters)
{
	char target[4];

	cr_expect_str_eq(str_copy_safe(target, sizeof(target), BYTES("ab\xc3\xa4")), "ab");
	cr_expect_str_eq(str_copy_safe(target, sizeof(target), BYTES("a\xc3\xa4z")), "a\xc3\xa4");
	cr_expect_str_eq(str_copy_safe(target, 1, BYTES("abc")), "");
}

/* Errors, which stand in a header of their own. */

Test(error, fail_returns_the_code)
{
	struct ktstr_error err = { 0 };

	cr_expect_eq(ktstr_fail(&err, -ENOENT, "no '%s'", "x"), -ENOENT);
	cr_expect_eq(err.code, -ENOENT);
	cr_expect_str_eq(err.text, "no 'x'");
}

Test(error, fail_never_reads_as_success)
{
	struct ktstr_error err = { 0 };

	cr_expect_eq(ktstr_fail(&err, 0, "x"), -EINVAL);
	cr_expect_eq(ktstr_fail(&err, ENOENT, "x"), -EINVAL);
	cr_expect_eq(err.code, -EINVAL);
}

Test(error, long_texts_are_cut_with_dots)
{
	struct ktstr_error err = { 0 };
	char text[2001];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	cr_expect_eq(ktstr_fail(&err, -EINVAL, "%s", text), -EINVAL);
	cr_expect_eq(strlen(err.text), KTSTR_ERROR_TEXT_MAX - 1);
	cr_expect(str_ends(err.text, "x..."));
}

Test(error, prefix_keeps_the_code)
{
	struct ktstr_error err = { 0 };

	(void)ktstr_fail(&err, -ENOENT, "no file");
	cr_expect_eq(ktstr_prefix(&err, "in '%s'", "x"), -ENOENT);
	cr_expect_str_eq(err.text, "in 'x': no file");
}
