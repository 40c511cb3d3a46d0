/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's clock, as its frames tell it. In virtual time it is the only one that means anything:
 * when the host received a frame depends on what else the host did.
 */
#ifndef WIRE_GUEST_CLOCK_H
#define WIRE_GUEST_CLOCK_H

#include <stdint.h>

#include "ktstr/frame.h"

/* Zero-initialise. */
struct guest_clock {
	uint64_t start_ns; /* of the scenario; 0: not yet */
	uint64_t now_ns;   /* the latest that was told */
};

/* The next frame, of any kind. What the clock shows then: never less than before. */
uint64_t guest_clock_take(struct guest_clock *clock, const struct ktstr_frame *frame);

#endif
