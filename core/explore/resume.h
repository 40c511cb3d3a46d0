/* SPDX-License-Identifier: GPL-2.0-only */
/* Begin an exploration in its folder, or take up one that was interrupted. */
#ifndef EXPLORE_RESUME_H
#define EXPLORE_RESUME_H

#include <stdbool.h>
#include <stdint.h>

#include "ktstr/error.h"

struct exploration;

/*
 * Open folder and journal, and take up the runs that there are; those that ended in ERROR are made
 * again. -ESTALE when what was explored there is not what is explored now; else as place_open()
 * and journal_open() say.
 */
int resume_open(struct exploration *x, struct ktstr_error *err);

/* For place_clean(), with a tally. */
bool resume_keeps(void *tally, uint64_t seed);

#endif
