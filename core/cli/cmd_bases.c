/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/command.h"

#include <string.h>

static int run(const struct cli_options *options)
{
	const char *action = options->arguments[0];
	bool is_list = strcmp(action, "list") == 0;

	if (!is_list && strcmp(action, "prune") != 0)
		return cli_usage(&cli_bases, options, "'%s' is none of: list, prune", action);
	if (is_list && (options->has_all || options->has_size))
		return cli_usage(&cli_bases, options, "--all and --size are for prune");
	if (options->has_all && options->has_size)
		return cli_usage(&cli_bases, options,
				 "--all leaves nothing, so --size says nothing");
	if (is_list)
		return run_list_bases(&options->run);
	return run_prune_bases(options->has_all	   ? 0
			       : options->has_size ? options->size
						   : RUN_BASES_MAX,
			       &options->run);
}

const struct command cli_bases = {
	.name = "bases",
	.arguments = "list|prune",
	.summary = "list the saved VMs that runs start from, or remove some",
	.details =
		"The first run of a kind (kernel, CPUs, memory, QEMU) boots and saves its VM in\n"
		"$XDG_CACHE_HOME/ktstr/bases (~/.cache), later ones start from that. `prune` "
		"removes\n"
		"damaged ones, and the least recently used ones until at most the size is left "
		"that\n"
		"runs leave, too: that of KTSTR_BASES_MAX, or 4G.",
	.options = CLI_BASES | CLI_OUTPUT,
	.min_arguments = 1,
	.max_arguments = 1,
	.run = run,
};
