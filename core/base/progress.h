/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether somebody has stopped to work. Pure arithmetic. */
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

#include <stdint.h>

/* Between two looks no more than this counts: who was stopped himself has not looked meanwhile. */
#define PROGRESS_STEP_NS UINT64_C(1000000000)

/* Zero-initialise. */
struct progress {
	uint64_t work;	     /* done, when it last became more */
	uint64_t look_ns;    /* the last look */
	uint64_t nothing_ns; /* for so long nothing was done, as far as one looked */
};

/* @work: done so far, in any unit. Returns for how long nothing was done. */
uint64_t progress_look(struct progress *progress, uint64_t work, uint64_t now_ns);
/* There is a good reason for that: it counts anew. */
void progress_excuse(struct progress *progress);

#endif
