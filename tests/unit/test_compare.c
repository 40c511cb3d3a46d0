/* SPDX-License-Identifier: GPL-2.0-only */
/* Runs side by side, as text and as JSON. */
#include "report/compare.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <jansson.h>

#include "ktstr/checker.h"
#include "ktstr/sched_ext.h"
#include "report/table.h"
#include "support/report_fixture.h"

static struct run_fixture fixtures[3];
static size_t fixture_count;
static struct compare_run runs[COMPARE_RUNS_MAX];
static struct comparison *comparison;
static const char *cgroup_name;
static struct ktstr_error err;
static char *text;
static json_t *json;

static void setup(void)
{
	memset(runs, 0, sizeof(runs));
	fixture_count = 0;
	cgroup_name = "hog0";
	comparison = NULL;
	text = NULL;
	json = NULL;
}

static void teardown(void)
{
	comparison_free(comparison);
	for (size_t i = 0; i < fixture_count; i++)
		run_fixture_done(&fixtures[i]);
	free(text);
	json_decref(json);
}

TestSuite(compare, .init = setup, .fini = teardown);

/* The next run: one cgroup of two workers, of which the second one ran @cpu_ms of 1000. */
static struct compare_run *add_run(const struct verdict *verdict, uint32_t cpu_ms, uint32_t gap_ms)
{
	size_t i = fixture_count++;
	struct run_fixture *f = &fixtures[i];

	run_fixture_init(f);
	run_fixture_meta(f);
	run_fixture_scenario(f);
	run_fixture_cgroup(f, 1, cgroup_name);
	run_fixture_worker(f, 12, 1, 500, gap_ms);
	run_fixture_worker(f, 13, 1, cpu_ms, 5);
	run_fixture_close(f);
	runs[i].verdict = verdict;
	runs[i].report = (struct report_spec){ .run_fd = f->fd, .run_path = f->path };
	return &runs[i];
}

static void compare(size_t count)
{
	cr_assert_eq(comparison_new(runs, count, &comparison, &err), 0, "%s", err.text);
}

static const char *show(const struct compare_style *style)
{
	size_t length;
	FILE *out = open_memstream(&text, &length);

	cr_assert_not_null(out);
	cr_assert_eq(comparison_text(out, comparison, style, &err), 0, "%s", err.text);
	(void)fclose(out);
	return text;
}

static const char *show_plain(void)
{
	static const struct compare_style plain;

	return show(&plain);
}

static json_t *document(void)
{
	size_t length;
	FILE *out = open_memstream(&text, &length);

	cr_assert_not_null(out);
	cr_assert_eq(comparison_json(out, comparison, &err), 0, "%s", err.text);
	(void)fclose(out);
	json = json_loads(text, 0, NULL);
	cr_assert_not_null(json, "%s", text);
	return json;
}

static struct compare_row *row_of(enum compare_part part, const char *subject, const char *name)
{
	for (size_t i = 0; i < comparison->row_count; i++) {
		struct compare_row *row = &comparison->rows[i];

		if (row->part == part && strcmp(row->subject, subject) == 0 &&
		    strcmp(row->name, name) == 0)
			return row;
	}
	return NULL;
}

static void expect(const char *what)
{
	cr_expect(strstr(text, what), "no '%s' in:\n%s", what, text);
}

static size_t widest_line(const char *page)
{
	size_t widest = 0;

	for (const char *end; (end = strchr(page, '\n')); page = end + 1) {
		char line[1000];
		size_t width;

		(void)snprintf(line, sizeof(line), "%.*s", (int)(end - page), page);
		width = text_width(line);
		widest = width > widest ? width : widest;
	}
	return widest;
}

