/* SPDX-License-Identifier: GPL-2.0-only */
/* The JSON documents of a report. */
#include "report/report.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <jansson.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "ktstr/checker.h"
#include "support/report_fixture.h"

static struct run_fixture fixture;

static void setup(void)
{
	run_fixture_init(&fixture);
}

static void teardown(void)
{
	run_fixture_done(&fixture);
}

TestSuite(report_json, .init = setup, .fini = teardown);

static json_t *json_of(const struct verdict *verdict, const struct report_spec *spec)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);
	struct ktstr_error err;
	json_t *json;

	cr_assert_eq(report_json(out, verdict, spec, &err), 0, "%s", err.text);
	cr_assert_eq(fclose(out), 0);
	json = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
	cr_assert_not_null(json, "%s", text);
	free(text);
	return json;
}

Test(report_json, writes_one_json_document)
{
	struct report_spec spec = { .run_fd = fixture.fd,
				    .run_path = fixture.path,
				    .console_path = "/r/console.log",
				    .took_ns = 5 * NS_PER_S };
	const char *outcome, *subject, *release, *command;
	json_t *json, *workers;
	double measured, cpu, total;
	int exit_code;

	fixture_whole_run(&fixture);
	json = json_of(&fixture_failure, &spec);
	cr_assert_eq(json_unpack(json, "{s{ss}si s[{}{s[{}{ss sf}]}] s{s{ss}} ss s{sf}}", "verdict",
				 "outcome", &outcome, "exit_code", &exit_code, "checkers",
				 "findings", "subject", &subject, "measured", &measured,
				 "environment", "kernel", "release", &release, "command", &command,
				 "timings", "total_s", &total),
		     0);
	cr_assert_str_eq(outcome, "FAIL");
	cr_assert_eq(exit_code, EXIT_FAIL);
	cr_assert_str_eq(subject, "cgroup hog1");
	cr_assert_float_eq(measured, 32.14, 1e-9);
	cr_assert_str_eq(release, "7.2.0");
	cr_assert_str_eq(command, "ktstr run hog.yaml --seed 7");
	cr_assert_float_eq(total, 5.0, 1e-9);
	workers = json_object_get(json, "workers");
	cr_assert_eq(json_array_size(workers), 2);
	cr_assert_eq(json_unpack(json_array_get(workers, 0), "{sf}", "cpu_percent", &cpu), 0);
	cr_assert_float_eq(cpu, 25.0, 1e-9);
	cr_assert_eq(json_integer_value(json_object_get(json, "schema_version")), 1);
	json_decref(json);
}

Test(report_json, says_in_json_what_a_limit_asks_for)
{
	static struct finding findings[] = {
		{ KTSTR_OUTCOME_PASS, "a", "work", "units", 5, 1, KTSTR_LIMIT_AT_LEAST, NULL },
		{ KTSTR_OUTCOME_PASS, "a", "gap", "ms", 5, 9, KTSTR_LIMIT_AT_MOST, NULL },
		{ KTSTR_OUTCOME_PASS, "a", "wakes", "", 5, 9, KTSTR_LIMIT_NONE, NULL },
		{ KTSTR_OUTCOME_SKIP, "a", "", "", 5, 9, KTSTR_LIMIT_AT_MOST, "not here" },
	};
	static const struct {
		const char *kind;
		bool has_figure, has_limit;
	} wanted[] = {
		{ "at_least", true, true },
		{ "at_most", true, true },
		{ "none", true, false },
		{ "none", false, false },
	};
	struct decision decision = { .name = "x",
				     .outcome = KTSTR_OUTCOME_PASS,
				     .findings = findings,
				     .finding_count = ARRAY_SIZE(findings) };
	const struct verdict verdict = { .decisions = &decision, .decision_count = 1 };
	struct report_spec spec = { .run_fd = fixture.fd, .run_path = fixture.path };
	json_t *json, *list;

	run_fixture_close(&fixture);
	json = json_of(&verdict, &spec);
	list = json_object_get(json_array_get(json_object_get(json, "checkers"), 0), "findings");
	cr_assert_eq(json_array_size(list), ARRAY_SIZE(wanted));
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		const json_t *found = json_array_get(list, i);

		cr_expect_str_eq(json_string_value(json_object_get(found, "limit_kind")),
				 wanted[i].kind);
		cr_expect_eq(json_is_real(json_object_get(found, "measured")), wanted[i].has_figure,
			     "%zu", i);
		cr_expect_eq(json_is_real(json_object_get(found, "limit")), wanted[i].has_limit,
			     "%zu", i);
	}
	json_decref(json);
}

static long json_allocations_left;

static void *allocate_some(size_t size)
{
	return json_allocations_left-- > 0 ? malloc(size) : NULL;
}

