/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/command.h"

#include "run/compare.h"
#include "run/repeat.h"

static int run(const struct cli_options *options)
{
	const char *scenario = options->scenario;

	if (scenario && options->argument_count > 0)
		return cli_usage(&cli_run, options, "two scenarios: '%s' and '%s'; one run has one",
				 scenario, options->arguments[0]);
	if (!scenario && options->argument_count == 0)
		return cli_usage(&cli_run, options, "no scenario is given");
	if (!scenario)
		scenario = options->arguments[0];
	if (options->is_verifying && (options->run.is_cold || options->scheduler_count > 1))
		return cli_usage(&cli_run, options, "--verify-restore goes with no %s",
				 options->run.is_cold ? "--cold" : "second --scheduler");
	if (options->must_be_same && !options->repeat)
		return cli_usage(&cli_run, options, "--expect-identical needs --repeat");
	if (options->repeat && (options->is_verifying || options->scheduler_count > 1))
		return cli_usage(&cli_run, options, "--repeat goes with no %s",
				 options->is_verifying ? "--verify-restore" : "second --scheduler");
	if (options->repeat)
		return repeat_run(scenario, options->repeat, options->must_be_same, &options->run);
	if (options->is_verifying)
		return compare_restored(scenario, &options->run);
	if (options->scheduler_count > 1)
		return compare_runs(scenario, options->schedulers, options->scheduler_count,
				    &options->run);
	return run_scenario(scenario, &options->run);
}

const struct command cli_run = {
	.name = "run",
	.arguments = "FILE",
	.summary = "boot a VM, run a scenario in it, and judge it",
	.details =
		"`ktstr --scenario FILE` is the same. What was recorded is kept in a new folder "
		"below\n"
		"$XDG_STATE_HOME/ktstr/runs (~/.local/state), with a link `latest` to the "
		"newest, or in\n"
		"that of --run-dir: the run file run.ktr, console.log and verdict.json.\n"
		"\n"
		"A checker given here is one more than those of the scenario, with parameters "
		"of its\n"
		"own; with --only it is the scenario's that are left out.\n"
		"\n"
		"With several --scheduler the scenario runs under each of them in turn, and one "
		"table\n"
		"compares the runs. It fails if one fails. With --verify-restore it is one run "
		"that "
		"boots and\n"
		"one that starts from a saved VM (see `ktstr bases`), and it fails if their "
		"verdicts differ.\n"
		"\n"
		"With --repeat it runs several times with one seed, and a line for each says what "
		"came of\n"
		"it and the digest of what the guest did. With --expect-identical it fails if "
		"that is not\n"
		"the same each time, and shows where the first two runs part.",
	.options = CLI_SCENARIO | CLI_SCHEDULER | CLI_CHECKER | CLI_ONLY | CLI_MACHINE | CLI_SEED |
		   CLI_PLUGIN_DIR | CLI_RUN_DIR | CLI_STATS | CLI_TIMINGS | CLI_TIMEOUT |
		   CLI_OUTPUT | CLI_VERIFY | CLI_REPEAT | CLI_MESSAGES,
	.max_arguments = 1,
	.run = run,
};
