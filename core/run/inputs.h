/* SPDX-License-Identifier: GPL-2.0-only */
/* What a run depends on: noted when it is made, and held against what is there when it is run
 * again. */
#ifndef RUN_INPUTS_H
#define RUN_INPUTS_H

#include "base/str.h"
#include "ktstr/error.h"
#include "report/meta.h"
#include "run/image.h"
#include "run/prepare.h"
#include "run/run.h"

/* Note it. Free by meta_again_done(). */
int inputs_note(const struct prepared *prepared, const struct image *image,
		const struct run_options *options, struct meta_again *ret, struct ktstr_error *err);

/*
 * Append words on each that is not the one of then: plugins, the files and all else that the
 * guest gets, the agent, the kernel, QEMU and its command line. Nothing when all are the same. 0 or
 * -ENOMEM.
 */
int inputs_compare(const struct meta *then, const struct prepared *prepared,
		   const struct meta_again *now, struct str *out);

#endif
