/* SPDX-License-Identifier: GPL-2.0-only */
/* What can be said of the streams (report/stream.h) of repeated runs. Pure. */
#ifndef RUN_ALIKE_H
#define RUN_ALIKE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct alike {
	uint32_t runs;
	uint32_t with_stream; /* so many of them have one */
	uint32_t streams;     /* different ones */
};

/* Is it known of all runs, two at least, that they are the same? */
bool alike_is_known(const struct alike *alike);

/* "one stream, the same in all" and the like. 0 or -ENOMEM. */
int alike_add(const struct alike *alike, struct str *out);

/*
 * Two runs, of these numbers, may differ because they did not start from the same saved VM, by the
 * base of their meta ("": booted): append the sentence, or nothing where it is the same. 0 or
 * -ENOMEM.
 */
int alike_add_bases(const uint32_t numbers[2], const char *const bases[2], struct str *out);

#endif
