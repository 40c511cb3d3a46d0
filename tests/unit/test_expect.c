/* SPDX-License-Identifier: GPL-2.0-only */
#include "config/expect.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "config/scenario.h"
#include "ktstr/outcome.h"
#include "ktstr/sched_ext.h"

static struct scenario_spec *spec;
static struct ktstr_error err;

static void teardown(void)
{
	scenario_free(spec);
}

TestSuite(expect, .fini = teardown);

static const struct expectation *expect_of(const char *yaml)
{
	char text[4096];

	(void)snprintf(text, sizeof(text), "scenario: x\nexpect: %s\n", yaml);
	scenario_free(spec);
	spec = NULL;
	cr_assert_eq(scenario_parse("f.yaml", text, strlen(text), &spec, &err), 0, "%s", err.text);
	return &spec->expect;
}

Test(expect, a_pass_needs_no_reason)
{
	const struct expectation *expect = expect_of("{outcome: pass}");

	cr_expect(expect->is_given);
	cr_expect_eq(expect->outcome, KTSTR_OUTCOME_PASS);
	cr_expect_not(expect->has_scx_exit);
	cr_expect_null(expect->start_error);
	cr_expect_eq(expect->checker_count, 0);
}

Test(expect, every_key_is_read)
{
	const struct expectation *expect =
		expect_of("{outcome: fail, scx_exit: {kind: stall, message: failed to run for}, "
			  "start: no such, checkers: [gap, fairness]}");

	cr_expect(expect->is_given);
	cr_expect_eq(expect->outcome, KTSTR_OUTCOME_FAIL);
	cr_expect(expect->has_scx_exit);
	cr_expect(expect->has_scx_kind);
	cr_expect_eq(expect->scx_kind, KTSTR_SCX_EXIT_ERROR_STALL);
	cr_expect_str_eq(expect->scx_message, "failed to run for");
	cr_expect_str_eq(expect->start_error, "no such");
	cr_assert_eq(expect->checker_count, 2);
	cr_expect_str_eq(expect->checkers[1], "fairness");
	cr_expect_eq(expect->checker_places[1].line, 2);
	cr_expect_eq(expect->checker_places[1].column, 110);
	cr_expect(expectation_names(expect, "gap"));
	cr_expect_not(expectation_names(expect, "ga"));
}

Test(expect, one_reason_is_enough)
{
	const struct expectation *expect = expect_of("{outcome: fail, scx_exit: {message: x}}");

	cr_expect(expect->has_scx_exit);
	cr_expect_not(expect->has_scx_kind);
	expect = expect_of("{outcome: fail, scx_exit: {kind: error}}");
	cr_expect_null(expect->scx_message);
	expect = expect_of("{outcome: fail, start: x}");
	cr_expect_not(expect->has_scx_exit);
	expect = expect_of("{outcome: fail, checkers: [x]}");
	cr_expect_null(expect->start_error);
}

Test(expect, knows_the_kinds_by_the_names_of_reports)
{
	static const char *const names[] = { "unreg",  "unreg_bpf", "unreg_kern", "sysrq",
					     "parent", "error",	    "error_bpf",  "stall" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char text[100];
		uint32_t kind = 0;

		cr_assert_eq(expectation_kind(names[i], &kind), 0, "%s", names[i]);
		cr_expect_str_eq(ktstr_scx_exit_name(kind), names[i]);
		(void)snprintf(text, sizeof(text), "{outcome: fail, scx_exit: {kind: %s}}",
			       names[i]);
		cr_expect_eq(expect_of(text)->scx_kind, kind);
	}
}

Test(expect, knows_no_kind_that_is_no_end)
{
	uint32_t kind = 7;

	cr_expect_eq(expectation_kind("none", &kind), -EINVAL);
	cr_expect_eq(expectation_kind("", &kind), -EINVAL);
	cr_expect_eq(kind, 7);
}

