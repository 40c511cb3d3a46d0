/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A failure that is expected: did this one come, whole and alone? Pure. Whether the evidence is
 * whole is for the rules of verdict.c to say.
 */
#ifndef JUDGE_EXPECT_H
#define JUDGE_EXPECT_H

#include <stdbool.h>

#include "judge/verdict.h"

/* Is a FAIL expected of this run? */
bool expect_is_failure(const struct verdict *verdict);

/*
 * Did all parts of the expectation come true, and nothing else fail? @verdict: a run that failed.
 * If not, the difference is appended to @ret (of @size bytes).
 */
bool expect_came_true(const struct verdict *verdict, char *ret, size_t size);

/* Append what is expected: "the scheduler to leave as stall with a message of '...'". */
void expect_describe(const struct verdict *verdict, char *ret, size_t size);

/* Append what came, of a run of which expect_came_true(). */
void expect_tell(const struct verdict *verdict, char *ret, size_t size);

#endif
