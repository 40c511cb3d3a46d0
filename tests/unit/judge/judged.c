/* SPDX-License-Identifier: GPL-2.0-only */
/* A scenario with a judgement of its own: it wants at least `lines` STDOUT frames. For test_judge.
 */
#include <stdlib.h>

#include "ktstr/scenario.h"

static const struct ktstr_param params[] = {
	{ .key = "lines",
	  .help = "frames that must be there",
	  .type = KTSTR_PARAM_INT,
	  .fallback = "1",
	  .min = 0,
	  .max = 1000 },
	{ .key = NULL },
};

struct state {
	int64_t missing;
};

static int judged_open(struct ktstr_judge *judge, const struct ktstr_value *values,
		       void **ret_state, struct ktstr_error *err)
{
	struct state *state = calloc(1, sizeof(*state));

	(void)judge;
	if (!state)
		return ktstr_fail(err, -ENOMEM, "no memory");
	state->missing = values[0].i;
	*ret_state = state;
	return 0;
}

static int judged_observe(void *arg, const struct ktstr_frame *frame, struct ktstr_error *err)
{
	struct state *state = arg;

	(void)frame;
	(void)err;
	state->missing--;
	return 0;
}

static int judged_finish(void *arg, uint32_t *ret_outcome, struct ktstr_error *err)
{
	struct state *state = arg;

	(void)err;
	*ret_outcome = state->missing > 0 ? KTSTR_OUTCOME_FAIL : KTSTR_OUTCOME_PASS;
	return 0;
}

static const uint32_t wants[] = { KTSTR_MSG_STDOUT };

static const struct ktstr_checker_ops judgement = {
	.size = sizeof(judgement),
	.wants_count = 1,
	.wants = wants,
	.open = judged_open,
	.observe = judged_observe,
	.finish = judged_finish,
	.close = free,
};

static int judged_needs(const struct ktstr_value *values, struct ktstr_needs *needs,
			struct ktstr_error *err)
{
	(void)values;
	(void)needs;
	(void)err;
	return 0;
}

static int judged_run(struct ktstr_guest *g, const struct ktstr_value *values, void *state,
		      struct ktstr_error *err)
{
	(void)g;
	(void)values;
	(void)state;
	(void)err;
	return 0;
}

static const struct ktstr_scenario_ops ops = {
	.size = sizeof(ops),
	.needs = judged_needs,
	.run = judged_run,
	.judgement = &judgement,
};

KTSTR_PLUGIN_DEFINE(KTSTR_KIND_SCENARIO, .name = "judged", .version = "1.0",
		    .summary = "judges itself", .params = params, .scenario = &ops,
		    .license = "GPL-2.0-only");
