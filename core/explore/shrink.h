/* SPDX-License-Identifier: GPL-2.0-only */
/* The smallest scenario that still fails in the same way. */
#ifndef EXPLORE_SHRINK_H
#define EXPLORE_SHRINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "explore/signature.h"

struct exploration;

/* What a scenario is, in numbers that a person understands. */
struct shrink_figures {
	uint64_t values;  /* YAML scalars of what can be reduced */
	uint64_t size;	  /* those, the counts and the tenths of seconds in them, in all */
	uint64_t steps;	  /* entries of lists called `steps` */
	bool has_run;	  /* those below are known */
	uint64_t workers; /* as they were in a run */
	uint64_t cgroups;
	uint64_t cpus;
	uint64_t scenario_ns;
};

struct shrunk {
	struct signature signature;
	uint64_t seed;	/* under which the shrunk one fails so */
	char *path;	/* of the shrunk file; NULL: none was written, see problem */
	char *problem;	/* why it ended early, or no file was written; NULL: neither */
	char *command;	/* runs it */
	uint64_t tries; /* scenarios that were tried */
	uint64_t taken; /* that failed so still */
	uint64_t runs;
	uint64_t took_ns;
	struct shrink_figures before, after;
};

/* Shrink the scenario of the group of FAILs with most seeds, into x->shrunk; without one, nothing
 * happens. */
void shrink_run(struct exploration *x);

/* NULL is fine. */
void shrunk_free(struct shrunk *shrunk);

#endif
