/* SPDX-License-Identifier: GPL-2.0-only */
#include "share_model.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#define NICE_0_WEIGHT 1024.0
#define CPU_WEIGHT_DEFAULT 100.0

/* One that takes part in a moment: a party, or a group with parties below it. */
struct node {
	size_t parent; /* of nodes, or SHARE_NO_GROUP */
	double weight;
	double demand;
	double got; /* CPUs */
	bool is_served;
};

/* Groups first, then parties. */
struct model {
	struct node *nodes;
	size_t group_count;
	size_t count;
};

double share_weight_of_nice(int32_t nice)
{
	/* sched_prio_to_weight[] of the kernel, from -20 to 19. */
	static const uint32_t weights[] = {
		88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916,
		9548,  7620,  6100,  4904,  3906,  3121,  2501,	 1991,	1586,  1277,
		1024,  820,   655,   526,   423,   335,	  272,	 215,	172,   137,
		110,   87,    70,    56,    45,	   36,	  29,	 23,	18,    15,
	};
	int32_t bounded = nice < -20 ? -20 : nice > 19 ? 19 : nice;

	return weights[bounded + 20];
}

double share_weight_of_cgroup(uint32_t cpu_weight)
{
	return cpu_weight / CPU_WEIGHT_DEFAULT * NICE_0_WEIGHT;
}

/* Who is there, and how much each wants, from the leaves up. */
static void fill_demand(struct model *model, const struct share_party *parties,
			const struct share_group *groups, double from, double to)
{
	for (size_t i = 0; i < model->group_count; i++)
		model->nodes[i] =
			(struct node){ .parent = groups[i].parent, .weight = groups[i].weight };
	for (size_t i = model->group_count; i < model->count; i++) {
		const struct share_party *party = &parties[i - model->group_count];
		bool is_there = party->start <= from && party->end >= to;

		model->nodes[i] = (struct node){ .parent = party->group,
						 .weight = party->weight,
						 .demand = is_there ? party->demand : 0 };
	}
	for (size_t i = model->count; i-- > 0;) {
		const struct node *node = &model->nodes[i];

		if (node->parent != SHARE_NO_GROUP)
			model->nodes[node->parent].demand += node->demand;
	}
}

static bool is_waiting(const struct node *node, size_t parent)
{
	return node->parent == parent && !node->is_served && node->demand > 0;
}

/*
 * Deal out @cpus among the children of @parent. Whoever wants no more than his part gets what he
 * wants; then there is more for the others.
 */
static void deal(struct model *model, size_t parent, double cpus)
{
	double weight;
	bool again;

	do {
		double left = cpus;

		weight = 0;
		again = false;
		for (size_t i = 0; i < model->count; i++)
			if (is_waiting(&model->nodes[i], parent))
				weight += model->nodes[i].weight;
		for (size_t i = 0; i < model->count; i++) {
			struct node *node = &model->nodes[i];

			if (!is_waiting(node, parent) ||
			    node->demand * weight > cpus * node->weight)
				continue;
			node->got = node->demand;
			node->is_served = true;
			left -= node->demand;
			again = true;
		}
		cpus = left > 0 ? left : 0;
	} while (again);
	for (size_t i = 0; i < model->count; i++)
		if (is_waiting(&model->nodes[i], parent))
			model->nodes[i].got = cpus * model->nodes[i].weight / weight;
}

static void run_interval(struct model *model, struct share_party *parties,
			 const struct share_group *groups, double cpus, double from, double to)
{
	double wanted = 0;

	fill_demand(model, parties, groups, from, to);
	for (size_t i = 0; i < model->count; i++)
		if (model->nodes[i].parent == SHARE_NO_GROUP)
			wanted += model->nodes[i].demand;
	deal(model, SHARE_NO_GROUP, cpus);
	for (size_t i = 0; i < model->group_count; i++)
		deal(model, i, model->nodes[i].got);
	for (size_t i = model->group_count; i < model->count; i++) {
		struct share_party *party = &parties[i - model->group_count];

		party->promised += model->nodes[i].got * (to - from);
		if (model->nodes[i].demand > 0 && wanted > cpus)
			party->contended += to - from;
	}
}

static int compare_times(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

int share_model_run(struct share_party *parties, size_t party_count,
		    const struct share_group *groups, size_t group_count, double cpus)
{
	struct model model = { .group_count = group_count, .count = group_count + party_count };
	double *times = calloc(2 * party_count + 1, sizeof(*times));
	int code = -ENOMEM;

	model.nodes = calloc(model.count + 1, sizeof(*model.nodes));
	if (!times || !model.nodes)
		goto out;
	for (size_t i = 0; i < party_count; i++) {
		times[2 * i] = parties[i].start;
		times[2 * i + 1] = parties[i].end;
		parties[i].promised = parties[i].contended = 0;
	}
	qsort(times, 2 * party_count, sizeof(*times), compare_times);
	for (size_t i = 1; i < 2 * party_count; i++)
		if (times[i] > times[i - 1])
			run_interval(&model, parties, groups, cpus, times[i - 1], times[i]);
	code = 0;
out:
	free(times);
	free(model.nodes);
	return code;
}
