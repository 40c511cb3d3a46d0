/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A scheduler, or a way of scheduling, that is built into the kernel and is switched on and off by
 * writing files below /sys and /proc/sys.
 */
#include <stdlib.h>

#include "kernel_file.h"
#include "ktstr/scheduler.h"

#define ROWS_MAX 64
#define PATH_LENGTH_MAX 255

enum {
	P_ENABLE,
	P_DISABLE,
	P_CHECK,
	P_KERNEL_CONFIG,
};

enum {
	ROW_PATH,
	ROW_VALUE,
	ROW_VERIFY,
};

static const struct ktstr_param row_fields[] = {
	[ROW_PATH] = { .key = "path",
		       .help = "the file, below /sys or /proc/sys",
		       .type = KTSTR_PARAM_STRING,
		       .flags = KTSTR_PARAM_REQUIRED,
		       .min = 1,
		       .max = PATH_LENGTH_MAX },
	[ROW_VALUE] = { .key = "value",
			.help = "what is written there",
			.type = KTSTR_PARAM_STRING,
			.flags = KTSTR_PARAM_REQUIRED,
			.min = 1,
			.max = KERNEL_FILE_VALUE_MAX },
	[ROW_VERIFY] = { .key = "verify",
			 .help = "must it read as it was written?",
			 .type = KTSTR_PARAM_BOOL,
			 .fallback = "true" },
	{ .key = NULL },
};

static const struct ktstr_param write_fields[] = {
	{ .key = "write", .help = "one file", .type = KTSTR_PARAM_MAP, .fields = row_fields },
	{ .key = NULL },
};

enum {
	CHECK_PATH,
	CHECK_VALUE,
};

static const struct ktstr_param check_fields[] = {
	[CHECK_PATH] = { .key = "path",
			 .help = "the file, below /sys or /proc/sys",
			 .type = KTSTR_PARAM_STRING,
			 .min = 1,
			 .max = PATH_LENGTH_MAX },
	[CHECK_VALUE] = { .key = "value",
			  .help = "what it must say",
			  .type = KTSTR_PARAM_STRING,
			  .min = 1,
			  .max = KERNEL_FILE_VALUE_MAX },
	{ .key = NULL },
};

static const struct ktstr_param config_fields[] = {
	{ .key = "option", .help = "CONFIG_...", .type = KTSTR_PARAM_STRING, .min = 8, .max = 127 },
	{ .key = NULL },
};

static const struct ktstr_param params[] = {
	[P_ENABLE] = { .key = "enable",
		       .help = "files to write, in this order",
		       .type = KTSTR_PARAM_LIST,
		       .flags = KTSTR_PARAM_REQUIRED,
		       .min = 1,
		       .max = ROWS_MAX,
		       .fields = write_fields },
	[P_DISABLE] = { .key = "disable",
			.help = "files to write at the end; none: what they said before",
			.type = KTSTR_PARAM_LIST,
			.min = 0,
			.max = ROWS_MAX,
			.fields = write_fields },
	[P_CHECK] = { .key = "check",
		      .help = "what must hold for as long as it schedules",
		      .type = KTSTR_PARAM_MAP,
		      .fields = check_fields },
	[P_KERNEL_CONFIG] = { .key = "kernel_config",
			      .help = "options that the kernel must have",
			      .type = KTSTR_PARAM_LIST,
			      .min = 0,
			      .max = ROWS_MAX,
			      .fields = config_fields },
	{ .key = NULL },
};

/* Which values, and what the files of `enable` said before. */
struct scheduler {
	const struct ktstr_value *values;
	char before[ROWS_MAX][KERNEL_FILE_VALUE_MAX + 1];
	uint32_t written; /* rows of `enable` */
};

static int check_rows(const struct ktstr_value *rows, struct ktstr_error *err)
{
	for (uint32_t i = 0; i < rows->count; i++) {
		const struct ktstr_value *path = &rows->items[i].items[ROW_PATH];

		if (!kernel_file_is_allowed(path->s))
			return ktstr_fail_at(err, path, -EINVAL,
					     "'%s' is no file below /sys or /proc/sys", path->s);
	}
	return 0;
}

static int needs(const struct ktstr_value *values, struct ktstr_needs *needs,
		 struct ktstr_error *err)
{
	const struct ktstr_value *path = &values[P_CHECK].items[CHECK_PATH];
	const struct ktstr_value *value = &values[P_CHECK].items[CHECK_VALUE];
	const struct ktstr_value *options = &values[P_KERNEL_CONFIG];
	int code = check_rows(&values[P_ENABLE], err);

