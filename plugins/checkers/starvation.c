/* SPDX-License-Identifier: GPL-2.0-only */
/* Every worker got to do some work. */
#include "worker_table.h"

static void judge(struct worker_table *table, const struct table_cgroup *cgroup,
		  const struct ktstr_worker_report *const *workers, size_t count, bool has_broken)
{
	uint64_t least = UINT64_MAX;
	char subject[32];

	(void)has_broken;
	for (size_t i = 0; i < count; i++) {
		if (workers[i]->work_units < least)
			least = workers[i]->work_units;
		if (workers[i]->work_units == 0)
			table_find(table, KTSTR_OUTCOME_FAIL,
				   table_tid(subject, sizeof(subject), workers[i]), 0,
				   "tid %u made no progress (0 work units)", workers[i]->tid);
	}
	if (least > 0)
		table_find(table, KTSTR_OUTCOME_PASS, cgroup->subject, (double)least,
			   "each of %zu workers made progress, the slowest %llu work units", count,
			   (unsigned long long)least);
}

static void timeout(struct worker_table *table, const struct ktstr_worker_report *worker)
{
	char subject[32], limit[32];

	table_say(table, KTSTR_OUTCOME_FAIL, table_tid(subject, sizeof(subject), worker),
		  "tid %u (%s) did not respond for %s when told to stop", worker->tid,
		  worker->workload, table_stop_limit(limit, sizeof(limit), worker));
}

static const struct table_rule rule = {
	.metric = "least work",
	.unit = "units",
	.limit_kind = KTSTR_LIMIT_AT_LEAST,
	.judge = judge,
	.timeout = timeout,
};

static int open_table(struct ktstr_judge *host, const struct ktstr_value *values, void **ret_state,
		      struct ktstr_error *err)
{
	(void)values;
	return worker_table_open(host, &rule, 1, ret_state, err);
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

KTSTR_PLUGIN_DEFINE(KTSTR_KIND_CHECKER, .name = "starvation", .version = "1.0",
		    .summary = "every worker makes progress", .checker = &ops,
		    .license = "GPL-2.0-only");
