/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What failed in a run, in words that are the same for all runs that failed in the same way. Pure.
 */
#ifndef EXPLORE_SIGNATURE_H
#define EXPLORE_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "judge/verdict.h"

#define SIGNATURE_TEXT_MAX 480

struct signature {
	uint32_t outcome;		   /* KTSTR_OUTCOME_ */
	char text[SIGNATURE_TEXT_MAX + 1]; /* safe for a terminal, one line; "" on PASS */
};

/*
 * Replace what differs by chance: numbers of any form, addresses and lists of numbers become "N", a
 * unit of time behind one " s", and a noun that is counted stands in the plural. Text that would
 * not fit @size is cut.
 */
void signature_fold(const char *text, char *target, size_t size);

/*
 * Of a run with a verdict: how the kernel threw the scheduler out, or the checker that failed and
 * its first finding, or the verdict's reason.
 */
void signature_of_verdict(const struct verdict *verdict, struct signature *ret);

/* Of a run without one: an ERROR. */
void signature_of_error(const char *text, struct signature *ret);

bool signature_is_same(const struct signature *a, const struct signature *b);

#endif
