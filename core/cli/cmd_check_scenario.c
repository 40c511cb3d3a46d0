/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/command.h"

static int run(const struct cli_options *options)
{
	return run_check_scenarios(options->arguments, options->argument_count, &options->run);
}

const struct command cli_check_scenario = {
	.name = "check-scenario",
	.arguments = "FILE...",
	.summary = "see whether scenario files are right, without booting",
	.details =
		"Reads each file, loads the plugins it names, binds their parameters, asks them "
		"what\n"
		"they need, and checks the topology. Exits with 0 when all are right, else with 2.",
	.options = CLI_PLUGIN_DIR | CLI_OUTPUT | CLI_MESSAGES,
	.min_arguments = 1,
	.max_arguments = CLI_ARGUMENTS_ANY,
	.run = run,
};
