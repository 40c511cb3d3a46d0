/* SPDX-License-Identifier: GPL-2.0-only */
/* Text in columns, and texts made safe for a line of them. */
#ifndef REPORT_TABLE_H
#define REPORT_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

#define TABLE_COLUMNS_MAX 12
/* Display width of the widest cell; longer ones are cut and end in "..", but for those of a last
 * column of text. */
#define TABLE_CELL_MAX 48

struct table_column {
	const char *title;
	bool is_left; /* else right-aligned, as figures are */
};

struct table {
	const struct table_column *columns;
	size_t column_count; /* at most TABLE_COLUMNS_MAX */
	char **cells;	     /* row by row */
	size_t cell_count;
	size_t cell_size;
};

/* @columns is borrowed. */
void table_init(struct table *table, const struct table_column *columns, size_t count);
/* The next cell, left to right, top to bottom. 0 or -ENOMEM. */
__attribute__((format(printf, 2, 3))) int table_cell(struct table *table, const char *format, ...);
/* Append title and rows, each line after @indent; nothing when there is no row. */
int table_render(const struct table *table, const char *indent, struct str *out);
void table_done(struct table *table);

/* Columns that a text takes: code points, not bytes. */
size_t text_width(const char *text);

/* Append @text as one line: what could drive a terminal is '?', newlines and tabs are spaces. */
int text_add_safe(struct str *out, const char *text);

/* A figure as a person writes it: 3 digits that matter, no exponent below 1e15, no trailing
 * zeros. */
void text_figure(char *target, size_t size, double value);

#endif
