/* SPDX-License-Identifier: MIT */
/*
 * A workload: one worker's loop.
 *
 * The agent forks a process for each worker, places it, and calls run(). The loop works until
 * ktstr_worker_stopping(), and tells of its progress by ktstr_worker_progress(): that is what
 * starvation, gaps and migrations are measured by.
 */
#ifndef KTSTR_WORKLOAD_H
#define KTSTR_WORKLOAD_H

#include <signal.h>
#include <stdint.h>

#include "ktstr/needs.h"
#include "ktstr/param.h"
#include "ktstr/plugin.h"

struct ktstr_worker;

/* Services of the agent to a worker; call through the functions below. */
struct ktstr_worker_ops {
	uint32_t size;
	uint32_t reserved;
	void (*look)(struct ktstr_worker *w);
	uint64_t (*now_ns)(struct ktstr_worker *w);
	uint64_t (*random)(struct ktstr_worker *w);
	void (*sleep_ns)(struct ktstr_worker *w, uint64_t duration_ns);
	void (*wake_sample)(struct ktstr_worker *w, uint64_t latency_ns);
};

struct ktstr_worker {
	const struct ktstr_worker_ops *ops;
	/* Bound parameters, in the order of the workload's table. */
	const struct ktstr_value *values;
	uint32_t index;	     /* within the spawn, from 0 */
	uint32_t workers;    /* in the spawn */
	uint32_t group_size; /* as the workload said */
	uint32_t reserved;
	/* Memory shared by the workers of one group, zero at the start; NULL when the workload
	 * asked for none. */
	void *shared;
	/* Set by the agent when the worker is to end. */
	volatile sig_atomic_t stop;
	int32_t reserved2;
	/* Counters, written only by ktstr_worker_progress(). */
	uint64_t work_units;
	uint64_t iterations;
};

struct ktstr_workload_ops {
	uint32_t size;
	/* Workers come in groups of this many; 0 is 1. A workload whose group depends on its
	 * parameters sets group() instead. */
	uint32_t group_size;
	/* Bytes of memory that the workers of one group share; 0: none. */
	uint64_t shared_bytes;

	/* Host, optional: as in scheduler.h. */
	int (*needs)(const struct ktstr_value *values, struct ktstr_needs *needs,
		     struct ktstr_error *err);

	/* Both sides, optional, pure: the size of a group for these values. */
	uint32_t (*group)(const struct ktstr_value *values);

	/*
	 * Guest, required: work until told to stop. Returns 0, or a negative errno when the worker
	 * could not do its work: the run is then an ERROR with the text of @err.
	 */
	int (*run)(struct ktstr_worker *w, struct ktstr_error *err);
};

/* True once the loop is to end. */
static inline int ktstr_worker_stopping(const struct ktstr_worker *w)
{
	return w->stop != 0;
}

/*
 * One iteration is done, and @units of work with it. Every 1024 units the agent looks at the clock
 * and the CPU. A loop whose iteration takes long calls it with 1024 or more.
 */
static inline void ktstr_worker_progress(struct ktstr_worker *w, uint64_t units)
{
	uint64_t before = w->work_units;

	w->work_units += units;
	w->iterations++;
	if (before / 1024 != w->work_units / 1024)
		w->ops->look(w);
}

/* Monotonic nanoseconds of the guest. */
static inline uint64_t ktstr_worker_now_ns(struct ktstr_worker *w)
{
	return w->ops->now_ns(w);
}

/* The worker's own random numbers: the same seed, spawn and index give the same ones. */
static inline uint64_t ktstr_worker_random(struct ktstr_worker *w)
{
	return w->ops->random(w);
}

/*
 * Sleep, and count what it took beyond @duration_ns as one wake-up latency. The sleep is no gap,
 * but what it took beyond is one. Ends early when the worker is to stop.
 */
static inline void ktstr_worker_sleep_ns(struct ktstr_worker *w, uint64_t duration_ns)
{
	w->ops->sleep_ns(w, duration_ns);
}

/*
 * The worker runs again, @latency_ns after it was woken or should have been. That time is a gap as
 * well as a wake-up latency; the wait before it is no gap.
 */
static inline void ktstr_worker_wake_sample(struct ktstr_worker *w, uint64_t latency_ns)
{
	w->ops->wake_sample(w, latency_ns);
}

#endif
