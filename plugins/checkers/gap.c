/* SPDX-License-Identifier: GPL-2.0-only */
/* No worker that wants to run stands still for too long. */
#include "worker_table.h"

#define NS_PER_MS 1000000
/* In virtual time no host is ever busy: what stands still for so long does so by the scheduler. */
#define MAX_GAP_VIRTUAL_MS 500.0

enum {
	P_MAX_GAP,
};

static const struct ktstr_param params[] = {
	[P_MAX_GAP] = { .key = "max_gap",
			.help = "longest time that a worker may stand still; in virtual time "
				"500ms where nobody says",
			.type = KTSTR_PARAM_DURATION,
			.fallback = "2s",
			.min = 1,
			.max = INT64_MAX },
	{ .key = NULL },
};

/* A worker that never did a unit of work never looked at the clock: its whole life is the gap. */
static uint64_t gap_ns(const struct ktstr_worker_report *worker)
{
	if (worker->work_units == 0 && worker->wall_time_ns > worker->max_gap_ns)
		return worker->wall_time_ns;
	return worker->max_gap_ns;
}

/* Without what the host did not give, is it still too long? */
static uint32_t outcome_of(const struct worker_table *table, double gap_ms)
{
	double wait_ms = (double)table_host_wait_ns(table) / NS_PER_MS;

	return gap_ms - wait_ms > table->limit ? KTSTR_OUTCOME_FAIL : KTSTR_OUTCOME_UNDECIDED;
}

/* One whose gap is longer than the limit. */
static void blame(struct worker_table *table, const struct ktstr_worker_report *worker)
{
	double gap_ms = (double)gap_ns(worker) / NS_PER_MS;
	double at_ms = (double)worker->max_gap_at_ns / NS_PER_MS;
	int decimals = table_decimals(gap_ms, table->limit);
	uint32_t outcome = outcome_of(table, gap_ms);
	char subject[32], place[64], excuse[TABLE_EXCUSE_TEXT_MAX] = "";

	(void)snprintf(place, sizeof(place), "on cpu%u at +%.0fms", worker->max_gap_cpu, at_ms);
	if (outcome != KTSTR_OUTCOME_FAIL)
		(void)table_excuse(excuse, sizeof(excuse), table);
	table_find(table, outcome, table_tid(subject, sizeof(subject), worker), gap_ms,
		   "tid %u stuck %.*fms %s (threshold %.*fms)%s%s", worker->tid, decimals, gap_ms,
		   worker->work_units ? place : "without any progress", decimals, table->limit,
		   *excuse ? ", but " : "", excuse);
}

static void judge(struct worker_table *table, const struct table_cgroup *cgroup,
		  const struct ktstr_worker_report *const *workers, size_t count, bool has_broken)
{
	double longest_ms = 0;
	bool is_too_long = false;

	(void)has_broken;
	for (size_t i = 0; i < count; i++) {
		double gap_ms = (double)gap_ns(workers[i]) / NS_PER_MS;

		longest_ms = gap_ms > longest_ms ? gap_ms : longest_ms;
		if (gap_ms > table->limit) {
			blame(table, workers[i]);
			is_too_long = true;
		}
	}
	if (!is_too_long)
		table_find(table, KTSTR_OUTCOME_PASS, cgroup->subject, longest_ms,
			   "none of %zu workers stood still for longer than %.0fms", count,
			   longest_ms);
}

/* The agent waited in vain, so the gap is at least that. */
static void timeout(struct worker_table *table, const struct ktstr_worker_report *worker)
{
	double waited_ms = table_stop_limit_ms(worker);
	int decimals = table_decimals(waited_ms, table->limit);
	char subject[32], excuse[TABLE_EXCUSE_TEXT_MAX] = "";
	uint32_t outcome = outcome_of(table, waited_ms);

	(void)table_tid(subject, sizeof(subject), worker);
	if (outcome != KTSTR_OUTCOME_FAIL)
		(void)table_excuse(excuse, sizeof(excuse), table);
	if (waited_ms > table->limit)
		table_find(table, outcome, subject, waited_ms,
			   "tid %u stuck at least %.0fms: it did not respond when told to stop "
			   "(threshold %.*fms)%s%s",
			   worker->tid, waited_ms, decimals, table->limit, *excuse ? ", but " : "",
			   excuse);
	else
		table_find(table, KTSTR_OUTCOME_UNDECIDED, subject, waited_ms,
			   "tid %u did not respond within %.0fms when told to stop, and left no "
			   "figures (threshold %.*fms)",
			   worker->tid, waited_ms, decimals, table->limit);
}

static const struct table_rule rule = {
	.metric = "longest gap",
	.unit = "ms",
	.limit_kind = KTSTR_LIMIT_AT_MOST,
	.judge = judge,
	.timeout = timeout,
};

static int open_table(struct ktstr_judge *host, const struct ktstr_value *values, void **ret_state,
		      struct ktstr_error *err)
{
	double limit_ms = (double)values[P_MAX_GAP].i / NS_PER_MS;

	if (!values[P_MAX_GAP].is_set && table_is_virtual(host))
		limit_ms = MAX_GAP_VIRTUAL_MS;
	return worker_table_open(host, &rule, limit_ms, ret_state, err);
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

KTSTR_PLUGIN_DEFINE(KTSTR_KIND_CHECKER, .name = "gap", .version = "1.0",
		    .summary = "no worker stands still for too long", .params = params,
		    .checker = &ops, .license = "GPL-2.0-only");
