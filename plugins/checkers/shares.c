/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Nice values and cpu.weight are honoured: CPU time goes to workers as share_model.h deals it out.
 *
 * Workers are judged in parties: those of one spawn, which share cgroup, nice value, start and
 * stop. Parties on the same CPUs are a pool; pools with a CPU in common cannot be told apart, and
 * are not judged. What a pool is worth is what its workers got together, so that neither a slow
 * host nor an idle CPU is a matter of shares. A party that sleeps now and then, or has a cpu.max,
 * is dealt what it took, and is not judged itself: how much it wanted, or might have, nobody knows.
 *
 * Under TCG nothing tells the guest that the host had no CPU for it: the time that it stood still
 * counts as CPU time of the workers that happened to run, and is as much as some are due in a run.
 * Their work does not count such time, and there a unit of it costs the same on each CPU. So, where
 * all that are judged do the same, a party is only as far off as both its CPU time and its work
 * are. A scheduler that shares wrongly puts both off.
 */
#include <stdlib.h>

#include "share_model.h"
#include "worker_table.h"

#define NS_PER_S 1e9
#define PARTIES_MAX 256u
#define GROUPS_MAX 256u
/* A worker that ran or waited for a CPU so much of its life wanted it all the time. */
#define HOG_MIN 0.9
/* Parties that had to compete for less of their life are not judged. */
#define CONTENDED_MIN 0.5
/* Where one worker of a spawn lived so much shorter than another, it ended by itself. */
#define LIFE_MIN 0.5
/* The cgroup that the agent makes for those of the scenario; its own is beside that one. */
#define ROOT_GROUP 0u
#define CPU_WEIGHT_DEFAULT 100u

enum {
	P_MAX_ERROR,
};

static const struct ktstr_param params[] = {
	[P_MAX_ERROR] = { .key = "max_error",
			  .help = "largest deviation from the promised share, in percent of it",
			  .type = KTSTR_PARAM_PERCENT,
			  .fallback = "25%",
			  .min = 0,
			  .max = 1000 },
	{ .key = NULL },
};

struct party {
	const struct table_cgroup *cgroup;
	uint32_t group; /* number of the spawn */
	int32_t nice;
	size_t count;
	double cpu, waited, wall; /* seconds of all workers together */
	double work;		  /* units */
	const char *workload;
	bool has_max;
	double shortest, longest; /* life of one */
	double stopped;
	bool has_slept;
	struct ktstr_cpuset cpus;
	size_t pool;
	/* Why its pool cannot be judged, or NULL. */
	const char *doubt;
	char subject[WORKER_TABLE_NAME_MAX + 32];
};

struct shares {
	struct worker_table *table;
	/* The cgroup around each of the table's, or NULL. */
	const struct table_cgroup **parents;
	struct party parties[PARTIES_MAX];
	size_t count;
	size_t pool_count;
};

/* One pool as share_model.h wants it. */
struct pool {
	struct party *parties[PARTIES_MAX];
	struct share_party dealt[PARTIES_MAX];
	bool is_contended[PARTIES_MAX];
	size_t count;
	struct share_group groups[GROUPS_MAX];
	const struct table_cgroup *group_of[GROUPS_MAX];
	size_t group_count;
	const char *doubt;
	/* Of those that are judged. */
	double promised, work;
	bool does_count_work;
};

static const struct table_cgroup *parent_of(const struct shares *shares,
					    const struct table_cgroup *cgroup)
{
	return shares->parents[cgroup - shares->table->cgroups];
}

static bool is_hog(const struct party *party)
{
	return !party->has_slept && !party->has_max &&
	       party->cpu + party->waited >= HOG_MIN * party->wall;
}

