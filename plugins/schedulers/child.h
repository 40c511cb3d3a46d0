/* SPDX-License-Identifier: GPL-2.0-only */
/* A program that runs beside the agent in a process group of its own, and dies with the session. */
#ifndef SCHEDULERS_CHILD_H
#define SCHEDULERS_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ktstr/error.h"

struct child {
	pid_t pid;
	int pidfd; /* -1: there is none */
};

/*
 * Run @argv[0] with @envp; its output goes to @output_fd (-1: where ours goes), its input is empty.
 * Returns once the program itself runs. -errno of exec when it cannot be run.
 */
int child_start(struct child *child, char *const *argv, char *const *envp, int output_fd,
		struct ktstr_error *err);

/* Wait at most @timeout_ms (-1: for ever) for its end, or until @other_fd (-1: none) is readable.
 * True when it has ended. */
bool child_wait(const struct child *child, int other_fd, int timeout_ms);

/* "exited with code 3", "was killed by SIGSEGV", or "ended" when somebody else collected it. */
const char *child_end_text(const struct child *child, char *text, size_t size);

/* Send it a signal. */
void child_signal(const struct child *child, int number);
/* Kill what is left of its group, and collect it if it ends within a second. */
void child_done(struct child *child);

#endif
