/* SPDX-License-Identifier: GPL-2.0-only */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

static void to_stderr(void *arg, int level, const char *text)
{
	static const char *const names[] = {
		[LOG_LEVEL_ERROR] = "error",
		[LOG_LEVEL_WARNING] = "warning",
		[LOG_LEVEL_NOTE] = "note",
		[LOG_LEVEL_DEBUG] = "debug",
	};

	(void)arg;
	fprintf(stderr, "ktstr: %s: %s\n", names[level], text);
}

static struct {
	log_sink sink;
	void *arg;
	int max_level;
} current = { .sink = to_stderr, .max_level = LOG_LEVEL_NOTE };

void log_set(log_sink sink, void *arg, int max_level)
{
	current.sink = sink ? sink : to_stderr;
	current.arg = arg;
	current.max_level = max_level;
}

void log_message(int level, const char *format, ...)
{
	char text[2048];
	va_list args;

	if (level > current.max_level)
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	current.sink(current.arg, level, text);
}
