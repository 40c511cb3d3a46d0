/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A sched_ext scheduler was in charge all the time, from its start to its stop: the same one, with
 * no task refused, and the workers ran under it.
 *
 * Where the scenario changes schedulers, each reign is judged by itself, and a worker counts where
 * a reign held when its loop began, or when it ended.
 */
#include <fnmatch.h>
#include <stdlib.h>

#include "findings.h"
#include "scx_frames.h"

#define NS_PER_S 1e9
#define NS_PER_MS UINT64_C(1000000)
/* How late the host may hear of a frame: so near to a change nobody knows which was first. */
#define CHANGE_NS (500 * NS_PER_MS)
#define CHANGES_MAX 256u

enum {
	P_OPS,
	P_MAX_REJECTED,
};

static const struct ktstr_param params[] = {
	[P_OPS] = { .key = "ops",
		    .help = "name that the scheduler has in the kernel; * and ? stand for any",
		    .type = KTSTR_PARAM_STRING,
		    .min = 1,
		    .max = 127 },
	[P_MAX_REJECTED] = { .key = "max_rejected",
			     .help = "most tasks that the scheduler may refuse",
			     .type = KTSTR_PARAM_INT,
			     .fallback = "0",
			     .min = 0,
			     .max = INT64_MAX },
	{ .key = NULL },
};

struct alive {
	struct findings findings;
	char *ops; /* NULL: any */
	double max_rejected;
	struct scx_reign reign;
	/* Something was said against the reign that holds. */
	bool has_complaint;
	bool is_cut;	   /* a reign ended with the session: nobody stopped its scheduler */
	uint64_t rejected; /* most of any reign */
	uint32_t swaps;	   /* after which a scheduler was to be in charge */
	bool has_swaps;
	/* When reigns began and ended, on the host's clock: on, off, on, ... */
	uint64_t changes[CHANGES_MAX];
	uint32_t change_count;
	size_t judged, unknown;
};

static int alive_open(struct ktstr_judge *judge, const struct ktstr_value *values, void **ret_state,
		      struct ktstr_error *err)
{
	struct alive *alive = calloc(1, sizeof(*alive));

	if (alive && values[P_OPS].s)
		alive->ops = strdup(values[P_OPS].s);
	if (!alive || (values[P_OPS].s && !alive->ops)) {
		free(alive);
		return ktstr_fail(err, -ENOMEM, "no memory for the life of a scheduler");
	}
	alive->findings.judge = judge;
	alive->max_rejected = (double)values[P_MAX_REJECTED].i;
	*ret_state = alive;
	return 0;
}

static void alive_close(void *state)
{
	struct alive *alive = state;

	if (!alive)
		return;
	free(alive->ops);
	free(alive);
}

__attribute__((format(printf, 2, 3))) static void complain(struct alive *alive, const char *format,
							   ...)
{
	struct ktstr_finding finding = { .outcome = KTSTR_OUTCOME_FAIL,
					 .subject = alive->reign.ops };
	va_list args;

	alive->has_complaint = true;
	va_start(args, format);
	findings_add(&alive->findings, &finding, format, args);
	va_end(args);
}

/* A sample of a reign: what must not have changed since its begin. The first complaint is enough.
 */
static void judge_sample(struct alive *alive, const struct scx_reign *before,
			 const struct scx_state *state)
{
	const struct ktstr_scx_state *head = &state->head;
	double at = head->guest_ns > before->start_ns
			    ? (double)(head->guest_ns - before->start_ns) / NS_PER_S
			    : 0;

	if (head->nr_rejected > alive->rejected)
		alive->rejected = head->nr_rejected;
	/* Without word of the stop before it, this is PID 1's, after a session that broke. */
	if (head->when == KTSTR_SCX_STOPPED)
		alive->is_cut = true;
	if (alive->has_complaint || head->when == KTSTR_SCX_STOPPED)
		return;
	if (head->when == KTSTR_SCX_DIED)
		complain(alive, "'%s' was gone %.2f s after it was attached", before->ops, at);
	else if (!scx_is_enabled(state))
		complain(alive, "sched_ext was '%s' %.2f s after '%s' was attached", head->state,
			 at, before->ops);
	else if (strcmp(head->ops, before->ops) != 0)
		complain(alive, "'%s' was in charge %.2f s after '%s' was attached", head->ops, at,
			 before->ops);
	else if (head->enable_seq != before->enable_seq)
		complain(alive, "'%s' was enabled anew within %.2f s after it was attached",
			 before->ops, at);
}

