/* SPDX-License-Identifier: GPL-2.0-only */
#include "support/report_fixture.h"

#include "base/clock.h"
#include "ktstr/checker.h"

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

const struct verdict fixture_pass = { .outcome = KTSTR_OUTCOME_PASS,
				      .rule = "all pass",
				      .decisions = &gap,
				      .decision_count = 1,
				      .evidence = {
					      .has_summary = true,
					      .is_sealed = true,
					      .has_all_sent = true,
					      .summary = { .has_end = 1, .end_matches = 1 } } };
const struct verdict fixture_failure = {
	.outcome = KTSTR_OUTCOME_FAIL,
	.reason = "checker 'fairness': the workers of cgroup hog1 differ by 32.1 %",
	.rule = "checker fail",
	.decisions = both,
	.decision_count = 2,
	.evidence = { .has_summary = true, .is_sealed = true },
};

void fixture_whole_run(struct run_fixture *fixture)
{
	run_fixture_meta(fixture);
	run_fixture_text(fixture, RUNFILE_EVENT, RUNFILE_EVENT_TIMING, NS_PER_S / 2, "prepared");
	run_fixture_text(fixture, RUNFILE_EVENT, RUNFILE_EVENT_TIMING, NS_PER_S, "image");
	run_fixture_text(fixture, RUNFILE_EVENT, RUNFILE_EVENT_TIMING, 1100 * NS_PER_MS, "qemu");
	run_fixture_text(fixture, RUNFILE_EVENT, RUNFILE_EVENT_TIMING, 1800 * NS_PER_MS, "ready");
	run_fixture_cgroup(fixture, 1, "hog0");
	run_fixture_cgroup(fixture, 2, "hog1");
	run_fixture_scenario(fixture);
	run_fixture_worker(fixture, 12, 1, 500, 14);
	run_fixture_worker(fixture, 13, 2, 250, 90);
	run_fixture_text(fixture, RUNFILE_CONSOLE, 0, NS_PER_S,
			 "Linux 7.2\nreboot: Power down\r\n");
	run_fixture_append(fixture, RUNFILE_SUMMARY, 0, 0, 4 * NS_PER_S, "", 0);
	run_fixture_close(fixture);
}
