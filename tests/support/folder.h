/* SPDX-License-Identifier: GPL-2.0-only */
/* A folder of a test's own, and everything that comes to lie in it. */
#ifndef SUPPORT_FOLDER_H
#define SUPPORT_FOLDER_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static inline char *folder_new(void)
{
	const char *tmp = getenv("TMPDIR");
	char *path;

	if (asprintf(&path, "%s/ktstr-test-XXXXXX", tmp ? tmp : "/tmp") < 0 || !mkdtemp(path))
		abort();
	return path;
}

static inline int folder_remove_one(const char *path, const struct stat *status, int type,
				    struct FTW *ftw)
{
	(void)status;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* Remove it, and free the path. */
static inline void folder_remove(char *path)
{
	(void)nftw(path, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(path);
}

#endif
