/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/checkers.h"

#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "ktstr/checker.h"

#define MOST KTSTR_LIMIT_AT_MOST
#define LEAST KTSTR_LIMIT_AT_LEAST
#define NONE KTSTR_LIMIT_NONE

#define PASS KTSTR_OUTCOME_PASS
#define SKIP KTSTR_OUTCOME_SKIP
#define UNDECIDED KTSTR_OUTCOME_UNDECIDED
#define FAIL KTSTR_OUTCOME_FAIL
#define ERROR KTSTR_OUTCOME_ERROR

/* A sentence without a figure. */
#define SAYS(OUTCOME, SUBJECT, TEXT)                                                               \
	{                                                                                          \
		OUTCOME, SUBJECT, "", "", 0, 0, NONE, TEXT                                         \
	}
#define GAP(OUTCOME, SUBJECT, MS, TEXT)                                                            \
	{                                                                                          \
		OUTCOME, SUBJECT, "longest gap", "ms", MS, 100, MOST, TEXT                         \
	}

static struct finding good_gaps[] = {
	GAP(PASS, "cgroup a", 20, "none of 2 workers stood still for longer than 20ms"),
	GAP(PASS, "cgroup b", 55.5, "none of 2 workers stood still for longer than 56ms"),
};
static struct finding bad_gaps[] = {
	GAP(FAIL, "tid 7", 200, "tid 7 stuck 200ms on cpu0 at +10ms (threshold 100ms)"),
	GAP(PASS, "cgroup b", 55.5, NULL),
	GAP(FAIL, "tid 8", 900, "tid 8 stuck 900ms on cpu1 at +10ms (threshold 100ms)"),
};
static struct finding work[] = {
	{ PASS, "cgroup a", "least work", "units", 3203072, 1, LEAST, NULL },
	{ PASS, "cgroup b", "least work", "units", 5000000, 1, LEAST, NULL },
};
static struct finding cpus[] = {
	{ PASS, "cgroup a", "unexpected CPUs", "", 0, 0, MOST, NULL },
	SAYS(SKIP, "cgroup b", "cgroup b was not bound to CPUs all the time"),
};
static struct finding nobody[] = { SAYS(UNDECIDED, "run", "no worker reported") };
static struct finding skipped[] = {
	SAYS(SKIP, "cgroup a", "cgroup a was not bound to CPUs all the time"),
	SAYS(SKIP, "cgroup b", "cgroup b was not bound to CPUs all the time"),
};
static struct finding died[] = {
	GAP(PASS, "cgroup b", 55.5, NULL),
	SAYS(ERROR, "tid 7", "worker tid 7 (x) was killed by SIGSEGV"),
	SAYS(ERROR, "tid 8", "worker tid 8 (x) was killed by SIGSEGV"),
};
static struct finding two_metrics[] = {
	{ PASS, "run", "wait", "ms", 5, 10, MOST, NULL },
	{ FAIL, "run", "wakes", "", 3, 10, LEAST, "too few wakes" },
};
static struct finding free_figures[] = {
	{ PASS, "cgroup a", "switches", "", 10, 0, NONE, NULL },
	{ PASS, "cgroup b", "switches", "", 99, 0, NONE, NULL },
};
static struct finding no_texts[] = {
	GAP(FAIL, "tid 7", 200, NULL),
	GAP(FAIL, "tid 8", 900, NULL),
};
static struct finding all_well[] = { SAYS(PASS, "run", "all is well") };
static struct finding orders[] = { GAP(UNDECIDED, "tid 7", 50, NULL) };

#define BY(NAME, OUTCOME, FINDINGS)                                                                \
	{                                                                                          \
		.name = NAME, .outcome = OUTCOME, .findings = FINDINGS,                            \
		.finding_count = ARRAY_SIZE(FINDINGS)                                              \
	}
#define REASON(NAME, OUTCOME, REASON)                                                              \
	{                                                                                          \
		.name = NAME, .outcome = OUTCOME, .reason = REASON                                 \
	}
#define TABLE(...)                                                                                 \
	(struct decision[])                                                                        \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}

