/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How much CPU time weights promise: a perfectly fair machine, in numbers.
 *
 * Parties (workers that started and stopped together, in one cgroup, with one nice value) hang in a
 * tree of cgroups. At each moment the CPUs are dealt out from the top: what lives below a cgroup
 * shares by weight, nobody gets more than it can use, and what one leaves the others share again.
 */
#ifndef CHECKERS_SHARE_MODEL_H
#define CHECKERS_SHARE_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "ktstr/error.h"

#define SHARE_NO_GROUP SIZE_MAX

struct share_party {
	size_t group;	   /* where it hangs, or SHARE_NO_GROUP: at the top */
	double weight;	   /* of all its workers */
	double demand;	   /* the most CPUs that it can use */
	double start, end; /* seconds */
	/* Of share_model_run(): CPU seconds promised, and seconds in which not everybody could have
	 * all he wants. */
	double promised;
	double contended;
};

struct share_group {
	size_t parent; /* its index is less than the group's own; or SHARE_NO_GROUP */
	double weight;
};

/* Deal out @cpus from the first start to the last end. 0 or -ENOMEM. */
int share_model_run(struct share_party *parties, size_t party_count,
		    const struct share_group *groups, size_t group_count, double cpus);

/* The kernel's weight of a task of this nice value: 1024 at 0, about 1.25 times less a step. */
double share_weight_of_nice(int32_t nice);
/* The weight of a cgroup among tasks: 1024 at a cpu.weight of 100. */
double share_weight_of_cgroup(uint32_t cpu_weight);

#endif