Test(compare, takes_the_outcome_that_says_most)
{
	static const struct {
		uint32_t outcomes[3];
		uint32_t outcome;
		int exit_code;
	} cases[] = {
		{ { KTSTR_OUTCOME_PASS, KTSTR_OUTCOME_PASS, KTSTR_OUTCOME_PASS },
		  KTSTR_OUTCOME_PASS,
		  EXIT_PASS },
		{ { KTSTR_OUTCOME_PASS, KTSTR_OUTCOME_SKIP, KTSTR_OUTCOME_PASS },
		  KTSTR_OUTCOME_SKIP,
		  EXIT_SKIP },
		{ { KTSTR_OUTCOME_UNDECIDED, KTSTR_OUTCOME_SKIP, KTSTR_OUTCOME_PASS },
		  KTSTR_OUTCOME_UNDECIDED,
		  EXIT_UNDECIDED },
		{ { KTSTR_OUTCOME_UNDECIDED, KTSTR_OUTCOME_ERROR, KTSTR_OUTCOME_PASS },
		  KTSTR_OUTCOME_ERROR,
		  EXIT_ERROR },
		{ { KTSTR_OUTCOME_ERROR, KTSTR_OUTCOME_UNDECIDED, KTSTR_OUTCOME_FAIL },
		  KTSTR_OUTCOME_FAIL,
		  EXIT_FAIL },
		{ { KTSTR_OUTCOME_PASS, KTSTR_OUTCOME_NONE, KTSTR_OUTCOME_PASS },
		  KTSTR_OUTCOME_ERROR,
		  EXIT_ERROR },
		{ { KTSTR_OUTCOME_PASS, 99, KTSTR_OUTCOME_PASS }, KTSTR_OUTCOME_ERROR, EXIT_ERROR },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t outcome = compare_outcome(cases[i].outcomes, 3);

		cr_expect_eq(outcome, cases[i].outcome, "%zu", i);
		cr_expect_eq(verdict_exit_code(outcome), cases[i].exit_code, "%zu", i);
	}
	cr_expect_eq(compare_outcome(NULL, 0), KTSTR_OUTCOME_ERROR);
}

Test(compare, lays_figures_beside_each_other)
{
	add_run(&fixture_pass, 500, 100);
	add_run(&fixture_pass, 250, 150);
	compare(2);
	show_plain();
	expect("comparison of hog, differences to eevdf #1\n");
	expect("                    eevdf #1      eevdf #2\n");
	expect("  verdict               PASS          PASS\n");
	expect("  scenario s             1.5   1.5       =\n");
	expect("  iterations              20    20       =\n");
	expect("  longest gap ms         100   150  +50.0%\n");
	expect("\n  cgroup hog0\n"
	       "    CPU %                 50  37.5 -12.5pp\n"
	       "    spread %               0    25 +25.0pp\n"
	       "    longest gap ms       100   150  +50.0%\n"
	       "    iterations            20    20       =\n"
	       "    migrations             6     6       =\n");
	expect("\nPASS: 2 of 2 runs passed\n");
}

Test(compare, shows_each_checker_and_its_worst_figure)
{
	add_run(&fixture_pass, 500, 1);
	add_run(&fixture_failure, 500, 1);
	compare(2);
	show_plain();
	expect("\n  gap                   PASS          PASS\n"
	       "    gap ms              14.2  14.2       =\n"
	       "  fairness                            FAIL\n"
	       "    spread %                  32.1\n");
}

Test(compare, says_why_a_run_did_not_pass)
{
	add_run(&fixture_pass, 500, 1);
	add_run(&fixture_failure, 500, 1);
	runs[2] = (struct compare_run){ .scheduler = "p/broken.so,x=1",
					.problem = "cannot start the VM: no QEMU",
					.exit_code = EXIT_ERROR };
	runs[3] = (struct compare_run){ .scheduler = "late",
					.problem = "not run, because of an interrupt",
					.is_left_out = true,
					.exit_code = EXIT_ERROR };
	compare(4);
	show_plain();
	expect("  eevdf #2: FAIL: checker 'fairness': the workers of cgroup hog1 differ by 32.1 "
	       "%\n"
	       "  broken: ERROR: cannot start the VM: no QEMU\n"
	       "  late: not run, because of an interrupt\n"
	       "FAIL: 1 of 4 runs passed\n");
	expect("  broken    p/broken.so,x=1\n");
	cr_expect(strstr(text, "not run\n"), "%s", text);
	cr_expect_eq(comparison->outcome, KTSTR_OUTCOME_FAIL);
}

Test(compare, keeps_a_pass_from_a_run_that_was_left_out)
{
	add_run(&fixture_pass, 500, 1);
	runs[1] = (struct compare_run){ .scheduler = "late", .is_left_out = true };
	compare(2);
	cr_assert_eq(comparison->outcome, KTSTR_OUTCOME_ERROR);
}

Test(compare, fits_80_columns_with_three_runs)
{
	static const struct compare_style verbose = { .is_verbose = true };

	add_run(&fixture_pass, 1, 100)->scheduler = "scx_rather_long_name_of_all_1";
	add_run(&fixture_failure, 500, 99999)->scheduler = "scx_rather_long_name_of_all_2";
	add_run(&fixture_failure, 999, 1)->scheduler = "scx_rather_long_name_of_all_3";
	compare(3);
	for (size_t i = 0; i < 3; i++)
		(void)snprintf(comparison->columns[i].label, COMPARE_LABEL_MAX, "%s",
			       runs[i].scheduler);
	/* The table alone: what stands below it is as long as names are. */
	*strstr((char *)show(&verbose), "\n  column ") = '\0';
	cr_assert_leq(widest_line(text), 80, "%zu:\n%s", widest_line(text), text);
	expect("scx_rather_l..");
}

