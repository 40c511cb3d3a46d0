/* SPDX-License-Identifier: GPL-2.0-only */
/* What a checker has found so far, and the outcome that follows from it. */
#ifndef CHECKERS_FINDINGS_H
#define CHECKERS_FINDINGS_H

#include <stdarg.h>
#include <stddef.h>

#include "ktstr/checker.h"

/* Longer sentences are cut. A set of CPUs is the longest thing that one can hold. */
#define FINDINGS_TEXT_MAX 8704u

/*
 * The outcome of the whole is that of the weightiest finding: FAIL, ERROR, UNDECIDED, PASS, SKIP. A
 * FAIL comes first because it rests on evidence of its own, whatever else broke.
 */
struct findings {
	struct ktstr_judge *judge;
	uint32_t outcome;
};

/* Hand one finding to the host, with its size and its text filled in. */
__attribute__((format(printf, 3, 0))) void findings_add(struct findings *findings,
							struct ktstr_finding *finding,
							const char *format, va_list args);
/* A figure with its sentence: @finding is as the host is to see it, without size and text. */
__attribute__((format(printf, 3, 4))) void
findings_figure(struct findings *findings, struct ktstr_finding finding, const char *format, ...);
/* A sentence alone. */
__attribute__((format(printf, 4, 5))) void findings_say(struct findings *findings, uint32_t outcome,
							const char *subject, const char *format,
							...);

/* Text from a frame as printable ASCII, cut to fit. Returns @target. */
const char *text_copy(char *target, size_t size, const char *source, size_t length);

#endif
