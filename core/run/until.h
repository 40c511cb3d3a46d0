/* SPDX-License-Identifier: GPL-2.0-only */
/* Stop a run somewhere on its way, and look at its machine. */
#ifndef RUN_UNTIL_H
#define RUN_UNTIL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/clock.h"
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

/* How fast a guest comes to a time, and so, when it is to be looked at. Zero-initialise. */
#define UNTIL_WAIT_NS (NS_PER_MS / 4)	   /* at most */
#define UNTIL_WAIT_MIN_NS (NS_PER_MS / 50) /* at least */
#define UNTIL_SPEED 100u		   /* of which nothing is known: seconds in a second */
#define UNTIL_SPEED_MIN 25u
struct until_pace {
	uint64_t guest_ns, host_ns; /* when it was asked last; 0: it was not */
	uint64_t speed;
};

/* It is @guest_ns there and @host_ns here, and @left_ns are left: how long to wait until the next
 * look. */
uint64_t until_pace_wait(struct until_pace *pace, uint64_t guest_ns, uint64_t left_ns,
			 uint64_t host_ns);

/* Where it was stopped. */
struct until_reached {
	uint64_t last_frame; /* that was sent */
	bool has_time;
	uint64_t elapsed_ns; /* since the scenario's start */
	uint64_t precision_ns;
};

struct json_t;

/* The stop of one run. All borrowed. */
struct until_stop {
	struct coord_stop stop; /* for the coordinator */
	const struct until *until;
	const struct kernel *kernel;
	bool is_virtual;
	struct vm *vm;
	int job_fd;
	FILE *out; /* NULL: a document is made instead */
	bool is_reached;
	struct until_reached reached;
	struct json_t *json; /* {stopped, cpus}; the caller's. NULL: there is none */
	/* Of UNTIL_TIME: where the kernel keeps the time of its next tick, and from one to the
	 * next. */
	uint64_t tick_address;
	uint64_t tick_ns;
	uint64_t guest_ns; /* the guest's time, as far as it is known */
	struct until_pace pace;
};

/* Before the VM starts: have it stop there. */
int until_prepare(struct until_stop *stop, struct ktstr_error *err);

#endif
