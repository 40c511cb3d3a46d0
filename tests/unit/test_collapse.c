/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/collapse.h"

#include <stdint.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/cleanup.h"

static struct str in, out;

static void teardown(void)
{
	str_done(&in);
	str_done(&out);
}

TestSuite(collapse, .fini = teardown);

static const char *collapse(void)
{
	cr_assert_eq(collapse_add(str_text(&in), in.length, &out), 0);
	return str_text(&out);
}

static void add(const char *text)
{
	cr_assert_eq(str_add(&in, text), 0);
}

/* One time round a loop: the same instructions at other addresses, with other registers. */
static void add_round(int number)
{
	cr_assert_eq(str_addf(&in,
			      "; for (i = 0; i < n; i++)\n"
			      "%d: (07) r1 += 1                      ; R1_w=scalar(umax=%d)\n"
			      "%d: (bf) r2 = r1                      ; frame1: R1_w=%d R2=%d\n"
			      "%d: R0=%d R1=scalar() R10=fp0\n"
			      "%d: (a5) if r1 < 0x%d goto pc-%d R1=%d\n",
			      100 + number * 4, number, 101 + number * 4, number, number,
			      102 + number * 4, number, 103 + number * 4, 99, 4, number),
		     0);
}

Test(collapse, leaves_a_short_log_alone)
{
	add("one\ntwo\nthree\n");
	cr_assert_str_eq(collapse(), "one\ntwo\nthree\n");
}

Test(collapse, has_nothing_to_say_of_nothing)
{
	cr_assert_eq(collapse_add("", 0, &out), 0);
	cr_assert_str_eq(str_text(&out), "");
}

Test(collapse, ends_the_last_line)
{
	add("one\ntwo");
	cr_assert_str_eq(collapse(), "one\ntwo\n");
}

Test(collapse, keeps_the_first_and_the_last_time_round)
{
	add("before\n");
	for (int i = 0; i < 40; i++)
		add_round(i);
	add("after\n");
	cr_assert_str_eq(collapse(),
			 "before\n"
			 "--- the next 5 lines come 40 times ---\n"
			 "; for (i = 0; i < n; i++)\n"
			 "100: (07) r1 += 1                      ; R1_w=scalar(umax=0)\n"
			 "101: (bf) r2 = r1                      ; frame1: R1_w=0 R2=0\n"
			 "102: R0=0 R1=scalar() R10=fp0\n"
			 "103: (a5) if r1 < 0x99 goto pc-4 R1=0\n"
			 "--- left out: 38 more of the same ---\n"
			 "; for (i = 0; i < n; i++)\n"
			 "256: (07) r1 += 1                      ; R1_w=scalar(umax=39)\n"
			 "257: (bf) r2 = r1                      ; frame1: R1_w=39 R2=39\n"
			 "258: R0=39 R1=scalar() R10=fp0\n"
			 "259: (a5) if r1 < 0x99 goto pc-4 R1=39\n"
			 "--- end of what comes 40 times ---\n"
			 "after\n");
}

Test(collapse, begins_with_three_times)
{
	add_round(0);
	add_round(1);
	cr_assert_null(strstr(collapse(), "---"));
	str_clear(&out);
	add_round(2);
	cr_assert_not_null(strstr(collapse(), "come 3 times"));
	cr_assert_not_null(strstr(str_text(&out), "--- left out: 1 more of the same ---"));
}

Test(collapse, begins_with_five_lines)
{
	for (int i = 0; i < 10; i++)
		add("a\nb\nc\nd\n");
	/* Two times four lines are a block of eight. */
	cr_assert_not_null(strstr(collapse(), "the next 8 lines come 5 times"));
}

Test(collapse, tells_lines_apart_that_say_something_else)
{
	for (int i = 0; i < 40; i++)
		cr_assert_eq(str_addf(&in, "%d: (07) r1 += %d\n", i, i), 0);
	cr_assert_null(strstr(collapse(), "---"));
}

Test(collapse, keeps_lines_of_the_source_apart)
{
	for (int i = 0; i < 40; i++)
		cr_assert_eq(str_addf(&in, "; R%d is not a register\n;a[%d] = 0;\n", i, i), 0);
	cr_assert_null(strstr(collapse(), "---"));
}

Test(collapse, finds_loops_in_loops)
{
	for (int i = 0; i < 6; i++) {
		cr_assert_eq(str_addf(&in, "outer begins\n1\n2\n3\n"), 0);
		for (int j = 0; j < 20; j++)
			add_round(j);
	}
	collapse();
	cr_assert_not_null(strstr(str_text(&out), "lines come 6 times"));
	cr_assert_not_null(strstr(str_text(&out), "the next 5 lines come 20 times"));
	cr_assert_lt(out.length, in.length / 4);
}

Test(collapse, finds_two_loops_of_different_length)
{
	for (int i = 0; i < 20; i++)
		add_round(i);
	for (int i = 0; i < 20; i++)
		add("a\nb\nc\nd\ne\nf\ng\n");
	collapse();
	cr_assert_not_null(strstr(str_text(&out), "the next 5 lines come 20 times"));
	cr_assert_not_null(strstr(str_text(&out), "the next 7 lines come 20 times"));
}

Test(collapse, shows_the_rest_of_a_loop_that_ended_on_its_way)
{
	for (int i = 0; i < 10; i++)
		add("a\nb\nc\nd\ne\nf\ng\n");
	add("a\nb\nR1 invalid mem access 'scalar'\n");
	cr_assert_not_null(strstr(collapse(), "end of what comes 10 times ---\na\nb\nR1 invalid"));
}

Test(collapse, looks_at_the_last_lines_of_a_long_log)
{
	for (uint32_t i = 0; i < COLLAPSE_LINES_MAX + 10; i++)
		cr_assert_eq(str_addf(&in, "line %u of none\n", i), 0);
	cr_assert(str_starts(collapse(), "line 10 of none\n"), "%.40s", str_text(&out));
	cr_assert(str_ends(str_text(&out), "of none\n"));
}

/* Lines that a clever guest might send; each in time that does not depend on what they are. */
Test(collapse, is_quick_whatever_comes, .timeout = 60)
{
	static const char *const lines[] = { "\n", "x\n", "R1=\n", ";\n", "0:\n" };
	uint32_t state = 1;

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		for (uint32_t j = 0; j < COLLAPSE_LINES_MAX; j++)
			add(lines[i]);
		collapse();
		str_clear(&in);
		str_clear(&out);
	}
	/* Few different lines in no order: many distances, none of which holds. */
	for (uint32_t j = 0; j < COLLAPSE_LINES_MAX; j++) {
		state = state * 1664525 + 1013904223;
		cr_assert_eq(str_addf(&in, "l%u\n", state >> 31), 0);
	}
	collapse();
	str_clear(&in);
	str_clear(&out);
	/* Repetitions that end one line before the third time. */
	for (uint32_t j = 0; j < COLLAPSE_LINES_MAX; j++)
		cr_assert_eq(str_addf(&in, "%c%u\n", 'a' + (int)(j % 1000), (j + 1) / 2999), 0);
	collapse();
}
