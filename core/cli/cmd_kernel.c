/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/command.h"

#include <string.h>

#include "base/cleanup.h"

static const struct {
	const char *name;
	int (*run)(const struct run_options *options);
} actions[] = {
	{ "list", run_list_kernels },
	{ "fetch", run_fetch_kernel },
};

static int run(const struct cli_options *options)
{
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (strcmp(options->arguments[0], actions[i].name) == 0)
			return actions[i].run(&options->run);
	return cli_usage(&cli_kernel, options, "'%s' is none of: list, fetch",
			 options->arguments[0]);
}

const struct command cli_kernel = {
	.name = "kernel",
	.arguments = "list|fetch",
	.summary = "list the kernels that can be booted, or fetch one with sched_ext",
	.details = "A run takes the first of: the one of --kernel or `vm: kernel:`, that of "
		   "KTSTR_KERNEL,\n"
		   "the newest fetched one, one of this machine with sched_ext. `fetch` gets "
		   "Debian's\n"
		   "current cloud kernel through apt and keeps it in $XDG_CACHE_HOME/ktstr "
		   "(~/.cache).",
	.options = CLI_OUTPUT | CLI_MESSAGES | CLI_IF_MISSING,
	.min_arguments = 1,
	.max_arguments = 1,
	.run = run,
};
