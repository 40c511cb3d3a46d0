/* SPDX-License-Identifier: GPL-2.0-only */
/* Show a verdict. Decides nothing. */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "judge/verdict.h"
#include "ktstr/error.h"

struct timing {
	const char *name; /* "image", "QEMU start", "kernel to init", ... */
	uint64_t ns;
};

/* What a report shows beside the verdict. All borrowed. */
struct report_spec {
	const char *run_path;	  /* the run file */
	const char *console_path; /* may be NULL */
	const char *again;	  /* the command that runs it again; may be NULL */
	const struct timing *timings;
	size_t timing_count;
	bool has_colour;
	bool is_verbose;
	uint64_t took_ns; /* command to verdict; 0: not known */
};

/* For a person: the verdict, each checker with its figure, tables per cgroup and worker, paths; a
 * failure with its evidence first. */
int report_text(FILE *out, const struct verdict *verdict, const struct report_spec *spec,
		struct ktstr_error *err);

/* One JSON document, schema version 1, described in docs/ktstr.1. */
int report_json(FILE *out, const struct verdict *verdict, const struct report_spec *spec,
		struct ktstr_error *err);

#endif