Test(compare, shows_the_end_of_a_long_cgroup_name)
{
	cgroup_name = "box/inner/and/another/one/left";
	add_run(&fixture_pass, 500, 1);
	compare(1);
	show_plain();
	expect("  cgroup ..nother/one/left\n");
	expect("comparison of hog\n");
}

Test(compare, has_a_row_for_what_only_one_run_has)
{
	add_run(&fixture_pass, 500, 1);
	cgroup_name = "other";
	add_run(&fixture_pass, 500, 1);
	cgroup_name = "hog0";
	add_run(&fixture_pass, 400, 1);
	compare(3);
	cr_assert(row_of(COMPARE_CGROUP, "hog0", "CPU")->cells[0].has_value);
	cr_assert_not(row_of(COMPARE_CGROUP, "hog0", "CPU")->cells[1].has_value);
	cr_assert(row_of(COMPARE_CGROUP, "hog0", "CPU")->cells[2].has_value);
	cr_assert(row_of(COMPARE_CGROUP, "other", "CPU")->cells[1].has_value);
	show_plain();
	expect("    spread %               0                  10 +10.0pp\n");
}

/* A run under sched_ext with two counters and a program of @insns instructions. */
static void add_scx_run(const struct verdict *verdict, uint32_t insns, int64_t first_count)
{
	struct run_fixture *f = &fixtures[fixture_count];
	struct {
		struct ktstr_scx_state state;
		struct ktstr_scx_event events[3];
	} scx = { .state = { .size = sizeof(scx.state),
			     .when = KTSTR_SCX_BEFORE_STOP,
			     .nr_rejected = 7,
			     .event_count = 3,
			     .state = "enabled",
			     .ops = "fifo" },
		  .events = { { "SCX_EV_ENQ_SKIP_EXITING", first_count },
			      { "SCX_EV_BYPASS_DURATION", 2500000 },
			      { "SCX_EV_NEVER", 0 } } };
	struct {
		struct ktstr_sched_progs progs;
		struct ktstr_sched_prog prog;
	} progs = { .progs = { .size = sizeof(progs.progs),
			       .when = KTSTR_SCX_ATTACHED,
			       .program_count = 1 },
		    .prog = { .name = "enqueue", .id = 3, .verified_insns = insns } };

	run_fixture_init(f);
	run_fixture_meta(f);
	run_fixture_append(f, RUNFILE_FRAME, KTSTR_MSG_SCX_STATE, KTSTR_FRAME_CRC_OK, 1, &scx,
			   sizeof(scx));
	run_fixture_append(f, RUNFILE_FRAME, KTSTR_MSG_SCHED_PROGS, KTSTR_FRAME_CRC_OK, 1, &progs,
			   sizeof(progs));
	run_fixture_close(f);
	runs[fixture_count++] =
		(struct compare_run){ .verdict = verdict, .report = { .run_fd = f->fd } };
}

Test(compare, shows_what_sched_ext_counted)
{
	struct verdict stalled = fixture_pass;

	stalled.evidence.scx.has_exit = true;
	stalled.evidence.scx.exit_kind = KTSTR_SCX_EXIT_ERROR_STALL;
	stalled.evidence.scx.exit_message = "";
	add_run(&fixture_pass, 500, 5);
	add_scx_run(&fixture_pass, 40, 2);
	add_scx_run(&stalled, 80, 3);
	compare(3);
	show_plain();
	expect("\n  scheduler\n"
	       "    exit                                                  stall\n"
	       "    verified instructions              40            80\n"
	       "    rejected tasks                      7             7\n"
	       "    enq_skip_exiting                    2             3\n"
	       "    bypass_duration ms                2.5           2.5\n\n");
	cr_expect_null(strstr(text, "never"), "%s", text);
	cr_expect_not_null(row_of(COMPARE_SCHEDULER, "", "never"));
}

/* A row of two figures. */
static struct compare_row figures(double first, double second)
{
	return (struct compare_row){ .cells = { { .has_value = true, .value = first },
						{ .has_value = true, .value = second } } };
}

