/* SPDX-License-Identifier: GPL-2.0-only */
#include "explore/tally.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/str.h"
#include "explore/progress.h"

static struct tally tally;

static void setup(void)
{
	cr_assert_eq(tally_init(&tally, 10, 29), 0);
}

static void teardown(void)
{
	tally_done(&tally);
}

TestSuite(tally, .init = setup, .fini = teardown);

static struct tally_change add(uint64_t seed, uint32_t outcome, const char *text)
{
	struct journal_entry entry = { .seed = seed, .signature = { .outcome = outcome } };
	struct tally_change change;

	str_copy(entry.signature.text, sizeof(entry.signature.text), text);
	tally_add(&tally, &entry, &change);
	return change;
}

Test(tally, groups_by_signature)
{
	add(10, KTSTR_OUTCOME_PASS, "");
	add(11, KTSTR_OUTCOME_FAIL, "a");
	add(12, KTSTR_OUTCOME_FAIL, "b");
	add(13, KTSTR_OUTCOME_FAIL, "a");
	add(14, KTSTR_OUTCOME_ERROR, "a");
	cr_assert_eq(tally.group_count, 3);
	cr_assert_eq(tally.done, 5);
	cr_assert_eq(tally_count(&tally, KTSTR_OUTCOME_PASS), 1);
	cr_assert_eq(tally_count(&tally, KTSTR_OUTCOME_FAIL), 3);
	cr_assert_eq(tally_count(&tally, KTSTR_OUTCOME_ERROR), 1);
	cr_assert_eq(tally.groups[0].count, 2);
}

Test(tally, keeps_the_run_of_the_lowest_seed)
{
	struct tally_change change = add(20, KTSTR_OUTCOME_FAIL, "a");

	cr_assert(change.is_first && change.is_kept && !change.has_superseded);
	cr_assert(tally_keeps(&tally, 20));
	change = add(25, KTSTR_OUTCOME_FAIL, "a");
	cr_assert(!change.is_first && !change.is_kept && !change.has_superseded);
	change = add(15, KTSTR_OUTCOME_FAIL, "a");
	cr_assert(!change.is_first && change.is_kept && change.has_superseded);
	cr_assert_eq(change.superseded, 20);
	cr_assert(tally_keeps(&tally, 15));
	cr_assert_not(tally_keeps(&tally, 20));
	change = add(16, KTSTR_OUTCOME_PASS, "");
	cr_assert(!change.is_first && !change.is_kept);
}

Test(tally, knows_the_lowest_seeds_of_many)
{
	for (uint64_t seed = 29; seed >= 10; seed--)
		add(seed, KTSTR_OUTCOME_FAIL, "a");
	cr_assert_eq(tally.groups[0].count, 20);
	cr_assert_eq(tally.groups[0].seed_count, TALLY_FIRST_SEEDS);
	for (size_t i = 0; i < TALLY_FIRST_SEEDS; i++)
		cr_expect_eq(tally.groups[0].seeds[i], 10 + i);
}

Test(tally, finds_what_is_to_be_run)
{
	uint64_t seed = 0;

	cr_assert(tally_next(&tally, 10, &seed));
	cr_assert_eq(seed, 10);
	add(10, KTSTR_OUTCOME_PASS, "");
	add(11, KTSTR_OUTCOME_PASS, "");
	add(29, KTSTR_OUTCOME_PASS, "");
	cr_assert(tally_has(&tally, 11));
	cr_assert_not(tally_has(&tally, 12));
	cr_assert(tally_next(&tally, 10, &seed));
	cr_assert_eq(seed, 12);
	cr_assert_not(tally_next(&tally, 29, &seed));
}

Test(tally, counts_errors_in_a_row)
{
	add(10, KTSTR_OUTCOME_ERROR, "a");
	add(11, KTSTR_OUTCOME_ERROR, "b");
	cr_assert_eq(tally.errors_in_a_row, 2);
	add(12, KTSTR_OUTCOME_PASS, "");
	cr_assert_eq(tally.errors_in_a_row, 0);
	add(13, KTSTR_OUTCOME_ERROR, "a");
	cr_assert_eq(tally.errors_in_a_row, 1);
	add(14, KTSTR_OUTCOME_FAIL, "a");
	cr_assert_eq(tally.errors_in_a_row, 0);
}

