/* SPDX-License-Identifier: GPL-2.0-only */
/* The places of a scenario's tree where there is something to make smaller. Pure. */
#ifndef EXPLORE_SITES_H
#define EXPLORE_SITES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "param/node.h"

/* Kinds of places, in the order in which they are tried. */
enum site_kind {
	SITE_WHOLE,   /* the scenario, as all its numbers and times at once */
	SITE_LIST,    /* a list of the scenario, or the map of schedulers to change to */
	SITE_ONES,    /* vm.topology, with what says there that it is 1 */
	SITE_KEY,     /* a child of a map of the scenario that says no number and no plugin */
	SITE_NUMBER,  /* a number of the scenario that is an amount */
	SITE_CPUS,    /* a number of vm.topology */
	SITE_TIME,    /* a duration of the scenario */
	SITE_CHECKER, /* the list of checkers */
	SITE_KINDS,
};

struct site {
	struct node *node;
	struct node *parent;
	size_t index; /* of the node in its parent */
};

/*
 * Place number @number of its kind, in the order of the file. False: there are not so many. @path
 * is made to say where it is: "scenario.steps[1].hold". -ENOMEM only shortens it.
 */
bool site_find(struct node *root, enum site_kind kind, size_t number, struct site *ret,
	       struct str *path);

/* The values that SITE_NUMBER, SITE_CPUS and SITE_TIME are of; false: @node is none. */
bool site_number(const struct node *node, int64_t *ret);
bool site_time(const struct node *node, int64_t *ret_ns);

#endif