Test(compare, knows_no_percentage_of_nothing)
{
	struct compare_row row = figures(0, 5);
	double value;

	cr_assert(compare_difference(&row, 1, &value));
	cr_assert_float_eq(value, 5, 1e-9);
	cr_assert_not(compare_percent(&row, 1, &value));
	cr_assert_not(compare_difference(&row, 0, &value), "the first column has none");
	cr_assert_not(compare_difference(&row, 2, &value), "this one has no figure");
}

Test(compare, counts_percents_of_what_is_below_zero)
{
	struct compare_row row = figures(-10, -5);
	double value;

	cr_assert(compare_percent(&row, 1, &value));
	cr_assert_float_eq(value, 50, 1e-9);
}

Test(compare, shows_that_nothing_is_as_much_as_nothing)
{
	for (int i = 0; i < 3; i++)
		add_run(&fixture_pass, 500, 5);
	compare(3);
	row_of(COMPARE_RUN, "", "migrations")->cells[0].value = 0;
	row_of(COMPARE_RUN, "", "migrations")->cells[1].value = 0;
	show_plain();
	expect("  migrations               0     0       =     6\n");
}

Test(compare, writes_large_differences_as_factors)
{
	add_run(&fixture_pass, 500, 5);
	add_run(&fixture_pass, 500, 4000000);
	compare(2);
	show_plain();
	expect(" x800000\n");
}

Test(compare, says_in_what_else_the_runs_differ)
{
	add_run(&fixture_pass, 500, 1);
	add_run(&fixture_pass, 500, 1);
	compare(2);
	cr_expect_null(row_of(COMPARE_RUN, "", "kernel"));
	cr_expect_null(row_of(COMPARE_RUN, "", "seed"));
	comparison_free(comparison);

	run_fixture_init(&fixtures[fixture_count]);
	run_fixture_text(&fixtures[fixture_count], RUNFILE_META, 0, 0,
			 "{\"schema_version\": 1, \"kernel\": {\"release\": \"6.12\"},"
			 " \"scheduler\": {\"plugin\": \"bad\\u001b[31m\","
			 " \"params\": {\"slice\": \"5ms\"}}}");
	run_fixture_close(&fixtures[fixture_count]);
	runs[2].verdict = &fixture_pass;
	runs[2].report.run_fd = fixtures[fixture_count++].fd;
	compare(3);
	cr_assert_not_null(row_of(COMPARE_RUN, "", "kernel"));
	cr_expect_str_eq(row_of(COMPARE_RUN, "", "kernel")->cells[2].text, "6.12");
	cr_expect_null(row_of(COMPARE_RUN, "", "accel"), "one that does not tell is no difference");
	cr_expect_str_eq(comparison->columns[2].label, "bad?[31m");
	cr_expect_str_eq(comparison->columns[2].scheduler, "bad?[31m,slice=5ms");
}

Test(compare, numbers_checkers_and_cgroups_of_one_name)
{
	struct verdict twice = fixture_pass;
	struct decision decisions[] = { fixture_pass.decisions[0], fixture_pass.decisions[0] };
	struct run_fixture *f = &fixtures[fixture_count++];

	twice.decisions = decisions;
	twice.decision_count = 2;
	run_fixture_init(f);
	run_fixture_meta(f);
	run_fixture_cgroup(f, 1, "same");
	run_fixture_cgroup(f, 2, "same");
	run_fixture_worker(f, 12, 1, 100, 1);
	run_fixture_worker(f, 13, 2, 200, 1);
	run_fixture_close(f);
	runs[0] = (struct compare_run){ .verdict = &twice, .report = { .run_fd = f->fd } };
	compare(1);
	cr_expect_not_null(row_of(COMPARE_CHECKER, "gap", COMPARE_OUTCOME));
	cr_expect_not_null(row_of(COMPARE_CHECKER, "gap #2", COMPARE_OUTCOME));
	cr_expect_float_eq(row_of(COMPARE_CGROUP, "same", "CPU")->cells[0].value, 10, 1e-9);
	cr_expect_float_eq(row_of(COMPARE_CGROUP, "same #2", "CPU")->cells[0].value, 20, 1e-9);
	cr_expect_null(row_of(COMPARE_CGROUP, "same", "spread"), "one worker alone");
}

