/* SPDX-License-Identifier: GPL-2.0-only */
/* A checker that fails runs of certain seeds, as long as they are large enough. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "ktstr/checker.h"

#define CGROUPS_MAX 64

enum {
	P_EVERY,
	P_OTHER,
	P_WORKERS,
	P_ERROR_FROM
};

static const struct ktstr_param params[] = {
	[P_EVERY] = { .key = "every",
		      .help = "seeds that are a multiple of it fail; 0: none",
		      .type = KTSTR_PARAM_INT,
		      .fallback = "5",
		      .min = 0,
		      .max = 1000000 },
	[P_OTHER] = { .key = "other",
		      .help = "and those of this fail in another way",
		      .type = KTSTR_PARAM_INT,
		      .fallback = "0",
		      .min = 0,
		      .max = 1000000 },
	[P_WORKERS] = { .key = "workers",
			.help = "but only if some cgroup has so many workers",
			.type = KTSTR_PARAM_INT,
			.fallback = "0",
			.min = 0,
			.max = 1000 },
	[P_ERROR_FROM] = { .key = "error_from",
			   .help = "from this seed on each run is an ERROR; 0: none is",
			   .type = KTSTR_PARAM_INT,
			   .fallback = "0",
			   .min = 0,
			   .max = 1000000 },
	{ .key = NULL },
};

static const uint32_t wants[] = { KTSTR_MSG_HELLO, KTSTR_MSG_WORKER };

struct state {
	struct ktstr_judge *judge;
	int64_t every, other, error_from;
	uint64_t needed;
	uint64_t seed;
	uint64_t workers[CGROUPS_MAX];
};

static int open_checker(struct ktstr_judge *judge, const struct ktstr_value *values,
			void **ret_state, struct ktstr_error *err)
{
	struct state *state = calloc(1, sizeof(*state));

	if (!state)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	*state = (struct state){ .judge = judge,
				 .every = values[P_EVERY].i,
				 .other = values[P_OTHER].i,
				 .error_from = values[P_ERROR_FROM].i,
				 .needed = (uint64_t)values[P_WORKERS].i };
	*ret_state = state;
	return 0;
}

static int observe(void *opaque, const struct ktstr_frame *frame, struct ktstr_error *err)
{
	struct state *state = opaque;
	struct ktstr_worker_report report;
	struct ktstr_hello hello;

	(void)err;
	if (!(frame->flags & KTSTR_FRAME_CRC_OK))
		return 0;
	if (frame->msg_type == KTSTR_MSG_HELLO && frame->length >= sizeof(hello)) {
		memcpy(&hello, frame->payload, sizeof(hello));
		state->seed = hello.seed;
	}
	if (frame->msg_type == KTSTR_MSG_WORKER && frame->length >= sizeof(report)) {
		memcpy(&report, frame->payload, sizeof(report));
		if (report.cgroup_id < CGROUPS_MAX)
			state->workers[report.cgroup_id]++;
	}
	return 0;
}

static int find(struct state *state, const char *text)
{
	const struct ktstr_finding finding = { .size = sizeof(finding),
					       .outcome = KTSTR_OUTCOME_FAIL,
					       .subject = "run",
					       .text = text };

	state->judge->finding(state->judge, &finding);
	return KTSTR_OUTCOME_FAIL;
}

static bool is_multiple(uint64_t seed, int64_t of)
{
	return of > 0 && seed % (uint64_t)of == 0;
}

static int finish(void *opaque, uint32_t *ret_outcome, struct ktstr_error *err)
{
	struct state *state = opaque;
	uint64_t most = 0;
	char text[100];

	for (size_t i = 0; i < CGROUPS_MAX; i++)
		most = state->workers[i] > most ? state->workers[i] : most;
	if (state->error_from > 0 && state->seed >= (uint64_t)state->error_from)
		return ktstr_fail(err, -EIO, "told to break at seed %llu",
				  (unsigned long long)state->seed);
	*ret_outcome = KTSTR_OUTCOME_PASS;
	if (most < state->needed)
		return 0;
	(void)snprintf(text, sizeof(text), "%llu worker%s of cgroup 1 lost %llu.5ms",
		       (unsigned long long)most, most == 1 ? "" : "s",
		       (unsigned long long)state->seed);
	if (is_multiple(state->seed, state->every))
		*ret_outcome = find(state, text);
	else if (is_multiple(state->seed, state->other))
		*ret_outcome = find(state, "the run went wrong in another way");
	return 0;
}

static void close_checker(void *state)
{
	free(state);
}

static const struct ktstr_checker_ops ops = { .size = sizeof(ops),
					      .wants = wants,
					      .wants_count = 2,
					      .open = open_checker,
					      .observe = observe,
					      .finish = finish,
					      .close = close_checker };

KTSTR_PLUGIN_DEFINE(KTSTR_KIND_CHECKER, .name = "seed_rule", .version = "1.0",
		    .summary = "fails runs of certain seeds", .params = params, .checker = &ops,
		    .license = "GPL-2.0-only");
