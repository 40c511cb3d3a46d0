/* SPDX-License-Identifier: GPL-2.0-only */
#include "explore/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/str.h"
#include "explore/journal.h"
#include "run/record.h"

#define SEED_PREFIX "seed-"

static int no_memory(struct ktstr_error *err)
{
	return ktstr_fail(err, -ENOMEM, "cannot explore: out of memory");
}

/* Is anything in it? An exploration is known by its journal. */
static int look_into(const char *path, bool *ret_has_journal, struct ktstr_error *err)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;
	bool is_empty = true;

	if (!folder)
		return ktstr_fail(err, -ENOTDIR, "--run-dir: cannot open folder '%s': %s", path,
				  strerror(errno));
	while ((entry = readdir(folder))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		is_empty = false;
		*ret_has_journal |= strcmp(entry->d_name, JOURNAL_FILE) == 0;
	}
	(void)closedir(folder); /* only read */
	if (is_empty || *ret_has_journal)
		return 0;
	return ktstr_fail(err, -ENOTEMPTY,
			  "--run-dir '%s' is not empty, and no exploration is in it to be "
			  "continued; name another folder",
			  path);
}

static int open_given(const char *given, bool *ret_has_journal, struct ktstr_error *err)
{
	int rc = io_make_dirs(given, err);

	if (rc < 0 && rc != -ENOSPC && rc != -ENOMEM && rc != -EIO) {
		(void)ktstr_prefix(err, "--run-dir");
		return -ENOTDIR;
	}
	return rc < 0 ? rc : look_into(given, ret_has_journal, err);
}

int place_open(const char *given, const char *name, char **ret, bool *ret_has_journal,
	       struct ktstr_error *err)
{
	_cleanup_free_ char *folder = NULL;
	bool has_journal = false;
	int rc;

	if (given) {
		folder = strdup(given);
		rc = folder ? open_given(given, &has_journal, err) : no_memory(err);
	} else {
		_cleanup_free_ char *own = str_format("%s-explore", name);

		rc = own ? record_new_folder(own, clock_now_ns(CLOCK_REALTIME), &folder, err)
			 : no_memory(err);
		if (rc == 0)
			rc = io_make_dirs(folder, err);
	}
	if (rc < 0)
		return rc;
	*ret_has_journal = has_journal;
	*ret = steal_ptr(folder);
	return 0;
}

char *place_of_seed(const char *folder, uint64_t seed)
{
	return str_format("%s/" SEED_PREFIX "%" PRIu64, folder, seed);
}

void place_remove(const char *path)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;

	if (!folder)
		return;
	while ((entry = readdir(folder)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			(void)unlinkat(dirfd(folder), entry->d_name, 0);
	(void)closedir(folder); /* only read */
	(void)rmdir(path);
}

/* The seed of "seed-12". */
static bool seed_of(const char *name, uint64_t *ret)
{
	char *end;

	if (!str_starts(name, SEED_PREFIX) || name[strlen(SEED_PREFIX)] < '0' ||
	    name[strlen(SEED_PREFIX)] > '9')
		return false;
	errno = 0;
	*ret = strtoull(name + strlen(SEED_PREFIX), &end, 10);
	return errno == 0 && *end == '\0';
}

void place_clean(const char *path, bool (*is_kept)(void *arg, uint64_t seed), void *arg)
{
	struct dirent **entries = NULL;
	int count = scandir(path, &entries, NULL, NULL);

	for (int i = 0; i < count; i++) {
		uint64_t seed;

		if (seed_of(entries[i]->d_name, &seed) && !is_kept(arg, seed)) {
			_cleanup_free_ char *own = str_format("%s/%s", path, entries[i]->d_name);

			if (own)
				place_remove(own);
		}
		free(entries[i]);
	}
	free(entries);
}
