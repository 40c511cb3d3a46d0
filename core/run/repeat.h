/* SPDX-License-Identifier: GPL-2.0-only */
/* The same run several times: is it the same each time? */
#ifndef RUN_REPEAT_H
#define RUN_REPEAT_H

#include <stdbool.h>
#include <stdint.h>

#include "run/run.h"

#define REPEAT_MAX 1000u
/* Of the whole, in the folder that has those of the runs, "1", "2" ... */
#define REPEAT_DOCUMENT "repeat.json"

/*
 * Run @scenario @count times, 2 to REPEAT_MAX, with one seed. A line for each, and
 * at the end how many verdicts of each kind and how many different streams (report/stream.h) there
 * were. The exit code is that of the worst verdict; a run without one is an ERROR. @must_be_same:
 * it is EXIT_FAIL at least when the streams differ, and the first difference is shown; a run in the
 * host's time is EXIT_USAGE.
 */
int repeat_run(const char *scenario, uint32_t count, bool must_be_same,
	       const struct run_options *options);

#endif
