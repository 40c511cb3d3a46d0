/* SPDX-License-Identifier: MIT */
/*
 * Errors that a person reads.
 *
 * Every call that can fail returns 0 or a negative errno and, where a person may want to know why,
 * takes a `struct ktstr_error` last. The caller owns it. It is never NULL, it is left alone on
 * success, and the text says first what failed, then on what, then why, without a full stop.
 */
#ifndef KTSTR_ERROR_H
#define KTSTR_ERROR_H

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define KTSTR_ERROR_TEXT_MAX 1008

struct ktstr_error {
	/* The negative errno that the failing call returned; 0 while nothing failed. */
	int32_t code;
	/* Where in the scenario file the cause stands, 1-based; 0: not known. Set by
	 * ktstr_fail_at(). */
	uint32_t line;
	uint32_t column;
	uint32_t reserved;
	/* One sentence, NUL-terminated, cut with "..." where it would not fit. */
	char text[KTSTR_ERROR_TEXT_MAX];
};

/*
 * Fill @err and return @code, so that a failing function can end in `return ktstr_fail(err,
 * -EINVAL, ...)`.
 * @code is a negative errno; anything else becomes -EINVAL, so that a failure never reads as
 * success.
 */
__attribute__((format(printf, 3, 4))) static inline int
ktstr_fail(struct ktstr_error *err, int code, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	if (length >= (int)sizeof(err->text))
		memcpy(err->text + sizeof(err->text) - 4, "...", 4);
	err->code = code < 0 ? code : -EINVAL;
	err->line = 0;
	err->column = 0;
	return err->code;
}

/*
 * Put "prefix: " before the text of @err and return its code. For a caller that knows where the
 * failure happened and wants to say so once.
 */
__attribute__((format(printf, 2, 3))) static inline int ktstr_prefix(struct ktstr_error *err,
								     const char *format, ...)
{
	struct ktstr_error old = *err;
	char prefix[256];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(prefix, sizeof(prefix), format, args);
	va_end(args);
	(void)ktstr_fail(err, old.code, "%s: %s", prefix, old.text);
	err->line = old.line;
	err->column = old.column;
	return err->code;
}

#endif