Test(tally, has_the_worst_outcome)
{
	cr_assert_eq(tally_outcome(&tally), KTSTR_OUTCOME_ERROR, "nothing was run");
	add(10, KTSTR_OUTCOME_PASS, "");
	cr_assert_eq(tally_outcome(&tally), KTSTR_OUTCOME_PASS);
	add(11, KTSTR_OUTCOME_SKIP, "s");
	cr_assert_eq(tally_outcome(&tally), KTSTR_OUTCOME_SKIP);
	add(12, KTSTR_OUTCOME_UNDECIDED, "u");
	cr_assert_eq(tally_outcome(&tally), KTSTR_OUTCOME_UNDECIDED);
	add(13, KTSTR_OUTCOME_ERROR, "e");
	cr_assert_eq(tally_outcome(&tally), KTSTR_OUTCOME_ERROR);
	add(14, KTSTR_OUTCOME_FAIL, "f");
	cr_assert_eq(tally_outcome(&tally), KTSTR_OUTCOME_FAIL);
}

Test(tally, is_sorted_by_what_matters)
{
	add(10, KTSTR_OUTCOME_SKIP, "s");
	add(11, KTSTR_OUTCOME_ERROR, "e");
	add(12, KTSTR_OUTCOME_ERROR, "e");
	add(13, KTSTR_OUTCOME_FAIL, "later");
	add(14, KTSTR_OUTCOME_FAIL, "more");
	add(15, KTSTR_OUTCOME_FAIL, "more");
	tally_sort(&tally);
	cr_expect_str_eq(tally.groups[0].signature.text, "more");
	cr_expect_str_eq(tally.groups[1].signature.text, "later");
	cr_expect_str_eq(tally.groups[2].signature.text, "e");
	cr_expect_str_eq(tally.groups[3].signature.text, "s");
}

Test(tally, bounds_how_many_signatures_it_tells_apart)
{
	struct tally wide;

	cr_assert_eq(tally_init(&wide, 0, 999), 0);
	for (uint64_t seed = 0; seed < 1000; seed++) {
		struct journal_entry entry = {
			.seed = seed,
			.signature = { .outcome =
					       seed % 2 ? KTSTR_OUTCOME_FAIL : KTSTR_OUTCOME_ERROR }
		};
		struct tally_change change;

		(void)snprintf(entry.signature.text, sizeof(entry.signature.text), "%d", (int)seed);
		tally_add(&wide, &entry, &change);
	}
	cr_assert_eq(wide.group_count, TALLY_GROUPS_MAX + 2);
	cr_assert_eq(tally_count(&wide, KTSTR_OUTCOME_FAIL), 500);
	cr_assert_eq(tally_count(&wide, KTSTR_OUTCOME_ERROR), 500);
	cr_assert_str_eq(wide.groups[TALLY_GROUPS_MAX].signature.text,
			 "(of more kinds than are told apart)");
	tally_done(&wide);
}

Test(progress, says_how_long_it_takes)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} cases[] = {
		{ 0, "0 s" },
		{ UINT64_C(59400000000), "59 s" },
		{ UINT64_C(60000000000), "1 min 0 s" },
		{ UINT64_C(3599000000000), "59 min 59 s" },
		{ UINT64_C(7500000000000), "2 h 5 min" },
	};
	char text[40];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		progress_duration(cases[i].ns, text, sizeof(text));
		cr_expect_str_eq(text, cases[i].text, "%s", text);
	}
}

Test(tally, is_told_in_one_line)
{
	char text[200];

	progress_text(&tally, 0, 0, text, sizeof(text));
	cr_expect_str_eq(text, "0 of 20 seeds");
	add(10, KTSTR_OUTCOME_PASS, "");
	add(11, KTSTR_OUTCOME_FAIL, "a");
	add(12, KTSTR_OUTCOME_FAIL, "b");
	add(13, KTSTR_OUTCOME_ERROR, "e");
	/* Two of them were there before. */
	progress_text(&tally, 2, UINT64_C(4000000000), text, sizeof(text));
	cr_expect_str_eq(text, "4 of 20 seeds, 0.5/s, 2 FAIL of 2 kinds, 1 ERROR, 32 s left", "%s",
			 text);
	for (uint64_t seed = 14; seed < 30; seed++)
		add(seed, KTSTR_OUTCOME_PASS, "");
	progress_text(&tally, 18, UINT64_C(9000000000), text, sizeof(text));
	cr_expect_str_eq(text, "20 of 20 seeds, 2/s, 2 FAIL of 2 kinds, 1 ERROR", "%s", text);
}
