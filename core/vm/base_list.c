/* SPDX-License-Identifier: GPL-2.0-only */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "vm/base_folder.h"
#include "vm/base_seal.h"
#include "vm/base_store.h"

/* Does anybody make the base of which @name is half made? */
static bool is_abandoned(const char *store, const char *name)
{
	_cleanup_free_ char *path =
		str_format("%s/" BASE_LOCK_PREFIX "%s", store, name + strlen(BASE_NEW_PREFIX));
	_cleanup_close_ int lock = path ? open(path, O_RDWR | O_CLOEXEC) : -1;

	/* It is released at once: who takes it next begins by removing what is there. */
	return path && (lock < 0 ? errno == ENOENT : flock(lock, LOCK_EX | LOCK_NB) == 0);
}

void base_remove_abandoned(const char *store)
{
	DIR *dir = opendir(store);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		_cleanup_free_ char *path = NULL;

		if (!str_starts(entry->d_name, BASE_NEW_PREFIX) ||
		    !is_abandoned(store, entry->d_name))
			continue;
		path = str_format("%s/%s", store, entry->d_name);
		if (path)
			base_folder_remove(path);
	}
	if (dir)
		(void)closedir(dir);
}

static uint64_t disk_bytes(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	uint64_t bytes = 0;
	struct stat status;

	while (dir && (entry = readdir(dir)))
		if (fstatat(dirfd(dir), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0)
			bytes += (uint64_t)status.st_blocks * 512;
	if (dir)
		(void)closedir(dir);
	return bytes;
}

static bool is_name_of(const char *name, const char *key)
{
	char wanted[17];

	(void)snprintf(wanted, sizeof(wanted), "%016" PRIx64, base_key_hash(key));
	return strcmp(name, wanted) == 0;
}

static int read_entry(const char *store, const char *name, bool is_checked, struct base_entry *ret)
{
	_cleanup_free_ char *folder = str_format("%s/%s", store, name);
	struct stat status;
	int rc;

	if (!folder)
		return -ENOMEM;
	if (stat(folder, &status) < 0)
		return 0; /* it went just now */
	*ret = (struct base_entry){
		.name = strdup(name),
		.bytes = disk_bytes(folder),
		.used_ns = (uint64_t)status.st_mtim.tv_sec * NS_PER_S +
			   (uint64_t)status.st_mtim.tv_nsec,
	};
	rc = base_key_read(folder, &ret->key);
	if (rc == 0 && is_checked)
		rc = is_name_of(name, ret->key) ? base_seal_check_all(folder) : -EBADMSG;
	ret->is_whole = is_checked && rc == 0;
	if (!ret->key)
		ret->key = strdup("");
	if (!ret->name || !ret->key)
		return -ENOMEM;
	return rc < 0 && base_seal_is_passing(rc) ? rc : 1;
}

static int by_use(const void *a, const void *b)
{
	const struct base_entry *x = a, *y = b;

	return x->used_ns < y->used_ns ? 1 : x->used_ns > y->used_ns ? -1 : 0;
}

static int add_entry(const char *store, const char *name, bool is_checked,
		     struct base_entry **entries, size_t *count)
{
	struct base_entry *more = realloc(*entries, (*count + 1) * sizeof(**entries));
	int rc;

	if (!more)
		return -ENOMEM;
	*entries = more;
	more[*count] = (struct base_entry){ 0 };
	rc = read_entry(store, name, is_checked, &more[*count]);
	*count += rc != 0;
	return rc < 0 ? rc : 0;
}

static int list(const char *store, bool is_checked, struct base_entry **ret, size_t *ret_count,
		struct ktstr_error *err)
{
	DIR *dir = opendir(store);
	struct base_entry *entries = NULL;
	struct dirent *entry;
	size_t count = 0;
	int rc = dir || errno == ENOENT ? 0 : -errno;

	while (dir && rc == 0 && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			rc = add_entry(store, entry->d_name, is_checked, &entries, &count);
	if (dir)
		(void)closedir(dir);
	if (rc < 0) {
		base_list_free(entries, count);
		return ktstr_fail(err, rc, "cannot list the saved VMs in '%s': %s", store,
				  strerror(-rc));
	}
	if (count > 0)
		qsort(entries, count, sizeof(*entries), by_use);
	*ret = entries;
	*ret_count = count;
	return 0;
}

int base_list(const char *store, struct base_entry **ret, size_t *ret_count,
	      struct ktstr_error *err)
{
	return list(store, true, ret, ret_count, err);
}

void base_list_free(struct base_entry *entries, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(entries[i].name);
		free(entries[i].key);
	}
	free(entries);
}

static int remove_entry(const char *store, const struct base_entry *entry,
			struct base_pruned *pruned, struct ktstr_error *err)
{
	_cleanup_free_ char *folder = str_format("%s/%s", store, entry->name);

	if (!folder)
		return ktstr_fail(err, -ENOMEM, "cannot remove saved VMs: out of memory");
	base_folder_remove(folder);
	if (access(folder, F_OK) == 0)
		return ktstr_fail(err, -EACCES, "cannot remove the saved VM '%s'", folder);
	pruned->count++;
	pruned->bytes += entry->bytes;
	return 0;
}

int base_prune(const char *store, uint64_t bytes_max, uint32_t flags, struct base_pruned *ret,
	       struct ktstr_error *err)
{
	bool is_checked = flags & BASE_PRUNE_DAMAGED;
	struct base_entry *entries = NULL;
	struct base_pruned pruned = { 0 };
	uint64_t bytes = 0;
	size_t count = 0;
	int rc = list(store, is_checked, &entries, &count, err);

	if (rc < 0)
		return rc;
	base_remove_abandoned(store);
	for (size_t i = 0; i < count && rc == 0; i++) {
		bool is_damaged = is_checked && !entries[i].is_whole;
		bool fits = bytes + entries[i].bytes <= bytes_max ||
			    (i == 0 && (flags & BASE_PRUNE_KEEPS_LAST));

		if (fits && !is_damaged)
			bytes += entries[i].bytes;
		else
			rc = remove_entry(store, &entries[i], &pruned, err);
	}
	base_list_free(entries, count);
	if (rc == 0)
		*ret = pruned;
	return rc;
}
