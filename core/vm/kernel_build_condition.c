/* SPDX-License-Identifier: GPL-2.0-only */
#include <ctype.h>
#include <errno.h>

#include "base/cleanup.h"
#include "vm/kernel_build_config.h"
#include "vm/kernel_build_kconfig.h"

#define VALUE_MAX 64
#define NESTING_MAX 32

struct parser {
	const char *at;
	const char *config;
	unsigned int nesting;
	bool is_unknown; /* it holds what is not understood */
};

static bool parse_or(struct parser *parser);

static bool accept(struct parser *parser, const char *token)
{
	parser->at += strspn(parser->at, " \t");
	if (strncmp(parser->at, token, strlen(token)) != 0)
		return false;
	parser->at += strlen(token);
	return true;
}

/* A name's value, a number or a text in quotes. False when there is none of them. */
static bool parse_value(struct parser *parser, char value[VALUE_MAX])
{
	_cleanup_free_ char *word = NULL, *found = NULL;
	const char *start;
	size_t length;

	parser->at += strspn(parser->at, " \t");
	start = parser->at;
	if (*start == '"') {
		length = strcspn(start + 1, "\"");
		parser->at += length + 1 + (start[length + 1] == '"');
		word = strndup(start + 1, length);
		str_copy(value, VALUE_MAX, word ? word : "");
		return word != NULL;
	}
	while (isalnum((unsigned char)*parser->at) || *parser->at == '_')
		parser->at++;
	length = (size_t)(parser->at - start);
	word = strndup(start, length);
	if (length == 0 || !word)
		return false;
	if (strcmp(word, "y") != 0 && strcmp(word, "m") != 0 && strcmp(word, "n") != 0 &&
	    word[strspn(word, "0123456789")] && !str_starts(word, "0x"))
		found = build_config_value(parser->config, word);
	else
		found = strdup(word);
	str_copy(value, VALUE_MAX, found ? found : "");
	return found != NULL;
}

/* Numbers by their size, all else by its letters. */
static int compare(const char *a, const char *b)
{
	char *a_end, *b_end;
	long long a_number = strtoll(a, &a_end, 0), b_number = strtoll(b, &b_end, 0);

	if (*a && *b && !*a_end && !*b_end)
		return (a_number > b_number) - (a_number < b_number);
	return strcmp(a, b);
}

static bool is_set(const char *value)
{
	return strcmp(value, "y") == 0 || strcmp(value, "m") == 0;
}

static bool parse_term(struct parser *parser)
{
	char left[VALUE_MAX], right[VALUE_MAX];
	static const struct {
		const char *token;
		bool less, equal, greater;
	} operators[] = {
		{ "!=", true, false, true }, { "<=", true, true, false },
		{ ">=", false, true, true }, { "=", false, true, false },
		{ "<", true, false, false }, { ">", false, false, true },
	};

	if (!parse_value(parser, left)) {
		parser->is_unknown = true;
		return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(operators); i++) {
		int order;

		if (!accept(parser, operators[i].token))
			continue;
		if (!parse_value(parser, right)) {
			parser->is_unknown = true;
			return true;
		}
		order = compare(left, right);
		return order < 0   ? operators[i].less
		       : order > 0 ? operators[i].greater
				   : operators[i].equal;
	}
	return is_set(left);
}

static bool parse_not(struct parser *parser)
{
	bool is_negated = false, holds;

	while (accept(parser, "!"))
		is_negated = !is_negated;
	if (!accept(parser, "("))
		return parse_term(parser) != is_negated;
	if (++parser->nesting > NESTING_MAX) {
		parser->is_unknown = true;
		return true;
	}
	holds = parse_or(parser);
	parser->nesting--;
	if (!accept(parser, ")"))
		parser->is_unknown = true;
	return holds != is_negated;
}

static bool parse_and(struct parser *parser)
{
	bool holds = parse_not(parser);

	while (!parser->is_unknown && accept(parser, "&&"))
		holds = parse_not(parser) && holds;
	return holds;
}

static bool parse_or(struct parser *parser)
{
	bool holds = parse_and(parser);

	while (!parser->is_unknown && accept(parser, "||"))
		holds = parse_and(parser) || holds;
	return holds;
}

bool kconfig_holds(const char *text, const char *config)
{
	struct parser parser = { .at = text, .config = config };
	bool holds = parse_or(&parser);

	parser.at += strspn(parser.at, " \t");
	return holds || parser.is_unknown || *parser.at;
}

/* Where the first part of @text ends that is joined to the next by an && outside of brackets; all
 * of it when there is an || outside of them. */
static size_t part_length(const char *text)
{
	size_t first = strlen(text);
	int depth = 0;

	for (size_t i = 0; text[i]; i++) {
		depth += (text[i] == '(') - (text[i] == ')');
		if (depth == 0 && strncmp(text + i, "||", 2) == 0)
			return strlen(text);
		if (depth == 0 && strncmp(text + i, "&&", 2) == 0 && i < first)
			first = i;
	}
	return first;
}

int kconfig_add_unmet(const char *text, const char *config, struct str *out)
{
	int rc = 0;

	while (*text && rc == 0) {
		size_t length, kept;
		_cleanup_free_ char *part = NULL;

		text += strspn(text, " \t");
		length = part_length(text);
		kept = length;
		while (kept > 0 && isspace((unsigned char)text[kept - 1]))
			kept--;
		part = strndup(text, kept);
		if (!part)
			return -ENOMEM;
		if (kept > 0 && !kconfig_holds(part, config))
			rc = str_addf(out, "%s%s", out->length > 0 ? ", " : "", part);
		text += length;
		text += 2 * (*text != '\0');
	}
	return rc;
}
