/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sentences of the verdict's rules. Each appends to the reason of the verdict; those about one
 * checker are told which, the others pass over it.
 */
#ifndef JUDGE_REASON_H
#define JUDGE_REASON_H

#include "judge/verdict.h"

__attribute__((format(printf, 2, 3))) void reason_add(struct verdict *verdict, const char *format,
						      ...);

/* What a checker has against the run: its reason, or else its first finding of that kind; or NULL.
 */
const char *reason_of_checker(const struct decision *decision, uint32_t outcome);

void reason_wrong_plugins(struct verdict *v, const struct decision *d);
void reason_clock_runs_away(struct verdict *v, const struct decision *d);
void reason_scheduler_died(struct verdict *v, const struct decision *d);
void reason_scheduler_did_not_start(struct verdict *v, const struct decision *d);
void reason_scenario_failed(struct verdict *v, const struct decision *d);
void reason_checker_failed(struct verdict *v, const struct decision *d);
void reason_record_open(struct verdict *v, const struct decision *d);
void reason_record_incomplete(struct verdict *v, const struct decision *d);
void reason_judging_interrupted(struct verdict *v, const struct decision *d);
void reason_end(struct verdict *v, const struct decision *d);
void reason_cut_short(struct verdict *v, const struct decision *d);
void reason_guest_panicked(struct verdict *v, const struct decision *d);
void reason_agent_crashed(struct verdict *v, const struct decision *d);
void reason_agent_error(struct verdict *v, const struct decision *d);
void reason_frames_lost(struct verdict *v, const struct decision *d);
void reason_frame_malformed(struct verdict *v, const struct decision *d);
void reason_scenario_error(struct verdict *v, const struct decision *d);
void reason_scheduler_not_up(struct verdict *v, const struct decision *d);
void reason_agent_failed(struct verdict *v, const struct decision *d);
void reason_checker_error(struct verdict *v, const struct decision *d);
void reason_scenario_skipped(struct verdict *v, const struct decision *d);
void reason_scenario_undecided(struct verdict *v, const struct decision *d);
void reason_checker_undecided(struct verdict *v, const struct decision *d);
void reason_all_skipped(struct verdict *v, const struct decision *d);

#endif
