/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What frames say about sched_ext, made safe: what the checkers over schedulers have in common.
 *
 * A frame whose CRC is wrong says nothing. A malformed one is refused with a sentence.
 */
#ifndef CHECKERS_SCX_FRAMES_H
#define CHECKERS_SCX_FRAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "ktstr/error.h"
#include "ktstr/sched_ext.h"

/* SCX_STATE, with printable texts that end by NUL. The events are borrowed from the frame. */
struct scx_state {
	struct ktstr_scx_state head;
	const unsigned char *events;
};

/* SCX_EXIT, with printable texts; the dump and the backtrace are not looked at. */
#define SCX_EXIT_TEXT_MAX 1024u
struct scx_exit {
	struct ktstr_scx_exit head;
	char reason[SCX_EXIT_TEXT_MAX];
	char message[SCX_EXIT_TEXT_MAX];
};

/* 0 or -EBADMSG. */
int scx_state_get(const struct ktstr_frame *frame, struct scx_state *ret, struct ktstr_error *err);
int scx_exit_get(const struct ktstr_frame *frame, struct scx_exit *ret, struct ktstr_error *err);
int scx_swap_get(const struct ktstr_frame *frame, struct ktstr_sched_swap *ret,
		 struct ktstr_error *err);

/* The value of one event; false when the kernel does not count it. */
bool scx_event_get(const struct scx_state *state, const char *name, int64_t *ret_value);

/* Does the kernel say that a sched_ext scheduler is in charge? */
bool scx_is_enabled(const struct scx_state *state);

/* "stall", or "#77" where the kernel's number has no name here. Returns @text or a constant. */
const char *scx_kind_text(char *text, size_t size, uint32_t kind);

/*
 * The time in which one scheduler was in charge: from an SCX_STATE "attached" that says so to the
 * one before its stop, or to its death.
 */
struct scx_reign {
	bool is_on;
	bool is_first;	   /* scx_reign_follow() has just begun it */
	uint32_t count;	   /* how many began so far */
	bool has_state;	   /* the run tells of sched_ext at all */
	bool has_kernel;   /* the kernel has sched_ext */
	bool has_died;	   /* one of them ended by DIED */
	uint64_t start_ns; /* guest's clock */
	uint64_t enable_seq;
	char ops[sizeof(((struct ktstr_scx_state *)0)->ops)];
};

/* Zero-initialise @reign. Takes in the states of a run, in their order. */
void scx_reign_follow(struct scx_reign *reign, const struct scx_state *state);

#endif
