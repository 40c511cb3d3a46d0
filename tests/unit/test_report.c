/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "ktstr/checker.h"
#include "report/facts.h"
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

TestSuite(report, .init = setup, .fini = teardown);

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

Test(report, shows_a_pass_at_a_glance)
{
	struct report_spec spec = { .run_fd = fixture.fd,
				    .run_path = fixture.path,
				    .took_ns = 4200 * NS_PER_MS };
	char expected[2048];
	char *text;

	fixture_whole_run(&fixture);
	text = text_of(&fixture_pass, &spec);
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
	struct report_spec spec = { .run_fd = fixture.fd,
				    .run_path = fixture.path,
				    .console_path = "/r/console.log" };
	char *text;

	fixture_whole_run(&fixture);
	text = text_of(&fixture_failure, &spec);
	cr_assert(strncmp(text, expected, strlen(expected)) == 0, "%s", text);
	cr_assert(strstr(text, "console log  /r/console.log\n"));
	cr_assert_str_eq(strstr(text, "\nFAIL: ") + 1, last);
	free(text);
}

/* A member that the META record lacks leaves no hole. */
Test(report, shows_only_what_is_known_of_the_environment)
{
	static const struct {
		const char *meta, *first, *line; /* @line NULL: none */
	} cases[] = {
		{ "{\"schema_version\": 1}", "PASS\n", NULL },
		{ "{\"schema_version\": 1, \"scenario\": {\"name\": \"hog\", \"seed\": 7},"
		  " \"kernel\": {\"path\": \"/k/bzImage\"}}",
		  "PASS hog\n", "kernel       /k/bzImage, seed 7\n" },
		{ "{\"schema_version\": 1, \"scheduler\": {\"plugin\": \"eevdf\"},"
		  " \"vm\": {\"llcs\": 1, \"cores\": 2, \"threads\": 1}}",
		  "PASS under eevdf\n", "kernel       2 CPUs, seed 0\n" },
	};

	run_fixture_close(&fixture);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct run_fixture other;
		struct report_spec spec;
		char *text;

		run_fixture_init(&other);
		spec = (struct report_spec){ .run_fd = other.fd, .run_path = other.path };
		run_fixture_text(&other, RUNFILE_META, 0, 0, cases[i].meta);
		run_fixture_close(&other);
		text = text_of(&fixture_pass, &spec);
		cr_expect(str_starts(text, cases[i].first), "%s", text);
		cr_expect(cases[i].line ? strstr(text, cases[i].line) != NULL
					: !strstr(text, "kernel "),
			  "%s", text);
		free(text);
		run_fixture_done(&other);
	}
}

Test(report, shows_a_reason_that_is_no_checkers_before_them)
{
	struct verdict verdict = fixture_failure;
	struct report_spec spec = { .run_fd = fixture.fd, .run_path = fixture.path };
	char *text;

	verdict.outcome = KTSTR_OUTCOME_ERROR;
	(void)snprintf(verdict.reason, sizeof(verdict.reason), "QEMU was killed by SIGKILL");
	fixture_whole_run(&fixture);
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
	struct report_spec spec = { .run_fd = fixture.fd, .run_path = fixture.path };
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
	struct report_spec spec = { .run_fd = fixture.fd, .run_path = fixture.path, .again = evil };
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
}

Test(report, colours_the_outcome_only_when_asked)
{
	struct report_spec plain = { .run_fd = fixture.fd, .run_path = fixture.path };
	struct report_spec colour = { .run_fd = fixture.fd,
				      .run_path = fixture.path,
				      .has_colour = true };
	char *text;

	fixture_whole_run(&fixture);
	text = text_of(&fixture_pass, &plain);
	cr_assert_null(strchr(text, '\033'));
	free(text);
	text = text_of(&fixture_pass, &colour);
	cr_assert(strncmp(text, "\033[1;32mPASS\033[0m hog", 18) == 0);
	free(text);
	text = text_of(&fixture_failure, &colour);
	cr_assert(strncmp(text, "\033[1;31mFAIL\033[0m hog", 18) == 0);
	free(text);
}

