/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "param/bind.h"

/* Characters of a source line that are shown, and how many of them before the column. */
#define SHOWN_MAX 96
#define SHOWN_BEFORE 60

/* The line that begins at or after @line - 1 newlines, without its end; NULL when there is none. */
static const char *find_line(const struct source *source, uint32_t line, size_t *ret_length)
{
	const char *at = source->text, *end = source->text + source->length;
	const char *newline;

	while (--line > 0) {
		newline = memchr(at, '\n', (size_t)(end - at));
		if (!newline)
			return NULL;
		at = newline + 1;
	}
	newline = memchr(at, '\n', (size_t)(end - at));
	*ret_length = (size_t)((newline ? newline : end) - at);
	if (*ret_length > 0 && at[*ret_length - 1] == '\r')
		(*ret_length)--;
	return at;
}

/* The byte at which character @index (from 0) of a UTF-8 text begins, at most @length. */
static size_t offset_of(const char *text, size_t length, size_t index)
{
	size_t at = 0;

	while (index > 0 && at < length) {
		at++;
		while (at < length && ((unsigned char)text[at] & 0xc0) == 0x80)
			at++;
		index--;
	}
	return at;
}

/* "\n  source line\n  ^", with the caret under character @column (from 1). */
static void add_quote(char *text, size_t size, const struct source *source, uint32_t line,
		      uint32_t column)
{
	size_t length, start, end, pad = 0;
	const char *from = find_line(source, line, &length);
	char shown[SHOWN_MAX * 4 + 1], caret[SHOWN_MAX + 1];
	bool is_cut;

	if (!from || length == 0 || column == 0)
		return;
	is_cut = column > SHOWN_MAX - 8;
	start = is_cut ? offset_of(from, length, column - SHOWN_BEFORE) : 0;
	end = start + offset_of(from + start, length - start, SHOWN_MAX);
	str_copy_safe(shown, sizeof(shown), from + start, end - start);
	/* Tabs stay tabs, so that the caret stands below its column however wide they are shown. */
	for (uint32_t i = is_cut ? SHOWN_BEFORE : column; i > 1 && pad < SHOWN_MAX; i--) {
		size_t at = offset_of(shown, strlen(shown), pad);

		caret[pad++] = shown[at] == '\t' ? '\t' : ' ';
	}
	caret[pad] = '\0';
	(void)snprintf(text, size, "\n  %s%s%s\n  %s%s^", is_cut ? "..." : "", shown,
		       end < length ? "..." : "", is_cut ? "   " : "", caret);
}

int source_fail(const struct source *source, uint32_t line, uint32_t column,
		struct ktstr_error *err, const char *format, ...)
{
	char raw[512], message[512], quote[SHOWN_MAX * 5 + 32] = "";
	const char *name = source && source->name ? source->name : "";
	va_list args;

	va_start(args, format);
	(void)vsnprintf(raw, sizeof(raw), format, args);
	va_end(args);
	for (char *at = raw; *at; at++)
		if (*at == '\n')
			*at = ' ';
	str_copy_safe(message, sizeof(message), raw, strlen(raw));
	if (!*name)
		return ktstr_fail(err, -EINVAL, "%s", message);
	if (line == 0)
		return ktstr_fail(err, -EINVAL, "%.256s: %s", name, message);
	if (source->text && !(source->is_argument && memchr(source->text, '\n', source->length)))
		add_quote(quote, sizeof(quote), source, line, column);
	if (source->is_argument)
		return ktstr_fail(err, -EINVAL, "%.256s: %s%s", name, message, quote);
	return ktstr_fail(err, -EINVAL, "%.256s:%u:%u: %s%s", name, line, column, message, quote);
}
