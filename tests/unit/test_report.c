/* SPDX-License-Identifier: GPL-2.0-only */
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
#include "report/facts.h"
#include "support/run_fixture.h"

static struct run_fixture fixture;

static void setup(void)
{
	run_fixture_init(&fixture);
}

static void teardown(void)
{
	run_fixture_done(&fixture);
}

TestSuite(report, .init = setup, .fini = teardown);

static struct finding good_gap = { KTSTR_OUTCOME_PASS,	"tid 12", "gap", "ms", 14.25, 1000,
				   KTSTR_LIMIT_AT_MOST, NULL };
static struct finding spreads[] = {
	{ KTSTR_OUTCOME_PASS, "cgroup hog0", "spread", "%", 1.2, 15, KTSTR_LIMIT_AT_MOST, NULL },
	{ KTSTR_OUTCOME_FAIL, "cgroup hog1", "spread", "%", 32.14, 15, KTSTR_LIMIT_AT_MOST,
	  "the workers of cgroup hog1 differ by 32.1 %" },
};
static struct decision gap = { .name = "gap",
			       .path = "/p/gap.so",
			       .outcome = KTSTR_OUTCOME_PASS,
			       .wanted = 2,
			       .findings = &good_gap,
			       .finding_count = 1 };
static struct decision both[] = {
	{ .name = "gap",
	  .path = "/p/gap.so",
	  .outcome = KTSTR_OUTCOME_PASS,
	  .wanted = 2,
	  .findings = &good_gap,
	  .finding_count = 1 },
	{ .name = "fairness",
	  .path = "/p/fairness.so",
	  .outcome = KTSTR_OUTCOME_FAIL,
	  .wanted = 2,
	  .findings = spreads,
	  .finding_count = 2 },
};

static const struct verdict pass = { .outcome = KTSTR_OUTCOME_PASS,
				     .rule = "all pass",
				     .decisions = &gap,
				     .decision_count = 1,
				     .evidence = {
					     .has_summary = true,
					     .is_sealed = true,
					     .summary = { .has_end = 1, .end_matches = 1 } } };
static const struct verdict failure = {
	.outcome = KTSTR_OUTCOME_FAIL,
	.reason = "checker 'fairness': the workers of cgroup hog1 differ by 32.1 %",
	.rule = "checker fail",
	.decisions = both,
	.decision_count = 2,
	.evidence = { .has_summary = true, .is_sealed = true },
};

/* The report as text; the caller frees. */
static char *text_of(const struct verdict *verdict, const struct report_spec *spec)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);
	struct ktstr_error err;

	cr_assert_eq(report_text(out, verdict, spec, &err), 0, "%s", err.text);
	cr_assert_eq(fclose(out), 0);
	return text;
}

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

static void whole_run(void)
{
	run_fixture_meta(&fixture);
	run_fixture_text(&fixture, RUNFILE_EVENT, RUNFILE_EVENT_TIMING, NS_PER_S / 2, "prepared");
	run_fixture_text(&fixture, RUNFILE_EVENT, RUNFILE_EVENT_TIMING, NS_PER_S, "image");
	run_fixture_text(&fixture, RUNFILE_EVENT, RUNFILE_EVENT_TIMING, 1100 * NS_PER_MS, "qemu");
	run_fixture_text(&fixture, RUNFILE_EVENT, RUNFILE_EVENT_TIMING, 1800 * NS_PER_MS, "ready");
	run_fixture_cgroup(&fixture, 1, "hog0");
	run_fixture_cgroup(&fixture, 2, "hog1");
	run_fixture_scenario(&fixture);
	run_fixture_worker(&fixture, 12, 1, 500, 14);
	run_fixture_worker(&fixture, 13, 2, 250, 90);
	run_fixture_text(&fixture, RUNFILE_CONSOLE, 0, NS_PER_S,
			 "Linux 7.2\nreboot: Power down\r\n");
	run_fixture_append(&fixture, RUNFILE_SUMMARY, 0, 0, 4 * NS_PER_S, "", 0);
	run_fixture_close(&fixture);
}

