/* SPDX-License-Identifier: GPL-2.0-only */
/* What worker.c and worker_collect.c share. Not for others. */
#ifndef GUEST_WORKER_SET_H
#define GUEST_WORKER_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "guest/worker.h"

/* Most memory that the groups of one spawn may share. */
#define SPAWN_SHARED_MAX (UINT64_C(1) << 30)

struct worker {
	pid_t pid;
	int pidfd;
	struct worker_slot *slot;
	bool is_ended; /* reaped, and its report is complete */
	bool is_told;  /* its death was an error to somebody */
};

struct spawn {
	uint32_t number; /* from 1 */
	uint32_t cgroup_id;
	uint32_t count;
	uint32_t group_size;
	int32_t nice;
	char *name; /* of the workload */
	const struct ktstr_workload_ops *ops;
	struct worker *workers;
	struct worker_slot *slots; /* shared with the workers, as is shared */
	size_t slots_length;
	void *shared;
	size_t shared_stride;
	size_t shared_length;
};

struct workers {
	struct workers_spec spec;
	struct spawn **spawns; /* those that are not collected */
	size_t spawn_count;
	uint32_t next_number; /* of the newest spawn */
	uint64_t collected_iterations;
	int epoll_fd;
};

/* Kill and reap all workers of a spawn, and what they started. */
void spawn_kill(struct spawn *spawn);
void spawn_free(struct spawn *spawn);

#endif
