/* SPDX-License-Identifier: GPL-2.0-only */
/* How long a process wanted to run on a host that was busy with something else. */
#ifndef RUN_CPU_WAIT_H
#define RUN_CPU_WAIT_H

#include <stdint.h>
#include <sys/types.h>

#include "coord/coord.h"

/*
 * A boot may take vm.boot_timeout, not counting time in which QEMU got no CPU; but of that so many
 * times boot_timeout at most, so that what never ends is ended on a busy host, too.
 */
#define CPU_WAIT_TIMES 4u

/*
 * The sum over its threads of the time in which they were ready to run and did not, since they
 * began. 0 where the kernel does not count that, and for a process that is gone. Can become less
 * when a thread ends.
 */
uint64_t cpu_wait_ns(pid_t pid);

/* The threads of @pid; returns how many, at most @max. */
uint32_t cpu_wait_threads(pid_t pid, struct coord_thread *ret, uint32_t max);

/* The limit of a boot that is given @timeout_ns. */
uint64_t cpu_wait_max_ns(uint64_t timeout_ns);

/*
 * How much of the @elapsed_ns since a boot began is not counted, when its QEMU waited @waited_ns
 * for a CPU: several of its threads may have waited at once.
 */
uint64_t cpu_wait_allowance_ns(uint64_t waited_ns, uint64_t elapsed_ns, uint64_t timeout_ns);

#endif
