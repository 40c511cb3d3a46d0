/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the stream of a guest must be to make sense: each frame within the bounds of its type, the
 * lengths inside it true and its figures possible, and what only the agent sends once and in order.
 * A guest that breaks this is broken, or lies; docs/wire.md lists the rules.
 */
#ifndef JUDGE_PROTOCOL_H
#define JUDGE_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ktstr/frame.h"

/* A figure beyond this is no measurement, and checkers could not compute with it exactly. */
#define PROTOCOL_FIGURE_MAX (UINT64_C(1) << 53)
#define PROTOCOL_TEXT_MAX 160

/* Zero-initialise. */
struct protocol {
	bool is_ready;	 /* to be set by the caller: a valid SYS_RDY came */
	uint32_t seen;	 /* of what comes only once */
	uint64_t phases; /* of LIFECYCLE, one bit each */
	bool is_paused;
	char text[PROTOCOL_TEXT_MAX];
};

/*
 * The next frame, whose CRC is right. NULL when all is well with it; else what is wrong, until the
 * next call.
 */
const char *protocol_take(struct protocol *protocol, const struct ktstr_frame *frame);

/*
 * The stream is over: NULL, or what should have come. @has_passed: the scenario says that it ran to
 * its end; else only what comes of every run is asked for.
 */
const char *protocol_finish(struct protocol *protocol, bool has_passed);

#endif
