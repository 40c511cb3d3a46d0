/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of an exploration share. */
#ifndef EXPLORE_INTERNAL_H
#define EXPLORE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "explore/again.h"
#include "explore/explore.h"
#include "explore/journal.h"
#include "explore/pool.h"
#include "explore/subject.h"
#include "explore/tally.h"
#include "explore/words.h"
#include "run/observe.h"
#include "run/signals.h"
#include "vm/kvm.h"

/* So many ERRORs one after the other are no accident. */
#define EXPLORE_ERRORS_MAX 5u

enum explore_end {
	EXPLORE_END_ALL,     /* nothing is left to be run */
	EXPLORE_END_FAILURE, /* --until-fail */
	EXPLORE_END_INTERRUPTED,
	EXPLORE_END_ERRORS, /* EXPLORE_ERRORS_MAX in a row */
	EXPLORE_END_BROKEN, /* by exploration.err */
	EXPLORE_END_LOST,   /* seeds were left out whose runs were ended by signals of their own */
};

struct shrunk;

struct exploration {
	const struct explore_spec *spec;
	const struct run_options *options;
	struct run_options run; /* of each run; borrows what is below */
	char *text;		/* of the scenario file */
	size_t text_length;
	struct words words; /* of the command of one run */
	char *folder;
	struct subject subject;
	struct kvm_probe kvm;
	struct journal *journal;
	struct tally tally;
	uint32_t jobs; /* at once */
	struct pool *pool;
	struct again again;
	struct signals signals;
	struct observe observe;
	uint64_t start_ns;   /* CLOCK_MONOTONIC: of this process's first run */
	uint64_t elapsed_ns; /* all seeds that this process ran took so long */
	uint64_t fresh;	     /* runs of this process */
	uint64_t told_ns;    /* when progress was shown last */
	struct words told;   /* messages of runs, folded, that were shown already */
	enum explore_end end;
	struct ktstr_error err;			 /* for EXPLORE_END_BROKEN */
	char last_error[SIGNATURE_TEXT_MAX + 1]; /* of the last ERROR */
	struct shrunk *shrunk;			 /* NULL: nothing was shrunk */
};

/* The run file that is kept of a group; the caller frees. NULL: there is none. */
char *explore_kept_run(const struct exploration *x, const struct tally_group *group);

/* The command that continues it; the caller frees. NULL when out of memory. */
char *explore_resume_command(const struct exploration *x);
/* The shortest that runs @seed again. */
char *explore_again_command(const struct exploration *x, const struct tally_group *group);

/* Show each of the messages of a run that was not shown yet, but for numbers. */
void explore_tell_messages(struct exploration *x, const char *messages);

/* Never a PASS unless all seeds were run. */
uint32_t explore_outcome(const struct exploration *x);
int explore_exit_code(const struct exploration *x);

/* The document of kind "exploration"; NULL when out of memory. */
json_t *explore_document(const struct exploration *x);

/* Show the result on options->out, and keep its document in the folder. */
int explore_show(const struct exploration *x, struct ktstr_error *err);

#endif
