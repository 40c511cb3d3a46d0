/* SPDX-License-Identifier: GPL-2.0-only */
/* What commands share that run a scenario several times, each run in a folder of its own. */
#ifndef RUN_SEVERAL_H
#define RUN_SEVERAL_H

#include <stdbool.h>
#include <stddef.h>

#include "ktstr/error.h"
#include "run/run.h"

/*
 * The folder that all runs go to, that of --run-dir or a new one: known, and seen to be possible,
 * but not made. The caller frees *ret. *ret_exit_code is that of a failure.
 */
int several_choose_folder(const char *scenario, const struct run_options *options, char **ret,
			  int *ret_exit_code, struct ktstr_error *err);

/*
 * How many words, from @words on, are the option @option ("--repeat"), with its argument where it
 * takes one; 0: they are another word. It may be cut short to @shortest letters at least, as
 * getopt_long() lets it be where no other option begins so.
 */
size_t several_option_words(char *const *words, size_t count, const char *option, size_t shortest,
			    bool has_argument);

#endif
