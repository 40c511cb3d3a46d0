/* SPDX-License-Identifier: GPL-2.0-only */
/* Text to numbers, whatever the locale. Each returns 0 or -EINVAL, or -ERANGE when it does not fit.
 */
#ifndef PARAM_SCALAR_H
#define PARAM_SCALAR_H

#include <stddef.h>
#include <stdint.h>

#include "ktstr/param.h"

int parse_bool(const char *text, int64_t *ret);
/* "-5", "42", "0x1f". */
int parse_int(const char *text, int64_t *ret);
/* "1", "-1.5", "1e3"; no infinity and no NaN. */
int parse_float(const char *text, double *ret);
/* "15%" or "15". */
int parse_percent(const char *text, double *ret);

/*
 * Parse @text as the type of @row, which must be a scalar one, and check its range. Fills i, f and
 * s (borrowed from @text or from the table) of @ret. On -EINVAL @why is what to say after the name
 * of the parameter: "must be an integer, not 'x'".
 */
int scalar_parse(const struct ktstr_param *row, const char *text, struct ktstr_value *ret,
		 char *why, size_t why_size);

#endif
