/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The workers of one cgroup wait for the CPU about equally long.
 *
 * Each worker's off-CPU share is what part of its life it did not run, in percent. The spread of a
 * cgroup is its largest share less its smallest.
 */
#include "worker_table.h"

enum {
	P_MAX_SPREAD,
};

static const struct ktstr_param params[] = {
	[P_MAX_SPREAD] = { .key = "max_spread",
			   .help = "largest difference of off-CPU time within a cgroup",
			   .type = KTSTR_PARAM_PERCENT,
			   .fallback = "15%",
			   .min = 0,
			   .max = 100 },
	{ .key = NULL },
};

static double off_cpu_percent(const struct ktstr_worker_report *worker)
{
	uint64_t off_ns = 0;

	/* The two clocks are read one after the other, so the CPU time can come out longer. */
	if (worker->wall_time_ns > worker->cpu_time_ns)
		off_ns = worker->wall_time_ns - worker->cpu_time_ns;
	return (double)off_ns / (double)worker->wall_time_ns * 100;
}

static uint32_t cpus_count(const struct ktstr_worker_report *const *workers, size_t count)
{
	struct ktstr_cpuset used = { 0 };

	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < KTSTR_CPUS_MAX / 64; j++)
			used.bits[j] |= workers[i]->cpus_used.bits[j];
	}
	return ktstr_cpuset_count(&used);
}

static void judge(struct worker_table *table, const struct table_cgroup *cgroup,
		  const struct ktstr_worker_report *const *workers, size_t count, bool has_broken)
{
	double low = 100, high = 0, spread;
	int decimals;

	if (has_broken) {
		table_say(table, KTSTR_OUTCOME_UNDECIDED, cgroup->subject,
			  "%s: not every worker left figures, so shares cannot be compared",
			  cgroup->subject);
		return;
	}
	if (count < 2) {
		table_say(table, KTSTR_OUTCOME_SKIP, cgroup->subject,
			  "%s: one worker alone, nothing to compare", cgroup->subject);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		double off = off_cpu_percent(workers[i]);

		low = off < low ? off : low;
		high = off > high ? off : high;
	}
	spread = high - low;
	decimals = table_decimals(spread, table->limit);
	if (spread > table->limit)
		table_find(table, KTSTR_OUTCOME_FAIL, cgroup->subject, spread,
			   "unfair cgroup: spread=%.*f%% (%.*f-%.*f%%) %zu workers on %u cpus "
			   "(threshold %.*f%%)",
			   decimals, spread, decimals, low, decimals, high, count,
			   cpus_count(workers, count), decimals, table->limit);
	else
		table_find(table, KTSTR_OUTCOME_PASS, cgroup->subject, spread,
			   "spread=%.0f%% (%.0f-%.0f%%) %zu workers on %u cpus", spread, low, high,
			   count, cpus_count(workers, count));
}

static const struct table_rule rule = {
	.metric = "spread",
	.unit = "%",
	.limit_kind = KTSTR_LIMIT_AT_MOST,
	.judge = judge,
};

static int open_table(struct ktstr_judge *host, const struct ktstr_value *values, void **ret_state,
		      struct ktstr_error *err)
{
	return worker_table_open(host, &rule, values[P_MAX_SPREAD].f, ret_state, err);
}

static const struct ktstr_checker_ops ops = {
	.size = sizeof(ops),
	.wants_count = WORKER_TABLE_WANTS_COUNT,
	.wants = worker_table_wants,
	.open = open_table,
	.observe = worker_table_observe,
	.finish = worker_table_finish,
	.close = worker_table_close,
};

KTSTR_PLUGIN_DEFINE(KTSTR_KIND_CHECKER, .name = "fairness", .version = "1.0",
		    .summary = "the workers of a cgroup get equal shares of CPU time",
		    .params = params, .checker = &ops, .license = "GPL-2.0-only");
