/* SPDX-License-Identifier: GPL-2.0-only */
/* The member `sched_ext` of a report's document. */
#ifndef REPORT_SCX_JSON_H
#define REPORT_SCX_JSON_H

#include <stdint.h>

#include <jansson.h>

#include "judge/scx.h"
#include "report/scx_facts.h"

/* As report.h says: null for a run without sched_ext. NULL when out of memory. */
json_t *scx_json(const struct scx *scx, const struct scx_facts *facts);

#endif
