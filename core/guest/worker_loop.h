/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One worker, seen from inside: the services that its workload gets, and what is measured
 * meanwhile. Everything lies in memory shared with the session, so the evidence survives a worker
 * that dies.
 */
#ifndef GUEST_WORKER_LOOP_H
#define GUEST_WORKER_LOOP_H

#include <stdint.h>

#include "base/clock.h"
#include "guest/random.h"
#include "ktstr/error.h"
#include "ktstr/frame.h"
#include "ktstr/workload.h"

/*
 * A worker begins up to so long after its release, as the run's seed has it. So the workers of a
 * spawn do not march in step, with each other or with the kernel's tick, and another seed is
 * another meeting of theirs.
 */
#define WORKER_DELAY_MAX_NS (4 * NS_PER_MS)
/* Wake-up latencies that are kept of each worker. */
#define WORKER_SAMPLES_MAX 4096u

struct schedstat {
	uint64_t run_delay_ns;
	uint64_t run_count;
};

struct worker_slot {
	struct ktstr_worker worker; /* what the workload sees; first, so that its address is ours */
	struct ktstr_worker_report report;
	uint64_t delay_ns; /* from the session's release to the worker's start */
	uint64_t start_ns; /* when the worker was to begin */
	/* When it asked the worker to end; 0: not yet. What comes after is a crowd of workers on
	 * their way out, and no gap. */
	volatile uint64_t stop_ns;
	uint64_t last_look_ns; /* in a sleep: when that is over */
	uint64_t cpu_start_ns;
	struct schedstat schedstat_start;
	uint32_t last_cpu;
	uint32_t is_done; /* run() returned, and the report is whole */
	struct random random;
	struct random sampler;
	/* Why run() failed; code 0: it did not. */
	struct ktstr_error failure;
	uint32_t samples[WORKER_SAMPLES_MAX];
};

/* Read the text of a schedstat file ("EXEC_NS DELAY_NS COUNT"); zero what is not there. */
void schedstat_parse(const char *text, struct schedstat *ret);
/* Of the process @pid; 0: of the caller. */
void schedstat_read(int pid, struct schedstat *ret);

/* KTSTR_EXT_ by the text of a file like /proc/PID/sched. */
uint32_t ext_parse(const char *text);
/* Of the process @pid; 0: of the caller. */
uint32_t ext_read(int pid);

/* Ready @slot, in the session: its place in the spawn and its random streams. */
void worker_slot_init(struct worker_slot *slot, uint64_t seed, uint32_t spawn, uint32_t index);

/* In the worker, before it is released: catch the stop signal, and get all else ready. */
void worker_loop_prepare(struct worker_slot *slot);

/* In the worker: run the workload to its end. 0, or what it failed with. */
int worker_loop_run(struct worker_slot *slot, const struct ktstr_workload_ops *ops);

/*
 * In the session: account for a worker that did not report, @cpu_time_ns as the kernel says: the
 * time since its last look is a gap too.
 */
void worker_slot_close(struct worker_slot *slot, uint64_t now_ns, uint64_t cpu_time_ns,
		       const struct schedstat *schedstat);

#endif
