/* SPDX-License-Identifier: GPL-2.0-only */
/* The figure of a finding as a person reads it. */
#ifndef REPORT_FIGURE_H
#define REPORT_FIGURE_H

#include <stdbool.h>

#include "base/str.h"
#include "judge/verdict.h"

/* Has it a figure at all? If not, its text says all. */
bool figure_is_there(const struct finding *finding);

#define FIGURE_MAX 48

/* A measured number as a person writes it; what is counted, not measured, in thousands, millions
 * and so on where it is large. */
void figure_write(char target[FIGURE_MAX], double value, const char *unit);

/*
 * Append "longest gap 55.5 ms of at most 4000 ms", or "..., above 4000 ms" where it is on the wrong
 * side. A metric without a unit is counted: "2 unexpected CPUs". A limit of nothing goes without
 * saying. Measured and limit never read alike unless they are. 0 or -ENOMEM.
 */
int figure_add(const struct finding *finding, struct str *out);

/*
 * Is @a worse than @b, of the same metric: of a worse outcome, or nearer to its limit or farther
 * beyond? Without a limit none is worse.
 */
bool figure_is_worse(const struct finding *a, const struct finding *b);

#endif
