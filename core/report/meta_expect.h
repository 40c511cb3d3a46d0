/* SPDX-License-Identifier: GPL-2.0-only */
/* What was expected of a run, as the META record has it (report/meta.h). */
#ifndef REPORT_META_EXPECT_H
#define REPORT_META_EXPECT_H

#include <jansson.h>

#include "config/expect.h"
#include "ktstr/error.h"

/* The member `expect`: null when nothing was given. NULL when out of memory. */
json_t *meta_expect_to_json(const struct expectation *expect);

/*
 * And back from @json, which may be NULL or null: nothing was given. Trusts nothing: -EBADMSG with
 * the reason for what meta_expect_to_json() does not write, and for what cannot be expected. Free
 * by expectation_done().
 */
int meta_expect_parse(const json_t *json, struct expectation *ret, struct ktstr_error *err);

#endif
