/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading the rows of a parameter table. A plugin built against another header has rows of another
 * size, so nothing may index the table as an array.
 */
#ifndef PARAM_TABLE_H
#define PARAM_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "ktstr/param.h"

/* Size of a row in ABI 1.0; no table can have shorter ones. */
#define PARAM_STRIDE_MIN 80u
#define PARAM_STRIDE_MAX 4096u
/* Most rows of one table. */
#define PARAM_ROWS_MAX 1000u

/* Row @index; zero in what the plugin's header did not know yet. */
static inline struct ktstr_param param_row(const struct ktstr_param *params, size_t stride,
					   size_t index)
{
	struct ktstr_param row = { 0 };

	memcpy(&row, (const char *)params + index * stride,
	       stride < sizeof(row) ? stride : sizeof(row));
	return row;
}

/* Rows before the one without a key; @params may be NULL. */
static inline size_t param_count(const struct ktstr_param *params, size_t stride)
{
	size_t count = 0;

	while (params && count < PARAM_ROWS_MAX && param_row(params, stride, count).key)
		count++;
	return count;
}

static inline bool param_has_range(const struct ktstr_param *row)
{
	return row->min != row->max;
}

#endif
