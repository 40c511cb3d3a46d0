/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is shown while a run lasts: on a terminal one live line a phase, elsewhere plain lines.
 *
 * The live line is rewritten in place by one write that ends with "erase to the end of line", so it
 * does not flicker; it is never longer than the terminal; the cursor is never hidden, so nothing
 * has to be put right when the process dies.
 */
#ifndef REPORT_LIVE_H
#define REPORT_LIVE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct live;

struct live_style {
	bool is_terminal; /* rewrite the current line */
	bool has_colour;
	bool is_quiet;		  /* only warnings */
	uint32_t width;		  /* columns of the terminal; 0: 80 */
	uint64_t (*now_ns)(void); /* for how long a phase took; NULL: not shown */
};

/* Writes to @out (borrowed), normally stderr. NULL when out of memory; all calls below accept it.
 */
struct live *live_new(FILE *out, const struct live_style *style);

/* A phase ("kernel", "VM", "scheduler", "scenario") with its detail. A new one ends the one before
 * it as done; the same one goes on with another detail, which is a line where lines are plain. */
void live_phase(struct live *live, const char *phase, const char *detail);
/* Change the detail of the current phase (the live line; nothing where lines are plain). */
void live_update(struct live *live, const char *detail);
/* A line of its own, above the live one. */
void live_warning(struct live *live, const char *text);
/* The current phase failed, or all is done. */
void live_done(struct live *live, bool is_good);
void live_free(struct live *live);

#endif
