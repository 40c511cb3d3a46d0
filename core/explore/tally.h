/* SPDX-License-Identifier: GPL-2.0-only */
/* How the runs of all seeds ended so far, in groups of one signature. Pure. */
#ifndef EXPLORE_TALLY_H
#define EXPLORE_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "explore/journal.h"
#include "explore/signature.h"

#define TALLY_SEEDS_MAX UINT64_C(1000000)
/* Signatures that are told apart; of each outcome the rest is one group. */
#define TALLY_GROUPS_MAX 200
/* Seeds that are kept of a group: the lowest. */
#define TALLY_FIRST_SEEDS 16

/* Runs that did not pass, and ended alike. */
struct tally_group {
	struct signature signature;
	uint64_t count;
	uint64_t seeds[TALLY_FIRST_SEEDS]; /* ascending; the run of the first one is kept */
	size_t seed_count;
};

struct tally {
	uint64_t first, last; /* seeds */
	uint64_t done;	      /* of all */
	uint64_t passed;
	uint64_t errors_in_a_row; /* up to the last one */
	struct tally_group *groups;
	size_t group_count;
	uint8_t *is_done; /* a bit for each seed */
};

/* For seeds @first to @last, at most TALLY_SEEDS_MAX. 0 or -ENOMEM; tally_done() is due then. */
int tally_init(struct tally *tally, uint64_t first, uint64_t last);
void tally_done(struct tally *tally);

bool tally_has(const struct tally *tally, uint64_t seed);

/* What a run that was taken up means for what is kept. */
struct tally_change {
	bool is_first;	     /* the first of its group */
	bool is_kept;	     /* its run is the one to keep of its group */
	bool has_superseded; /* and that of another seed no longer */
	uint64_t superseded;
};

/* Take up a run of a seed of the range that there was none of yet. */
void tally_add(struct tally *tally, const struct journal_entry *entry, struct tally_change *ret);

/* The lowest seed from @from on that there is no run of; false: none. */
bool tally_next(const struct tally *tally, uint64_t from, uint64_t *ret);

/* Runs that ended in @outcome. */
uint64_t tally_count(const struct tally *tally, uint32_t outcome);
/* The outcome of all of them (report/compare.h). */
uint32_t tally_outcome(const struct tally *tally);

/* FAIL before ERROR, UNDECIDED and SKIP; then the one with most runs, then with the lowest seed. */
void tally_sort(struct tally *tally);

/* Is the run of @seed kept? */
bool tally_keeps(const struct tally *tally, uint64_t seed);

#endif
