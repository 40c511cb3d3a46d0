/* SPDX-License-Identifier: GPL-2.0-only */
/* One ktstr-judge process and the host's ends of its pipes. */
#ifndef JUDGE_SPAWN_H
#define JUDGE_SPAWN_H

#include <stdint.h>
#include <sys/types.h>

#include "ktstr/error.h"

struct spawned {
	pid_t pid;
	int pid_fd;
	int result_fd; /* non-blocking, as the next */
	int output_fd; /* what it prints, on either stream */
};

/*
 * Start @program in a process group of its own, with @runfile_fd and @request_fd (both borrowed),
 * at most @memory_bytes of address space (0: no limit; none either in a build with sanitizers,
 * which need more), no core dump, and no writing to files. It dies with this process.
 */
int spawn_judge(const char *program, int runfile_fd, int request_fd, uint64_t memory_bytes,
		struct spawned *ret, struct ktstr_error *err);

/* Kill the process and all that it started, and collect it. Returns its wait status. */
int spawn_collect(struct spawned *spawned);

#endif