Test(report, shows_a_pass_at_a_glance)
{
	struct report_spec spec = { .run_path = fixture.path, .took_ns = 4200 * NS_PER_MS };
	char expected[2048];
	char *text;

	whole_run();
	text = text_of(&pass, &spec);
	(void)snprintf(
		expected, sizeof(expected),
		"PASS hog under eevdf, scenario 1.5 s\n"
		"\n"
		"checker\n"
		"  gap  PASS  gap 14.2 ms of at most 1000 ms (tid 12)\n"
		"\n"
		"  cgroup  workers  CPU %%  off-CPU %%  gap ms  migrations  iterations\n"
		"  hog0          1   50.0       50.0    14.0           3          10\n"
		"  hog1          1   25.0       75.0    90.0           3          10\n"
		"\n"
		"  tid  cgroup  workload  CPU %%  off-CPU %%  gap ms  migrations  iterations\n"
		"   13  hog1    cpu_spin   25.0       75.0    90.0           3          10\n"
		"   12  hog0    cpu_spin   50.0       50.0    14.0           3          10\n"
		"\n"
		"kernel       7.2.0, tcg, 4 CPUs, seed 7\n"
		"run file     %s\n"
		"PASS in 4.2 s\n",
		fixture.path);
	cr_assert_str_eq(text, expected, "%s", text);
	free(text);
}

Test(report, shows_the_evidence_of_a_failure_first_and_says_nothing_twice)
{
	static const char expected[] =
		"FAIL hog under eevdf, scenario 1.5 s\n"
		"\n"
		"checker\n"
		"  fairness  FAIL  spread 32.1 %, above 15 % (worst: cgroup hog1)\n"
		"    the workers of cgroup hog1 differ by 32.1 %\n"
		"  gap       PASS  gap 14.2 ms of at most 1000 ms (tid 12)\n"
		"\n"
		"end of the console:\n"
		"  | Linux 7.2\n"
		"\n"
		"run it again: ktstr run hog.yaml --seed 7\n"
		"\n"
		"  cgroup";
	static const char last[] = "FAIL: checker 'fairness': the workers of cgroup hog1 differ "
				   "by 32.1 %\n";
	struct report_spec spec = { .run_path = fixture.path, .console_path = "/r/console.log" };
	char *text;

	whole_run();
	text = text_of(&failure, &spec);
	cr_assert(strncmp(text, expected, strlen(expected)) == 0, "%s", text);
	cr_assert(strstr(text, "console log  /r/console.log\n"));
	cr_assert_str_eq(strstr(text, "\nFAIL: ") + 1, last);
	free(text);
}

Test(report, shows_a_reason_that_is_no_checkers_before_them)
{
	struct verdict verdict = failure;
	struct report_spec spec = { .run_path = fixture.path };
	char *text;

	verdict.outcome = KTSTR_OUTCOME_ERROR;
	(void)snprintf(verdict.reason, sizeof(verdict.reason), "QEMU was killed by SIGKILL");
	whole_run();
	text = text_of(&verdict, &spec);
	cr_assert(strstr(text, "scenario 1.5 s\n  QEMU was killed by SIGKILL\n\nchecker\n"), "%s",
		  text);
	free(text);
}

Test(report, shows_what_broke_in_the_run)
{
	const struct verdict verdict = {
		.outcome = KTSTR_OUTCOME_ERROR,
		.reason = "the kernel panicked",
		.evidence = { .end_reason = "kernel panic 2.1 s after the start",
			      .sched_exit_text = "runnable task stall",
			      .has_result = true,
			      .result_outcome = KTSTR_OUTCOME_ERROR,
			      .result_text = "cannot spawn",
			      .has_error = true,
			      .error_text = "agent broke",
			      .hello_mismatch = "another eevdf" },
	};
	struct report_spec spec = { .run_path = fixture.path };
	char *text;

	run_fixture_close(&fixture);
	text = text_of(&verdict, &spec);
	cr_assert(strstr(text, "ERROR\n  the kernel panicked\n"
			       "  scheduler exit: runnable task stall\n"
			       "  scenario: cannot spawn\n"
			       "  agent: agent broke\n"
			       "  plugins: another eevdf\n"
			       "  end of the run: kernel panic 2.1 s after the start\n"),
		  "%s", text);
	free(text);
}

Test(report, lets_no_text_drive_the_terminal)
{
	static const char evil[] = "\033[2J\033]0;owned\007\nfake: PASS";
	struct finding finding = {
		KTSTR_OUTCOME_FAIL,  (char *)evil, (char *)evil, (char *)evil, 2, 1,
		KTSTR_LIMIT_AT_MOST, (char *)evil
	};
	struct decision decision = { .name = (char *)evil,
				     .path = (char *)evil,
				     .outcome = KTSTR_OUTCOME_FAIL,
				     .reason = (char *)evil,
				     .findings = &finding,
				     .finding_count = 1 };
	struct verdict verdict = { .outcome = KTSTR_OUTCOME_FAIL,
				   .decisions = &decision,
				   .decision_count = 1,
				   .evidence = { .sched_exit_text = (char *)evil,
						 .end_reason = (char *)evil } };
	struct report_spec spec = { .run_path = fixture.path, .again = evil };
	json_t *json;
	char *text;

	(void)snprintf(verdict.reason, sizeof(verdict.reason), "%s", evil);
	run_fixture_cgroup(&fixture, 1, evil);
	run_fixture_worker(&fixture, 1, 1, 1, 1);
	run_fixture_text(&fixture, RUNFILE_CONSOLE, 0, 1, evil);
	run_fixture_close(&fixture);
	text = text_of(&verdict, &spec);
	cr_assert_null(strchr(text, '\033'), "%s", text);
	cr_assert_null(strchr(text, '\007'), "%s", text);
	cr_assert_null(strstr(text, "\nfake"), "%s", text);
	free(text);
	json = json_of(&verdict, &spec);
	cr_assert_null(strchr(
		json_string_value(json_object_get(json_object_get(json, "verdict"), "reason")),
		'\033'));
	json_decref(json);
}

