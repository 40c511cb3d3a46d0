/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/table.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

size_t text_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

int text_add_safe(struct str *out, const char *text)
{
	size_t length = strlen(text);
	_cleanup_free_ char *safe = malloc(length + 1);

	if (!safe)
		return -ENOMEM;
	str_copy_safe(safe, length + 1, text, length);
	for (char *c = safe; *c; c++)
		if (*c == '\n' || *c == '\t')
			*c = ' ';
	return str_add(out, safe);
}

void text_figure(char *target, size_t size, double value)
{
	double magnitude = fabs(value);
	int digits = magnitude >= 100 ? 0 : magnitude >= 10 ? 1 : magnitude >= 1 ? 2 : 3;
	char *end;

	if (!isfinite(value)) {
		str_copy(target, size, isnan(value) ? "not a number" : "infinite");
		return;
	}
	if (magnitude >= 1e15) {
		(void)snprintf(target, size, "%.3g", value);
		return;
	}
	(void)snprintf(target, size, "%.*f", digits, value);
	if (!strchr(target, '.'))
		return;
	end = target + strlen(target);
	while (end[-1] == '0')
		*--end = '\0';
	if (end[-1] == '.')
		*--end = '\0';
}

void table_init(struct table *table, const struct table_column *columns, size_t count)
{
	assert(count > 0 && count <= TABLE_COLUMNS_MAX);
	*table = (struct table){ .columns = columns, .column_count = count };
}

/* Cut what is wider than TABLE_CELL_MAX, at the start of a code point. */
static void cut_cell(char *cell)
{
	size_t width = 0;
	char *at = cell;

	if (text_width(cell) <= TABLE_CELL_MAX)
		return;
	for (; *at; at++) {
		if (((unsigned char)*at & 0xc0) != 0x80 && width++ == TABLE_CELL_MAX - 2)
			break;
	}
	memcpy(at, "..", 3);
}

int table_cell(struct table *table, const char *format, ...)
{
	va_list args;
	char *cell = NULL;
	int length;

	if (table->cell_count == table->cell_size) {
		size_t size = table->cell_size ? table->cell_size * 2 : 64;
		char **more = realloc(table->cells, size * sizeof(*more));

		if (!more)
			return -ENOMEM;
		table->cells = more;
		table->cell_size = size;
	}
	va_start(args, format);
	length = vasprintf(&cell, format, args);
	va_end(args);
	if (length < 0)
		return -ENOMEM;
	/* The last column of text has the rest of the line. */
	if (table->cell_count % table->column_count + 1 < table->column_count ||
	    !table->columns[table->column_count - 1].is_left)
		cut_cell(cell);
	table->cells[table->cell_count++] = cell;
	return 0;
}

static int add_cell(struct str *out, const char *text, size_t width, bool is_left, bool is_last)
{
	size_t pad = width - text_width(text);

	if (is_left)
		return is_last ? str_add(out, text) : str_addf(out, "%s%*s  ", text, (int)pad, "");
	return str_addf(out, "%*s%s%s", (int)pad, "", text, is_last ? "" : "  ");
}

static int add_row(const struct table *table, const size_t *widths, size_t first,
		   const char *indent, struct str *out)
{
	int rc = str_add(out, indent);

	for (size_t i = 0; rc == 0 && i < table->column_count; i++) {
		const struct table_column *column = &table->columns[i];
		const char *text = first == SIZE_MAX ? column->title : table->cells[first + i];

		rc = add_cell(out, text, widths[i], column->is_left, i + 1 == table->column_count);
	}
	/* A last column with nothing in it leaves no blanks. */
	while (out->length > 0 && out->data[out->length - 1] == ' ')
		out->data[--out->length] = '\0';
	return rc == 0 ? str_add(out, "\n") : rc;
}

int table_render(const struct table *table, const char *indent, struct str *out)
{
	size_t widths[TABLE_COLUMNS_MAX] = { 0 };
	int rc;

	if (table->cell_count == 0)
		return 0;
	assert(table->cell_count % table->column_count == 0);
	for (size_t i = 0; i < table->column_count; i++)
		widths[i] = text_width(table->columns[i].title);
	for (size_t i = 0; i < table->cell_count; i++) {
		size_t width = text_width(table->cells[i]);

		if (width > widths[i % table->column_count])
			widths[i % table->column_count] = width;
	}
	rc = add_row(table, widths, SIZE_MAX, indent, out);
	for (size_t i = 0; rc == 0 && i < table->cell_count; i += table->column_count)
		rc = add_row(table, widths, i, indent, out);
	return rc;
}

void table_done(struct table *table)
{
	for (size_t i = 0; i < table->cell_count; i++)
		free(table->cells[i]);
	free(table->cells);
	*table = (struct table){ 0 };
}
