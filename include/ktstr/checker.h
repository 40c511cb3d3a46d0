/* SPDX-License-Identifier: MIT */
/*
 * A checker: reads the frames of a run and decides.
 *
 * Each checker runs in a process of its own, with limits on time and memory, over the recorded run.
 * A run is judged the same way just after it ended and years later (`ktstr check RUN`), so a
 * checker must decide from the frames alone: no clock, no randomness, no files.
 */
#ifndef KTSTR_CHECKER_H
#define KTSTR_CHECKER_H

#include <stdint.h>

#include "ktstr/error.h"
#include "ktstr/frame.h"
#include "ktstr/outcome.h"
#include "ktstr/param.h"
#include "ktstr/plugin.h"
#include "ktstr/topology.h"

/* What the limit of a finding asks for. */
#define KTSTR_LIMIT_NONE 0u	/* there is none: the figure stands alone, or there is no figure */
#define KTSTR_LIMIT_AT_MOST 1u	/* measured <= limit is good */
#define KTSTR_LIMIT_AT_LEAST 2u /* measured >= limit is good */

/*
 * One thing that a checker found: a figure against its limit, or a sentence. Strings are copied by
 * the host.
 *
 * A report makes a line of the figure: "longest gap 55.5 ms of at most 4000 ms (cgroup hog0)". A
 * metric without a unit is counted: "2 unexpected CPUs (tid 123)".
 */
struct ktstr_finding {
	uint32_t size; /* sizeof(struct ktstr_finding) */
	/* PASS: measured and good. SKIP, UNDECIDED, FAIL: as said. ERROR: the evidence is broken.
	 */
	uint32_t outcome;
	const char *subject; /* what it speaks of: "cgroup hog0", "tid 123" */
	const char *metric;  /* "longest gap"; NULL or "": no figure, the text says all */
	const char *unit;    /* "%", "ms"; NULL or "": the metric is counted */
	double measured;     /* finite, as the next */
	double limit;	     /* not looked at where there is none */
	uint32_t limit_kind; /* KTSTR_LIMIT_ */
	uint32_t reserved;   /* 0 */
	/* The sentence, for a person. NULL where outcome is PASS and the figure says all. */
	const char *text;
};

/* What is known of the run as a whole, and where findings go. Valid from open() to close(). */
struct ktstr_judge {
	uint32_t size;
	uint32_t reserved;
	const struct ktstr_topology *topology;
	const char *scenario;  /* name of the scenario plugin */
	const char *scheduler; /* name of the scheduler plugin */
	const char *kernel;    /* uname -r of the guest; "" when unknown */
	const char *accel;     /* "kvm" or "tcg" */
	void *host;
	void (*finding)(struct ktstr_judge *judge, const struct ktstr_finding *finding);
	/* "virtual": the guest lived in its own time, in which its CPUs took turns, each as fast as
	 * all of them together, and the host was nowhere to be seen; "host": in the host's. */
	const char *clock;
	/*
	 * Set when finish() is called: how long, in all, a CPU of the VM was ready to run while the
	 * scenario ran, and the host had none for it; of several CPUs the longest. Whatever stood
	 * still in the guest may have done so for that long by no fault of its scheduler. 0: never,
	 * or not known.
	 */
	uint64_t host_wait_ns;
};

struct ktstr_checker_ops {
	uint32_t size;
	/* How many entries @wants has. */
	uint32_t wants_count;
	/* Types of frames that observe() is to see. A run without any of them cannot PASS this
	 * checker. */
	const uint32_t *wants;

	/* Optional: make the state. */
	int (*open)(struct ktstr_judge *judge, const struct ktstr_value *values, void **ret_state,
		    struct ktstr_error *err);

	/*
	 * Required: one frame, in order of arrival. The payload is borrowed for the call. Frames
	 * whose CRC was wrong come too, with the flag clear; a checker that does not look at them
	 * is not shown them by mistake: the run cannot PASS with one.
	 */
	int (*observe)(void *state, const struct ktstr_frame *frame, struct ktstr_error *err);

	/* Required: all frames have been seen. Decide: *ret_outcome is a KTSTR_OUTCOME_ but NONE.
	 */
	int (*finish)(void *state, uint32_t *ret_outcome, struct ktstr_error *err);

	/* Optional: free the state. */
	void (*close)(void *state);
};

#endif
