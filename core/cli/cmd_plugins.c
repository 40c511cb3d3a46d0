/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/command.h"

static int run(const struct cli_options *options)
{
	return run_list_plugins(options->kind, options->arguments, options->argument_count,
				&options->run);
}

const struct command cli_plugins = {
	.name = "plugins",
	.arguments = "[NAME...]",
	.summary = "list the plugins there are, and their parameters",
	.details =
		"With a NAME only those of that name.\n\n"
		"None of their code is run. A file that cannot be used is listed with the reason.\n"
		"Folders are searched in this order: those of --plugin-dir, those of\n"
		"KTSTR_PLUGIN_PATH (split at ':'), that of ktstr itself.",
	.options = CLI_KIND | CLI_PLUGIN_DIR | CLI_OUTPUT,
	.max_arguments = CLI_ARGUMENTS_ANY,
	.run = run,
};
