/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/figure.h"

#include <math.h>

#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "ktstr/checker.h"

#define NONE KTSTR_LIMIT_NONE
#define AT_MOST KTSTR_LIMIT_AT_MOST
#define AT_LEAST KTSTR_LIMIT_AT_LEAST

static const struct {
	const char *metric, *unit;
	double measured, limit;
	uint32_t limit_kind;
	const char *text;
} rows[] = {
	{ "longest gap", "ms", 55.52, 4000, AT_MOST, "longest gap 55.5 ms of at most 4000 ms" },
	{ "longest gap", "ms", 4000, 4000, AT_MOST, "longest gap 4000 ms of at most 4000 ms" },
	{ "longest gap", "ms", 4100, 4000, AT_MOST, "longest gap 4100 ms, above 4000 ms" },
	/* What is measured is not shortened, and never reads like its limit by rounding. */
	{ "longest gap", "ms", 123456, 200000, AT_MOST,
	  "longest gap 123456 ms of at most 200000 ms" },
	{ "spread", "%", 15.04, 15, AT_MOST, "spread 15.04 %, above 15.00 %" },
	{ "spread", "%", 15, 15, AT_MOST, "spread 15 % of at most 15 %" },
	{ "work", "units", 1000001, 1000000, AT_MOST, "work 1000001 units, above 1000000 units" },
	/* A limit from below. */
	{ "throughput", "wakes/s", 20, 10, AT_LEAST,
	  "throughput 20 wakes/s of at least 10 wakes/s" },
	{ "throughput", "wakes/s", 9, 10, AT_LEAST, "throughput 9 wakes/s, below 10 wakes/s" },
	{ "share", "%", 5, 1, AT_LEAST, "share 5 % of at least 1 %" },
	/* Counted. */
	{ "unexpected CPUs", "", 3, 2, AT_MOST, "3 unexpected CPUs, above 2" },
	{ "unexpected CPUs", "", 1, 2, AT_MOST, "1 unexpected CPU of at most 2" },
	{ "workers that reported", "", 12, 12, AT_LEAST,
	  "12 workers that reported of at least 12" },
	{ "least work", "units", 1, 0, NONE, "least work 1 unit" },
	{ "wait", "ms", 1, 0, NONE, "wait 1 ms" },
	{ "delay", "s", 1, 0, NONE, "delay 1 s" },
	/* A limit of nothing goes without saying. */
	{ "unexpected CPUs", "", 0, 0, AT_MOST, "0 unexpected CPUs" },
	{ "unexpected CPUs", "", 2, 0, AT_MOST, "2 unexpected CPUs" },
	{ "least work", "units", 3203072, 1, AT_LEAST, "least work 3.2M units" },
	{ "least work", "units", 0, 1, AT_LEAST, "least work 0 units" },
	/* Large counts. */
	{ "iterations", "", 99999, 0, NONE, "99999 iterations" },
	{ "iterations", "", 100000, 0, NONE, "100k iterations" },
	{ "iterations", "", 12.34e9, 0, NONE, "12.3G iterations" },
	{ "iterations", "", -5e12, 0, NONE, "-5T iterations" },
	{ "iterations", "", 7e15, 0, NONE, "7000T iterations" },
	/* What no decoder lets through is still no reason to break. */
	{ "x", "", NAN, 1, AT_MOST, "not a number x of at most 1" },
	{ "x", "ms", 5, INFINITY, AT_MOST, "x 5 ms" },
	{ "a\nb", "\033[1m", 5, 0, NONE, "a b 5 ?[1m" },
};

Test(figure, reads_like_a_part_of_a_sentence)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct finding finding = { .metric = (char *)rows[i].metric,
						 .unit = (char *)rows[i].unit,
						 .measured = rows[i].measured,
						 .limit = rows[i].limit,
						 .limit_kind = rows[i].limit_kind };
		struct str text = { 0 };

		cr_assert_eq(figure_add(&finding, &text), 0);
		cr_expect_str_eq(str_text(&text), rows[i].text, "%zu: '%s' is not '%s'", i,
				 str_text(&text), rows[i].text);
		str_done(&text);
	}
}

Test(figure, is_not_there_without_a_metric)
{
	cr_expect_not(figure_is_there(&(struct finding){ .metric = NULL }));
	cr_expect_not(figure_is_there(&(struct finding){ .metric = (char *)"" }));
	cr_expect(figure_is_there(&(struct finding){ .metric = (char *)"x" }));
}

static struct finding made(uint32_t outcome, double measured, double limit, uint32_t kind)
{
	return (struct finding){
		.outcome = outcome, .measured = measured, .limit = limit, .limit_kind = kind
	};
}

Test(figure, tells_which_of_two_is_worse)
{
	const uint32_t good = KTSTR_OUTCOME_PASS, bad = KTSTR_OUTCOME_FAIL;
	const struct {
		struct finding worse, better;
	} pairs[] = {
		{ made(bad, 1, 10, AT_MOST), made(good, 9, 10, AT_MOST) },
		{ made(good, 9, 10, AT_MOST), made(good, 1, 10, AT_MOST) },
		/* Each has its own limit. */
		{ made(good, 9, 10, AT_MOST), made(good, 10, 100, AT_MOST) },
		{ made(good, 20, 10, AT_LEAST), made(good, 50, 10, AT_LEAST) },
		{ made(bad, 0, 10, AT_LEAST), made(bad, 1, 10, AT_LEAST) },
		{ made(bad, 2, 0, AT_MOST), made(bad, 1, 0, AT_MOST) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		cr_expect(figure_is_worse(&pairs[i].worse, &pairs[i].better), "%zu", i);
		cr_expect_not(figure_is_worse(&pairs[i].better, &pairs[i].worse), "%zu", i);
	}
}

Test(figure, makes_none_worse_without_a_limit)
{
	const struct finding a = made(KTSTR_OUTCOME_PASS, 1, 5, NONE);
	const struct finding b = made(KTSTR_OUTCOME_PASS, 2, 5, NONE);

	cr_expect_not(figure_is_worse(&a, &b));
	cr_expect_not(figure_is_worse(&b, &a));
}
