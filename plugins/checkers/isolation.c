/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Workers run only on the CPUs of their cgroup.
 *
 * Frames do not say when exactly a worker lived, so a cgroup whose cpuset changed allows all CPUs
 * that it ever had, and one that was without a cpuset at some time is not judged. A cgroup that
 * never had one of its own is bound by the nearest cgroup above it that had.
 */
#include "worker_table.h"

static void judge_worker(struct worker_table *table, const struct table_cgroup *limit,
			 const struct ktstr_worker_report *worker, bool *ret_is_clean)
{
	char foreign_text[TABLE_CPUS_TEXT_MAX], allowed_text[TABLE_CPUS_TEXT_MAX];
	struct ktstr_cpuset foreign;
	char subject[32];

	(void)table_tid(subject, sizeof(subject), worker);
	for (size_t i = 0; i < KTSTR_CPUS_MAX / 64; i++)
		foreign.bits[i] = worker->cpus_used.bits[i] & ~limit->cpus.bits[i];
	if (!ktstr_cpuset_count(&worker->cpus_used))
		table_say(table, KTSTR_OUTCOME_UNDECIDED, subject,
			  "tid %u did not say where it ran", worker->tid);
	else if (ktstr_cpuset_count(&foreign))
		table_find(table, KTSTR_OUTCOME_FAIL, subject, ktstr_cpuset_count(&foreign),
			   "tid %u ran on unexpected CPUs %s (%s may use %s)", worker->tid,
			   table_cpus(foreign_text, sizeof(foreign_text), &foreign), limit->subject,
			   table_cpus(allowed_text, sizeof(allowed_text), &limit->cpus));
	else
		return;
	*ret_is_clean = false;
}

static void judge(struct worker_table *table, const struct table_cgroup *cgroup,
		  const struct ktstr_worker_report *const *workers, size_t count, bool has_broken)
{
	const struct table_cgroup *limit = table_limit(table, cgroup);
	char allowed_text[TABLE_CPUS_TEXT_MAX];
	bool is_clean = true;

	(void)has_broken;
	if (!cgroup->is_described && cgroup->id != 0) {
		table_say(table, KTSTR_OUTCOME_ERROR, cgroup->subject,
			  "%s has workers, but no frame describes it", cgroup->subject);
		return;
	}
	if (!limit || !limit->is_described) {
		table_say(table, KTSTR_OUTCOME_SKIP, cgroup->subject,
			  "%s was not bound to CPUs all the time", cgroup->subject);
		return;
	}
	for (size_t i = 0; i < count; i++)
		judge_worker(table, limit, workers[i], &is_clean);
	if (is_clean)
		table_find(table, KTSTR_OUTCOME_PASS, cgroup->subject, 0,
			   "each of %zu workers stayed on CPUs %s", count,
			   table_cpus(allowed_text, sizeof(allowed_text), &limit->cpus));
}

static const struct table_rule rule = {
	.metric = "unexpected CPUs",
	.unit = "",
	.limit_kind = KTSTR_LIMIT_AT_MOST,
	.judge = judge,
};

static int open_table(struct ktstr_judge *host, const struct ktstr_value *values, void **ret_state,
		      struct ktstr_error *err)
{
	(void)values;
	return worker_table_open(host, &rule, 0, ret_state, err);
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

KTSTR_PLUGIN_DEFINE(KTSTR_KIND_CHECKER, .name = "isolation", .version = "1.0",
		    .summary = "workers run only on the CPUs of their cgroup", .checker = &ops,
		    .license = "GPL-2.0-only");
