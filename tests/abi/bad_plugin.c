/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A workload plugin with one thing wrong. The build sets one of the macros below for each row of
 * the loader's table of reasons; without any it is a good plugin, the control of the experiment.
 */
#include <stdlib.h>

#include "ktstr/workload.h"

#ifndef BAD_MAGIC
#define BAD_MAGIC KTSTR_PLUGIN_MAGIC
#endif
#ifndef BAD_MAJOR
#define BAD_MAJOR KTSTR_ABI_MAJOR
#endif
#ifndef BAD_MINOR
#define BAD_MINOR KTSTR_ABI_MINOR
#endif
#ifndef BAD_SIZE
#define BAD_SIZE sizeof(struct ktstr_plugin)
#endif
#ifndef BAD_KIND
#define BAD_KIND KTSTR_KIND_WORKLOAD
#endif
#ifndef BAD_NAME
#define BAD_NAME "good"
#endif
#ifndef BAD_VERSION
#define BAD_VERSION "1.0"
#endif
#ifndef BAD_SUMMARY
#define BAD_SUMMARY "nothing is wrong with it"
#endif
#ifndef BAD_OPS
#define BAD_OPS &ops
#endif
#ifndef BAD_OPS_SIZE
#define BAD_OPS_SIZE sizeof(ops)
#endif
#ifndef BAD_RUN
#define BAD_RUN run
#endif
#ifndef BAD_ROW_SIZE
#define BAD_ROW_SIZE sizeof(struct ktstr_param)
#endif
#ifndef BAD_SECOND_KEY
#define BAD_SECOND_KEY "pause"
#endif
#ifndef BAD_TYPE
#define BAD_TYPE KTSTR_PARAM_DURATION
#endif
#ifndef BAD_FALLBACK
#define BAD_FALLBACK "10ms"
#endif
#ifndef BAD_CALL
#define BAD_CALL(w)
#else
extern void BAD_CALL(struct ktstr_worker *w);
#endif
#ifndef BAD_SYMBOL
#define BAD_SYMBOL ktstr_plugin
#endif

static const char *const modes[] = { "spin", "sleep", NULL };

static const struct ktstr_param step_fields[] = {
	{ .key = "hold",
	  .help = "how long",
	  .type = KTSTR_PARAM_DURATION,
	  .fallback = "1s",
	  .min = 1,
	  .max = 1000000000 },
	{ .key = "cpus", .help = "where", .type = KTSTR_PARAM_STRING },
	{ .key = NULL },
};

/* The only row of a list's table; nothing ends it. */
static const struct ktstr_param step[] = {
	{ .key = "step", .help = "one step", .type = KTSTR_PARAM_MAP, .fields = step_fields },
};

static const struct ktstr_param weight[] = {
	{ .key = "weight", .help = "one weight", .type = KTSTR_PARAM_INT, .min = 1, .max = 9 },
};

static const struct ktstr_param params[] = {
	{ .key = "mode",
	  .help = "what to do",
	  .type = KTSTR_PARAM_ENUM,
	  .fallback = "spin",
	  .choices = modes },
	{ .key = BAD_SECOND_KEY, .help = "how long", .type = BAD_TYPE, .fallback = BAD_FALLBACK },
	{ .key = "steps", .help = "what comes", .type = KTSTR_PARAM_LIST, .fields = step },
	{ .key = "weights", .help = "how much", .type = KTSTR_PARAM_LIST, .fields = weight },
	{ .key = "limit", .help = "either", .type = KTSTR_PARAM_ONEOF, .fields = step_fields },
	{ .key = "program",
	  .help = "a file",
	  .type = KTSTR_PARAM_STRING,
	  .flags = KTSTR_PARAM_REQUIRED },
	{ .key = NULL },
};

/* To be referred to by every variant, also by those that leave it out. */
static int run(struct ktstr_worker *w, struct ktstr_error *err)
{
	(void)err;
	(void)w;
	BAD_CALL(w);
	return (int)(sizeof(params) & 0);
}

static const struct ktstr_workload_ops ops = {
	.size = BAD_OPS_SIZE,
	.run = BAD_RUN,
};

extern KTSTR_EXPORT const struct ktstr_plugin BAD_SYMBOL;
const struct ktstr_plugin BAD_SYMBOL = {
	.magic = BAD_MAGIC,
	.abi_major = BAD_MAJOR,
	.abi_minor = BAD_MINOR,
	.size = BAD_SIZE,
	.kind = BAD_KIND,
	.name = BAD_NAME,
	.version = BAD_VERSION,
	.summary = BAD_SUMMARY,
	.params = params,
	.param_size = BAD_ROW_SIZE,
	.workload = BAD_OPS,
	.license = "GPL-2.0-only",
};

/* Loading would say so; a listing must not run it. */
__attribute__((constructor)) static void announce(void)
{
	const char *path = getenv("KTSTR_TEST_CONSTRUCTOR");
	FILE *file = path ? fopen(path, "we") : NULL;

	if (file)
		(void)fclose(file);
	(void)run;
	(void)ops;
}
