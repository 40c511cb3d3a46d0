/* SPDX-License-Identifier: GPL-2.0-only */
/* The inside of ktstr-judge: one checker over one run file. */
#ifndef JUDGE_WORKER_H
#define JUDGE_WORKER_H

#include "judge/request.h"

/*
 * Load the checker that @request names, show it the frames it wants, and write its findings and its
 * decision to @result_fd. What goes wrong with the checker is a decision too: ERROR and the reason.
 * Returns a negative errno only when the result could not be written.
 */
int worker_run(const struct request *request, int runfile_fd, int result_fd);

#endif
