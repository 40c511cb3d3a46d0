/* SPDX-License-Identifier: GPL-2.0-only */
#include "explore/signature.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "coord/coord.h"
#include "ktstr/sched_ext.h"

Test(signature, folds_what_differs_by_chance)
{
	static const struct {
		const char *text;
		const char *folded;
	} cases[] = {
		{ "", "" },
		{ "no number", "no number" },
		{ "tid 123 stuck 5001ms on cpu1 at +312ms (threshold 2000ms)",
		  "tid N stuck N s on cpuN at N s (threshold N s)" },
		{ "worker[151] failed to run for 2.976s", "worker[N] failed to run for N s" },
		{ "worker[7] failed to run for 12 us", "worker[N] failed to run for N s" },
		{ "kworker/0:1 and kworker/12:3", "kworker/N:N and kworker/N:N" },
		{ "at 0xffffffff81234567", "at N" },
		{ "at ffffffff81234567 and ffffffffc0de1234", "at N" },
		{ "0x1f of cafe babe", "N of cafe babe" },
		{ "deadbeef is a word", "deadbeef is a word" },
		{ "deadbee1 is none", "N is none" },
		{ "1.5e-3 or 2E+10 or 3e", "N or N or Ne" },
		{ "version 7.2.13", "version N" },
		{ "-3 (+4) =-5", "N (N) =N" },
		{ "a-3", "a-N" },
		{ "CPUs 0-3,6 and 8", "CPUs N" },
		{ "CPUs 1, 2, 3 instead of 4", "CPUs N instead of N" },
		{ "1 worker of 2 cgroups", "N workers of N cgroups" },
		{ "2 workers of 1 cgroup", "N workers of N cgroups" },
		{ "1 process of 1 workerbee", "N processes of N workerbee" },
		{ "12 ms, 3 s, 4 min", "N s, N s, N s" },
		{ "12 msx and 3 seconds", "N msx and N seconds" },
		{ "4.1M units, 16k", "N units, N" },
		{ "5K", "NK" },
		{ "x86", "xN" },
		{ "spread=12% (3-15%)", "spread=N% (N%)" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char folded[200];

		signature_fold(cases[i].text, folded, sizeof(folded));
		cr_expect_str_eq(folded, cases[i].folded, "'%s' is '%s'", cases[i].text, folded);
	}
}

Test(signature, folds_what_was_folded_to_the_same)
{
	static const char text[] = "1 worker, tid 7, stuck 3 ms at 0x12 (1-2, 5)";
	char once[100], twice[100];

	signature_fold(text, once, sizeof(once));
	signature_fold(once, twice, sizeof(twice));
	cr_assert_str_eq(once, twice);
}

Test(signature, cuts_between_characters)
{
	char folded[6];

	signature_fold("abc\xc3\xa4\xc3\xa4", folded, sizeof(folded));
	cr_assert_str_eq(folded, "abc");
	signature_fold("abcd\xc3\xa4", folded, sizeof(folded));
	cr_assert_str_eq(folded, "abcd");
	signature_fold("abcde", folded, sizeof(folded));
	cr_assert_str_eq(folded, "abcde");
}

/* A run in which all is well, for each test to change. */
struct run {
	struct verdict v;
	struct decision d[2];
	struct finding f[2];
};

static void make_run(struct run *run)
{
	memset(run, 0, sizeof(*run));
	run->v.evidence = (struct evidence){
		.has_summary = true,
		.is_sealed = true,
		.frames_recorded = 5,
		.has_all_sent = true,
		.summary = { .size = sizeof(struct runfile_summary),
			     .end_reason = COORD_END_STREAM,
			     .frames_received = 6,
			     .frames_bucketed = 5,
			     .has_end = 1,
			     .end_matches = 1 },
		.has_result = true,
		.result_outcome = KTSTR_OUTCOME_PASS,
		.hello_count = 1,
	};
	for (size_t i = 0; i < ARRAY_SIZE(run->d); i++)
		run->d[i] = (struct decision){ .name = (char *)(i ? "gap" : "isolation"),
					       .outcome = KTSTR_OUTCOME_PASS,
					       .wanted = 3,
					       .has_whole_evidence = true };
	run->f[0] = (struct finding){ .outcome = KTSTR_OUTCOME_PASS,
				      .subject = (char *)"cgroup a",
				      .metric = (char *)"gap" };
	run->f[1] = (struct finding){ .outcome = KTSTR_OUTCOME_FAIL,
				      .subject = (char *)"cgroup b1",
				      .metric = (char *)"longest gap",
				      .text = (char *)"tid 7 stuck 3 ms" };
	run->v.decisions = run->d;
	run->v.decision_count = 2;
}

static void expect_signature(struct run *run, uint32_t outcome, const char *text)
{
	struct signature signature;

	verdict_fold(&run->v);
	signature_of_verdict(&run->v, &signature);
	cr_expect_eq(signature.outcome, outcome, "%u", signature.outcome);
	cr_expect_str_eq(signature.text, text, "%s", signature.text);
}

Test(signature, of_a_pass_says_nothing)
{
	struct run run;

	make_run(&run);
	expect_signature(&run, KTSTR_OUTCOME_PASS, "");
}

Test(signature, names_the_checker_that_failed_and_its_finding)
{
	struct run run;

	make_run(&run);
	run.d[1].outcome = KTSTR_OUTCOME_FAIL;
	run.d[1].findings = run.f;
	run.d[1].finding_count = 2;
	expect_signature(&run, KTSTR_OUTCOME_FAIL, "checker 'gap': tid N stuck N s");
	run.f[1].text = NULL;
	expect_signature(&run, KTSTR_OUTCOME_FAIL, "checker 'gap': cgroup bN: longest gap");
	run.d[1].finding_count = 0;
	expect_signature(&run, KTSTR_OUTCOME_FAIL, "checker 'gap': the run failed it");
	run.d[1].reason = (char *)"it says 12";
	expect_signature(&run, KTSTR_OUTCOME_FAIL, "checker 'gap': it says N");
}

Test(signature, of_an_ejected_scheduler_is_the_kernels_word)
{
	struct run run;

	make_run(&run);
	run.v.evidence.sched_exit_text = (char *)"gone";
	run.v.evidence.summary.is_sched_exit = 1;
	expect_signature(&run, KTSTR_OUTCOME_FAIL, "the scheduler died: gone");
	run.v.evidence.scx.has_exit = true;
	run.v.evidence.scx.exit_kind = KTSTR_SCX_EXIT_ERROR_STALL;
	run.v.evidence.scx.exit_reason = (char *)"runnable task stall";
	run.v.evidence.scx.exit_message = (char *)"worker[151] failed to run for 2.976s";
	expect_signature(&run, KTSTR_OUTCOME_FAIL,
			 "sched_ext exit 'stall': worker[N] failed to run for N s");
	run.v.evidence.scx.exit_message = (char *)"";
	expect_signature(&run, KTSTR_OUTCOME_FAIL, "sched_ext exit 'stall': runnable task stall");
}

Test(signature, of_anything_else_is_the_reason)
{
	struct run run;

	make_run(&run);
	run.v.evidence.result_outcome = KTSTR_OUTCOME_FAIL;
	run.v.evidence.result_text = (char *)"step 3 took 9 s\n\033[31m";
	expect_signature(&run, KTSTR_OUTCOME_FAIL, "the scenario failed: step N took N s ?[Nm");
	make_run(&run);
	run.v.evidence.summary.end_reason = COORD_END_PANIC;
	run.v.evidence.end_reason = (char *)"panic on CPU 3";
	expect_signature(&run, KTSTR_OUTCOME_ERROR, "panic on CPU N");
}

Test(signature, of_a_run_without_a_verdict_is_an_error)
{
	struct signature a, b;

	signature_of_error("cannot start QEMU (pid 12)", &a);
	signature_of_error("cannot start QEMU (pid 345)", &b);
	cr_assert_eq(a.outcome, KTSTR_OUTCOME_ERROR);
	cr_assert_str_eq(a.text, "cannot start QEMU (pid N)");
	cr_assert(signature_is_same(&a, &b));
	b.outcome = KTSTR_OUTCOME_FAIL;
	cr_assert_not(signature_is_same(&a, &b));
}

Test(signature, keeps_long_texts_within_bounds)
{
	struct signature signature;
	char text[4000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	signature_of_error(text, &signature);
	cr_assert_eq(strlen(signature.text), SIGNATURE_TEXT_MAX);
}
