/* SPDX-License-Identifier: GPL-2.0-only */
/* What a verdict rests on: plain questions about evidence and decisions, for its rules. */
#ifndef JUDGE_GROUNDS_H
#define JUDGE_GROUNDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coord/coord.h"
#include "judge/verdict.h"

/* Did everything that the guest sent arrive, in order, to the end? */
bool grounds_are_whole(const struct verdict *verdict);

/* Did the coordinator end the run for this reason? */
bool grounds_ended_by(const struct verdict *verdict, enum coord_end end);

/* This broke before the evidence, not after it. */
bool grounds_are_cut_short(const struct verdict *verdict);

/*
 * A FAIL counts whatever broke after it, but it must rest on something: on frames that were all
 * there up to then, or, where it rests on a frame that never came, on a stream that is whole.
 */
bool grounds_checker_failed(const struct verdict *verdict, const struct decision *decision);

/* Decisions of this outcome. */
size_t grounds_count(const struct verdict *verdict, uint32_t outcome);

/* Did it die while the scenario had it (SCHED_EXIT)? */
bool grounds_scheduler_died(const struct verdict *verdict);
/* Did it not start, by its own fault, and nothing after that? */
bool grounds_scheduler_did_not_start(const struct verdict *verdict);

/* Frames that got lost or went wrong on their way, each kind a reason to believe nothing. */
#define GROUNDS_LOSSES 4
/* How many; *ret_text: what they did ("had a wrong checksum"). */
uint64_t grounds_loss(const struct verdict *verdict, size_t number, const char **ret_text);

#endif
