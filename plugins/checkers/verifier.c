/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The programs of a BPF scheduler stay well below the verifier's limit, and do not grow.
 *
 * What counts is how many instructions the verifier went through, on all paths: the kernel refuses
 * a program for which that is more than a million.
 */
#include <stdlib.h>

#include "findings.h"
#include "scx_frames.h"

#define NAME_MAX_BYTES sizeof(((struct ktstr_sched_prog *)0)->name)

enum {
	P_MAX_INSNS,
	P_MAX_GROWTH,
	P_BASELINE,
};

enum {
	BASE_PROGRAM,
	BASE_INSNS,
};

static const struct ktstr_param base_fields[] = {
	[BASE_PROGRAM] = { .key = "program",
			   .help = "its name, as reports have it",
			   .type = KTSTR_PARAM_STRING,
			   .flags = KTSTR_PARAM_REQUIRED,
			   .min = 1,
			   .max = NAME_MAX_BYTES - 1 },
	[BASE_INSNS] = { .key = "insns",
			 .help = "verified instructions that it had",
			 .type = KTSTR_PARAM_INT,
			 .flags = KTSTR_PARAM_REQUIRED,
			 .min = 1,
			 .max = 1000000 },
	{ .key = NULL },
};

static const struct ktstr_param base_item[] = {
	{ .key = "entry",
	  .help = "one program of the baseline",
	  .type = KTSTR_PARAM_MAP,
	  .fields = base_fields },
	{ .key = NULL },
};

static const struct ktstr_param params[] = {
	[P_MAX_INSNS] = { .key = "max_insns",
			  .help = "most verified instructions of one program",
			  .type = KTSTR_PARAM_INT,
			  .fallback = "900000",
			  .min = 1,
			  .max = 1000000 },
	[P_MAX_GROWTH] = { .key = "max_growth",
			   .help = "most that a program of the baseline may have grown",
			   .type = KTSTR_PARAM_PERCENT,
			   .fallback = "10%",
			   .min = 0,
			   .max = 100000 },
	[P_BASELINE] = { .key = "baseline",
			 .help = "what programs had before",
			 .type = KTSTR_PARAM_LIST,
			 .max = KTSTR_SCHED_PROGS_MAX,
			 .fields = base_item },
	{ .key = NULL },
};

struct base {
	char name[NAME_MAX_BYTES];
	double insns;
	double measured; /* the most that it had in this run; 0: not seen */
};

struct verifier {
	struct findings findings;
	double max_insns;
	double max_growth;
	struct base bases[KTSTR_SCHED_PROGS_MAX];
	uint32_t base_count;
	bool has_frame;
	uint32_t judged, failed, unknown;
	char worst_name[NAME_MAX_BYTES];
	double worst;
};

static int verifier_open(struct ktstr_judge *judge, const struct ktstr_value *values,
			 void **ret_state, struct ktstr_error *err)
{
	struct verifier *verifier = calloc(1, sizeof(*verifier));
	const struct ktstr_value *baseline = &values[P_BASELINE];

	if (!verifier)
		return ktstr_fail(err, -ENOMEM, "no memory for the programs of a scheduler");
	verifier->findings.judge = judge;
	verifier->max_insns = (double)values[P_MAX_INSNS].i;
	verifier->max_growth = values[P_MAX_GROWTH].f;
	for (uint32_t i = 0; i < baseline->count && i < KTSTR_SCHED_PROGS_MAX; i++) {
		const struct ktstr_value *fields = baseline->items[i].items;
		struct base *base = &verifier->bases[verifier->base_count++];

		(void)snprintf(base->name, sizeof(base->name), "%s", fields[BASE_PROGRAM].s);
		base->insns = (double)fields[BASE_INSNS].i;
	}
	*ret_state = verifier;
	return 0;
}

static void observe_program(struct verifier *verifier, const char *name, uint32_t insns)
{
	struct ktstr_finding finding = { .outcome = KTSTR_OUTCOME_FAIL,
					 .subject = name,
					 .metric = "verified instructions",
					 .measured = insns,
					 .limit = verifier->max_insns,
					 .limit_kind = KTSTR_LIMIT_AT_MOST };

	if (!insns) {
		verifier->unknown++;
		return;
	}
	verifier->judged++;
	for (uint32_t i = 0; i < verifier->base_count; i++)
		if (strcmp(verifier->bases[i].name, name) == 0 &&
		    insns > verifier->bases[i].measured)
			verifier->bases[i].measured = insns;
	if (insns > verifier->worst) {
		verifier->worst = insns;
		(void)snprintf(verifier->worst_name, sizeof(verifier->worst_name), "%s", name);
	}
	if (finding.measured <= finding.limit)
		return;
	verifier->failed++;
	findings_figure(&verifier->findings, finding,
			"the verifier went through %u instructions of '%s', at most %.0f are fine",
			insns, name, finding.limit);
}

