/* SPDX-License-Identifier: GPL-2.0-only */
/* For tests of verdicts: runs that failed as was expected. */
#ifndef TESTS_UNIT_EXPECTED_RUN_H
#define TESTS_UNIT_EXPECTED_RUN_H

#include "judge/verdict.h"

/* What the kernel says of the scheduler of make_ejected(). */
#define EXPECTED_RUN_MESSAGE "worker[151] failed to run for 2.976s"

/* A run that failed as was expected, for each row to break in one place. No text is owned. */
struct run {
	struct verdict v;
	struct decision d[3];
	struct finding f;
	struct expectation expect;
	char *named[2];
};

/* All is well with it, and nothing in particular is expected. */
void make_common(struct run *run);
/* The kernel threw the scheduler out, and the checkers had too little to look at. */
void make_ejected(struct run *run);
/* The scheduler did not start, by its own fault. */
void make_refused(struct run *run);
/* A checker found what it was to find. */
void make_caught(struct run *run);

/* Checker @number has found something. */
void fail_checker(struct run *run, size_t number);

#endif