static char *table_of(struct decision *decisions, size_t count, bool is_verbose)
{
	const struct verdict verdict = { .decisions = decisions, .decision_count = count };
	const struct checkers_style style = { .is_verbose = is_verbose };
	struct str text = { 0 };

	cr_assert_eq(checkers_add(&verdict, &style, &text), 0);
	return text.data;
}

static void expect(struct decision *decisions, size_t count, bool is_verbose, const char *expected)
{
	_cleanup_free_ char *text = table_of(decisions, count, is_verbose);

	cr_expect_str_eq(text, expected, "%s", text);
}

Test(report_checkers, shows_figures_like_sentences)
{
	struct decision table[] = { BY("isolation", PASS, cpus), BY("starvation", PASS, work),
				    BY("gap", PASS, good_gaps),
				    BY("switches", PASS, free_figures) };

	expect(table, ARRAY_SIZE(table), false,
	       "\nchecker\n"
	       "  isolation   PASS  0 unexpected CPUs (cgroup a)\n"
	       "  starvation  PASS  least work 3.2M units (worst: cgroup a)\n"
	       "  gap         PASS  longest gap 55.5 ms of at most 100 ms (worst: cgroup b)\n"
	       "  switches    PASS  10 switches (cgroup a and 1 more)\n");
}

Test(report_checkers, shows_those_that_have_something_against_the_run_first)
{
	struct decision table[] = { BY("starvation", PASS, work), BY("isolation", SKIP, skipped),
				    BY("gap", FAIL, bad_gaps) };

	expect(table, ARRAY_SIZE(table), false,
	       "\nchecker\n"
	       "  gap         FAIL  longest gap 900 ms, above 100 ms (worst: tid 8)\n"
	       "    tid 7 stuck 200ms on cpu0 at +10ms (threshold 100ms)\n"
	       "    tid 8 stuck 900ms on cpu1 at +10ms (threshold 100ms)\n"
	       "  starvation  PASS  least work 3.2M units (worst: cgroup a)\n"
	       "  isolation   SKIP  cgroup a was not bound to CPUs all the time\n"
	       "    cgroup b was not bound to CPUs all the time\n");
}

Test(report_checkers, shows_a_reason_in_place_of_figures)
{
	struct decision table[] = { REASON("gap", ERROR, "checker 'gap' was killed by SIGSEGV"),
				    REASON("odd", UNDECIDED, "saw none of the frames it needs"),
				    BY("died", ERROR, died),
				    { .name = "none" } };

	table[0].findings = good_gaps;
	table[0].finding_count = ARRAY_SIZE(good_gaps);
	table[2].reason = "checker 'died' could not judge the run: worker tid 7 (x) was killed by "
			  "SIGSEGV";
	expect(table, ARRAY_SIZE(table), false,
	       "\nchecker\n"
	       "  gap   ERROR      was killed by SIGSEGV\n"
	       "  odd   UNDECIDED  saw none of the frames it needs\n"
	       "  died  ERROR      worker tid 7 (x) was killed by "
	       "SIGSEGV\n"
	       "    worker tid 8 (x) was killed by SIGSEGV\n"
	       "  none  NONE       never decided\n");
}

Test(report_checkers, says_once_what_several_have_to_say)
{
	struct decision table[] = { BY("a", ERROR, died), BY("b", ERROR, died) };

	expect(table, ARRAY_SIZE(table), false,
	       "\nchecker\n"
	       "  a  ERROR  worker tid 7 (x) was killed by SIGSEGV\n"
	       "    worker tid 8 (x) was killed by SIGSEGV\n"
	       "  b  ERROR  worker tid 7 (x) was killed by SIGSEGV\n");
}

Test(report_checkers, says_of_each_what_it_has_to_say)
{
	struct decision table[] = { BY("a", UNDECIDED, nobody), BY("b", UNDECIDED, nobody) };

	expect(table, ARRAY_SIZE(table), false,
	       "\nchecker\n"
	       "  a  UNDECIDED  no worker reported\n"
	       "  b  UNDECIDED  no worker reported\n");
}

Test(report_checkers, shows_a_line_for_each_metric)
{
	struct decision table[] = { BY("mine", FAIL, two_metrics) };

	expect(table, 1, false,
	       "\nchecker\n"
	       "  mine  FAIL  wait 5 ms of at most 10 ms (run)\n"
	       "              3 wakes, below 10 (run)\n"
	       "    too few wakes\n");
}

