/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What ktstr-judge writes on its result pipe: any number of findings and signs of progress, then
 * one decision, then nothing. Each is a frame as in wire/frame.h, of a type of its own. The reader
 * believes nothing.
 */
#ifndef JUDGE_RESULT_H
#define JUDGE_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "judge/verdict.h"

/* More findings are not sent. */
#define RESULT_FINDINGS_MAX 1024u
/* Longer texts are cut. */
#define RESULT_TEXT_MAX 1023u
/* All that a checker may write. */
#define RESULT_BYTES_MAX ((size_t)6 * 1024 * 1024)

/* Append a sign of life: some call of the checker has returned. 0 or -ENOMEM. */
int result_encode_progress(struct str *out);

/* Does all that was written say no more than that? True of nothing at all, too. */
bool result_is_progress(const void *bytes, size_t length);

/* Append a finding (texts may be NULL) as bytes. 0 or -ENOMEM. */
int result_encode_finding(const struct finding *finding, struct str *out);

/* Append the decision as bytes: outcome, reason, wanted and has_whole_evidence. 0 or -ENOMEM. */
int result_encode_decision(const struct decision *decision, struct str *out);

/*
 * Read all that was written into *ret, which has a name and nothing else yet. -EBADMSG: it is not
 * what result.h says, *ret is as before; -ENOMEM. All texts come back safe for a terminal, all
 * figures finite, outcome and findings in their range.
 */
int result_decode(const void *bytes, size_t length, struct decision *ret);

#endif