Test(compare, leaves_much_to_verbose)
{
	static const struct compare_style verbose = { .is_verbose = true };
	struct run_fixture *f = &fixtures[fixture_count++];

	run_fixture_init(f);
	run_fixture_meta(f);
	for (uint32_t i = 1; i <= 10; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "hog%u", i);
		run_fixture_cgroup(f, i, name);
		run_fixture_worker(f, 100 + i, i, 100, 1);
	}
	run_fixture_close(f);
	runs[0] = (struct compare_run){ .verdict = &fixture_pass, .report = { .run_fd = f->fd } };
	compare(1);
	show_plain();
	expect("cgroup hog8\n");
	expect("  and 8 more rows (--verbose shows them)\n");
	cr_expect_null(strstr(text, "cgroup hog9\n"));
	free(text);
	show(&verbose);
	expect("cgroup hog10\n");
	cr_expect_null(strstr(text, "more rows"));
}

Test(compare, numbers_columns_of_one_name_alone)
{
	runs[0].scheduler = "a";
	runs[1].scheduler = "x/b.so,slice=1ms";
	runs[2].scheduler = "b";
	compare(3);
	cr_expect_str_eq(comparison->columns[0].label, "a");
	cr_expect_str_eq(comparison->columns[1].label, "b #1");
	cr_expect_str_eq(comparison->columns[2].label, "b #2");
	cr_expect_str_eq(comparison->columns[1].scheduler, "x/b.so,slice=1ms");
}

Test(compare, is_a_document_too)
{
	const char *label, *scheduler, *part, *kind, *second_kind, *error;
	double value, difference, percent;
	json_t *row = NULL;
	int exit_code, version;

	add_run(&fixture_pass, 500, 100);
	add_run(&fixture_pass, 500, 150);
	runs[2] = (struct compare_run){ .scheduler = "broken",
					.problem = "no QEMU",
					.exit_code = EXIT_ERROR };
	compare(3);
	document();
	cr_assert_eq(json_unpack(json, "{si si s[{ss}{ss}{ss}] s{s[{ss ss}]}}", "schema_version",
				 &version, "exit_code", &exit_code, "runs", "kind", &kind, "kind",
				 &(const char *){ NULL }, "kind", &second_kind, "table", "columns",
				 "label", &label, "scheduler", &scheduler),
		     0, "%s", text);
	cr_expect_eq(version, 1);
	cr_expect_eq(exit_code, EXIT_ERROR);
	cr_expect_str_eq(kind, "verdict");
	cr_expect_str_eq(second_kind, "error");
	cr_expect_str_eq(label, "eevdf #1");
	cr_expect_str_eq(scheduler, "eevdf");
	cr_expect_str_eq(json_string_value(json_object_get(json, "kind")), "comparison");
	cr_expect_str_eq(json_string_value(json_object_get(json, "outcome")), "ERROR");
	cr_expect_str_eq(json_string_value(json_object_get(json, "scenario")), "hog");
	error = json_string_value(
		json_object_get(json_array_get(json_object_get(json, "runs"), 2), "error"));
	cr_expect_str_eq(error, "no QEMU");

	for (size_t i = 0; !row; i++) {
		json_t *candidate =
			json_array_get(json_object_get(json_object_get(json, "table"), "rows"), i);

		cr_assert_not_null(candidate, "%s", text);
		if (strcmp(json_string_value(json_object_get(candidate, "name")), "longest gap") ==
		    0)
			row = candidate;
	}
	cr_assert_eq(json_unpack(row, "{ss s[{sn sn} {sF sF sF sn} {sn}]}", "part", &part, "cells",
				 "difference", "text", "value", &value, "difference", &difference,
				 "difference_percent", &percent, "text", "value"),
		     0, "%s", text);
	cr_expect_str_eq(part, "run");
	cr_expect_float_eq(value, 150, 1e-9);
	cr_expect_float_eq(difference, 50, 1e-9);
	cr_expect_float_eq(percent, 50, 1e-9);
}

Test(compare, tells_that_it_cannot_be_written)
{
	static const struct compare_style plain;
	FILE *full = fopen("/dev/full", "w");

	add_run(&fixture_pass, 500, 1);
	compare(1);
	cr_assert_not_null(full);
	cr_expect_eq(comparison_text(full, comparison, &plain, &err), -EIO);
	cr_expect(strstr(err.text, "cannot write the report: "), "%s", err.text);
	cr_expect_eq(comparison_json(full, comparison, &err), -EIO);
	(void)fclose(full);
}

Test(compare, needs_run_files)
{
	runs[0] = (struct compare_run){ .verdict = &fixture_pass,
					.report = { .run_fd = -1, .run_path = "gone.ktr" } };
	cr_assert_lt(comparison_new(runs, 1, &comparison, &err), 0);
	cr_assert(strstr(err.text, "gone.ktr"), "%s", err.text);
}
