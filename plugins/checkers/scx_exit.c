/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How the run's sched_ext schedulers left: in order, or by the one way that is expected.
 *
 * In order is to be let go by their user half when they are stopped, and no sooner.
 */
#include <stdlib.h>

#include "findings.h"
#include "scx_frames.h"

enum {
	P_KIND,
	P_MESSAGE,
};

/* In the words of ktstr_scx_exit_name(). */
static const char *const kinds[] = { "none",	   "done",  "unreg",  "unreg_bpf",
				     "unreg_kern", "sysrq", "parent", "error",
				     "error_bpf",  "stall", NULL };

static const struct ktstr_param params[] = {
	[P_KIND] = { .key = "kind",
		     .help = "the exit that must happen; none: it leaves when it is stopped",
		     .type = KTSTR_PARAM_ENUM,
		     .fallback = "none",
		     .choices = kinds },
	[P_MESSAGE] = { .key = "message",
			.help = "stands in the exit's message",
			.type = KTSTR_PARAM_STRING,
			.min = 1,
			.max = 1000 },
	{ .key = NULL },
};

struct leaving {
	struct findings findings;
	const char *kind;
	char *message; /* NULL: any */
	struct scx_reign reign;
	uint32_t exits;
	uint32_t expected; /* exits that were as expected */
};

static int leaving_open(struct ktstr_judge *judge, const struct ktstr_value *values,
			void **ret_state, struct ktstr_error *err)
{
	struct leaving *leaving;

	if (values[P_MESSAGE].s && strcmp(kinds[values[P_KIND].i], "none") == 0)
		return ktstr_fail_at(err, &values[P_MESSAGE], -EINVAL,
				     "'message' needs a 'kind' that is to say it");
	leaving = calloc(1, sizeof(*leaving));
	if (leaving && values[P_MESSAGE].s)
		leaving->message = strdup(values[P_MESSAGE].s);
	if (!leaving || (values[P_MESSAGE].s && !leaving->message)) {
		free(leaving);
		return ktstr_fail(err, -ENOMEM, "no memory for the exits of schedulers");
	}
	leaving->findings.judge = judge;
	leaving->kind = kinds[values[P_KIND].i];
	*ret_state = leaving;
	return 0;
}

static void leaving_close(void *state)
{
	struct leaving *leaving = state;

	if (!leaving)
		return;
	free(leaving->message);
	free(leaving);
}

/* Was it thrown out, whoever did it? */
static bool is_ejection(const struct leaving *leaving, const struct scx_exit *leave)
{
	return leave->head.kind >= KTSTR_SCX_EXIT_SYSRQ || leaving->reign.is_on;
}

static void observe_exit(struct leaving *leaving, const struct scx_exit *leave)
{
	char number[16];
	const char *name = scx_kind_text(number, sizeof(number), leave->head.kind);
	const char *subject = leaving->reign.ops[0] ? leaving->reign.ops : "scheduler";
	const char *reason = leave->reason[0] ? leave->reason : name;
	bool is_kind = strcmp(leaving->kind, "none") != 0 && strcmp(name, leaving->kind) == 0;

	leaving->exits++;
	if (is_kind && (!leaving->message || strstr(leave->message, leaving->message))) {
		leaving->expected++;
		findings_say(&leaving->findings, KTSTR_OUTCOME_PASS, subject,
			     "left as expected: %s (%u): '%s'", reason, leave->head.kind,
			     leave->message);
	} else if (is_kind) {
		findings_say(&leaving->findings, KTSTR_OUTCOME_FAIL, subject,
			     "left by %s (%u) as expected, but said '%s', not '%s'", reason,
			     leave->head.kind, leave->message, leaving->message);
	} else if (is_ejection(leaving, leave)) {
		findings_say(&leaving->findings, KTSTR_OUTCOME_FAIL, subject, "%s: %s (%u): '%s'",
			     leave->head.kind >= KTSTR_SCX_EXIT_SYSRQ ? "was ejected"
								      : "left by itself",
			     reason, leave->head.kind, leave->message);
	}
}