static void party_add(struct party *party, const struct table_worker *worker)
{
	const struct ktstr_worker_report *report = &worker->report;
	double wall = (double)report->wall_time_ns / NS_PER_S;

	party->count++;
	party->cpu += (double)report->cpu_time_ns / NS_PER_S;
	party->waited += (double)report->run_delay_ns / NS_PER_S;
	party->wall += wall;
	party->work += (double)report->work_units;
	party->workload = report->workload;
	party->shortest = party->count == 1 || wall < party->shortest ? wall : party->shortest;
	party->longest = wall > party->longest ? wall : party->longest;
	party->stopped = (double)worker->stopped_ns / NS_PER_S;
	party->has_slept |= report->wake_sample_total > 0;
}

/* The CPUs of a party, and what speaks against judging it, from its cgroup and those around. */
static void party_place(struct shares *shares, struct party *party)
{
	uint32_t cpus = ktstr_topology_cpus(shares->table->findings.judge->topology);
	const struct table_cgroup *limit = table_limit(shares->table, party->cgroup);
	const struct table_cgroup *cgroup;

	if (limit && limit->is_described)
		party->cpus = limit->cpus;
	else
		for (uint32_t cpu = 0; cpu < cpus; cpu++)
			ktstr_cpuset_add(&party->cpus, cpu);
	for (cgroup = party->cgroup; cgroup; cgroup = parent_of(shares, cgroup)) {
		if (cgroup->has_other_cpus)
			party->doubt = "a cgroup on these CPUs was moved to others meanwhile";
		if (cgroup->has_other_weight)
			party->doubt = "the weight of a cgroup changed meanwhile";
		party->has_max |= cgroup->has_max;
	}
	if (is_hog(party) && party->shortest < LIFE_MIN * party->longest)
		party->doubt = "not all workers of a spawn went on until they were stopped";
	if (party->nice)
		(void)snprintf(party->subject, sizeof(party->subject), "%s nice %d",
			       party->cgroup->subject, party->nice);
	else
		(void)snprintf(party->subject, sizeof(party->subject), "%s",
			       party->cgroup->subject);
}

static const struct table_cgroup *cgroup_of(const struct worker_table *table, uint32_t id)
{
	for (size_t i = 0; i < table->cgroup_count; i++)
		if (table->cgroups[i].id == id)
			return &table->cgroups[i];
	return NULL;
}

/* The party of a worker, made when there is none yet; NULL when there are too many. */
static struct party *party_get(struct shares *shares, const struct ktstr_worker_report *report)
{
	struct party *party;

	for (size_t i = shares->count; i-- > 0;) {
		party = &shares->parties[i];
		if (party->group == report->group && party->nice == report->nice &&
		    party->cgroup->id == report->cgroup_id)
			return party;
	}
	if (shares->count >= PARTIES_MAX)
		return NULL;
	party = &shares->parties[shares->count++];
	party->cgroup = cgroup_of(shares->table, report->cgroup_id);
	party->group = report->group;
	party->nice = report->nice;
	return party;
}

/* Put parties on the same CPUs into one pool. Pools that overlap are in doubt. */
static void make_pools(struct shares *shares)
{
	for (size_t i = 0; i < shares->count; i++) {
		struct party *party = &shares->parties[i];

		party->pool = shares->pool_count;
		for (size_t j = 0; j < i; j++)
			if (memcmp(&shares->parties[j].cpus, &party->cpus, sizeof(party->cpus)) ==
			    0)
				party->pool = shares->parties[j].pool;
		if (party->pool == shares->pool_count)
			shares->pool_count++;
	}
	for (size_t i = 0; i < shares->count * shares->count; i++) {
		struct party *one = &shares->parties[i / shares->count];
		const struct party *two = &shares->parties[i % shares->count];
		uint64_t common = 0;

		for (size_t j = 0; j < KTSTR_CPUS_MAX / 64; j++)
			common |= one->cpus.bits[j] & two->cpus.bits[j];
		if (one->pool != two->pool && common)
			one->doubt = "other workers may use some of these CPUs, but not all";
	}
}

