/* SPDX-License-Identifier: GPL-2.0-only */
/* Several runs of one scenario, one after the other, and one table of all of them. */
#ifndef RUN_COMPARE_H
#define RUN_COMPARE_H

#include <stddef.h>

#include "report/compare.h"
#include "run/run.h"

/* The document of report/compare.h, in the folder of the comparison. */
#define COMPARE_DOCUMENT "comparison.json"

/*
 * Run @scenario under each of @schedulers ("NAME[,key=value...]"; 2 to COMPARE_RUNS_MAX), in turn.
 *
 * All are looked at before the first VM starts. Each has its own folder in that of --run-dir or
 * else in a new one: "1-eevdf", "2-vtime". A run without a verdict does not keep the next from its
 * turn, but a signal does. The exit code is that of compare_outcome(); a run that has no verdict or
 * was left out is an ERROR.
 */
int compare_runs(const char *scenario, const char *const *schedulers, size_t count,
		 const struct run_options *options);

/*
 * Run @scenario in a VM that boots, and again in one that is restored: "1-cold", "2-restored". The
 * exit code is that of their verdict when both have the same, and every checker its same outcome,
 * else EXIT_FAIL. A second run that is not restored is an ERROR.
 */
int compare_restored(const char *scenario, const struct run_options *options);

/*
 * Judge recorded runs again, and compare them when there are several. A folder of compare_runs()
 * stands for the runs in it. The first that cannot be judged at all ends it.
 */
int compare_checks(char *const *paths, size_t count, const struct run_options *options);

#endif