/* The user half died. Where an exit was expected, or told of already, that is what counts. */
static void observe_death(struct leaving *leaving, const struct ktstr_frame *frame)
{
	char text[512] = "";

	if (strcmp(leaving->kind, "none") != 0 || leaving->findings.outcome == KTSTR_OUTCOME_FAIL)
		return;
	if (frame->length > sizeof(int32_t))
		(void)text_copy(text, sizeof(text), (const char *)frame->payload + sizeof(int32_t),
				frame->length - sizeof(int32_t));
	findings_say(&leaving->findings, KTSTR_OUTCOME_FAIL, "scheduler", "the scheduler died: %s",
		     text[0] ? text : "it did not say why");
}

static int leaving_observe(void *state, const struct ktstr_frame *frame, struct ktstr_error *err)
{
	struct leaving *leaving = state;
	struct scx_state sample;
	struct scx_exit leave;
	int code = 0;

	if (!(frame->flags & KTSTR_FRAME_CRC_OK))
		return 0;
	switch (frame->msg_type) {
	case KTSTR_MSG_SCX_STATE:
		code = scx_state_get(frame, &sample, err);
		if (code == 0)
			scx_reign_follow(&leaving->reign, &sample);
		break;
	case KTSTR_MSG_SCX_EXIT:
		code = scx_exit_get(frame, &leave, err);
		if (code == 0)
			observe_exit(leaving, &leave);
		break;
	case KTSTR_MSG_SCHED_EXIT:
		observe_death(leaving, frame);
		break;
	default:
		break;
	}
	return code;
}

/* No ejection was expected, and none was seen: was there one that could have been? */
static void judge_quiet(struct leaving *leaving)
{
	const struct scx_reign *reign = &leaving->reign;

	if (!reign->has_state)
		findings_say(&leaving->findings, KTSTR_OUTCOME_UNDECIDED, "run",
			     "the run does not tell of sched_ext");
	else if (!reign->count)
		findings_say(&leaving->findings, KTSTR_OUTCOME_SKIP, "run",
			     "no sched_ext scheduler was in charge");
	else if (reign->has_died)
		findings_say(&leaving->findings, KTSTR_OUTCOME_FAIL, reign->ops,
			     "was gone before it was stopped");
	else if (reign->is_on)
		findings_say(&leaving->findings, KTSTR_OUTCOME_UNDECIDED, reign->ops,
			     "the run ended before '%s' was stopped", reign->ops);
	else
		findings_say(&leaving->findings, KTSTR_OUTCOME_PASS, reign->ops, "was not ejected");
}

static int leaving_finish(void *state, uint32_t *ret_outcome, struct ktstr_error *err)
{
	struct leaving *leaving = state;

	(void)err;
	if (strcmp(leaving->kind, "none") != 0) {
		if (!leaving->exits)
			findings_say(&leaving->findings,
				     leaving->reign.has_state ? KTSTR_OUTCOME_FAIL
							      : KTSTR_OUTCOME_UNDECIDED,
				     "run", "no scheduler left by '%s'", leaving->kind);
		else if (leaving->findings.outcome == KTSTR_OUTCOME_NONE)
			findings_say(&leaving->findings, KTSTR_OUTCOME_FAIL, "run",
				     "no scheduler left by '%s', but in order", leaving->kind);
	} else if (leaving->findings.outcome != KTSTR_OUTCOME_FAIL) {
		judge_quiet(leaving);
	}
	*ret_outcome = leaving->findings.outcome;
	return 0;
}

static const uint32_t wants[] = { KTSTR_MSG_SCX_STATE, KTSTR_MSG_SCX_EXIT, KTSTR_MSG_SCHED_EXIT };

static const struct ktstr_checker_ops ops = {
	.size = sizeof(ops),
	.wants_count = sizeof(wants) / sizeof(wants[0]),
	.wants = wants,
	.open = leaving_open,
	.observe = leaving_observe,
	.finish = leaving_finish,
	.close = leaving_close,
};

KTSTR_PLUGIN_DEFINE(KTSTR_KIND_CHECKER, .name = "scx_exit", .version = "1.0",
		    .summary = "sched_ext schedulers leave in order, or as expected",
		    .params = params, .checker = &ops, .license = "GPL-2.0-only");
