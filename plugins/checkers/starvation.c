/* SPDX-License-Identifier: GPL-2.0-only */
/* Every worker got to do some work. */
#include "worker_table.h"

static void blame(struct worker_table *table, const struct ktstr_worker_report *worker)
{
	char subject[32], excuse[TABLE_EXCUSE_TEXT_MAX];

	(void)table_tid(subject, sizeof(subject), worker);
	if (table_is_excused(table, worker->wall_time_ns))
		table_find(table, KTSTR_OUTCOME_UNDECIDED, subject, 0,
			   "tid %u made no progress (0 work units), but %s", worker->tid,
			   table_excuse(excuse, sizeof(excuse), table));
	else
		table_find(table, KTSTR_OUTCOME_FAIL, subject, 0,
			   "tid %u made no progress (0 work units)", worker->tid);
}

static void judge(struct worker_table *table, const struct table_cgroup *cgroup,
		  const struct ktstr_worker_report *const *workers, size_t count, bool has_broken)
{
	uint64_t least = UINT64_MAX;

	(void)has_broken;
	for (size_t i = 0; i < count; i++) {
		if (workers[i]->work_units < least)
			least = workers[i]->work_units;
		if (workers[i]->work_units == 0)
			blame(table, workers[i]);
	}
	if (least > 0)
		table_find(table, KTSTR_OUTCOME_PASS, cgroup->subject, (double)least,
			   "each of %zu workers made progress, the slowest %llu work units", count,
			   (unsigned long long)least);
}

static void timeout(struct worker_table *table, const struct ktstr_worker_report *worker)
{
	char subject[32], limit[32], excuse[TABLE_EXCUSE_TEXT_MAX];
	bool is_excused = table_is_excused(table, (uint64_t)table_stop_limit_ms(worker) * 1000000);

	table_say(table, is_excused ? KTSTR_OUTCOME_UNDECIDED : KTSTR_OUTCOME_FAIL,
		  table_tid(subject, sizeof(subject), worker),
		  "tid %u (%s) did not respond for %s when told to stop%s%s", worker->tid,
		  worker->workload, table_stop_limit(limit, sizeof(limit), worker),
		  is_excused ? ", but " : "",
		  is_excused ? table_excuse(excuse, sizeof(excuse), table) : "");
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
