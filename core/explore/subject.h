/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is explored: everything that a run depends on but its seed. It stands first in the journal,
 * so that an exploration is only continued as what it was, and is watched while it lasts.
 */
#ifndef EXPLORE_SUBJECT_H
#define EXPLORE_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <sys/types.h>

#include <jansson.h>

#include "ktstr/error.h"
#include "run/run.h"
#include "run/single.h"

#define SUBJECT_SCHEMA_VERSION 2

/* A file that runs are made of. */
struct subject_file {
	char *what; /* "checker 'gap'", "kernel" */
	char *path;
	uint32_t crc32;
	/* As it was when it was read. */
	dev_t device;
	ino_t inode;
	off_t length;
	struct timespec changed;
};

struct subject {
	json_t *json;
	char *name; /* of the scenario */
	struct subject_file *files;
	size_t file_count;
};

/*
 * Look at all that runs of @scenario by @options (whose text is set) depend on. The document:
 * {schema_version, kind: "exploration", ktstr_version, scenario: {file, text}, seeds: {first,
 * last}, options: a text, machine: {accel, clock, kernel}, files: [{what, path, crc32}]}.
 */
int subject_read(const char *scenario, const struct run_options *options,
		 const struct single_inputs *inputs, uint64_t first_seed, uint64_t last_seed,
		 struct subject *ret, struct ktstr_error *err);
void subject_done(struct subject *subject);

/* Does a run depend on nothing else, so that it can be had again? */
bool subject_is_virtual(const struct subject *subject);

/* Has a file been changed since? -ESTALE with the sentence. */
int subject_check(const struct subject *subject, struct ktstr_error *err);

/*
 * Is what was explored @then, by its document, what is explored @now? -ESTALE says in what they
 * differ, as the end of a sentence: "the scenario's text differs from line 3 on". Pure.
 */
int subject_compare(const json_t *then, const json_t *now, struct ktstr_error *err);

#endif
