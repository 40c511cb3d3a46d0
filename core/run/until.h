/* SPDX-License-Identifier: GPL-2.0-only */
/* Stop a run somewhere on its way, and look at its machine. */
#ifndef RUN_UNTIL_H
#define RUN_UNTIL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "coord/coord.h"
#include "ktstr/error.h"
#include "vm/kernel.h"
#include "vm/vm.h"

enum until_kind {
	UNTIL_END, /* nowhere */
	UNTIL_FRAME,
	UNTIL_STEP,
	UNTIL_TIME,
};

struct until {
	enum until_kind kind;
	uint64_t value; /* frame, from 0; step, from 1; nanoseconds since the scenario's start */
	bool has_gdb;	/* hand the machine over to gdb */
	const char *vmlinux; /* its symbols; NULL: the kernel's own */
};

/* "frame:57", "step:2", "1.5s". -EINVAL with the sentence. */
int until_parse(const char *text, struct until *until, struct ktstr_error *err);

/* The number of the frame that says that step @step, from 1, begins, in a run file. -ENOENT: there
 * is none. */
int until_find_step(int runfile_fd, const char *name, uint64_t step, uint64_t *ret_frame,
		    struct ktstr_error *err);

/* The stop of one run. All borrowed. */
struct until_stop {
	struct coord_stop stop; /* for the coordinator */
	const struct until *until;
	const struct kernel *kernel;
	struct vm *vm;
	int job_fd;
	FILE *out;
	bool is_reached;
	/* Of UNTIL_TIME: the kernel's ticks. */
	uint64_t ticks_address;
	uint32_t ticks_a_second;
	uint64_t start_ticks; /* when the scenario's start was seen; 0: it was not yet */
	uint64_t ticks;
};

/* Before the VM starts: have it stop there. */
int until_prepare(struct until_stop *stop, struct ktstr_error *err);

#endif
