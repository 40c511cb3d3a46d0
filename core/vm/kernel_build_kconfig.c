/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/kernel_build_kconfig.h"

#include <ctype.h>
#include <errno.h>

#include "base/cleanup.h"
#include "base/io.h"

/* A kernel has some 1700 files, nested some ten deep. */
#define FILES_MAX 8192u
#define DEPTH_MAX 64u
#define FILE_BYTES_MAX (4u << 20)
#define ARCHITECTURE "x86"

/* What holds for all that stands between `if` or `menu` and its end. */
struct block {
	struct str condition;
	size_t choice; /* 0: it is none */
};

struct scan {
	const char *tree;
	struct kconfig_fact *facts;
	size_t count;
	size_t files;
	size_t nesting;
	size_t choices;
	struct block blocks[DEPTH_MAX];
	size_t depth;
};

/* To whom an attribute belongs. */
enum owner {
	OWNER_NONE,
	OWNER_ENTRY,
	OWNER_BLOCK,
};

struct reader {
	struct scan *scan;
	const char *path;
	enum owner owner;
	struct kconfig_fact *fact; /* of the entry, when it is one that is asked for */
	char name[128];		   /* of the entry */
	bool is_in_help;
	size_t help_indent; /* 0: its first line did not come yet */
};

static int read_path(struct scan *scan, const char *path);

static struct kconfig_fact *find_fact(const struct scan *scan, const char *name, size_t length)
{
	for (size_t i = 0; i < scan->count; i++)
		if (strlen(scan->facts[i].name) == length &&
		    memcmp(scan->facts[i].name, name, length) == 0)
			return &scan->facts[i];
	return NULL;
}

static int add_condition(struct str *conditions, const char *text)
{
	return *text ? str_addf(conditions, "%s\n", text) : 0;
}

/* The rest of @line behind the word @word; NULL when it does not begin with it. */
static const char *behind(const char *line, const char *word)
{
	size_t length = strlen(word);

	if (strncmp(line, word, length) != 0 ||
	    (line[length] && !isspace((unsigned char)line[length])))
		return NULL;
	line += length;
	return line + strspn(line, " \t");
}

static size_t word_length(const char *text)
{
	return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
}

static int begin_entry(struct reader *reader, const char *name)
{
	struct scan *scan = reader->scan;
	size_t length = word_length(name);
	struct kconfig_fact *fact = find_fact(scan, name, length);
	int rc = 0;

	reader->owner = OWNER_ENTRY;
	(void)snprintf(reader->name, sizeof(reader->name), "%.*s", (int)length, name);
	/* Of an option that is described twice, the first place has the prompt as a rule. */
	reader->fact = fact && !fact->is_known ? fact : NULL;
	if (!reader->fact)
		return 0;
	fact->is_known = true;
	for (size_t i = 0; i < scan->depth && rc == 0; i++) {
		if (scan->blocks[i].choice > 0)
			fact->choice = scan->blocks[i].choice;
		if (scan->blocks[i].condition.length > 0)
			rc = str_add(&fact->depends, str_text(&scan->blocks[i].condition));
	}
	return rc;
}

static int begin_block(struct reader *reader, const char *condition, bool is_choice)
{
	struct scan *scan = reader->scan;

	reader->owner = OWNER_BLOCK;
	if (scan->depth == DEPTH_MAX)
		return -ELOOP;
	scan->blocks[scan->depth] = (struct block){ .choice = is_choice ? ++scan->choices : 0 };
	return add_condition(&scan->blocks[scan->depth++].condition, condition);
}

static void end_block(struct reader *reader)
{
	struct scan *scan = reader->scan;

	reader->owner = OWNER_NONE;
	if (scan->depth > 0)
		str_done(&scan->blocks[--scan->depth].condition);
}

/* source "arch/$(SRCARCH)/Kconfig"; what has other macros or is not there is passed over. */
static int read_sourced(struct reader *reader, const char *text, bool is_relative)
{
	static const char macro[] = "$(SRCARCH)";
	_cleanup_free_ char *name = NULL, *path = NULL;
	const char *slash = strrchr(reader->path, '/');
	char *at;

	text += *text == '"';
	name = strndup(text, strcspn(text, "\""));
	if (!name)
		return -ENOMEM;
	at = strstr(name, macro);
	if (at) {
		path = str_format("%.*s" ARCHITECTURE "%s", (int)(at - name), name,
				  at + sizeof(macro) - 1);
		free(name);
		name = steal_ptr(path);
	}
	if (is_relative && slash)
		path = str_format("%.*s/%s", (int)(slash - reader->path), reader->path, name);
	else
		path = name ? strdup(name) : NULL;
	if (!path)
		return -ENOMEM;
	return strstr(path, "..") ? 0 : read_path(reader->scan, path);
}

static bool is_type(const char *line, const char **ret_rest)
{
	static const char *const types[] = { "bool", "tristate", "int", "hex", "string", "prompt" };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		*ret_rest = behind(line, types[i]);
		if (*ret_rest)
			return true;
	}
	return false;
}

