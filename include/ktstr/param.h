/* SPDX-License-Identifier: MIT */
/*
 * Parameters: the table that says which keys a plugin understands, and the values that reach it.
 *
 * A plugin declares its parameters as a constant table. The same table is used on the host, where
 * the YAML is checked against it before a VM starts (unknown key, wrong type, out of range: refused
 * with file, line and column), and in the guest, where the same text is bound again. Tables nest: a
 * list of maps, a choice of one among many, so a whole language of steps is one table too.
 *
 *	enum { P_WORKERS, P_DURATION };
 *	static const struct ktstr_param params[] = {
 *		[P_WORKERS] = { .key = "workers",
 *				.help = "processes to start",
 *				.type = KTSTR_PARAM_INT,
 *				.fallback = "4",
 *				.min = 1,
 *				.max = 1024 },
 *		[P_DURATION] = { .key = "duration",
 *				 .help = "how long to hold",
 *				 .type = KTSTR_PARAM_DURATION,
 *				 .fallback = "5s",
 *				 .min = 1,
 *				 .max = INT64_MAX },
 *		{ .key = NULL },
 *	};
 *
 * Values arrive in the order of the table: `values[P_WORKERS].i`.
 */
#ifndef KTSTR_PARAM_H
#define KTSTR_PARAM_H

#include <stdint.h>

#include "ktstr/error.h"

/*
 * Types of a parameter. The comment names the field of struct ktstr_value that holds it, then what
 * the text looks like. min and max apply, inclusive, when they differ.
 */

/* i, 0 or 1: true, false, yes, no, on, off. */
#define KTSTR_PARAM_BOOL 1u
/* i: -5, 42, 0x1f. */
#define KTSTR_PARAM_INT 2u
/* f: 1, -1.5, 1e3; min and max are whole numbers. */
#define KTSTR_PARAM_FLOAT 3u
/* i, nanoseconds: 5ns, 10us, 250ms, 1.5s, 2m, 1h, 0. */
#define KTSTR_PARAM_DURATION 4u
/* i, bytes: 4096, 64K, 512M, 2G, 1T (powers of 1024). */
#define KTSTR_PARAM_SIZE 5u
/* s; min and max bound its length in bytes. */
#define KTSTR_PARAM_STRING 6u
/* i, index into choices; s, the word itself. */
#define KTSTR_PARAM_ENUM 7u
/* f, 15 for both: 15%, 15. */
#define KTSTR_PARAM_PERCENT 8u
/* items, count: each typed by fields[0], whose key is only for messages; min and max bound the
 * count. */
#define KTSTR_PARAM_LIST 9u
/* items in the order of fields, count rows. */
#define KTSTR_PARAM_MAP 10u
/* A map with exactly one key: i, its index in fields; items[0], its value. */
#define KTSTR_PARAM_ONEOF 11u
/*
 * Names a plugin of kind min (KTSTR_KIND_*): NAME, or {plugin: NAME, key: value}. s, the name;
 * items, count: the values bound by that plugin's own table. Plugins named this way are loaded and
 * shipped to the guest.
 */
#define KTSTR_PARAM_PLUGIN 12u

/* The key must be given; a row with this flag has no fallback. */
#define KTSTR_PARAM_REQUIRED 0x1u

struct ktstr_param {
	/* lower_case, unique in its table; NULL ends the table. */
	const char *key;
	/* One line for `ktstr plugins` and for messages. */
	const char *help;
	uint32_t type;
	uint32_t flags;
	/* The text that is used when the key is absent. NULL: the value is then unset (is_set and
	 * all fields but type zero). Lists, maps and oneofs have none: an absent list is empty, an
	 * absent map has every field at its own fallback, an absent oneof has count 0. */
	const char *fallback;
	/* Range, inclusive; not checked when both are equal. */
	int64_t min;
	int64_t max;
	/* ENUM: the allowed words, ended by NULL. */
	const char *const *choices;
	/* LIST, MAP, ONEOF: the table below this one. */
	const struct ktstr_param *fields;
	const void *reserved[2];
};

struct ktstr_value {
	uint32_t type;
	/* 1 when the text gave the value, 0 when it is the fallback or absent. */
	uint32_t is_set;
	int64_t i;
	double f;
	const char *s;
	/* LIST, MAP, ONEOF, PLUGIN. */
	const struct ktstr_value *items;
	uint32_t count;
	/* Where the text stood, 1-based; 0 when it is a fallback. For messages. */
	uint32_t line;
	uint32_t column;
	uint32_t reserved;
};

/*
 * As ktstr_fail(), and @value is to blame: the message that a person sees begins with its place in
 * the scenario file and shows the line.
 */
__attribute__((format(printf, 4, 5))) static inline int
ktstr_fail_at(struct ktstr_error *err, const struct ktstr_value *value, int code,
	      const char *format, ...)
{
	char text[KTSTR_ERROR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	(void)ktstr_fail(err, code, "%s", text);
	err->line = value->line;
	err->column = value->column;
	return err->code;
}

#endif
