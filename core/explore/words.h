/* SPDX-License-Identifier: GPL-2.0-only */
/* Command lines, made from options. */
#ifndef EXPLORE_WORDS_H
#define EXPLORE_WORDS_H

#include <stddef.h>
#include <stdint.h>

#include "run/run.h"

struct words {
	char **items; /* ended by NULL */
	size_t count;
	size_t size;
};

/* Append a copy of @word; NULL stands for a failed allocation. 0 or -ENOMEM. */
int words_add(struct words *words, const char *word);
void words_done(struct words *words);

/*
 * The options that decide how a run goes, as words: "--scheduler", "scx_vtime". Neither seed nor
 * folder nor how it is shown.
 */
int words_add_options(struct words *words, const struct run_options *options);

/* As a line for a shell; the caller frees. NULL when out of memory. */
char *words_join(const struct words *words);

/* @head, the words of @options, @tail, as a line for a shell; NULL among them is a failed
 * allocation. The caller frees. NULL when out of memory. */
char *words_command(const char *const *head, size_t head_count, const struct run_options *options,
		    const char *const *tail, size_t tail_count);

#endif
