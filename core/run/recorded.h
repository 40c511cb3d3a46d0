/* SPDX-License-Identifier: GPL-2.0-only */
/* A recorded run that is to be run again: what its run file says of how. */
#ifndef RUN_RECORDED_H
#define RUN_RECORDED_H

#include <stdbool.h>
#include <stddef.h>

#include "ktstr/error.h"
#include "plugin/registry.h"
#include "report/facts.h"

struct recorded {
	char *run_path;	     /* absolute */
	int run_fd;	     /* open once: all that read it see the same file; -1: none */
	struct facts *facts; /* with a META record */
	char *source;	     /* the scenario file, as it was */
	size_t source_length;
};

/* The run file that a person named, by itself or by its folder. The caller frees. */
int recorded_find(const char *path, char **ret, struct ktstr_error *err);

/* Read it. An error names what it lacks. recorded_done() is due on success. */
int recorded_open(const char *path, struct recorded *ret, struct ktstr_error *err);
void recorded_done(struct recorded *recorded);

/*
 * Is the file at the recorded path of a plugin still the one of then? A path in a file that
 * somebody sent is no reason to run what lies there: it must have the recorded checksum, and nobody
 * but this user and root may have put it there.
 */
bool recorded_is_file_of_then(const struct meta_plugin *then);

/*
 * Load the plugins of then from where they were, in the order of then. One that is no more there is
 * looked for by its name in the search path. -ESTALE for a file that is not the one of then
 * (with @is_forced it is loaded all the same), and for one that others may have put there.
 */
int recorded_load_plugins(const struct recorded *recorded, bool is_forced,
			  struct registry *registry, struct ktstr_error *err);

#endif
