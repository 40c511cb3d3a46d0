/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/command.h"

#include "run/replay.h"

static int run(const struct cli_options *options)
{
	struct run_options run_options = options->run;

	if (options->until.has_gdb && options->until.kind == UNTIL_END)
		return cli_usage(&cli_replay, options, "--gdb needs --until");
	if (options->until.has_gdb && options->run.is_json)
		return cli_usage(&cli_replay, options,
				 "--gdb has the terminal, and goes with no --output json");
	if (options->until.kind != UNTIL_END)
		run_options.until = &options->until;
	return replay_run(options->arguments[0], &run_options);
}

const struct command cli_replay = {
	.name = "replay",
	.arguments = "RUN",
	.summary = "run a recorded run again, and say whether it is the same",
	.details =
		"RUN is a run file or its folder. All that the run was made with is taken from "
		"there, and the\n"
		"plugins, the agent, the kernel and QEMU must be those of then. What its guest "
		"does is\n"
		"compared to what it did then: the exit status is 0 where it is identical, and "
		"1 where it\n"
		"is not, with the first difference.\n"
		"\n"
		"With --until it stops on its way, where frame N has been sent, step N has begun "
		"or so much\n"
		"time has passed since the scenario's start, and shows where all CPUs are.",
	.options = CLI_REPLAY | CLI_PLUGIN_DIR | CLI_RUN_DIR | CLI_TIMINGS | CLI_TIMEOUT |
		   CLI_OUTPUT | CLI_MESSAGES,
	.min_arguments = 1,
	.max_arguments = 1,
	.run = run,
};
