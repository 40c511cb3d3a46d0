/* SPDX-License-Identifier: GPL-2.0-only */
/* What is shown of a run while it lasts: the coordinator's news as phases, and messages above them.
 */
#ifndef RUN_OBSERVE_H
#define RUN_OBSERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "coord/coord.h"
#include "report/live.h"
#include "run/run.h"
#include "vm/vm.h"

/* What a guest can make us write; each is shown so often and then only counted. */
enum observe_line {
	OBSERVE_ALARM,	 /* an alarming line of the console */
	OBSERVE_FAILURE, /* of the scheduler's start */
	OBSERVE_PHASE,	 /* and steps */
	OBSERVE_DETAIL,	 /* console and output, with --verbose */
	OBSERVE_LINE_COUNT,
};
#define OBSERVE_ALARMS_MAX 100u
#define OBSERVE_FAILURES_MAX 10u
#define OBSERVE_PHASES_MAX 1000u
#define OBSERVE_DETAILS_MAX 20000u

enum observe_stream {
	OBSERVE_STDOUT,
	OBSERVE_STDERR,
	OBSERVE_SCHED_LOG,
	OBSERVE_STREAM_COUNT,
};

/* What a stream of the guest wrote since its last line ended. */
struct observe_rest {
	uint32_t length;
	char text[1000];
};

struct observe {
	struct live *live;
	struct coord_observer observer; /* for coord_spec */
	bool is_verbose;
	bool is_virtual;   /* steps count the guest's time */
	uint64_t warnings; /* of the guest's console */
	/* Borrowed. */
	const char *scheduler;
	const char *scenario;
	const struct vm *vm;
	const char *gate;	  /* that it is to have loaded; NULL: none */
	uint64_t phase_start_ns;  /* CLOCK_MONOTONIC */
	uint64_t phase_budget_ns; /* planned length; 0: not known */
	char detail[160];
	uint32_t shown[OBSERVE_LINE_COUNT];
	struct observe_rest rests[OBSERVE_STREAM_COUNT];
};

/* Messages of log_message() go through it until observe_done(). */
void observe_init(struct observe *observe, const struct run_options *options);
/* A new phase that is not of the coordinator's ("kernel", "judging"). */
void observe_phase(struct observe *observe, const char *phase, const char *detail);
void observe_done(struct observe *observe, bool is_good);

#endif
