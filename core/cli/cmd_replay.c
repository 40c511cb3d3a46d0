/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/command.h"

#include "run/replay.h"

static int run(const struct cli_options *options)
{
	return replay_run(options->arguments[0], &options->run);
}

const struct command cli_replay = {
	.name = "replay",
	.arguments = "RUN",
	.summary = "run a recorded run again, and say whether it is the same",
	.details = "RUN is a run file or its folder. All that the run was made with is taken from "
		   "there, and the\n"
		   "plugins, the agent, the kernel and QEMU must be those of then. What its guest "
		   "does is\n"
		   "compared to what it did then: the exit status is 0 where it is identical, and "
		   "1 where it\n"
		   "is not, with the first difference.",
	.options = CLI_FORCE | CLI_PLUGIN_DIR | CLI_RUN_DIR | CLI_TIMINGS | CLI_TIMEOUT |
		   CLI_OUTPUT | CLI_MESSAGES,
	.min_arguments = 1,
	.max_arguments = 1,
	.run = run,
};