static int take_attribute(struct reader *reader, const char *line)
{
	struct scan *scan = reader->scan;
	const char *rest;

	if ((rest = behind(line, "depends"))) {
		rest = behind(rest, "on");
		if (!rest)
			return 0;
		if (reader->owner == OWNER_BLOCK && scan->depth > 0)
			return add_condition(&scan->blocks[scan->depth - 1].condition, rest);
		return reader->owner == OWNER_ENTRY && reader->fact
			       ? add_condition(&reader->fact->depends, rest)
			       : 0;
	}
	if ((rest = behind(line, "select")) && reader->owner == OWNER_ENTRY) {
		struct kconfig_fact *selected = find_fact(scan, rest, word_length(rest));

		return selected ? str_addf(&selected->selectors, "%s\n", reader->name) : 0;
	}
	if (reader->owner == OWNER_ENTRY && reader->fact && is_type(line, &rest))
		reader->fact->has_prompt |= *rest == '"' || *rest == '\'';
	return 0;
}

static int take_line(struct reader *reader, const char *line)
{
	const char *rest;

	if ((rest = behind(line, "config")) || (rest = behind(line, "menuconfig")))
		return begin_entry(reader, rest);
	if ((rest = behind(line, "if")))
		return begin_block(reader, rest, false);
	if (behind(line, "menu"))
		return begin_block(reader, "", false);
	if (behind(line, "choice"))
		return begin_block(reader, "", true);
	if (behind(line, "endif") || behind(line, "endmenu") || behind(line, "endchoice")) {
		end_block(reader);
		return 0;
	}
	if ((rest = behind(line, "source")) || (rest = behind(line, "osource")))
		return read_sourced(reader, rest, false);
	if ((rest = behind(line, "rsource")) || (rest = behind(line, "orsource")))
		return read_sourced(reader, rest, true);
	if (behind(line, "comment") || behind(line, "mainmenu")) {
		reader->owner = OWNER_NONE;
		return 0;
	}
	if (behind(line, "help")) {
		reader->is_in_help = true;
		reader->help_indent = 0;
		return 0;
	}
	return take_attribute(reader, line);
}

/* Columns of white space; tabs go to the next multiple of 8. */
static size_t indent_of(const char *line)
{
	size_t columns = 0;

	for (; *line == ' ' || *line == '\t'; line++)
		columns = *line == '\t' ? (columns / 8 + 1) * 8 : columns + 1;
	return columns;
}

/* Help goes on until a line stands further left than its first. */
static bool is_help(struct reader *reader, const char *line)
{
	size_t indent = indent_of(line);

	if (!reader->is_in_help || !line[strspn(line, " \t")])
		return reader->is_in_help;
	if (reader->help_indent == 0)
		reader->help_indent = indent;
	reader->is_in_help = indent > 0 && indent >= reader->help_indent;
	return reader->is_in_help;
}

/* @text is changed: lines that end in a backslash are joined with the next, comments go. */
static int read_text(struct reader *reader, char *text)
{
	char *next;
	int rc = 0;

	for (char *line = text; line && rc == 0; line = next) {
		char *end = strchr(line, '\n');

		while (end && end > line && end[-1] == '\\') {
			end[-1] = end[0] = ' ';
			end = strchr(end, '\n');
		}
		next = end ? end + 1 : NULL;
		if (end)
			*end = '\0';
		if (is_help(reader, line))
			continue;
		line += strspn(line, " \t");
		if (*line == '#' || !*line)
			continue;
		end = strstr(line, " #");
		if (end)
			*end = '\0';
		rc = take_line(reader, line);
	}
	return rc;
}

static int read_path(struct scan *scan, const char *path)
{
	_cleanup_free_ char *full = str_format("%s/%s", scan->tree, path);
	_cleanup_free_ char *text = NULL;
	struct reader reader = { .scan = scan, .path = path };
	struct ktstr_error unused;
	int rc;

	if (!full)
		return -ENOMEM;
	if (scan->nesting == DEPTH_MAX || scan->files == FILES_MAX)
		return -ELOOP;
	rc = io_read_file(full, FILE_BYTES_MAX, &text, NULL, &unused);
	if (rc < 0)
		return scan->files == 0 || rc == -ENOMEM ? rc : 0;
	scan->files++;
	scan->nesting++;
	rc = read_text(&reader, text);
	scan->nesting--;
	return rc;
}

int kconfig_look_up(const char *tree, struct kconfig_fact *facts, size_t count)
{
	_cleanup_free_ struct scan *scan = calloc(1, sizeof(*scan));
	int rc;

	if (!scan)
		return -ENOMEM;
	scan->tree = tree;
	scan->facts = facts;
	scan->count = count;
	rc = read_path(scan, "Kconfig");
	while (scan->depth > 0)
		str_done(&scan->blocks[--scan->depth].condition);
	return rc;
}

void kconfig_facts_done(struct kconfig_fact *facts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		str_done(&facts[i].depends);
		str_done(&facts[i].selectors);
	}
}
