/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Smaller scenarios, one after the other: delta debugging on the tree of a scenario file. It is
 * told of each whether it will do, and goes on from the last one that did. Pure, and the same each
 * time for the same answers.
 *
 * What it tries, in this order, again and again until nothing of it will do:
 * - half of all numbers and times of the scenario at once;
 * - without entries of lists (steps, operations), and without what speaks of the names that were in
 *   them; without schedulers to change to;
 * - without what vm.topology says that is so in any case;
 * - without keys, so that what they set is as without them;
 * - smaller numbers (workers, cgroups);
 * - fewer CPUs (vm.topology);
 * - shorter times;
 * - without checkers, but for one.
 */
#ifndef EXPLORE_REDUCE_H
#define EXPLORE_REDUCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "param/node.h"

struct reduction;

/* From the tree of a scenario file, which is copied. NULL when out of memory. */
struct reduction *reduction_new(const struct node *root);
void reduction_free(struct reduction *reduction);

/*
 * The next tree to try: 1 and *ret, which is the caller's, and what was done in @what ("steps: 4
 * of 5 entries"). 0: nothing is left to try. -ENOMEM. reduction_answer() is due before the
 * next call.
 */
int reduction_next(struct reduction *reduction, struct node **ret, char *what, size_t size);

/* Will the last tree do? */
void reduction_answer(struct reduction *reduction, bool is_taken);

/* The smallest so far. Borrowed until the next call. */
const struct node *reduction_best(const struct reduction *reduction);

/* How much there is of it. */
struct reduction_size {
	uint64_t values; /* scalars that could be reduced or left out */
	uint64_t size;	 /* these, each count and each tenth of a second in them, in all */
	uint64_t steps;	 /* entries of lists called `steps` */
};
void reduction_measure(const struct node *root, struct reduction_size *ret);

#endif
