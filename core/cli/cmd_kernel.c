/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/command.h"

#include <string.h>

#include "base/cleanup.h"

static int list(const struct cli_options *options)
{
	return run_list_kernels(&options->run);
}

static int fetch(const struct cli_options *options)
{
	return run_fetch_kernel(&options->run);
}

static int build(const struct cli_options *options)
{
	struct kernel_build wanted = options->build;

	wanted.source = options->arguments[1];
	wanted.jobs = options->jobs;
	return run_build_kernel(&wanted, &options->run);
}

static const struct {
	const char *name;
	const char *argument; /* NULL: it takes none */
	int (*run)(const struct cli_options *options);
} actions[] = {
	{ "list", NULL, list },
	{ "fetch", NULL, fetch },
	{ "build", "SOURCE", build },
};

static bool has_build_options(const struct cli_options *options)
{
	return options->build.name || options->jobs || options->build.fragment_count > 0;
}

static int run(const struct cli_options *options)
{
	const char *action = options->arguments[0];

	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		bool has_argument = options->argument_count > 1;

		if (strcmp(action, actions[i].name) != 0)
			continue;
		if (actions[i].argument && !has_argument)
			return cli_usage(&cli_kernel, options, "%s needs %s", action,
					 actions[i].argument);
		if (!actions[i].argument && has_argument)
			return cli_usage(&cli_kernel, options, "unexpected argument '%s'",
					 options->arguments[1]);
		if (!actions[i].argument && has_build_options(options))
			return cli_usage(&cli_kernel, options,
					 "--config, --name and --jobs are for build");
		return actions[i].run(options);
	}
	return cli_usage(&cli_kernel, options, "'%s' is none of: list, fetch, build", action);
}

const struct command cli_kernel = {
	.name = "kernel",
	.arguments = "list|fetch|build [SOURCE]",
	.summary = "list the kernels that can be booted, fetch one with sched_ext, or build one",
	.details = "A run takes the first of: the one of --kernel or `vm: kernel:`, that of "
		   "KTSTR_KERNEL,\n"
		   "the newest one of the cache, one of this machine with sched_ext. `fetch` gets "
		   "Debian's\n"
		   "current cloud kernel through apt. `build` makes a lean one, which boots "
		   "sooner,\n"
		   "from a source tree, a tarball, or Debian's package (linux-source-7.2). Both "
		   "keep it in\n"
		   "$XDG_CACHE_HOME/ktstr (~/.cache).",
	.options = CLI_OUTPUT | CLI_MESSAGES | CLI_IF_MISSING | CLI_BUILD | CLI_JOBS,
	.min_arguments = 1,
	.max_arguments = 2,
	.run = run,
};