Test(report, shows_the_worst_sixteen_workers_unless_verbose)
{
	struct report_spec spec = { .run_fd = fixture.fd, .run_path = fixture.path };
	char *text;

	for (uint32_t i = 0; i < 40; i++)
		run_fixture_worker(&fixture, 1000 + i, 0, 100, i);
	run_fixture_close(&fixture);
	text = text_of(&fixture_pass, &spec);
	cr_assert(strstr(text, "  the 16 worst of 40 workers (--verbose shows more)\n"), "%s",
		  text);
	cr_assert(strstr(text, " 1039  (agent)"));
	cr_assert(strstr(text, " 1024  (agent)"));
	cr_assert_null(strstr(text, " 1023  (agent)"));
	free(text);
	spec.is_verbose = true;
	text = text_of(&fixture_pass, &spec);
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
	cr_assert_eq(facts_read(fixture.fd, fixture.path, &facts, &err), 0, "%s", err.text);
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
	cr_assert_eq(facts_read(fixture.fd, fixture.path, &facts, &err), 0, "%s", err.text);
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
	cr_assert_eq(facts_read(fixture.fd, fixture.path, &facts, &err), 0, "%s", err.text);
	cr_assert_eq(facts->console_count, FACTS_CONSOLE_LINES);
	cr_assert_str_eq(facts->console[0], "line 6");
	cr_assert_str_eq(facts->console[FACTS_CONSOLE_LINES - 1], "no newline");
	facts_free(facts);
}

Test(report, tells_how_long_each_part_took)
{
	struct report_spec spec = { .run_fd = fixture.fd,
				    .run_path = fixture.path,
				    .has_timings = true,
				    .judging_ns = 250 * NS_PER_MS,
				    .took_ns = 5 * NS_PER_S };
	char *text;

	fixture_whole_run(&fixture);
	text = text_of(&fixture_pass, &spec);
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

Test(report, tells_how_long_a_run_waited_for_others)
{
	static const struct {
		const char *milestone;
		uint64_t at_ns;
	} milestones[] = { { "image", 1 * NS_PER_S },
			   { "waited", 4 * NS_PER_S },
			   { "qemu", 4 * NS_PER_S + NS_PER_S / 2 } };
	struct timing timings[FACTS_TIMINGS_MAX];
	struct ktstr_error err;
	struct facts *facts;

	run_fixture_text(&fixture, RUNFILE_EVENT, RUNFILE_EVENT_TIMING, NS_PER_S / 2, "prepared");
	for (size_t i = 0; i < ARRAY_SIZE(milestones); i++)
		run_fixture_text(&fixture, RUNFILE_EVENT, RUNFILE_EVENT_TIMING, milestones[i].at_ns,
				 milestones[i].milestone);
	run_fixture_close(&fixture);
	cr_assert_eq(facts_read(fixture.fd, fixture.path, &facts, &err), 0, "%s", err.text);
	cr_assert_eq(facts_timings(facts, 0, 5 * NS_PER_S, timings), 6);
	cr_assert_str_eq(timings[2].key, "waiting");
	cr_assert_eq(timings[2].ns, 3 * NS_PER_S);
	cr_assert_str_eq(timings[3].key, "qemu_start");
	cr_assert_eq(timings[3].ns, NS_PER_S / 2);
	cr_assert_str_eq(timings[5].key, "overhead");
	cr_assert_eq(timings[5].ns, 2 * NS_PER_S, "waiting is no work of ours");
	facts_free(facts);
}

Test(report, leaves_out_parts_that_did_not_happen)
{
	struct timing timings[FACTS_TIMINGS_MAX];
	struct ktstr_error err;
	struct facts *facts;

	run_fixture_text(&fixture, RUNFILE_EVENT, RUNFILE_EVENT_TIMING, NS_PER_S, "prepared");
	run_fixture_close(&fixture);
	cr_assert_eq(facts_read(fixture.fd, fixture.path, &facts, &err), 0, "%s", err.text);
	cr_assert_eq(facts_timings(facts, 0, 0, timings), 3);
	cr_assert_str_eq(timings[0].name, "prepare");
	cr_assert_str_eq(timings[1].name, "total");
	cr_assert_eq(timings[1].ns, NS_PER_S);
	cr_assert_str_eq(timings[2].name, "overhead");
	facts_free(facts);
}

Test(report, tells_when_it_could_not_be_written)
{
	struct report_spec spec = { .run_fd = fixture.fd, .run_path = fixture.path };
	FILE *out = fopen("/dev/full", "w");
	struct ktstr_error err;

	fixture_whole_run(&fixture);
	cr_assert_not_null(out);
	cr_assert_eq(report_text(out, &fixture_pass, &spec, &err), -EIO);
	cr_assert_str_eq(err.text, "cannot write the report: No space left on device");
	(void)fclose(out);
}

Test(report, refuses_what_is_no_run_file)
{
	_cleanup_close_ int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct report_spec spec = { .run_fd = fd, .run_path = "/dev/null" };
	struct ktstr_error err = { 0 };

	run_fixture_close(&fixture);
	cr_assert_lt(report_text(stdout, &fixture_pass, &spec, &err), 0);
	cr_assert(strstr(err.text, "'/dev/null'"), "%s", err.text);
}