Test(report_checkers, shows_figures_where_there_are_no_sentences)
{
	struct decision table[] = { BY("gap", FAIL, no_texts), BY("odd", UNDECIDED, orders),
				    BY("well", PASS, all_well) };

	expect(table, ARRAY_SIZE(table), false,
	       "\nchecker\n"
	       "  gap   FAIL       longest gap 900 ms, above 100 ms (worst: tid 8)\n"
	       "    tid 7: longest gap 200 ms, above 100 ms\n"
	       "  odd   UNDECIDED  longest gap 50 ms of at most 100 ms (tid 7)\n"
	       "  well  PASS       all is well\n");
}

Test(report_checkers, shows_all_sentences_when_verbose)
{
	struct decision table[] = { BY("gap", PASS, good_gaps), BY("isolation", PASS, cpus),
				    BY("well", PASS, all_well) };

	expect(table, ARRAY_SIZE(table), true,
	       "\nchecker\n"
	       "  gap        PASS  longest gap 55.5 ms of at most 100 ms (worst: cgroup b)\n"
	       "    none of 2 workers stood still for longer than 20ms\n"
	       "    none of 2 workers stood still for longer than 56ms\n"
	       "  isolation  PASS  0 unexpected CPUs (cgroup a)\n"
	       "    cgroup b was not bound to CPUs all the time\n"
	       "  well       PASS  all is well\n");
}

Test(report_checkers, leaves_out_what_is_beyond_eight_sentences)
{
	static char texts[12][32];
	struct finding findings[12];
	struct decision table = { .name = "gap",
				  .outcome = FAIL,
				  .findings = findings,
				  .finding_count = ARRAY_SIZE(findings) };
	_cleanup_free_ char *some = NULL;
	_cleanup_free_ char *all = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(findings); i++) {
		(void)snprintf(texts[i], sizeof(texts[i]), "tid %zu stuck", i);
		findings[i] = (struct finding)GAP(FAIL, texts[i], 200, texts[i]);
	}
	some = table_of(&table, 1, false);
	cr_expect(strstr(some, "    tid 7 stuck\n"
			       "    and 4 more like these (--verbose shows them)\n"),
		  "%s", some);
	cr_expect_null(strstr(some, "    tid 8 stuck"));
	all = table_of(&table, 1, true);
	cr_expect(strstr(all, "    tid 11 stuck\n"), "%s", all);
	cr_expect_null(strstr(all, "more like these"));
}

Test(report_checkers, colours_the_outcome_alone)
{
	struct decision table[] = { BY("a", PASS, all_well), BY("b", UNDECIDED, nobody) };
	const struct verdict verdict = { .decisions = table, .decision_count = 2 };
	const struct checkers_style style = { .has_colour = true };
	struct str text = { 0 };

	cr_assert_eq(checkers_add(&verdict, &style, &text), 0);
	cr_expect_str_eq(str_text(&text), "\nchecker\n"
					  "  b  \033[1;33mUNDECIDED\033[0m  no worker reported\n"
					  "  a  \033[1;32mPASS\033[0m       all is well\n");
	str_done(&text);
}

Test(report_checkers, know_whether_they_say_the_reason_of_the_verdict)
{
	struct decision table[] = { BY("gap", FAIL, bad_gaps),
				    REASON("x", ERROR, "checker 'x' was killed by SIGSEGV") };
	static const struct {
		const char *reason;
		bool is_said;
	} reasons[] = {
		{ "checker 'gap': tid 8 stuck 900ms on cpu1 at +10ms (threshold 100ms) (and 1 "
		  "more)",
		  true },
		{ "checker 'x' was killed by SIGSEGV", true },
		{ "QEMU was killed by SIGSEGV", false },
		{ "", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		struct verdict verdict = { .decisions = table, .decision_count = 2 };

		(void)snprintf(verdict.reason, sizeof(verdict.reason), "%s", reasons[i].reason);
		cr_expect_eq(checkers_say_reason(&verdict), reasons[i].is_said, "%s",
			     reasons[i].reason);
	}
}
