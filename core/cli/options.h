/* SPDX-License-Identifier: GPL-2.0-only */
/* Options of the command line: one table for parsing and for the help text. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "explore/explore.h"
#include "ktstr/error.h"
#include "report/compare.h"
#include "run/run.h"
#include "run/until.h"
#include "vm/kernel_build.h"

/* Which options a command takes. */
#define CLI_SCENARIO 0x0001u
#define CLI_SCHEDULER 0x0002u
#define CLI_CHECKER 0x0004u
#define CLI_ONLY 0x0008u
#define CLI_MACHINE 0x0010u /* --kernel, --accel, --cold */
#define CLI_PLUGIN_DIR 0x0020u
#define CLI_RUN_DIR 0x0040u
#define CLI_TIMINGS 0x0080u
#define CLI_OUTPUT 0x0100u
#define CLI_MESSAGES 0x0200u /* --quiet, --verbose */
#define CLI_TIMEOUT 0x0400u
#define CLI_KIND 0x0800u
#define CLI_IF_MISSING 0x1000u
#define CLI_BASES 0x2000u   /* --all, --size */
#define CLI_VERIFY 0x4000u  /* --verify-restore */
#define CLI_ALWAYS 0x8000u  /* --help */
#define CLI_REPEAT 0x20000u /* --repeat, --expect-identical */
#define CLI_REPLAY 0x40000u /* --force, --until, --gdb */
#define CLI_BUILD 0x10000u  /* --config, --name */
#define CLI_SEED 0x80000u
#define CLI_EXPLORE 0x100000u /* --seeds, --until-fail, --shrink, --shrink-time */
#define CLI_JOBS 0x200000u
#define CLI_STATS 0x400000u

struct cli_options {
	struct run_options run; /* borrows what is below, and argv */
	const char *scenario;
	/* Of all --scheduler, as many as there are; the first one is that of `run`, too. */
	const char *schedulers[COMPARE_RUNS_MAX];
	size_t scheduler_count;
	uint32_t kind; /* --kind; 0: all */
	bool has_all;
	bool has_size;
	uint64_t size;		     /* --size */
	bool is_verifying;	     /* --verify-restore */
	uint32_t repeat;	     /* --repeat; 0: not given */
	struct until until;	     /* --until, --gdb */
	bool must_be_same;	     /* --expect-identical */
	struct kernel_build build;   /* its source and jobs are no options of it alone */
	uint32_t jobs;		     /* --jobs; 0: not given */
	struct explore_spec explore; /* its scenario and jobs are not set here */
	bool has_seeds;
	bool has_help;
	const char **checkers;
	const char **plugin_folders;
	const char **fragments;
	char **arguments; /* what is no option, in the caller's argv */
	size_t argument_count;
};

/*
 * Parse @argv (argv[0] is passed over, words are put in another order) by the options of @mask.
 * -EINVAL with the sentence: unknown (with the nearest known one), ambiguous, argument missing or
 * not wanted, a value that is none; whether JSON is asked for is known then, too.
 * cli_options_done() is due whatever comes back.
 */
int cli_options_parse(int argc, char **argv, uint32_t mask, struct cli_options *ret,
		      struct ktstr_error *err);
void cli_options_done(struct cli_options *options);

/* Append the help text of the options of @mask. 0 or -ENOMEM. */
int cli_options_help(uint32_t mask, struct str *out);

/*
 * May colours be used on @fd? No when it is no terminal, NO_COLOR is set and not empty, or TERM is
 * "dumb" or not set.
 */
bool cli_has_colour(int fd, const char *no_color, const char *term);

#endif
