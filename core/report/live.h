/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is shown while a run lasts: on a terminal one live line a phase, elsewhere plain lines.
 * Writes to stderr.
 */
#ifndef REPORT_LIVE_H
#define REPORT_LIVE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct live;

/* @is_terminal: rewrite the current line. @is_quiet: only warnings. */
struct live *live_new(FILE *out, bool is_terminal, bool has_colour, bool is_quiet);

/* A new phase ("kernel", "VM", "scheduler", "scenario") with its detail. Ends the one before it as
 * done. */
void live_phase(struct live *live, const char *phase, const char *detail);
/* Change the detail of the current phase (the live line; nothing where lines are plain). */
void live_update(struct live *live, const char *detail);
/* A line of its own, above the live one. */
void live_warning(struct live *live, const char *text);
/* The current phase failed, or all is done. */
void live_done(struct live *live, bool is_good);
void live_free(struct live *live);

#endif
