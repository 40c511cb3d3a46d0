/* SPDX-License-Identifier: GPL-2.0-only */
/* What a process does with the host's CPUs. */
#ifndef RUN_CPU_TIME_H
#define RUN_CPU_TIME_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The CPU time of all threads that it ever had; 0 for one that is gone. */
uint64_t cpu_time_ns(pid_t pid);

/*
 * Is there a reason why it makes no progress that is not its own: somebody has stopped it, it waits
 * for a CPU, or for a disk? False where it only sleeps.
 */
bool cpu_time_is_withheld(pid_t pid);

#endif