Test(report, colours_the_outcome_only_when_asked)
{
	struct report_spec plain = { .run_path = fixture.path };
	struct report_spec colour = { .run_path = fixture.path, .has_colour = true };
	char *text;

	whole_run();
	text = text_of(&pass, &plain);
	cr_assert_null(strchr(text, '\033'));
	free(text);
	text = text_of(&pass, &colour);
	cr_assert(strncmp(text, "\033[1;32mPASS\033[0m hog", 18) == 0);
	free(text);
	text = text_of(&failure, &colour);
	cr_assert(strncmp(text, "\033[1;31mFAIL\033[0m hog", 18) == 0);
	free(text);
}

Test(report, shows_the_worst_sixteen_workers_unless_verbose)
{
	struct report_spec spec = { .run_path = fixture.path };
	char *text;

	for (uint32_t i = 0; i < 40; i++)
		run_fixture_worker(&fixture, 1000 + i, 0, 100, i);
	run_fixture_close(&fixture);
	text = text_of(&pass, &spec);
	cr_assert(strstr(text, "  the 16 worst of 40 workers (--verbose shows more)\n"), "%s",
		  text);
	cr_assert(strstr(text, " 1039  (agent)"));
	cr_assert(strstr(text, " 1024  (agent)"));
	cr_assert_null(strstr(text, " 1023  (agent)"));
	free(text);
	spec.is_verbose = true;
	text = text_of(&pass, &spec);
	cr_assert(strstr(text, " 1000  (agent)"));
	cr_assert_null(strstr(text, "worst of"));
	free(text);
}

Test(report, keeps_the_worst_workers_of_very_many)
{
	struct ktstr_error err;
	struct facts *facts;

	for (uint32_t i = 0; i < 3 * FACTS_WORKERS_MAX; i++)
		run_fixture_worker(&fixture, i + 1, 1, 100, i + 1);
	run_fixture_close(&fixture);
	cr_assert_eq(facts_read(fixture.path, &facts, &err), 0, "%s", err.text);
	cr_assert_eq(facts->worker_count, FACTS_WORKERS_MAX);
	cr_assert_eq(facts->worker_total, 3 * FACTS_WORKERS_MAX);
	cr_assert_eq(facts->workers[0].tid, 3 * FACTS_WORKERS_MAX);
	cr_assert_eq(facts->workers[FACTS_WORKERS_MAX - 1].tid, 2 * FACTS_WORKERS_MAX + 1);
	cr_assert_eq(facts->cgroups[0].workers, 3 * FACTS_WORKERS_MAX);
	facts_free(facts);
}

Test(report, passes_torn_frames_over)
{
	struct ktstr_worker_report report = { .size = sizeof(report), .tid = 5 };
	struct ktstr_error err;
	struct facts *facts;

	run_fixture_append(&fixture, RUNFILE_FRAME, KTSTR_MSG_WORKER, 0, 1, &report,
			   sizeof(report));
	run_fixture_close(&fixture);
	cr_assert_eq(facts_read(fixture.path, &facts, &err), 0, "%s", err.text);
	cr_assert_eq(facts->worker_total, 0);
	facts_free(facts);
}

Test(report, keeps_the_last_lines_of_the_console)
{
	struct ktstr_error err;
	struct facts *facts;
	char line[32];

	for (int i = 0; i < 25; i++) {
		(void)snprintf(line, sizeof(line), "line %d\r\n", i);
		run_fixture_text(&fixture, RUNFILE_CONSOLE, 0, 1, line);
	}
	run_fixture_text(&fixture, RUNFILE_CONSOLE, 0, 1, "no newline");
	run_fixture_close(&fixture);
	cr_assert_eq(facts_read(fixture.path, &facts, &err), 0, "%s", err.text);
	cr_assert_eq(facts->console_count, FACTS_CONSOLE_LINES);
	cr_assert_str_eq(facts->console[0], "line 6");
	cr_assert_str_eq(facts->console[FACTS_CONSOLE_LINES - 1], "no newline");
	facts_free(facts);
}

