/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The verifier's log made short: where it went round a loop, it says the same again and again, but
 * for what it knows of the registers. Of a block of lines that comes several times in a row the
 * first and the last are kept. Time and memory grow with the length of the log, whatever it holds.
 */
#ifndef REPORT_COLLAPSE_H
#define REPORT_COLLAPSE_H

#include <stddef.h>

#include "base/str.h"

/* Lines that are looked at; of a longer log the last ones. */
#define COLLAPSE_LINES_MAX 65536u
/* A block has so many lines at least, and comes so often at least. */
#define COLLAPSE_BLOCK_MIN 5u
#define COLLAPSE_TIMES_MIN 3u

/*
 * Append @text, each line ended, with
 *
 *   --- the next 8 lines come 120 times ---
 *   ...the first time...
 *   --- left out: 118 more of the same ---
 *   ...the last time...
 *   --- end of what comes 120 times ---
 *
 * in the place of what repeats. 0 or -ENOMEM.
 */
int collapse_add(const char *text, size_t length, struct str *out);

#endif
