/* SPDX-License-Identifier: GPL-2.0-only */
/* The folder of an exploration: a new one, or that of one that goes on. */
#ifndef EXPLORE_PLACE_H
#define EXPLORE_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "ktstr/error.h"

/*
 * Make @given, or with NULL a new folder among those of runs with @name in its name.
 * *ret_has_journal: it is that of an exploration. -ENOTEMPTY when there is something else in it,
 * -ENOTDIR when it cannot be what was asked for. The caller frees *ret.
 */
int place_open(const char *given, const char *name, char **ret, bool *ret_has_journal,
	       struct ktstr_error *err);

/* "FOLDER/seed-12"; the caller frees. NULL when out of memory. */
char *place_of_seed(const char *folder, uint64_t seed);

/* Remove a folder and the files in it. What cannot be removed stays. */
void place_remove(const char *path);

/* Remove all folders of seeds but those that are kept. */
void place_clean(const char *folder, bool (*is_kept)(void *arg, uint64_t seed), void *arg);

#endif