Test(report, tells_how_long_each_part_took)
{
	struct report_spec spec = { .run_path = fixture.path,
				    .has_timings = true,
				    .judging_ns = 250 * NS_PER_MS,
				    .took_ns = 5 * NS_PER_S };
	char *text;

	whole_run();
	text = text_of(&pass, &spec);
	cr_assert(strstr(text, "\ntimings\n"
			       "  prepare                0.500 s\n"
			       "  image                  0.500 s\n"
			       "  QEMU start             0.100 s\n"
			       "  kernel to init         0.700 s\n"
			       "  agent to scenario      0.200 s\n"
			       "  scenario               1.500 s\n"
			       "  teardown               0.500 s\n"
			       "  judging                0.250 s\n"
			       "  total                  5.000 s\n"
			       "  overhead               3.500 s\n"),
		  "%s", text);
	free(text);
}

Test(report, leaves_out_parts_that_did_not_happen)
{
	struct timing timings[FACTS_TIMINGS_MAX];
	struct ktstr_error err;
	struct facts *facts;

	run_fixture_text(&fixture, RUNFILE_EVENT, RUNFILE_EVENT_TIMING, NS_PER_S, "prepared");
	run_fixture_close(&fixture);
	cr_assert_eq(facts_read(fixture.path, &facts, &err), 0, "%s", err.text);
	cr_assert_eq(facts_timings(facts, 0, 0, timings), 3);
	cr_assert_str_eq(timings[0].name, "prepare");
	cr_assert_str_eq(timings[1].name, "total");
	cr_assert_eq(timings[1].ns, NS_PER_S);
	cr_assert_str_eq(timings[2].name, "overhead");
	facts_free(facts);
}

Test(report, writes_one_json_document)
{
	struct report_spec spec = { .run_path = fixture.path,
				    .console_path = "/r/console.log",
				    .took_ns = 5 * NS_PER_S };
	const char *outcome, *subject, *release, *command;
	json_t *json, *workers;
	double measured, cpu, total;
	int exit_code;

	whole_run();
	json = json_of(&failure, &spec);
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

Test(report, says_in_json_what_a_limit_asks_for)
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
	struct report_spec spec = { .run_path = fixture.path };
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
Test(report, writes_no_json_that_lacks_something_for_want_of_memory)
{
	struct report_spec spec = { .run_path = fixture.path };
	char *whole = NULL;
	size_t failed = 0;

	whole_run();
	json_set_alloc_funcs(allocate_some, free);
	for (long left = 1 << 20; left != 0; left = left == 1 << 20 ? 1 : left + 1) {
		char *text = NULL;
		size_t length = 0;
		FILE *out = open_memstream(&text, &length);
		struct ktstr_error err = { 0 };
		int rc;

		json_allocations_left = left;
		rc = report_json(out, &failure, &spec, &err);
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

Test(report, says_in_json_whether_the_evidence_is_whole)
{
	struct report_spec spec = { .run_path = fixture.path };
	struct verdict torn = pass;
	json_t *json;

	whole_run();
	json = json_of(&pass, &spec);
	cr_assert(json_is_true(json_object_get(json_object_get(json, "evidence"), "is_whole")));
	json_decref(json);
	torn.evidence.summary.frames_torn = 1;
	json = json_of(&torn, &spec);
	cr_assert(json_is_false(json_object_get(json_object_get(json, "evidence"), "is_whole")));
	json_decref(json);
}

Test(report, writes_json_where_figures_are_no_numbers)
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
	struct report_spec spec = { .run_path = fixture.path };
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

Test(report, writes_errors_as_json_too)
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

Test(report, tells_when_it_could_not_be_written)
{
	struct report_spec spec = { .run_path = fixture.path };
	FILE *out = fopen("/dev/full", "w");
	struct ktstr_error err;

	whole_run();
	cr_assert_not_null(out);
	cr_assert_eq(report_text(out, &pass, &spec, &err), -EIO);
	cr_assert_str_eq(err.text, "cannot write the report: No space left on device");
	(void)fclose(out);
}

Test(report, refuses_what_is_no_run_file)
{
	struct report_spec spec = { .run_path = "/dev/null" };
	struct ktstr_error err = { 0 };

	run_fixture_close(&fixture);
	cr_assert_lt(report_text(stdout, &pass, &spec, &err), 0);
	cr_assert(strstr(err.text, "'/dev/null'"), "%s", err.text);
}
