/* SPDX-License-Identifier: MIT */
/*
 * A scenario plugin to start from: load that comes in waves. Each wave starts workers in one
 * cgroup, lets them work, stops them, and leaves the machine idle for a while. A scheduler has to
 * spread a sudden load over the CPUs and must not lose a task that wakes on an idle one.
 *
 *	scenario:
 *	  plugin: my_scenario
 *	  waves: 5
 *	  workload: {plugin: bursty}
 *
 * needs() runs on the host, run() in the guest, and the judgement on the host again, after the run,
 * over the frames that came of it.
 */
#include "ktstr/scenario.h"

#include <stdlib.h>

/* As in scheduler.c: an enum in the order of the table. */
enum {
	P_WAVES,
	P_WORKERS,
	P_WORKLOAD,
	P_BUSY,
	P_IDLE,
};

static const struct ktstr_param params[] = {
	[P_WAVES] = { .key = "waves",
		      .help = "how many waves",
		      .type = KTSTR_PARAM_INT,
		      .fallback = "3",
		      .min = 1,
		      .max = 100 },
	[P_WORKERS] = { .key = "workers",
			.help = "workers in each wave",
			.type = KTSTR_PARAM_INT,
			.fallback = "4",
			.min = 1,
			.max = 1024 },
	/* The value names a plugin of another kind, with its own parameters: the agent loads it and
	 * starts its workers, this scenario only hands it on. */
	[P_WORKLOAD] = { .key = "workload",
			 .help = "what the workers do",
			 .type = KTSTR_PARAM_PLUGIN,
			 .fallback = "cpu_spin",
			 .min = KTSTR_KIND_WORKLOAD },
	[P_BUSY] = { .key = "busy",
		     .help = "how long a wave works",
		     .type = KTSTR_PARAM_DURATION,
		     .fallback = "1s",
		     .min = 1000000,
		     .max = INT64_C(600000000000) },
	[P_IDLE] = { .key = "idle",
		     .help = "how long the machine is idle after it",
		     .type = KTSTR_PARAM_DURATION,
		     .fallback = "500ms",
		     .min = 0,
		     .max = INT64_C(600000000000) },
	{ .key = NULL },
};

/* Host: how long run() takes at most. The run's deadline comes of it, so it must not be short.
 * What the table cannot say, such as two parameters that exclude each other, is checked here. */
static int needs(const struct ktstr_value *values, struct ktstr_needs *needs,
		 struct ktstr_error *err)
{
	uint64_t wave_ns = (uint64_t)values[P_BUSY].i + (uint64_t)values[P_IDLE].i;

	(void)err;
	needs->duration_ns = (uint64_t)values[P_WAVES].i * wave_ns;
	return 0;
}

/* One wave. Whatever is still running when run() returns is stopped by the agent, so a failure can
 * simply be handed on. */
static int wave(struct ktstr_guest *g, const struct ktstr_value *values, uint32_t cgroup_id,
		uint32_t number, struct ktstr_error *err)
{
	struct ktstr_spawn_spec spec = {
		.size = sizeof(spec),
		.cgroup_id = cgroup_id,
		.workload = &values[P_WORKLOAD],
		.workers = (uint32_t)values[P_WORKERS].i,
	};
	uint64_t busy_ns = (uint64_t)values[P_BUSY].i;
	uint32_t group;
	char name[32];
	int code;

	(void)snprintf(name, sizeof(name), "wave %u", number);
	code = ktstr_step(g, name, number, (uint32_t)values[P_WAVES].i, busy_ns, err);
	if (code == 0)
		code = ktstr_spawn(g, &spec, &group, err);
	if (code == 0)
		code = ktstr_hold(g, busy_ns, err);
	if (code == 0)
		code = ktstr_step_end(g, err);
	if (code == 0)
		code = ktstr_stop(g, group, err);
	if (code == 0 && values[P_IDLE].i > 0)
		code = ktstr_hold(g, (uint64_t)values[P_IDLE].i, err);
	return code;
}

/* Guest: the scenario itself. */
static int run(struct ktstr_guest *g, const struct ktstr_value *values, void *state,
	       struct ktstr_error *err)
{
	const struct ktstr_cgroup_spec spec = { .size = sizeof(spec), .name = "waves" };
	uint32_t cgroup_id;
	int code;

