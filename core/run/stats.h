/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The scheduler's own statistics in the folder of a run: a socket to ask for them while the VM
 * runs, and the replies to requests that are made at an interval.
 */
#ifndef RUN_STATS_H
#define RUN_STATS_H

#include <pthread.h>
#include <stdint.h>

#include "coord/stats.h"
#include "ktstr/error.h"

#define RUN_STATS_SOCKET "stats.sock"
#define RUN_STATS_LOG "stats.jsonl"

struct run_stats {
	struct stats_spec spec;
	char *socket_path; /* NULL: there is none */
	pthread_t thread;
	int has_thread;
};

/*
 * Serve @port_fd (non-blocking) in a thread. Without the socket, for which not every file system
 * has room, there are no clients; @interval_ns 0: no log. Zero-initialise *ret before. -errno when
 * the log, which was asked for, cannot be made.
 */
int run_stats_start(struct run_stats *ret, const char *folder, int port_fd, uint64_t interval_ns,
		    uint64_t start_ns, struct ktstr_error *err);

/* End the thread and take the socket away. Does nothing when it was not started. */
void run_stats_stop(struct run_stats *stats);

#endif
