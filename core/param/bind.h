/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Typed key tables: turn a tree of text into the values that a table of struct ktstr_param asks
 * for.
 *
 * The one place where text becomes typed. Used for the scenario file itself, for each plugin's
 * parameters on the host, and for the same parameters in the guest.
 */
#ifndef PARAM_BIND_H
#define PARAM_BIND_H

#include <stdbool.h>
#include <stddef.h>

#include "ktstr/error.h"
#include "ktstr/param.h"
#include "param/node.h"

/* Where texts come from, for messages: "file:line:col: ..." and the line with a caret below. */
struct source {
	const char *name; /* "scenarios/x.yaml", "--checker" */
	const char *text; /* the whole source, or NULL: no line is quoted */
	size_t length;
	bool is_argument; /* the text is a word of the command line: it has no line numbers */
};

/* Finds the table of a plugin that a KTSTR_PARAM_PLUGIN value names; *ret_params may be NULL: no
 * parameters. */
struct plugin_tables {
	void *arg;
	int (*find)(void *arg, uint32_t kind, const char *name,
		    const struct ktstr_param **ret_params, size_t *ret_stride,
		    struct ktstr_error *err);
};

/* Most memory behind the values of one bound tree, and deepest nesting of its tables. */
#define BOUND_BYTES_MAX (64u * 1024u * 1024u)
#define BOUND_DEPTH_MAX 32

/* Bound values and all memory behind them. Opaque; bound_free() frees. */
struct bound;

/*
 * Bind @map (NULL: nothing given) by @params, whose rows lie @stride bytes apart. Keys in @skip
 * (ended by NULL, may be NULL itself) are another's business and passed over.
 *
 * Refused with -EINVAL and one sentence: unknown key (with the nearest known one), wrong shape,
 * wrong type, out of range, required key missing. The text starts with "file:line:col: " and ends
 * with the source line and a caret where @source has its text; where no place is known it starts
 * with "file: ". A key without a value ("steps:" and nothing behind it) is an empty list or map.
 * -ENOMEM when there is no memory.
 *
 * The values keep nothing of @map, but the words of an ENUM are those of the table.
 */
int bind_params(const struct ktstr_param *params, size_t stride, const struct node *map,
		const char *const *skip, const struct source *source,
		const struct plugin_tables *plugins, struct bound **ret, struct ktstr_error *err);

/* One value for each row of the table, in its order. Valid until bound_free(). */
const struct ktstr_value *bound_values(const struct bound *bound);
size_t bound_count(const struct bound *bound);
void bound_free(struct bound *bound);

/*
 * Is the table itself well-formed: unique lower_case keys, known types and flags, ranges the right
 * way round, fallbacks that parse and lie in range (lists, maps and oneofs have none), nested
 * tables present and not nested into themselves? For the loader. -EINVAL names the row.
 */
int params_check(const struct ktstr_param *params, size_t stride, struct ktstr_error *err);

/* "integer", "duration", ... for messages and listings. */
const char *param_type_name(uint32_t type);

/*
 * Fill @err: "name:line:col: text\n  source line\n  ^", "name: text\n  source line\n  ^" for an
 * argument, "name: text" when @line is 0. Bytes that
 * could drive a terminal are replaced, long lines are cut around the column. Returns -EINVAL.
 */
__attribute__((format(printf, 5, 6))) int source_fail(const struct source *source, uint32_t line,
						      uint32_t column, struct ktstr_error *err,
						      const char *format, ...);

/* Parse one scalar. Returns 0 or -EINVAL, -ERANGE. A duration needs a unit, but for "0". */
int parse_duration(const char *text, int64_t *ret_ns);
int parse_size(const char *text, int64_t *ret_bytes);

#endif
