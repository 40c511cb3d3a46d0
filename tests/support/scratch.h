/* SPDX-License-Identifier: GPL-2.0-only */
/* A folder for one test, in TMPDIR, removed with the few files in it. */
#ifndef SUPPORT_SCRATCH_H
#define SUPPORT_SCRATCH_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct scratch {
	char folder[160];
	char *paths[16];
	int count;
};

static inline void scratch_init(struct scratch *scratch)
{
	const char *base = getenv("TMPDIR");

	scratch->count = 0;
	(void)snprintf(scratch->folder, sizeof(scratch->folder), "%.100s/ktstr-test-XXXXXX",
		       base ? base : "/tmp");
	if (!mkdtemp(scratch->folder))
		abort();
}

/* The path of a file in it; at most sixteen; it may be a folder too, before the files in it. */
static inline const char *scratch_path(struct scratch *scratch, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", scratch->folder, name) < 0)
		abort();
	scratch->paths[scratch->count++] = path;
	return path;
}

static inline void scratch_done(struct scratch *scratch)
{
	for (int i = scratch->count - 1; i >= 0; i--) {
		(void)remove(scratch->paths[i]);
		free(scratch->paths[i]);
	}
	(void)rmdir(scratch->folder);
}

#endif
