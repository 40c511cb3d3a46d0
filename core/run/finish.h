/* SPDX-License-Identifier: GPL-2.0-only */
/* What subcommands share: judging, showing the verdict, and ending without one. */
#ifndef RUN_FINISH_H
#define RUN_FINISH_H

#include "judge/judge.h"
#include "ktstr/error.h"
#include "report/report.h"
#include "run/run.h"

/* Say why there is no verdict: on stderr, and with --output json as a document too. Returns
 * @exit_code. */
int finish_error(const struct run_options *options, int exit_code, const struct ktstr_error *err);

/* Show @verdict on options->out, as text or JSON. */
int finish_report(const struct run_options *options, const struct verdict *verdict,
		  const struct report_spec *spec, struct ktstr_error *err);

/* Keep the JSON document of @verdict at @path, and beside the run file what schedulers wrote and
 * the kernel dumped of them: a convenience, so a failure is a warning. */
void finish_keep(const struct verdict *verdict, const struct report_spec *spec, const char *path);

#endif