static void note_change(struct alive *alive, const struct ktstr_frame *frame)
{
	if (alive->change_count < CHANGES_MAX)
		alive->changes[alive->change_count++] = frame->host_ns;
}

static void observe_state(struct alive *alive, const struct ktstr_frame *frame,
			  const struct scx_state *state)
{
	struct scx_reign before = alive->reign;

	scx_reign_follow(&alive->reign, state);
	if (before.is_on && !alive->reign.is_first)
		judge_sample(alive, &before, state);
	if (before.is_on != alive->reign.is_on)
		note_change(alive, frame);
	if (!alive->reign.is_first)
		return;
	alive->has_complaint = false;
	if (alive->ops && fnmatch(alive->ops, alive->reign.ops, 0) != 0)
		complain(alive, "'%s' was in charge instead of '%s'", alive->reign.ops, alive->ops);
}

static void observe_swap(struct alive *alive, const struct ktstr_sched_swap *swap)
{
	alive->has_swaps = true;
	if (swap->code == 0 && swap->kind != KTSTR_SCHED_SWAP_DETACH)
		alive->swaps++;
	if (swap->code < 0)
		findings_say(&alive->findings, KTSTR_OUTCOME_FAIL, "run",
			     "changing to scheduler '%s' failed: %s",
			     swap->name[0] ? swap->name : swap->plugin, strerror(-swap->code));
}

/* Did a reign hold at @at_ns for sure? */
static bool is_under(const struct alive *alive, uint64_t at_ns)
{
	bool is_on = false;

	if (alive->change_count == CHANGES_MAX)
		return false;
	for (uint32_t i = 0; i < alive->change_count; i++) {
		uint64_t change_ns = alive->changes[i];

		if (change_ns < at_ns + CHANGE_NS && at_ns < change_ns + CHANGE_NS)
			return false;
		if (change_ns <= at_ns)
			is_on = !is_on;
	}
	return is_on;
}

static void judge_worker(struct alive *alive, const struct ktstr_frame *frame,
			 const struct ktstr_worker_report *report)
{
	uint64_t life_ns =
		report->wall_time_ns < frame->host_ns ? report->wall_time_ns : frame->host_ns;
	/* Frames are in order, so what holds now held at its end. */
	bool is_end_under = alive->reign.is_on;
	bool is_start_under =
		alive->has_swaps ? is_under(alive, frame->host_ns - life_ns) : alive->reign.is_on;
	bool has_no = (is_start_under && report->ext_first == KTSTR_EXT_NO) ||
		      (is_end_under && report->ext_last == KTSTR_EXT_NO);
	char subject[32];

	if (!is_start_under && !is_end_under)
		return;
	(void)snprintf(subject, sizeof(subject), "tid %u", report->tid);
	if (has_no)
		findings_say(&alive->findings, KTSTR_OUTCOME_FAIL, subject,
			     "tid %u did not run under '%s' when its work %s", report->tid,
			     alive->reign.ops,
			     is_start_under && report->ext_first == KTSTR_EXT_NO ? "began"
										 : "ended");
	else if ((is_start_under && report->ext_first != KTSTR_EXT_YES) ||
		 (is_end_under && report->ext_last != KTSTR_EXT_YES))
		alive->unknown++;
	alive->judged++;
}

static int observe_worker(struct alive *alive, const struct ktstr_frame *frame,
			  struct ktstr_error *err)
{
	size_t min = offsetof(struct ktstr_worker_report, nice);
	struct ktstr_worker_report report;

	if (ktstr_payload_get(frame, &report, sizeof(report), (uint32_t)min) < 0)
		return ktstr_fail(
			err, -EBADMSG,
			"frame %llu: a worker's report of %u bytes, at least %zu are needed",
			(unsigned long long)frame->index, frame->length, min);
	/* Of one that did not end in order nobody knows where it ran. */
	if (report.flags & KTSTR_WORKER_COMPLETED)
		judge_worker(alive, frame, &report);
	return 0;
}

