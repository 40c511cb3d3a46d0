/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "ktstr/plugin.h"
#include "param/bind.h"
#include "param/scalar.h"
#include "param/table.h"

/* Tables that nest deeper, or have more rows in all, are taken to nest into themselves. */
#define CHECK_DEPTH_MAX 16
#define CHECK_ROWS_MAX 20000

static const char *const type_names[] = {
	[KTSTR_PARAM_BOOL] = "boolean", [KTSTR_PARAM_INT] = "integer",
	[KTSTR_PARAM_FLOAT] = "number", [KTSTR_PARAM_DURATION] = "duration",
	[KTSTR_PARAM_SIZE] = "size",	[KTSTR_PARAM_STRING] = "string",
	[KTSTR_PARAM_ENUM] = "choice",	[KTSTR_PARAM_PERCENT] = "percentage",
	[KTSTR_PARAM_LIST] = "list",	[KTSTR_PARAM_MAP] = "map",
	[KTSTR_PARAM_ONEOF] = "one of", [KTSTR_PARAM_PLUGIN] = "plugin",
};

const char *param_type_name(uint32_t type)
{
	return type < ARRAY_SIZE(type_names) && type_names[type] ? type_names[type] : "unknown";
}

struct check {
	size_t stride;
	size_t rows;
	struct ktstr_error *err;
};

#define REFUSE(check, row, format, ...)                                                            \
	ktstr_fail((check)->err, -EINVAL, "parameter '%.60s' " format, (row)->key, ##__VA_ARGS__)

static bool is_nesting(uint32_t type)
{
	return type == KTSTR_PARAM_LIST || type == KTSTR_PARAM_MAP || type == KTSTR_PARAM_ONEOF;
}

static bool is_good_key(const char *key)
{
	return key[0] >= 'a' && key[0] <= 'z' &&
	       !key[strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789_")];
}

static int check_choices(struct check *check, const struct ktstr_param *row)
{
	if (!row->choices || !row->choices[0])
		return REFUSE(check, row, "has no choices");
	for (size_t i = 1; row->choices[i]; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(row->choices[i], row->choices[j]) == 0)
				return REFUSE(check, row, "has the choice '%.60s' twice",
					      row->choices[i]);
	return 0;
}

static int check_fallback(struct check *check, const struct ktstr_param *row)
{
	struct ktstr_value value = { 0 };
	char why[400];

	if (!row->fallback)
		return 0;
	if (row->flags & KTSTR_PARAM_REQUIRED)
		return REFUSE(check, row, "is required and has a fallback");
	if (is_nesting(row->type))
		return REFUSE(check, row, "is a %s, which cannot have a fallback",
			      param_type_name(row->type));
	if (row->type == KTSTR_PARAM_PLUGIN)
		return *row->fallback ? 0 : REFUSE(check, row, "has an empty fallback");
	if (scalar_parse(row, row->fallback, &value, why, sizeof(why)) < 0)
		return REFUSE(check, row, "has a bad fallback: it %s", why);
	return 0;
}

static int check_row(struct check *check, const struct ktstr_param *row)
{
	int rc = 0;

	if (!is_good_key(row->key))
		return REFUSE(check, row, "is no key: lower-case letters, digits and _ only");
	if (strcmp(param_type_name(row->type), "unknown") == 0)
		return REFUSE(check, row, "has the unknown type %u", row->type);
	if (row->flags & ~KTSTR_PARAM_REQUIRED)
		return REFUSE(check, row, "has unknown flags 0x%x", row->flags);
	if (row->type == KTSTR_PARAM_PLUGIN) {
		if (row->min < KTSTR_KIND_SCHEDULER || row->min > KTSTR_KIND_CHECKER)
			return REFUSE(check, row, "names no kind of plugin in min");
	} else if (row->min > row->max) {
		return REFUSE(check, row, "has a min above its max");
	}
	if (row->type == KTSTR_PARAM_ENUM)
		rc = check_choices(check, row);
	return rc < 0 ? rc : check_fallback(check, row);
}

static int check_table(struct check *check, const struct ktstr_param *params, size_t max_rows,
		       int depth);

static int check_nested(struct check *check, const struct ktstr_param *row, int depth)
{
	size_t max_rows = row->type == KTSTR_PARAM_LIST ? 1 : PARAM_ROWS_MAX;

	if (!is_nesting(row->type))
		return 0;
	if (!row->fields || !param_row(row->fields, check->stride, 0).key)
		return REFUSE(check, row, "is a %s without a table of fields",
			      param_type_name(row->type));
	if (depth >= CHECK_DEPTH_MAX || check->rows > CHECK_ROWS_MAX)
		return REFUSE(check, row, "nests too deeply, or into itself");
	if (check_table(check, row->fields, max_rows, depth + 1) < 0)
		return ktstr_prefix(check->err, "in '%.60s'", row->key);
	return 0;
}

static int check_table(struct check *check, const struct ktstr_param *params, size_t max_rows,
		       int depth)
{
	for (size_t i = 0; i < max_rows; i++) {
		struct ktstr_param row = param_row(params, check->stride, i);
		int rc;

		if (!row.key)
			return 0;
		check->rows++;
		rc = check_row(check, &row);
		if (rc == 0)
			rc = check_nested(check, &row, depth);
		if (rc < 0)
			return rc;
		for (size_t j = 0; j < i; j++)
			if (strcmp(param_row(params, check->stride, j).key, row.key) == 0)
				return REFUSE(check, &row, "stands twice in its table");
	}
	if (max_rows == PARAM_ROWS_MAX)
		return ktstr_fail(check->err, -EINVAL,
				  "the table of parameters has no end within %u rows",
				  PARAM_ROWS_MAX);
	return 0;
}

int params_check(const struct ktstr_param *params, size_t stride, struct ktstr_error *err)
{
	struct check check = { .stride = stride, .err = err };

	if (!params)
		return 0;
	if (stride < PARAM_STRIDE_MIN || stride > PARAM_STRIDE_MAX || stride % sizeof(void *) != 0)
		return ktstr_fail(err, -EINVAL,
				  "the rows of the table of parameters cannot be %zu bytes long",
				  stride);
	return check_table(&check, params, PARAM_ROWS_MAX, 1);
}
