/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "cli/option_rows.h"

/* Codes that getopt_long() hands back, out of the way of letters. */
#define CODE_BASE 1000

struct tables {
	struct option longs[CLI_OPTION_ROWS_MAX + 1];
	const char *names[CLI_OPTION_ROWS_MAX];
	size_t count;
	char shorts[2 * CLI_OPTION_ROWS_MAX + 2];
};

static int takes(const struct option_row *row)
{
	if (!row->argument)
		return no_argument;
	return row->argument[0] == '[' ? optional_argument : required_argument;
}

static void make_tables(uint32_t mask, struct tables *tables)
{
	size_t row_count;
	const struct option_row *rows = cli_option_rows(&row_count);
	size_t letters = 0;

	*tables = (struct tables){ 0 };
	tables->shorts[letters++] =
		':'; /* a missing argument is told apart from an unknown option */
	for (size_t i = 0; i < row_count; i++) {
		const struct option_row *row = &rows[i];

		if (!(row->mask & (mask | CLI_ALWAYS)))
			continue;
		tables->names[tables->count] = row->name;
		tables->longs[tables->count++] = (struct option){ .name = row->name,
								  .has_arg = takes(row),
								  .val = CODE_BASE + (int)i };
		if (row->letter)
			tables->shorts[letters++] = row->letter;
		if (row->letter && row->argument)
			tables->shorts[letters++] = ':';
	}
}

/* The row behind what getopt_long() returned or left in optopt; NULL: none. */
static const struct option_row *row_of(int code)
{
	size_t row_count;
	const struct option_row *rows = cli_option_rows(&row_count);
	if (code >= CODE_BASE && code < CODE_BASE + (int)row_count)
		return &rows[code - CODE_BASE];
	for (size_t i = 0; i < row_count; i++)
		if (code != 0 && rows[i].letter == code)
			return &rows[i];
	return NULL;
}

static int unknown_option(const char *word, const struct tables *tables, struct ktstr_error *err)
{
	const char *nearest = NULL;
	size_t length = strcspn(word, "=");
	char name[64];

	if (str_starts(word, "--") && length > 2) {
		str_copy_safe(name, sizeof(name), word + 2, length - 2);
		nearest = str_nearest(name, tables->names, tables->count);
	}
	if (nearest)
		return ktstr_fail(err, -EINVAL, "unknown option '%.*s', did you mean '--%s'",
				  (int)length, word, nearest);
	return ktstr_fail(err, -EINVAL, "unknown option '%.*s'; --help shows those there are",
			  (int)length, word);
}

/* Why getopt_long() returned '?' or ':'. */
static int bad_option(int code, char **argv, const struct tables *tables, struct ktstr_error *err)
{
	const struct option_row *row = row_of(optopt);
	const char *word = argv[optind - 1];
	size_t length = strcspn(word, "="), matches = 0;
	char letter[3] = { '-', (char)optopt, '\0' };

	if (code == ':' && row)
		return ktstr_fail(err, -EINVAL, "option --%s needs an argument: --%s %s", row->name,
				  row->name, row->argument);
	if (row && optopt >= CODE_BASE)
		return ktstr_fail(err, -EINVAL, "option --%s takes no argument", row->name);
	if (optopt != 0)
		return unknown_option(letter, tables, err);
	for (size_t i = 0; i < tables->count && length > 2; i++)
		matches += strncmp(tables->names[i], word + 2, length - 2) == 0;
	if (matches > 1)
		return ktstr_fail(err, -EINVAL, "option '%.*s' could be several; write it out",
				  (int)length, word);
	return unknown_option(word, tables, err);
}

/* Is JSON asked for anywhere, also behind what cannot be read? An error is a document then, too. */
static bool asks_for_json(int argc, char **argv, uint32_t mask)
{
	for (int i = 1; (mask & CLI_OUTPUT) && i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--output=json") == 0 ||
		    (strcmp(argv[i], "--output") == 0 && i + 1 < argc &&
		     strcmp(argv[i + 1], "json") == 0))
			return true;
	return false;
}

int cli_options_parse(int argc, char **argv, uint32_t mask, struct cli_options *ret,
		      struct ktstr_error *err)
{
	struct tables tables;
	int code, rc = 0;

	*ret = (struct cli_options){ 0 };
	ret->checkers = calloc((size_t)argc + 1, sizeof(*ret->checkers));
	ret->plugin_folders = calloc((size_t)argc + 1, sizeof(*ret->plugin_folders));
	ret->fragments = calloc((size_t)argc + 1, sizeof(*ret->fragments));
	if (!ret->checkers || !ret->plugin_folders || !ret->fragments)
		return ktstr_fail(err, -ENOMEM, "cannot read the command line: out of memory");
	ret->run.is_json = asks_for_json(argc, argv, mask);
	make_tables(mask, &tables);
	optind = 0; /* start anew, also after an earlier parse */
	opterr = 0;
	while (rc == 0 &&
	       (code = getopt_long(argc, argv, tables.shorts, tables.longs, NULL)) >= 0) {
		const struct option_row *row = row_of(code);

		if (code == '?' || code == ':' || !row)
			return bad_option(code, argv, &tables, err);
		rc = row->apply(ret, optarg, err);
	}
	ret->arguments = argv + optind;
	ret->argument_count = (size_t)(argc - optind);
	ret->run.checkers = ret->checkers;
	ret->run.plugin_folders = ret->plugin_folders;
	ret->build.fragments = ret->fragments;
	return rc;
}

void cli_options_done(struct cli_options *options)
{
	if (!options)
		return;
	free(options->checkers);
	free(options->plugin_folders);
	free(options->fragments);
	*options = (struct cli_options){ 0 };
}

int cli_options_help(uint32_t mask, struct str *out)
{
	size_t row_count;
	const struct option_row *rows = cli_option_rows(&row_count);
	int rc = 0;

	for (size_t i = 0; i < row_count && rc == 0; i++) {
		const struct option_row *row = &rows[i];
		char left[64];

		if (!(row->mask & (mask | CLI_ALWAYS)))
			continue;
		(void)snprintf(left, sizeof(left), "%c%c%s --%s%s%s", row->letter ? '-' : ' ',
			       row->letter ? row->letter : ' ', row->letter ? "," : " ", row->name,
			       takes(row) == required_argument ? " " : "",
			       row->argument ? row->argument : "");
		if (strlen(left) > 28)
			rc = str_addf(out, "  %s\n  %28s  %s\n", left, "", row->help);
		else
			rc = str_addf(out, "  %-28s  %s\n", left, row->help);
	}
	return rc;
}

bool cli_has_colour(int fd, const char *no_color, const char *term)
{
	if (!isatty(fd) || (no_color && *no_color))
		return false;
	return term && *term && strcmp(term, "dumb") != 0;
}