/* The group of @cgroup in the pool's tree, made with all above it when there is none yet. */
static size_t group_get(const struct shares *shares, struct pool *pool,
			const struct table_cgroup *cgroup)
{
	const struct table_cgroup *above = parent_of(shares, cgroup);
	size_t parent;

	for (size_t i = ROOT_GROUP + 1; i < pool->group_count; i++)
		if (pool->group_of[i] == cgroup)
			return i;
	parent = above ? group_get(shares, pool, above) : ROOT_GROUP;
	if (pool->group_count >= GROUPS_MAX) {
		pool->doubt = "there are too many cgroups to compare";
		return ROOT_GROUP;
	}
	pool->group_of[pool->group_count] = cgroup;
	pool->groups[pool->group_count] = (struct share_group){
		.parent = parent,
		.weight = share_weight_of_cgroup(cgroup->cpu_weight ? cgroup->cpu_weight
								    : CPU_WEIGHT_DEFAULT),
	};
	return pool->group_count++;
}

static bool is_below(const struct shares *shares, const struct table_cgroup *cgroup,
		     const struct table_cgroup *above)
{
	while (cgroup && cgroup != above)
		cgroup = parent_of(shares, cgroup);
	return cgroup != NULL;
}

/* Does a group's weight count for something, and is it not known, or is not all of it here? */
static void doubt_groups(const struct shares *shares, struct pool *pool, size_t number)
{
	for (size_t i = ROOT_GROUP + 1; i < pool->group_count; i++) {
		bool has_sibling = false;

		for (size_t j = ROOT_GROUP + 1; j < pool->group_count; j++)
			has_sibling |= j != i && pool->groups[j].parent == pool->groups[i].parent;
		if (!has_sibling)
			continue;
		if (!pool->group_of[i]->cpu_weight)
			pool->doubt = "the weight of a cgroup is not known";
		for (size_t j = 0; j < shares->count; j++)
			if (shares->parties[j].pool != number &&
			    is_below(shares, shares->parties[j].cgroup, pool->group_of[i]))
				pool->doubt = "a cgroup has workers on other CPUs too";
	}
}

static void pool_make(struct shares *shares, size_t number, struct pool *pool)
{
	pool->groups[ROOT_GROUP] =
		(struct share_group){ .parent = SHARE_NO_GROUP,
				      .weight = share_weight_of_cgroup(CPU_WEIGHT_DEFAULT) };
	pool->group_count = ROOT_GROUP + 1;
	for (size_t i = 0; i < shares->count; i++) {
		struct party *party = &shares->parties[i];
		double count = (double)party->count;

		if (party->pool != number)
			continue;
		if (party->doubt)
			pool->doubt = party->doubt;
		pool->dealt[pool->count] = (struct share_party){
			.group = party->cgroup->id ? group_get(shares, pool, party->cgroup)
						   : SHARE_NO_GROUP,
			.weight = count * share_weight_of_nice(party->nice),
			.demand = is_hog(party) ? count : count * party->cpu / party->wall,
			.start = party->stopped - party->shortest,
			.end = party->stopped,
		};
		pool->parties[pool->count++] = party;
	}
	doubt_groups(shares, pool, number);
}

/*
 * Deal out as much as the workers got together. Returns -ENODATA when that is nothing, and the sum
 * of what they got.
 */
static int pool_deal(struct pool *pool, double *ret_got)
{
	double cpus = ktstr_cpuset_count(&pool->parties[0]->cpus), got = 0, promised = 0;
	int code = share_model_run(pool->dealt, pool->count, pool->groups, pool->group_count, cpus);

	for (size_t i = 0; i < pool->count; i++) {
		const struct share_party *dealt = &pool->dealt[i];

		got += pool->parties[i]->cpu;
		promised += dealt->promised;
		pool->is_contended[i] =
			dealt->contended >= CONTENDED_MIN * (dealt->end - dealt->start);
	}
	if (code < 0 || got <= 0 || promised <= 0)
		return code < 0 ? code : -ENODATA;
	if (got < promised)
		code = share_model_run(pool->dealt, pool->count, pool->groups, pool->group_count,
				       cpus * got / promised);
	promised = 0;
	for (size_t i = 0; i < pool->count; i++)
		promised += pool->dealt[i].promised;
	for (size_t i = 0; i < pool->count && promised > 0; i++)
		pool->dealt[i].promised *= got / promised;
	*ret_got = got;
	return code;
}