	(void)state; /* there is no setup() to make one */
	code = ktstr_cgroup_create(g, &spec, &cgroup_id, err);
	for (uint32_t i = 1; i <= (uint32_t)values[P_WAVES].i && code == 0; i++)
		code = wave(g, values, cgroup_id, i, err);
	/* The run is to end early, and what there is so far is good. */
	return code == -ECANCELED ? 0 : code;
}

/*
 * The judgement: a checker that belongs to this scenario. It knows what must have happened, which a
 * general checker cannot: every worker of every wave reported, and got to work.
 */
struct judgement {
	struct ktstr_judge *judge;
	uint64_t expected;
	uint64_t reported;
	uint64_t idle;
};

static int judgement_open(struct ktstr_judge *judge, const struct ktstr_value *values,
			  void **ret_state, struct ktstr_error *err)
{
	struct judgement *j = calloc(1, sizeof(*j));

	if (!j)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	j->judge = judge;
	j->expected = (uint64_t)values[P_WAVES].i * (uint64_t)values[P_WORKERS].i;
	*ret_state = j;
	return 0;
}

static int judgement_observe(void *state, const struct ktstr_frame *frame, struct ktstr_error *err)
{
	struct ktstr_worker_report report;
	struct judgement *j = state;
	char subject[64];

	if (!(frame->flags & KTSTR_FRAME_CRC_OK))
		return 0;
	/* At least as long as the fields that are read here; what a shorter one lacks is zero. */
	if (ktstr_payload_get(frame, &report, sizeof(report),
			      offsetof(struct ktstr_worker_report, iterations)) < 0)
		return ktstr_fail(err, -EBADMSG, "worker report of frame %llu is too short",
				  (unsigned long long)frame->index);
	/* Workers that did not end by themselves are other checkers' business. */
	if (!(report.flags & KTSTR_WORKER_COMPLETED))
		return 0;
	j->reported++;
	if (report.work_units > 0)
		return 0;
	j->idle++;
	(void)snprintf(subject, sizeof(subject), "wave %u worker %u", report.group, report.index);
	j->judge->finding(j->judge, &(struct ktstr_finding){
					    .size = sizeof(struct ktstr_finding),
					    .outcome = KTSTR_OUTCOME_FAIL,
					    .subject = subject,
					    .metric = "least work",
					    .unit = "units",
					    .measured = 0,
					    .limit = 1,
					    .limit_kind = KTSTR_LIMIT_AT_LEAST,
					    .text = "never got to work in the whole wave",
				    });
	return 0;
}

/* What was seen carries a FAIL. Without all reports it does not carry a PASS. */
static int judgement_finish(void *state, uint32_t *ret_outcome, struct ktstr_error *err)
{
	struct judgement *j = state;
	uint32_t outcome =
		j->reported >= j->expected ? KTSTR_OUTCOME_PASS : KTSTR_OUTCOME_UNDECIDED;

	(void)err;
	j->judge->finding(j->judge,
			  &(struct ktstr_finding){
				  .size = sizeof(struct ktstr_finding),
				  .outcome = outcome,
				  .subject = "all waves",
				  .metric = "workers that reported",
				  .unit = "", /* counted: "12 workers that reported of ..." */
				  .measured = (double)j->reported,
				  .limit = (double)j->expected,
				  .limit_kind = KTSTR_LIMIT_AT_LEAST,
				  .text = outcome == KTSTR_OUTCOME_PASS
						  ? NULL
						  : "fewer workers reported than were started",
			  });
	*ret_outcome = j->idle > 0 ? KTSTR_OUTCOME_FAIL : outcome;
	return 0;
}

static void judgement_close(void *state)
{
	free(state);
}

/* The types of frames that observe() is to see. */
static const uint32_t wants[] = { KTSTR_MSG_WORKER };

static const struct ktstr_checker_ops judgement = {
	.size = sizeof(judgement),
	.wants_count = sizeof(wants) / sizeof(wants[0]),
	.wants = wants,
	.open = judgement_open,
	.observe = judgement_observe,
	.finish = judgement_finish,
	.close = judgement_close,
};

static const struct ktstr_scenario_ops ops = {
	.size = sizeof(ops),
	.needs = needs,
	.run = run,
	.judgement = &judgement,
};

KTSTR_PLUGIN_DEFINE(KTSTR_KIND_SCENARIO, .name = "my_scenario", .version = "1.0",
		    .summary = "load that comes in waves", .params = params, .scenario = &ops,
		    .license = "MIT");
