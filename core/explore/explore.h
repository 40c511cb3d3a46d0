/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One scenario under many seeds: which of them fail, and in how many ways.
 *
 * The folder of an exploration has journal.jsonl, exploration.json (the result, when it ended) and
 * for each signature the run with the lowest seed in a folder "seed-N". It is that of --run-dir, or
 * a new one among those of runs.
 */
#ifndef EXPLORE_EXPLORE_H
#define EXPLORE_EXPLORE_H

#include <stdbool.h>
#include <stdint.h>

#include "run/run.h"

#define EXPLORE_DOCUMENT "exploration.json"

struct explore_spec {
	const char *scenario;
	uint64_t first_seed, last_seed; /* at most TALLY_SEEDS_MAX */
	uint32_t jobs;			/* runs at once, at most; 0: as the budget has it */
	bool is_until_fail;
	bool is_shrinking;
	uint64_t shrink_time_ns; /* for shrinking, at most; 0: the default */
};

/*
 * Run all seeds, or those that --run-dir has no run of yet, and show the table. The exit code is
 * that of the worst outcome (report/compare.h); an exploration that was interrupted or could not go
 * on and has no FAIL is an ERROR.
 */
int explore_run(const struct explore_spec *spec, const struct run_options *options);

#endif
