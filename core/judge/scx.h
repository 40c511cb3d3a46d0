/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a stream says of the scheduler's life: who is in charge, why it left, and when. One pass
 * over the frames; memory is bounded whatever they hold, and all texts are safe for a terminal.
 */
#ifndef JUDGE_SCX_H
#define JUDGE_SCX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ktstr/frame.h"
#include "ktstr/sched_ext.h"

#define SCX_TEXT_MAX 1024

/* Where a run is. */
enum scx_place {
	SCX_PLACE_START, /* before the scenario */
	SCX_PLACE_SCENARIO,
	SCX_PLACE_STEP,
	SCX_PLACE_PAST_STEP,
	SCX_PLACE_TEARDOWN,
};

struct scx_moment {
	bool is_known;
	enum scx_place place;
	uint32_t step;
	/* Since that place was reached: by the guest's clock where it tells, else by the host's. */
	uint64_t into_ns;
	uint64_t since_guest_ns; /* when it was reached, as long as into_ns is the host's; or 0 */
};

/* Zero-initialise; scx_done() frees. */
struct scx {
	/* Plugin in charge; "": not known, or the kernel's own. Of one that could not be swapped
	 * in, and left by itself: its name in the scenario file. */
	char scheduler[64];
	char first[64]; /* the run's own, which a restart brings back */
	/* Of the scheduler in charge: the last SCX_EXIT since the last swap that worked. */
	bool has_exit;
	uint32_t exit_kind;
	int64_t exit_code;
	uint32_t exit_source;
	char *exit_reason;	   /* never NULL once has_exit is set, as the next */
	char *exit_message;	   /* one line */
	struct scx_moment exit_at; /* when it was first heard of its end */
	/* The one before has been stopped; what leaves now is the one that is to follow. */
	bool is_between;
	bool has_next_exit; /* and that has left */
	/* The last SCX_STATE. */
	bool has_state;
	struct ktstr_scx_state state;
	/* How long it was from the first SCX_STATE to the last, by the guest's clock and by the
	 * host's. */
	uint64_t first_guest_ns, first_host_ns;
	uint64_t guest_took_ns, host_took_ns;
	/* LIFECYCLE said that the scheduler is to blame for not having started. */
	bool has_died_at_start;
	char *start_error; /* why; NULL: it did not say */
	uint64_t swaps, swaps_failed, swaps_forced;
	/* Where the run is now. */
	enum scx_place place;
	uint32_t step;
	uint64_t place_ns;	 /* host_ns at which it was reached */
	uint64_t place_guest_ns; /* what the guest's clock showed then; 0: not known */
	uint64_t start_guest_ns; /* and when the scenario started */
};

/*
 * Does the guest's clock run away, should it be the host's? It cannot be ahead of the host's by
 * more than frames can be late in bunches; a guest that measured its TSC wrongly is, many times
 * over, and no time in such a run means anything.
 */
bool scx_clock_runs_away(const struct scx *scx);

/* The next frame, whose CRC is right. What cannot be decoded changes nothing. 0 or -ENOMEM. */
int scx_take(struct scx *scx, const struct ktstr_frame *frame);

/*
 * "scheduler 'x' was ejected 2.04 s into step 1: runnable task stall (1026): 'worker[151] failed to
 * run for 2.976s'". Empty without an SCX_EXIT. @target gets at most size - 1 bytes. Returns it.
 */
const char *scx_sentence(const struct scx *scx, char *target, size_t size);

/* "stall", or the number where the kind has no name we know. */
const char *scx_kind_name(uint32_t kind, char target[16]);

void scx_done(struct scx *scx);

#endif
