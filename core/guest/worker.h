/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Workers, seen from the session: start a spawn of them, watch them, stop and collect them. A
 * worker is a process in a process group of its own, which dies with the session.
 */
#ifndef GUEST_WORKER_H
#define GUEST_WORKER_H

#include <stdint.h>

#include "base/clock.h"
#include "guest/cgroup.h"
#include "guest/worker_loop.h"
#include "ktstr/error.h"
#include "ktstr/frame.h"
#include "ktstr/guest.h"
#include "ktstr/workload.h"

/* Most workers that one spawn may have, and that may live at a time. */
#define WORKERS_MAX 4096u
/* How long a worker may take to end once it was told to, or once another one has ended; but all
 * together not longer than that many times this. */
#define WORKER_STOP_TIMEOUT_NS (5 * NS_PER_S)
#define WORKER_STOP_PARTS 4
/* The same when the host wants an early end: it does not wait longer than a second or two. */
#define WORKER_HURRIED_TIMEOUT_NS (300 * NS_PER_MS)

struct workers;

struct workers_spec {
	struct cgroups *cgroups; /* NULL: only id 0 works */
	uint64_t seed;
	uint64_t stop_timeout_ns;
	/* Once this is set, stopping takes at most hurried_timeout_ns; NULL: never. */
	const volatile uint32_t *is_hurried;
	uint64_t hurried_timeout_ns;
};

/* Any of these; 0 matches all. For cgroups, set is_by_cgroup, as 0 is one too. */
struct worker_filter {
	uint32_t group;
	uint32_t is_by_cgroup;
	uint32_t cgroup_id;
};

/* Takes one report. @samples: report->wake_sample_count of them. 0, or an error that is passed on.
 */
typedef int (*worker_sink)(void *arg, const struct ktstr_worker_report *report,
			   const uint32_t *samples);

int workers_new(const struct workers_spec *spec, struct workers **ret, struct ktstr_error *err);
/* Another one than that of the spec, for workers that are spawned from now on. */
void workers_set_seed(struct workers *workers, uint64_t seed);
/* Kills what is left. */
void workers_free(struct workers *workers);

/* How many workers make a group of @ops; at least 1. */
uint32_t worker_group_size(const struct ktstr_workload_ops *ops, const struct ktstr_value *values);

/* Start workers of @ops, called @name, as ktstr_spawn() says. */
int workers_spawn(struct workers *workers, const struct ktstr_workload_ops *ops, const char *name,
		  const struct ktstr_spawn_spec *spec, uint32_t *ret_group,
		  struct ktstr_error *err);

/* An fd that is readable once some worker has ended and workers_check() has not seen it. */
int workers_watch_fd(const struct workers *workers);

/* -ECHILD with a sentence when a worker died, or failed, since the last call. */
int workers_check(struct workers *workers, struct ktstr_error *err);

/*
 * Stop those that match, and hand each report to @sink. -ENOENT when the filter names a spawn that
 * never was. -ECHILD as workers_check(), after all reports; a worker that has to be killed is not
 * an error, its report says so.
 */
int workers_collect(struct workers *workers, const struct worker_filter *filter, worker_sink sink,
		    void *arg, struct ktstr_error *err);

uint32_t workers_count(const struct workers *workers);
/* Of all workers so far, those that were collected too. */
uint64_t workers_iterations(const struct workers *workers);

#endif
