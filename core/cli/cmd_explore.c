/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/command.h"

#include "explore/explore.h"

static int run(const struct cli_options *options)
{
	struct explore_spec spec = options->explore;

	if (!options->has_seeds)
		return cli_usage(&cli_explore, options, "it needs --seeds A..B");
	if (options->scheduler_count > 1)
		return cli_usage(&cli_explore, options,
				 "one exploration has one --scheduler, not %zu",
				 options->scheduler_count);
	if (spec.shrink_time_ns > 0 && !spec.is_shrinking)
		return cli_usage(&cli_explore, options, "--shrink-time needs --shrink");
	spec.scenario = options->arguments[0];
	spec.jobs = options->jobs;
	return explore_run(&spec, &options->run);
}

const struct command cli_explore = {
	.name = "explore",
	.arguments = "FILE",
	.summary = "run a scenario under many seeds, and sort what fails",
	.details =
		"One run a seed, --jobs of them at once, within the budget that all runs on this "
		"machine\n"
		"share. Failures are told apart by what failed: the checker and what it found, "
		"or how the\n"
		"kernel threw the scheduler out, but for numbers. Of each kind the run with the "
		"lowest seed\n"
		"is kept, of others a line in the journal. The folder is a new one among those "
		"of runs, or\n"
		"that of --run-dir; with the folder of an exploration that was interrupted, it "
		"goes on.\n"
		"\n"
		"With --shrink, the scenario is then made smaller as long as it still fails as "
		"the most\n"
		"frequent FAIL did: fewer steps, cgroups, workers and CPUs, shorter times. The "
		"result is\n"
		"written beside the scenario file, X.yaml as X.shrunk.yaml.",
	.options = CLI_SCHEDULER | CLI_CHECKER | CLI_ONLY | CLI_MACHINE | CLI_EXPLORE | CLI_JOBS |
		   CLI_PLUGIN_DIR | CLI_RUN_DIR | CLI_STATS | CLI_TIMEOUT | CLI_OUTPUT |
		   CLI_MESSAGES,
	.min_arguments = 1,
	.max_arguments = 1,
	.run = run,
};
