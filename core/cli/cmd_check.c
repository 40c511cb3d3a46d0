/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/command.h"

#include "run/compare.h"

static int run(const struct cli_options *options)
{
	return compare_checks(options->arguments, options->argument_count, &options->run);
}

const struct command cli_check = {
	.name = "check",
	.arguments = "RUN...",
	.summary = "judge recorded runs again, without a VM",
	.details = "RUN is a run file or its folder. The checkers are those that judged it then, "
		   "with their\n"
		   "parameters of then, and those of --checker; with --only, those of --checker "
		   "alone.\n"
		   "They are looked for by name, then at their recorded path if that has the same "
		   "file still;\n"
		   "--checker PATH stands in for the recorded one of its name.\n"
		   "\n"
		   "Several runs, or the folder of a comparison, are compared in one table.",
	.options = CLI_CHECKER | CLI_ONLY | CLI_PLUGIN_DIR | CLI_TIMINGS | CLI_TIMEOUT |
		   CLI_OUTPUT | CLI_MESSAGES,
	.min_arguments = 1,
	.max_arguments = CLI_ARGUMENTS_ANY,
	.run = run,
};
