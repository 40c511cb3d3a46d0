/* SPDX-License-Identifier: GPL-2.0-only */
/* Subcommands: one file cmd_<name>.c each, one row of the table in cli.c. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/options.h"

#define CLI_ARGUMENTS_ANY SIZE_MAX

struct command {
	const char *name;
	const char *arguments; /* for the help: "RUN" */
	const char *summary;   /* one line */
	const char *details;   /* paragraphs; may be NULL */
	uint32_t options;      /* CLI_ */
	size_t min_arguments;
	size_t max_arguments;
	/* Returns the exit code. */
	int (*run)(const struct cli_options *options);
};

extern const struct command cli_run;
extern const struct command cli_replay;
extern const struct command cli_explore;
extern const struct command cli_check;
extern const struct command cli_check_scenario;
extern const struct command cli_plugins;
extern const struct command cli_kernel;
extern const struct command cli_bases;

/*
 * Log the sentence and where help is, with --output json as a document too, and return EXIT_USAGE.
 * @command and @options may be NULL.
 */
__attribute__((format(printf, 3, 4))) int cli_usage(const struct command *command,
						    const struct cli_options *options,
						    const char *format, ...);

#endif
