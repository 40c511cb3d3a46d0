/* SPDX-License-Identifier: GPL-2.0-only */
/* Run a program that takes long: followed line by line, kept in a log, ended with all its children.
 */
#ifndef VM_KERNEL_BUILD_RUN_H
#define VM_KERNEL_BUILD_RUN_H

#include <stdbool.h>

#include "ktstr/error.h"

struct build_run {
	const char *const *argv; /* ended by NULL; argv[0] is looked up in PATH */
	const char *folder;	 /* where it runs */
	int log_fd;		 /* all that it says is appended here */
	int interrupt_fd;	 /* when this can be read, the program is ended; -1: never */
	/* Each line that it says, and NULL once a second while it says nothing. May be NULL. */
	void (*line)(void *arg, const char *line);
	void *arg;
};

/*
 * Run it in a process group of its own, with stdin from /dev/null, in the C locale, and without the
 * variables by which an outer make or a user's shell would tell a kernel's build something else.
 * When it ends, nothing of its group is left. It gets SIGTERM when the calling thread ends.
 *
 * 0: it exited with 0. -ENOENT: there is no such program; -EINTR: it was ended; -EIO: it failed.
 * The error text does not hold what it said.
 */
int build_run(const struct build_run *run, struct ktstr_error *err);

/* Can @fd be read now? Never when it is -1. */
bool build_is_interrupted(int fd);

#endif