static bool is_judged(const struct pool *pool, size_t i)
{
	return is_hog(pool->parties[i]) && pool->is_contended[i] && pool->dealt[i].promised > 0;
}

static double percent_off(double measured, double due)
{
	return (measured > due ? measured - due : due - measured) / due * 100;
}

static void judge_party(struct worker_table *table, const struct pool *pool, size_t i, double got)
{
	const struct party *party = pool->parties[i];
	double promised = pool->dealt[i].promised;
	double measured = party->cpu / got * 100, due = promised / got * 100;
	double error = percent_off(measured, due), work_error;
	const char *noun = party->count == 1 ? "worker" : "workers";
	const char *cgroup = party->cgroup->subject;
	char work[64] = "", weight[32] = "";

	if (party->cgroup->cpu_weight)
		(void)snprintf(weight, sizeof(weight), "weight %u, ", party->cgroup->cpu_weight);
	if (pool->does_count_work) {
		work_error = percent_off(party->work / pool->work, promised / pool->promised);
		error = work_error < error ? work_error : error;
		(void)snprintf(work, sizeof(work), " (of the work %.1f%% too %s)", work_error,
			       party->work * pool->promised > promised * pool->work ? "much"
										    : "little");
	}
	if (error > table->limit)
		table_find(
			table, KTSTR_OUTCOME_FAIL, party->subject, error,
			"%zu %s of %s got %.1f%% of the CPU time instead of %.1f%%%s (%snice %d)",
			party->count, noun, cgroup, measured, due, work, weight, party->nice);
	else
		table_find(table, KTSTR_OUTCOME_PASS, party->subject, error,
			   "%zu %s of %s got %.1f%% of the CPU time, %.1f%% is their due%s (%snice "
			   "%d)",
			   party->count, noun, cgroup, measured, due, work, weight, party->nice);
}

/* Does the work of those that are judged tell what they got? */
static void sum_work(const struct shares *shares, struct pool *pool)
{
	const char *accel = shares->table->findings.judge->accel, *workload = NULL;

	pool->does_count_work = accel && strcmp(accel, "tcg") == 0;
	for (size_t i = 0; i < pool->count; i++) {
		const struct party *party = pool->parties[i];

		if (!is_judged(pool, i))
			continue;
		if (workload && strcmp(workload, party->workload) != 0)
			pool->does_count_work = false;
		workload = party->workload;
		pool->promised += pool->dealt[i].promised;
		pool->work += party->work;
	}
	pool->does_count_work &= pool->work > 0 && pool->promised > 0;
}

static void judge_pool(struct shares *shares, struct pool *pool, double got)
{
	size_t hogs = 0, judged = 0;
	const char *subject = pool->parties[0]->subject;

	for (size_t i = 0; i < pool->count; i++) {
		hogs += is_hog(pool->parties[i]);
		judged += is_judged(pool, i);
	}
	if (judged < 2) {
		table_say(shares->table, KTSTR_OUTCOME_SKIP, subject, "%s: %s", subject,
			  pool->count < 2 ? "nobody else shares its CPUs, nothing to compare"
			  : hogs < 2	  ? "fewer than two parties wanted the CPUs all the time, "
					    "without a cpu.max"
					  : "the CPUs were enough for all most of the time");
		return;
	}
	sum_work(shares, pool);
	for (size_t i = 0; i < pool->count; i++)
		if (is_judged(pool, i))
			judge_party(shares->table, pool, i, got);
}

