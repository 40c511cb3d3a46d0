/* SPDX-License-Identifier: GPL-2.0-only */
#include "unit/expected_run.h"

#include <string.h>

#include "base/cleanup.h"
#include "coord/coord.h"

void make_common(struct run *run)
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
		.scx = { .scheduler = "scx_x" },
	};
	for (size_t i = 0; i < ARRAY_SIZE(run->d); i++)
		run->d[i] = (struct decision){ .outcome = KTSTR_OUTCOME_PASS,
					       .wanted = 3,
					       .has_whole_evidence = true };
	run->d[0].name = (char *)"one";
	run->d[1].name = (char *)"two";
	run->d[2].name = (char *)"three";
	run->f = (struct finding){ .outcome = KTSTR_OUTCOME_FAIL, .text = (char *)"stuck 3 s" };
	run->v.decisions = run->d;
	run->v.decision_count = 2;
	run->v.expect = &run->expect;
	run->expect = (struct expectation){ .is_given = true, .outcome = KTSTR_OUTCOME_FAIL };
}

void fail_checker(struct run *run, size_t number)
{
	run->d[number].outcome = KTSTR_OUTCOME_FAIL;
	run->d[number].findings = &run->f;
	run->d[number].finding_count = 1;
}

void make_ejected(struct run *run)
{
	struct evidence *e = &run->v.evidence;

	make_common(run);
	e->summary.end_reason = COORD_END_SCHED_EXIT;
	e->summary.is_sched_exit = 1;
	e->sched_exit_text = (char *)"the kernel threw it out";
	e->result_outcome = KTSTR_OUTCOME_FAIL;
	e->result_text = (char *)"the kernel threw it out";
	e->scx.has_exit = true;
	e->scx.exit_kind = KTSTR_SCX_EXIT_ERROR_STALL;
	e->scx.exit_reason = (char *)"runnable task stall";
	e->scx.exit_message = (char *)EXPECTED_RUN_MESSAGE;
	e->scx.exit_at = (struct scx_moment){
		.is_known = true, .place = SCX_PLACE_STEP, .step = 1, .into_ns = 2040000000
	};
	e->scx.has_state = true;
	(void)memcpy(e->scx.state.state, "disabled", 9);
	run->d[1].outcome = KTSTR_OUTCOME_UNDECIDED;
	run->d[1].wanted = 0;
	run->expect.has_scx_exit = true;
	run->expect.has_scx_kind = true;
	run->expect.scx_kind = KTSTR_SCX_EXIT_ERROR_STALL;
	run->expect.scx_message = (char *)"failed to run for";
}

void make_refused(struct run *run)
{
	struct evidence *e = &run->v.evidence;

	make_common(run);
	e->has_result = false;
	e->result_outcome = 0;
	e->has_error = true;
	e->error_stage = KTSTR_STAGE_SCHEDULER;
	e->error_text = (char *)"the verifier refused it: R1 invalid";
	e->summary.exit_code = 1;
	e->summary.last_phase = KTSTR_PHASE_SCHEDULER_DIED;
	e->scx.has_died_at_start = true;
	e->scx.start_error = (char *)"the verifier refused it: R1 invalid";
	run->d[0].outcome = run->d[1].outcome = KTSTR_OUTCOME_UNDECIDED;
	run->d[0].wanted = run->d[1].wanted = 0;
	run->expect.start_error = (char *)"R1 invalid";
}

void make_caught(struct run *run)
{
	make_common(run);
	fail_checker(run, 1);
	run->named[0] = (char *)"two";
	run->expect.checkers = run->named;
	run->expect.checker_count = 1;
}
