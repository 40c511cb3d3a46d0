/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What keeps a worker out of the processes that tell the host of it. All of a guest runs as root,
 * so it is capabilities that are taken away, not users that differ.
 */
#ifndef GUEST_PRIVILEGE_H
#define GUEST_PRIVILEGE_H

/* In PID 1, and so in the session: nobody without CAP_SYS_PTRACE gets at memory or fds. */
void privilege_hide(void);

/*
 * In a worker: give up, for good and for all that it starts, what leads into other processes or the
 * kernel. What a workload may want of the scheduler (CAP_SYS_NICE) and of files stays. 0 or a
 * negative errno.
 */
int privilege_drop(void);

#endif