/* The value of `expect`, which stands at 2:9. */
static const struct {
	const char *yaml;
	const char *says;
} refused[] = {
	{ "fail", "f.yaml:2:9: 'expect' must be a map, like {outcome: fail, scx_exit: {kind: "
		  "stall}}\n" },
	{ "", "f.yaml:2:8: 'expect' must be a map, " },
	{ "{}", "f.yaml:2:9: missing key 'outcome'" },
	{ "{outcome: error}", "f.yaml:2:19: 'outcome' must be one of pass, fail, not 'error'\n" },
	{ "{outcome: fial, start: x}", "f.yaml:2:19: 'outcome' must be one of pass, fail" },
	{ "{outcome: fail, strat: x}", "f.yaml:2:25: unknown key 'strat', did you mean 'start'?" },
	{ "{outcome: fail, scx_exit: stall}", "f.yaml:2:35: 'scx_exit' must be a map" },
	{ "{outcome: fail, scx_exit: {kind: stal}}",
	  "f.yaml:2:42: 'kind' must be one of unreg, unreg_bpf, unreg_kern, sysrq, parent, error, "
	  "error_bpf, stall, not 'stal'" },
	{ "{outcome: fail, scx_exit: {kind: none}}", "f.yaml:2:42: 'kind' must be one of " },
	{ "{outcome: fail, scx_exit: {reason: x}}", "f.yaml:2:36: unknown key 'reason'" },
	{ "{outcome: fail, scx_exit: {}}",
	  "f.yaml:2:19: 'scx_exit' must say how the scheduler ends: give its 'kind', its "
	  "'message', or both" },
	{ "{outcome: fail, scx_exit: {message: ''}}", "f.yaml:2:45: 'message' has no value" },
	{ "{outcome: fail, start: \"a\\tb\"}",
	  "f.yaml:2:32: a text that is expected is a part of one line; leave out line ends, tabs "
	  "and the like" },
	{ "{outcome: fail, scx_exit: {message: \"a\\e[1m\"}}",
	  "f.yaml:2:45: a text that is expected is a part of one line" },
	{ "{outcome: fail}",
	  "f.yaml:2:19: a FAIL for any reason proves nothing: say which one with 'scx_exit', "
	  "'start' or 'checkers'\n" },
	{ "{outcome: fail, checkers: []}", "f.yaml:2:19: a FAIL for any reason proves nothing" },
	{ "{outcome: pass, scx_exit: {kind: unreg}}",
	  "f.yaml:2:19: a run with 'scx_exit', 'start' or 'checkers' that come true is no PASS: "
	  "say 'outcome: fail', or leave them out\n" },
	{ "{outcome: pass, start: x}", "f.yaml:2:19: a run with 'scx_exit', 'start' or " },
	{ "{outcome: pass, checkers: [x]}", "f.yaml:2:19: a run with 'scx_exit', 'start' or " },
	{ "{outcome: fail, checkers: x}", "f.yaml:2:35: 'checkers' must be a list" },
	{ "{outcome: fail, checkers: [gap, gap]}",
	  "f.yaml:2:41: checker 'gap' is expected to FAIL twice; once is enough" },
	{ "{outcome: fail, checkers: [a234567890123456789012345678901x]}", "f.yaml:2:36: " },
};

Test(expect, refusals_name_the_place)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		char text[4096];

		(void)snprintf(text, sizeof(text), "scenario: x\nexpect: %s\n", refused[i].yaml);
		cr_expect_eq(scenario_parse("f.yaml", text, strlen(text), &spec, &err), -EINVAL,
			     "%s", refused[i].yaml);
		cr_expect_eq(strncmp(err.text, refused[i].says, strlen(refused[i].says)), 0,
			     "%s\n%s", refused[i].yaml, err.text);
		cr_expect_null(spec);
	}
}

Test(expect, knows_what_can_stand_in_a_line)
{
	char text[EXPECT_TEXT_MAX + 2];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	cr_expect_not(expectation_is_text(text));
	text[sizeof(text) - 2] = '\0';
	cr_expect(expectation_is_text(text));
	cr_expect(expectation_is_text("w\xc3\xbcrde: 'x[1]'"));
	cr_expect_not(expectation_is_text("\xc2\x9b"
					  "2J"));
	cr_expect_not(expectation_is_text("a\nb"));
}

Test(expect, is_copied_whole)
{
	const struct expectation *expect =
		expect_of("{outcome: fail, scx_exit: {kind: error, message: m}, start: s, "
			  "checkers: [gap, fairness]}");
	struct expectation copy = { 0 };

	cr_assert_eq(expectation_copy(expect, &copy), 0);
	scenario_free(spec);
	spec = NULL;
	cr_expect(copy.is_given);
	cr_expect_eq(copy.outcome, KTSTR_OUTCOME_FAIL);
	cr_expect(copy.has_scx_exit);
	cr_expect(copy.has_scx_kind);
	cr_expect_eq(copy.scx_kind, KTSTR_SCX_EXIT_ERROR);
	cr_expect_str_eq(copy.scx_message, "m");
	cr_expect_str_eq(copy.start_error, "s");
	cr_assert_eq(copy.checker_count, 2);
	cr_expect_str_eq(copy.checkers[1], "fairness");
	cr_expect_null(copy.checker_places);
	expectation_done(&copy);
}

Test(expect, done_takes_what_was_never_filled)
{
	struct expectation nothing = { 0 };

	expectation_done(&nothing);
	cr_expect_not(nothing.is_given);
}
