/* SPDX-License-Identifier: GPL-2.0-only */
/* One line that says how far an exploration is. Pure. */
#ifndef EXPLORE_PROGRESS_H
#define EXPLORE_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

#include "explore/tally.h"

/* "12 s", "3 min 20 s", "2 h 5 min". */
void progress_duration(uint64_t ns, char *target, size_t size);

/*
 * "128 of 300 seeds, 1.3/s, 3 FAIL of 2 kinds, 1 ERROR, 2 min 10 s left". @fresh of them were run
 * by this process, in @elapsed_ns.
 */
void progress_text(const struct tally *tally, uint64_t fresh, uint64_t elapsed_ns, char *target,
		   size_t size);

#endif