/* All of it or nothing: an entry that is missing would be a lie. */
Test(report_json, writes_no_json_that_lacks_something_for_want_of_memory)
{
	struct report_spec spec = { .run_fd = fixture.fd, .run_path = fixture.path };
	char *whole = NULL;
	size_t failed = 0;

	fixture_whole_run(&fixture);
	json_set_alloc_funcs(allocate_some, free);
	for (long left = 1 << 20; left != 0; left = left == 1 << 20 ? 1 : left + 1) {
		char *text = NULL;
		size_t length = 0;
		FILE *out = open_memstream(&text, &length);
		struct ktstr_error err = { 0 };
		int rc;

		json_allocations_left = left;
		rc = report_json(out, &fixture_failure, &spec, &err);
		cr_assert_eq(fclose(out), 0);
		if (!whole) {
			cr_assert_eq(rc, 0);
			whole = text;
			continue;
		}
		if (rc == 0)
			left = -1;
		else
			failed++;
		/* Without the META record, which could not be read, the report says less. */
		if (rc == 0 && strstr(text, "\"environment\": {"))
			cr_assert_str_eq(text, whole);
		else if (rc < 0)
			cr_assert_eq(rc, -ENOMEM, "%s", err.text);
		free(text);
	}
	cr_assert_gt(failed, 100);
	free(whole);
	json_set_alloc_funcs(malloc, free);
}

Test(report_json, says_in_json_whether_the_evidence_is_whole)
{
	struct report_spec spec = { .run_fd = fixture.fd, .run_path = fixture.path };
	struct verdict torn = fixture_pass;
	json_t *json;

	fixture_whole_run(&fixture);
	json = json_of(&fixture_pass, &spec);
	cr_assert(json_is_true(json_object_get(json_object_get(json, "evidence"), "is_whole")));
	json_decref(json);
	torn.evidence.summary.frames_torn = 1;
	json = json_of(&torn, &spec);
	cr_assert(json_is_false(json_object_get(json_object_get(json, "evidence"), "is_whole")));
	json_decref(json);
}

Test(report_json, writes_json_where_figures_are_no_numbers)
{
	struct finding finding = { KTSTR_OUTCOME_UNDECIDED, "x", "y", "", NAN, INFINITY,
				   KTSTR_LIMIT_AT_MOST,	    NULL };
	struct decision decision = { .name = "odd",
				     .outcome = KTSTR_OUTCOME_UNDECIDED,
				     .findings = &finding,
				     .finding_count = 1 };
	const struct verdict verdict = { .outcome = KTSTR_OUTCOME_UNDECIDED,
					 .decisions = &decision,
					 .decision_count = 1 };
	struct report_spec spec = { .run_fd = fixture.fd, .run_path = fixture.path };
	json_t *json, *found;

	run_fixture_close(&fixture);
	json = json_of(&verdict, &spec);
	found = json_array_get(
		json_object_get(json_array_get(json_object_get(json, "checkers"), 0), "findings"),
		0);
	cr_assert(json_is_null(json_object_get(found, "measured")));
	cr_assert(json_is_null(json_object_get(found, "limit")));
	cr_assert(json_is_null(json_object_get(json, "environment")));
	json_decref(json);
}

Test(report_json, writes_errors_as_json_too)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);
	struct ktstr_error err;
	const char *kind, *error;
	int version, exit_code;
	json_t *json;

	run_fixture_close(&fixture);
	cr_assert_eq(report_error_json(out, EXIT_USAGE, "x.yaml:1:2: unknown key\n  a\n  ^", &err),
		     0);
	cr_assert_eq(fclose(out), 0);
	json = json_loadb(text, length, 0, NULL);
	cr_assert_eq(json_unpack(json, "{si ss si ss}", "schema_version", &version, "kind", &kind,
				 "exit_code", &exit_code, "error", &error),
		     0);
	cr_assert_eq(version, 1);
	cr_assert_str_eq(kind, "error");
	cr_assert_eq(exit_code, EXIT_USAGE);
	cr_assert_str_eq(error, "x.yaml:1:2: unknown key\n  a\n  ^");
	json_decref(json);
	free(text);
}

Test(report_json, has_no_text_that_drives_a_terminal)
{
	struct verdict verdict = fixture_pass;
	struct report_spec spec = { .run_fd = fixture.fd, .run_path = fixture.path };
	json_t *json;

	(void)snprintf(verdict.reason, sizeof(verdict.reason), "a\033[2Jb");
	run_fixture_close(&fixture);
	json = json_of(&verdict, &spec);
	cr_assert_str_eq(
		json_string_value(json_object_get(json_object_get(json, "verdict"), "reason")),
		"a?[2Jb");
	json_decref(json);
}