static int alive_observe(void *state, const struct ktstr_frame *frame, struct ktstr_error *err)
{
	struct alive *alive = state;
	struct ktstr_sched_swap swap;
	struct scx_state sample;
	int code = 0;

	if (!(frame->flags & KTSTR_FRAME_CRC_OK))
		return 0;
	switch (frame->msg_type) {
	case KTSTR_MSG_SCX_STATE:
		code = scx_state_get(frame, &sample, err);
		if (code == 0)
			observe_state(alive, frame, &sample);
		break;
	case KTSTR_MSG_SCHED_SWAP:
		code = scx_swap_get(frame, &swap, err);
		if (code == 0)
			observe_swap(alive, &swap);
		break;
	case KTSTR_MSG_WORKER:
		code = observe_worker(alive, frame, err);
		break;
	default:
		break;
	}
	return code;
}

/* A FAIL says enough; what is good or not known besides would only stand before it. */
static bool has_failed(const struct alive *alive)
{
	return alive->findings.outcome == KTSTR_OUTCOME_FAIL;
}

static void judge_workers(struct alive *alive)
{
	const struct ktstr_finding workers = { .outcome = KTSTR_OUTCOME_PASS,
					       .subject = alive->reign.ops,
					       .metric = "workers under sched_ext",
					       .measured = (double)alive->judged,
					       .limit = 1,
					       .limit_kind = KTSTR_LIMIT_AT_LEAST };

	if (has_failed(alive))
		return;
	if (!alive->judged)
		findings_say(&alive->findings, KTSTR_OUTCOME_UNDECIDED, "run",
			     "no worker told whether it ran under '%s'", alive->reign.ops);
	else if (alive->unknown)
		findings_say(&alive->findings, KTSTR_OUTCOME_UNDECIDED, "run",
			     "the kernel does not tell of %zu workers whether they ran under '%s'",
			     alive->unknown, alive->reign.ops);
	else
		findings_figure(&alive->findings, workers, "all of %zu workers ran under '%s'",
				alive->judged, alive->reign.ops);
}

static void judge_rejected(struct alive *alive)
{
	struct ktstr_finding finding = { .subject = alive->reign.ops,
					 .metric = "rejected tasks",
					 .measured = (double)alive->rejected,
					 .limit = alive->max_rejected,
					 .limit_kind = KTSTR_LIMIT_AT_MOST };

	finding.outcome =
		finding.measured > finding.limit ? KTSTR_OUTCOME_FAIL : KTSTR_OUTCOME_PASS;
	if (finding.outcome == KTSTR_OUTCOME_PASS && has_failed(alive))
		return;
	findings_figure(&alive->findings, finding, "'%s' rejected %llu tasks", alive->reign.ops,
			(unsigned long long)alive->rejected);
}

static int alive_finish(void *state, uint32_t *ret_outcome, struct ktstr_error *err)
{
	struct alive *alive = state;
	const struct scx_reign *reign = &alive->reign;

	(void)err;
	if (!reign->has_state)
		findings_say(&alive->findings, KTSTR_OUTCOME_UNDECIDED, "run",
			     "the run does not tell of sched_ext");
	else if (!reign->has_kernel)
		findings_say(&alive->findings, KTSTR_OUTCOME_UNDECIDED, "run",
			     "this kernel has no sched_ext");
	else if (!reign->count)
		findings_say(&alive->findings, KTSTR_OUTCOME_FAIL, "run",
			     "no sched_ext scheduler was in charge");
	if (reign->count > 1 + alive->swaps)
		findings_say(&alive->findings, KTSTR_OUTCOME_FAIL, reign->ops,
			     "schedulers were attached %u times, of which the scenario asked for "
			     "%u at most",
			     reign->count, 1 + alive->swaps);
	if (reign->is_on || alive->is_cut)
		findings_say(&alive->findings, KTSTR_OUTCOME_UNDECIDED, reign->ops,
			     "the run ended before '%s' was stopped", reign->ops);
	if (reign->count) {
		judge_rejected(alive);
		judge_workers(alive);
	}
	*ret_outcome = alive->findings.outcome;
	return 0;
}

static const uint32_t wants[] = { KTSTR_MSG_SCX_STATE, KTSTR_MSG_SCHED_SWAP, KTSTR_MSG_WORKER };

static const struct ktstr_checker_ops ops = {
	.size = sizeof(ops),
	.wants_count = sizeof(wants) / sizeof(wants[0]),
	.wants = wants,
	.open = alive_open,
	.observe = alive_observe,
	.finish = alive_finish,
	.close = alive_close,
};

KTSTR_PLUGIN_DEFINE(KTSTR_KIND_CHECKER, .name = "scx_alive", .version = "1.0",
		    .summary = "a sched_ext scheduler was in charge, and workers ran under it",
		    .params = params, .checker = &ops, .license = "GPL-2.0-only");