	if (code == 0)
		code = check_rows(&values[P_DISABLE], err);
	if (code < 0)
		return code;
	if (path->is_set != value->is_set)
		return ktstr_fail_at(err, path->is_set ? path : value, -EINVAL,
				     "check: 'path' and 'value' go together");
	if (path->is_set && !kernel_file_is_allowed(path->s))
		return ktstr_fail_at(err, path, -EINVAL, "'%s' is no file below /sys or /proc/sys",
				     path->s);
	for (uint32_t i = 0; i < options->count && code == 0; i++)
		code = ktstr_need_kernel_config(needs, options->items[i].s, err);
	return code;
}

static int write_row(const struct ktstr_value *row, struct ktstr_error *err)
{
	const struct ktstr_value *fields = row->items;

	return kernel_file_write(fields[ROW_PATH].s, fields[ROW_VALUE].s, fields[ROW_VERIFY].i != 0,
				 err);
}

/* What was there before, the last first. A file that could not be read stays as it is. */
static int restore(struct scheduler *s, struct ktstr_error *err)
{
	const struct ktstr_value *rows = &s->values[P_ENABLE];
	int code = 0;

	while (s->written > 0) {
		struct ktstr_error later;
		const char *before = s->before[--s->written];
		const char *path = rows->items[s->written].items[ROW_PATH].s;
		int rc = before[0] ? kernel_file_write(path, before, true, code == 0 ? err : &later)
				   : 0;

		code = code == 0 ? rc : code;
	}
	return code;
}

/* All of them, whatever becomes of one; the first failure is told. */
static int disable(struct scheduler *s, struct ktstr_error *err)
{
	const struct ktstr_value *rows = &s->values[P_DISABLE];
	int code = 0;

	if (rows->count == 0)
		return restore(s, err);
	for (uint32_t i = 0; i < rows->count; i++) {
		struct ktstr_error later;
		int rc = write_row(&rows->items[i], code == 0 ? err : &later);

		code = code == 0 ? rc : code;
	}
	return code;
}

static int check(const struct scheduler *s, struct ktstr_error *err)
{
	const struct ktstr_value *fields = s->values[P_CHECK].items;

	if (!fields[CHECK_PATH].is_set)
		return 0;
	return kernel_file_check(fields[CHECK_PATH].s, fields[CHECK_VALUE].s, err);
}

static int enable(struct scheduler *s, struct ktstr_error *err)
{
	const struct ktstr_value *rows = &s->values[P_ENABLE];
	int code = 0;

	for (uint32_t i = 0; i < rows->count && code == 0; i++) {
		/* A file that can only be written has no former value. */
		kernel_file_selected(rows->items[i].items[ROW_PATH].s, s->before[i],
				     sizeof(s->before[i]));
		s->written = i + 1;
		code = write_row(&rows->items[i], err);
	}
	return code == 0 ? check(s, err) : code;
}

static int start(struct ktstr_guest *g, const struct ktstr_value *values, void **ret_state,
		 struct ktstr_error *err)
{
	struct scheduler *s = calloc(1, sizeof(*s));
	struct ktstr_error later;
	int code;

	if (!s)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	s->values = values;
	code = enable(s, err);
	if (code < 0) {
		(void)disable(s, &later); /* the first failure is the one to tell */
		free(s);
		return code;
	}
	ktstr_log(g, KTSTR_LOG_INFO, "%u kernel files are written", values[P_ENABLE].count);
	*ret_state = s;
	return 0;
}

static int alive(struct ktstr_guest *g, void *state, struct ktstr_error *err)
{
	(void)g;
	return check(state, err);
}

static int stop(struct ktstr_guest *g, void *state, struct ktstr_error *err)
{
	int code = disable(state, err);

	(void)g;
	free(state);
	return code;
}

static const struct ktstr_scheduler_ops ops = {
	.size = sizeof(ops),
	.needs = needs,
	.start = start,
	.alive = alive,
	.stop = stop,
};

KTSTR_PLUGIN_DEFINE(KTSTR_KIND_SCHEDULER, .name = "kernel", .version = "1.0",
		    .summary = "what the kernel itself has, by its files in /sys and /proc/sys",
		    .params = params, .scheduler = &ops, .license = "GPL-2.0-only");
