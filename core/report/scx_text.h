/* SPDX-License-Identifier: GPL-2.0-only */
/* The parts of a report for a person that tell of schedulers. */
#ifndef REPORT_SCX_TEXT_H
#define REPORT_SCX_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "judge/scx.h"
#include "report/scx_facts.h"

struct scx_style {
	bool has_colour;
	bool is_verbose; /* every program, every counter, longer logs */
};

/*
 * Append why the scheduler is gone: what the kernel says of the task or the CPUs, the backtrace,
 * and of one that did not start the end of its log, collapsed. Nothing of one that is not gone. 0
 * or -ENOMEM.
 */
int scx_text_add_end(const struct scx *scx, const struct scx_facts *facts,
		     const struct scx_style *style, struct str *out);

/* Append state, counters, swaps and programs; nothing of a run without sched_ext. 0 or -ENOMEM. */
int scx_text_add_state(const struct scx_facts *facts, const struct scx_style *style,
		       struct str *out);

/* "attach", "replace", ... */
const char *scx_swap_name(uint32_t kind);

#endif