static int verifier_observe(void *state, const struct ktstr_frame *frame, struct ktstr_error *err)
{
	struct verifier *verifier = state;
	struct ktstr_sched_progs head;
	const unsigned char *programs;
	uint32_t length;

	if (!(frame->flags & KTSTR_FRAME_CRC_OK) || frame->msg_type != KTSTR_MSG_SCHED_PROGS)
		return 0;
	if (ktstr_payload_get(frame, &head, sizeof(head), sizeof(head)) < 0)
		return ktstr_fail(err, -EBADMSG,
				  "frame %llu: programs of %u bytes, at least %zu are needed",
				  (unsigned long long)frame->index, frame->length, sizeof(head));
	programs = ktstr_payload_tail(frame, &length);
	if (head.program_count > KTSTR_SCHED_PROGS_MAX ||
	    head.program_count > length / sizeof(struct ktstr_sched_prog))
		return ktstr_fail(err, -EBADMSG, "frame %llu: %u programs, but %u bytes follow",
				  (unsigned long long)frame->index, head.program_count, length);
	verifier->has_frame = true;
	/* The same ones are told of before the stop once more. */
	if (head.when != KTSTR_SCX_ATTACHED)
		return 0;
	for (uint32_t i = 0; i < head.program_count; i++) {
		struct ktstr_sched_prog program;
		char name[sizeof(program.name)];

		memcpy(&program, programs + i * sizeof(program), sizeof(program));
		(void)text_copy(name, sizeof(name), program.name,
				strnlen(program.name, sizeof(program.name)));
		observe_program(verifier, name, program.verified_insns);
	}
	return 0;
}

static void judge_growth(struct verifier *verifier, const struct base *base)
{
	struct ktstr_finding finding = { .outcome = KTSTR_OUTCOME_PASS,
					 .subject = base->name,
					 .metric = "growth",
					 .unit = "%",
					 .measured =
						 (base->measured - base->insns) * 100 / base->insns,
					 .limit = verifier->max_growth,
					 .limit_kind = KTSTR_LIMIT_AT_MOST };

	if (base->measured <= 0) {
		findings_say(&verifier->findings, KTSTR_OUTCOME_UNDECIDED, base->name,
			     "'%s' of the baseline was not loaded", base->name);
		return;
	}
	if (finding.measured > finding.limit)
		finding.outcome = KTSTR_OUTCOME_FAIL;
	findings_figure(&verifier->findings, finding,
			"'%s' has %.0f verified instructions, %.0f in the baseline (%+.1f%%)",
			base->name, base->measured, base->insns, finding.measured);
}

static void judge_programs(struct verifier *verifier)
{
	const struct ktstr_finding worst = { .outcome = KTSTR_OUTCOME_PASS,
					     .subject = verifier->worst_name,
					     .metric = "verified instructions",
					     .measured = verifier->worst,
					     .limit = verifier->max_insns,
					     .limit_kind = KTSTR_LIMIT_AT_MOST };

	if (verifier->unknown)
		findings_say(&verifier->findings, KTSTR_OUTCOME_UNDECIDED, "run",
			     "the kernel does not tell how much of %u programs it verified",
			     verifier->unknown);
	else if (!verifier->failed)
		findings_figure(
			&verifier->findings, worst,
			"the largest of %u programs is '%s', with %.0f verified instructions",
			verifier->judged, verifier->worst_name, verifier->worst);
	for (uint32_t i = 0; i < verifier->base_count; i++)
		judge_growth(verifier, &verifier->bases[i]);
}

static int verifier_finish(void *state, uint32_t *ret_outcome, struct ktstr_error *err)
{
	struct verifier *verifier = state;

	(void)err;
	if (!verifier->has_frame)
		findings_say(&verifier->findings, KTSTR_OUTCOME_UNDECIDED, "run",
			     "the run does not tell of BPF programs");
	else if (!verifier->judged && !verifier->unknown)
		findings_say(&verifier->findings, KTSTR_OUTCOME_SKIP, "run",
			     "the scheduler has no BPF programs");
	else
		judge_programs(verifier);
	*ret_outcome = verifier->findings.outcome;
	return 0;
}

static const uint32_t wants[] = { KTSTR_MSG_SCHED_PROGS };

static const struct ktstr_checker_ops ops = {
	.size = sizeof(ops),
	.wants_count = sizeof(wants) / sizeof(wants[0]),
	.wants = wants,
	.open = verifier_open,
	.observe = verifier_observe,
	.finish = verifier_finish,
	.close = free,
};

KTSTR_PLUGIN_DEFINE(KTSTR_KIND_CHECKER, .name = "verifier", .version = "1.0",
		    .summary = "BPF programs stay below the verifier's limit, and do not grow",
		    .params = params, .checker = &ops, .license = "GPL-2.0-only");
