/* SPDX-License-Identifier: MIT */
/*
 * A checker plugin to start from: how long does a task that could run wait for a CPU, on average?
 *
 *	checkers:
 *	  - plugin: my_checker
 *	    max_wait: 20ms
 *
 * It runs on the host after the run, in a process of its own, and sees the frames in order of their
 * arrival. It decides from them alone: no clock, no randomness, no files, so that judging a run
 * again, years later, gives the same verdict.
 */
#include "ktstr/checker.h"

#include <stdlib.h>

#define NS_PER_MS 1e6

enum {
	P_MAX_WAIT,
	P_MIN_RUNS,
};

static const struct ktstr_param params[] = {
	[P_MAX_WAIT] = { .key = "max_wait",
			 .help = "longest average wait of a worker for a CPU",
			 .type = KTSTR_PARAM_DURATION,
			 .fallback = "50ms",
			 .min = 1,
			 .max = INT64_C(600000000000) },
	[P_MIN_RUNS] = { .key = "min_runs",
			 .help = "workers that ran fewer times are not judged",
			 .type = KTSTR_PARAM_INT,
			 .fallback = "10",
			 .min = 1,
			 .max = INT64_C(1) << 40 },
	{ .key = NULL },
};

/* What is kept between the frames. One number a run, not one a worker: a checker has a limit on
 * memory, and a run may have any number of workers. */
struct checker {
	struct ktstr_judge *judge;
	double max_wait_ms;
	uint64_t min_runs;
	uint64_t judged;
	uint64_t failed;
	double worst_ms;
};

static int checker_open(struct ktstr_judge *judge, const struct ktstr_value *values,
			void **ret_state, struct ktstr_error *err)
{
	struct checker *c = calloc(1, sizeof(*c));

	if (!c)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	c->judge = judge;
	c->max_wait_ms = (double)values[P_MAX_WAIT].i / NS_PER_MS;
	c->min_runs = (uint64_t)values[P_MIN_RUNS].i;
	*ret_state = c;
	return 0;
}

/* One thing found: a figure against its limit. The host copies all texts at once. */
static void report_wait(struct checker *c, uint32_t outcome, const char *subject, double wait_ms,
			const char *text)
{
	const struct ktstr_finding finding = {
		.size = sizeof(finding),
		.outcome = outcome,
		.subject = subject,
		.metric = "average wait",
		.unit = "ms",
		.measured = wait_ms,
		.limit = c->max_wait_ms,
		.limit_kind = KTSTR_LIMIT_AT_MOST,
		.text = text,
	};

	c->judge->finding(c->judge, &finding);
}

static void judge_worker(struct checker *c, const struct ktstr_worker_report *report)
{
	double wait_ms = (double)report->run_delay_ns / (double)report->run_count / NS_PER_MS;
	char subject[64], text[128];

	c->judged++;
	if (wait_ms > c->worst_ms)
		c->worst_ms = wait_ms;
	if (wait_ms <= c->max_wait_ms)
		return;
	c->failed++;
	(void)snprintf(subject, sizeof(subject), "tid %u", report->tid);
	(void)snprintf(text, sizeof(text), "waited %.3f ms for a CPU on average over %llu runs",
		       wait_ms, (unsigned long long)report->run_count);
	report_wait(c, KTSTR_OUTCOME_FAIL, subject, wait_ms, text);
}

/* One frame. A payload comes from the guest, so nothing in it is believed before it is checked. */
static int checker_observe(void *state, const struct ktstr_frame *frame, struct ktstr_error *err)
{
	struct ktstr_worker_report report;
	struct checker *c = state;

	/* A frame whose CRC was wrong is shown, but says nothing. The run cannot PASS with it. */
	if (!(frame->flags & KTSTR_FRAME_CRC_OK))
		return 0;
	if (ktstr_payload_get(frame, &report, sizeof(report),
			      offsetof(struct ktstr_worker_report, migrations)) < 0)
		return ktstr_fail(err, -EBADMSG, "worker report of frame %llu is too short",
				  (unsigned long long)frame->index);
	if ((report.flags & KTSTR_WORKER_COMPLETED) && report.run_count >= c->min_runs)
		judge_worker(c, &report);
	return 0;
}

/* All frames have been seen. Never PASS without evidence: UNDECIDED says that there was none. */
static int checker_finish(void *state, uint32_t *ret_outcome, struct ktstr_error *err)
{
	struct checker *c = state;

	(void)err;
	if (c->judged == 0) {
		/* Without a metric it is a sentence alone: there is no figure to show. */
		c->judge->finding(c->judge,
				  &(struct ktstr_finding){
					  .size = sizeof(struct ktstr_finding),
					  .outcome = KTSTR_OUTCOME_UNDECIDED,
					  .subject = "all workers",
					  .text = "no worker ran often enough to be judged; lower "
						  "'min_runs' or hold longer",
				  });
		*ret_outcome = KTSTR_OUTCOME_UNDECIDED;
		return 0;
	}
	if (c->failed == 0)
		report_wait(c, KTSTR_OUTCOME_PASS, "worst worker", c->worst_ms, NULL);
	*ret_outcome = c->failed ? KTSTR_OUTCOME_FAIL : KTSTR_OUTCOME_PASS;
	return 0;
}

static void checker_close(void *state)
{
	free(state);
}

/* Only these are shown; a run without any cannot PASS this checker. */
static const uint32_t wants[] = { KTSTR_MSG_WORKER };

static const struct ktstr_checker_ops ops = {
	.size = sizeof(ops),
	.wants_count = sizeof(wants) / sizeof(wants[0]),
	.wants = wants,
	.open = checker_open,
	.observe = checker_observe,
	.finish = checker_finish,
	.close = checker_close,
};

KTSTR_PLUGIN_DEFINE(KTSTR_KIND_CHECKER, .name = "my_checker", .version = "1.0",
		    .summary = "how long a task waits for a CPU", .params = params, .checker = &ops,
		    .license = "MIT");
