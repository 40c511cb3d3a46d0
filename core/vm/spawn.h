/* SPDX-License-Identifier: GPL-2.0-only */
/* Start a program that cannot outlive this one. */
#ifndef VM_SPAWN_H
#define VM_SPAWN_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Run argv[0] (found through PATH when it has no slash) in a process group of its own, so that
 * signals of the terminal do not reach it, with default signal handling, /dev/null as its input and
 * output, @stderr_fd as its standard error, and of all other descriptors only the @count in @keep,
 * under the same numbers. @preload: the value of LD_PRELOAD that it gets, before one that is there;
 * NULL: none of ours. It gets SIGKILL when the calling thread ends.
 *
 * Returns when the program runs. 0, or a negative errno: that of execvp() when it cannot be run,
 * -EBADF when one of the descriptors is a standard one.
 */
int spawn_bound(char *const *argv, const char *preload, const int *keep, size_t count,
		int stderr_fd, pid_t *ret_pid, int *ret_pid_fd);

#endif
