/* SPDX-License-Identifier: GPL-2.0-only */
/* The part of a report that tells of each checker: how it decided, its figures, its sentences. */
#ifndef REPORT_CHECKERS_H
#define REPORT_CHECKERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "judge/verdict.h"

struct checkers_style {
	bool has_colour;
	bool is_verbose; /* every sentence, of what was found good too */
};

/* Append the table of checkers, those that have something against the run first. 0 or -ENOMEM. */
int checkers_add(const struct verdict *verdict, const struct checkers_style *style,
		 struct str *out);

/* Does the table say why the verdict is what it is? */
bool checkers_say_reason(const struct verdict *verdict);

/*
 * The worst finding of the metric that @first of the decision's findings has; *ret_same: how many
 * have it. NULL when an earlier finding has that metric too, or this one has no figure.
 */
const struct finding *decision_worst(const struct decision *decision, size_t first,
				     size_t *ret_same);

/* Append the name of an outcome, padded to @width columns. 0 or -ENOMEM. */
int outcome_add(uint32_t outcome, size_t width, bool has_colour, struct str *out);

#endif
