/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/command.h"
#include "judge/verdict.h"
#include "report/report.h"

static const struct command *const commands[] = {
	&cli_run,     &cli_replay, &cli_explore, &cli_check, &cli_check_scenario,
	&cli_plugins, &cli_kernel, &cli_bases,
};

static const struct {
	int code;
	const char *meaning;
} exit_codes[] = {
	{ EXIT_PASS, "pass" },
	{ EXIT_FAIL, "fail: the scheduler did what it must not" },
	{ EXIT_USAGE, "usage: the command line, the scenario file or a plugin is wrong" },
	{ EXIT_ERROR, "error: the harness, the VM, the kernel or a checker broke" },
	{ EXIT_UNDECIDED, "undecided: the evidence does not carry a decision" },
	{ EXIT_SKIP, "skip: does not apply here" },
};

int cli_usage(const struct command *command, const struct cli_options *options, const char *format,
	      ...)
{
	char text[600], line[800];
	struct ktstr_error err;
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (command)
		(void)snprintf(line, sizeof(line), "%s: %s; see `ktstr %s --help`", command->name,
			       text, command->name);
	else
		(void)snprintf(line, sizeof(line), "%s; see `ktstr --help`", text);
	log_error("%s", line);
	if (options && options->run.is_json &&
	    report_error_json(stdout, EXIT_USAGE, line, &err) < 0)
		log_error("%s", err.text);
	return EXIT_USAGE;
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

/* Print @text (taken) on @out. */
static int print(FILE *out, struct str *text, int rc)
{
	if (rc == 0)
		(void)fputs(str_text(text), out);
	str_done(text);
	return rc == 0 && fflush(out) == 0 ? EXIT_PASS : EXIT_ERROR;
}

static int help_all(FILE *out)
{
	struct str text = { 0 };
	int rc = str_add(&text,
			 "usage: ktstr COMMAND [OPTION...] [ARGUMENT...]\n"
			 "       ktstr --scenario FILE [OPTION...]\n"
			 "\n"
			 "Test Linux schedulers: boot a kernel in a VM, run a scenario under a "
			 "scheduler, judge it.\n"
			 "\n"
			 "commands:\n");

	for (size_t i = 0; i < ARRAY_SIZE(commands) && rc == 0; i++)
		rc = str_addf(&text, "  %-16s%s\n", commands[i]->name, commands[i]->summary);
	if (rc == 0)
		rc = str_add(&text, "  help COMMAND    what a command does, and its options\n"
				    "\n"
				    "options:\n"
				    "      --version     the version of ktstr\n"
				    "  -h, --help        this text\n"
				    "\n"
				    "exit status:\n");
	for (size_t i = 0; i < ARRAY_SIZE(exit_codes) && rc == 0; i++)
		rc = str_addf(&text, "  %-4d%s\n", exit_codes[i].code, exit_codes[i].meaning);
	return print(out, &text, rc);
}

static int help_command(const struct command *command)
{
	struct str text = { 0 };
	int rc = str_addf(&text, "usage: ktstr %s [OPTION...]%s%s\n\n%s\n", command->name,
			  command->arguments[0] ? " " : "", command->arguments, command->summary);

	if (rc == 0 && command->details)
		rc = str_addf(&text, "\n%s\n", command->details);
	if (rc == 0)
		rc = str_add(&text, "\noptions:\n");
	if (rc == 0)
		rc = cli_options_help(command->options, &text);
	return print(stdout, &text, rc);
}

static int unknown_command(const char *name)
{
	const char *names[ARRAY_SIZE(commands)];
	const char *nearest;

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		names[i] = commands[i]->name;
	nearest = str_nearest(name, names, ARRAY_SIZE(commands));
	if (nearest)
		return cli_usage(NULL, NULL, "unknown command '%s', did you mean '%s'", name,
				 nearest);
	if (str_ends(name, ".yaml") || str_ends(name, ".yml"))
		return cli_usage(NULL, NULL, "unknown command '%s', did you mean 'run %s'", name,
				 name);
	return cli_usage(NULL, NULL, "unknown command '%s'", name);
}

static int help(int argc, char **argv)
{
	const struct command *command;

	if (argc < 3)
		return help_all(stdout);
	command = find_command(argv[2]);
	return command ? help_command(command) : unknown_command(argv[2]);
}

/* What the terminals at both ends can do. */
static void look_at_terminals(struct run_options *options)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");
	struct winsize size;

	options->out = stdout;
	options->has_out_colour = cli_has_colour(STDOUT_FILENO, no_color, term);
	options->has_colour = cli_has_colour(STDERR_FILENO, no_color, term);
	/* A line that rewrites itself is no plainer than colours are. */
	options->is_terminal = options->has_colour;
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0)
		options->width = size.ws_col;
}

static int check_arguments(const struct command *command, const struct cli_options *options)
{
	if (options->argument_count < command->min_arguments)
		return cli_usage(command, options, "it needs %s", command->arguments);
	if (options->argument_count > command->max_arguments)
		return cli_usage(command, options, "unexpected argument '%s'",
				 options->arguments[command->max_arguments]);
	if (options->run.has_only_checkers && options->run.checker_count == 0)
		return cli_usage(command, options, "--only needs --checker");
	return EXIT_PASS;
}

/* @argv[0] is passed over; @words are the whole command as it was typed. */
static int run_command(const struct command *command, int argc, char **argv, char *const *words,
		       size_t word_count)
{
	struct cli_options options;
	struct ktstr_error err;
	int exit_code;

	if (cli_options_parse(argc, argv, command->options, &options, &err) < 0) {
		exit_code = cli_usage(command, &options, "%s", err.text);
		cli_options_done(&options);
		return exit_code;
	}
	look_at_terminals(&options.run);
	options.run.words = words;
	options.run.word_count = word_count;
	if (options.has_help)
		exit_code = help_command(command);
	else
		exit_code = check_arguments(command, &options);
	if (!options.has_help && exit_code == EXIT_PASS)
		exit_code = command->run(&options);
	cli_options_done(&options);
	return exit_code;
}

static int dispatch(int argc, char **argv, char *const *words)
{
	const struct command *command = argc > 1 ? find_command(argv[1]) : NULL;
	bool is_option = argc > 1 && argv[1][0] == '-';

	if (argc < 2) {
		(void)help_all(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0) {
		(void)printf("ktstr %s\n", KTSTR_VERSION);
		return EXIT_PASS;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return help_all(stdout);
	if (strcmp(argv[1], "help") == 0)
		return help(argc, argv);
	if (command)
		return run_command(command, argc - 1, argv + 1, words, (size_t)argc);
	if (is_option) /* `ktstr --scenario FILE` */
		return run_command(&cli_run, argc, argv, words, (size_t)argc);
	return unknown_command(argv[1]);
}

int cli_main(int argc, char **argv)
{
	/* Options are sorted before arguments while they are parsed. */
	_cleanup_free_ char **words = calloc((size_t)argc + 1, sizeof(*words));
	int exit_code;

	if (!words) {
		log_error("cannot read the command line: out of memory");
		return EXIT_ERROR;
	}
	for (int i = 0; i < argc; i++)
		words[i] = argv[i];
	exit_code = dispatch(argc, argv, words);
	/* A result that could not be written is no result. */
	if (fflush(stdout) != 0 || ferror(stdout)) {
		log_error("cannot write to stdout: %s", strerror(errno));
		return EXIT_ERROR;
	}
	return exit_code;
}
