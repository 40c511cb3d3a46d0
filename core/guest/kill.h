/* SPDX-License-Identifier: GPL-2.0-only */
/* The end of everybody but PID 1. */
#ifndef GUEST_KILL_H
#define GUEST_KILL_H

#include <stdint.h>

/* Kill all processes but this one, PID 1, and wait until they are gone, at most @timeout_ns: one
 * that hangs in the kernel stays. SIGCHLD must be blocked. */
void kill_others(uint64_t timeout_ns);

#endif
