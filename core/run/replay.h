/* SPDX-License-Identifier: GPL-2.0-only */
/* A recorded run, run again from its own run file. */
#ifndef RUN_REPLAY_H
#define RUN_REPLAY_H

#include "run/run.h"

/*
 * Run @path (a run file or its folder) again and say whether it was the same: EXIT_PASS, or
 * EXIT_FAIL with the first difference. EXIT_USAGE for a run that cannot be had again, because it
 * was made in the host's time, or a plugin, the agent, the kernel, QEMU or the saved VM is not the
 * one of then; with options->is_forced it is run all the same, and one of the host's time is not
 * compared: its exit code is that of the new verdict. EXIT_ERROR when there is no new verdict.
 */
int replay_run(const char *path, const struct run_options *options);

#endif