static int judge_pools(struct shares *shares)
{
	struct pool *pool = calloc(1, sizeof(*pool));
	int code = pool ? 0 : -ENOMEM;

	for (size_t i = 0; i < shares->pool_count && code == 0; i++) {
		double got = 0;

		memset(pool, 0, sizeof(*pool));
		pool_make(shares, i, pool);
		if (pool->doubt) {
			table_say(shares->table, KTSTR_OUTCOME_SKIP, pool->parties[0]->subject,
				  "%s: %s", pool->parties[0]->subject, pool->doubt);
			continue;
		}
		code = pool_deal(pool, &got);
		if (code == 0)
			judge_pool(shares, pool, got);
		if (code != -ENODATA)
			continue;
		table_say(shares->table, KTSTR_OUTCOME_UNDECIDED, pool->parties[0]->subject,
			  "%s: its workers got no CPU time at all", pool->parties[0]->subject);
		code = 0;
	}
	free(pool);
	return code;
}

/* Make the parties. Returns whether they can be compared; else a sentence says why not. */
static bool fill_parties(struct shares *shares, const struct table_worker *const *workers,
			 size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct party *party = party_get(shares, &workers[i]->report);

		if (!party) {
			table_say(shares->table, KTSTR_OUTCOME_UNDECIDED, "run",
				  "there are more than %u spawns, too many to compare",
				  PARTIES_MAX);
			return false;
		}
		if (party->cgroup->id && !party->cgroup->is_described) {
			table_say(shares->table, KTSTR_OUTCOME_ERROR, party->cgroup->subject,
				  "%s has workers, but no frame describes it",
				  party->cgroup->subject);
			return false;
		}
		party_add(party, workers[i]);
	}
	return true;
}

static int judge_all(struct worker_table *table, const struct table_worker *const *workers,
		     size_t count, bool has_broken, struct ktstr_error *err)
{
	struct shares *shares;
	int code = -ENOMEM;

	(void)err;
	if (has_broken) {
		table_say(table, KTSTR_OUTCOME_UNDECIDED, "run",
			  "not every worker left figures, so shares cannot be compared");
		return 0;
	}
	shares = calloc(1, sizeof(*shares));
	if (!shares)
		return -ENOMEM;
	shares->table = table;
	shares->parents = calloc(table->cgroup_count, sizeof(struct table_cgroup *));
	if (!shares->parents)
		goto out;
	for (size_t i = 0; i < table->cgroup_count; i++)
		shares->parents[i] = table_parent(table, &table->cgroups[i]);
	code = 0;
	if (!fill_parties(shares, workers, count))
		goto out;
	for (size_t i = 0; i < shares->count; i++)
		party_place(shares, &shares->parties[i]);
	make_pools(shares);
	code = judge_pools(shares);
out:
	free(shares->parents);
	free(shares);
	return code;
}

static const struct table_rule rule = {
	.metric = "share error",
	.unit = "%",
	.limit_kind = KTSTR_LIMIT_AT_MOST,
	.judge_all = judge_all,
};

static int open_table(struct ktstr_judge *host, const struct ktstr_value *values, void **ret_state,
		      struct ktstr_error *err)
{
	return worker_table_open(host, &rule, values[P_MAX_ERROR].f, ret_state, err);
}

static const uint32_t wants[] = { KTSTR_MSG_CGROUP, KTSTR_MSG_WORKER, KTSTR_MSG_SCENARIO_PAUSE };

static const struct ktstr_checker_ops ops = {
	.size = sizeof(ops),
	.wants_count = sizeof(wants) / sizeof(wants[0]),
	.wants = wants,
	.open = open_table,
	.observe = worker_table_observe,
	.finish = worker_table_finish,
	.close = worker_table_close,
};

KTSTR_PLUGIN_DEFINE(KTSTR_KIND_CHECKER, .name = "shares", .version = "1.0",
		    .summary = "CPU time follows nice values and cpu.weight", .params = params,
		    .checker = &ops, .license = "GPL-2.0-only");
