/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/base_store.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "support/folder.h"

#define KEY "format 1\nkernel x\n"

static struct ktstr_error err;
static const uint64_t node_bytes[] = { 1 << 20, 2 << 20 };

static void make_base(const char *store, const char *key)
{
	struct base base;

	cr_assert_eq(close(base_lock(store, key, NULL, NULL, &err)), 0);
	cr_assert_eq(base_begin(store, key, node_bytes, 2, &base, &err), 0, "%s", err.text);
	cr_assert_eq(pwrite(base.memory_fds[1], "memory", 6, 4096), 6);
	cr_assert_eq(write(base.state_fd, "state", 5), 5);
	cr_assert_eq(base_commit(store, key, &base, &err), 0, "%s", err.text);
}

static int look(const char *store, const char *key)
{
	struct base base;
	int rc = base_open(store, key, 2, &base, &err);

	if (rc == 0)
		base_done(&base);
	return rc;
}

/* The path of @name in the only base. */
static char *find(const char *store, const char *name)
{
	struct base_entry *entries = NULL;
	size_t count = 0;
	char *path;

	cr_assert_eq(base_list(store, &entries, &count, &err), 0);
	cr_assert_eq(count, 1);
	path = str_format("%s/%s/%s", store, entries[0].name, name);
	base_list_free(entries, count);
	return path;
}

Test(base_store, gives_back_what_was_committed)
{
	char *folder = folder_new(), *store = str_format("%s/deep/bases", folder);
	char text[8] = "";
	struct base base;
	struct stat status;

	cr_expect_eq(look(store, KEY), -ENOENT);
	make_base(store, KEY);
	cr_assert_eq(base_open(store, KEY, 2, &base, &err), 0, "%s", err.text);
	cr_assert_eq(fstat(base.memory_fds[0], &status), 0);
	cr_expect_eq(status.st_size, 1 << 20);
	cr_assert_eq(pread(base.memory_fds[1], text, 6, 4096), 6);
	cr_expect_str_eq(text, "memory");
	memset(text, 0, sizeof(text));
	cr_assert_eq(read(base.state_fd, text, sizeof(text)), 5);
	cr_expect_str_eq(text, "state");
	base_done(&base);
	cr_expect_eq(look(store, KEY "other"), -ENOENT);
	cr_expect_eq(look(store, KEY), 0);
	free(store);
	folder_remove(folder);
}

/* Each of them is no base any more, and is gone after it was looked at. */
Test(base_store, trusts_nothing_that_is_damaged)
{
	static const struct {
		const char *name;
		enum {
			FLIP,
			CUT,
			GROW,
			REMOVE
		} how;
	} cases[] = { { "ram0", FLIP },	  { "ram1", FLIP }, { "ram1", CUT },	 { "ram0", GROW },
		      { "state", FLIP },  { "state", CUT }, { "state", REMOVE }, { "ram1", REMOVE },
		      { "seal", REMOVE }, { "seal", CUT },  { "key", REMOVE },	 { "key", FLIP } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *store = folder_new(), *path;
		struct stat status;
		int fd;

		make_base(store, KEY);
		path = find(store, cases[i].name);
		fd = open(path, O_RDWR);
		cr_assert_geq(fd, 0);
		cr_assert_eq(fstat(fd, &status), 0);
		if (cases[i].how == FLIP)
			cr_assert_eq(pwrite(fd, "X", 1, status.st_size / 2), 1);
		else if (cases[i].how == CUT)
			cr_assert_eq(ftruncate(fd, status.st_size / 2), 0);
		else if (cases[i].how == GROW)
			cr_assert_eq(ftruncate(fd, status.st_size + 1), 0);
		else
			cr_assert_eq(unlink(path), 0);
		(void)close(fd);
		cr_expect_eq(look(store, KEY), -ENOENT, "%s", path);
		cr_expect_lt(access(path, F_OK), 0, "%s", path);
		make_base(store, KEY);
		cr_expect_eq(look(store, KEY), 0);
		free(path);
		folder_remove(store);
	}
}

Test(base_store, trusts_a_copy_with_other_times)
{
	char *store = folder_new(), *path;
	const struct timespec times[2] = { { .tv_sec = 5 }, { .tv_sec = 5 } };

	make_base(store, KEY);
	path = find(store, "ram1");
	cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
	cr_expect_eq(look(store, KEY), 0);
	free(path);
	folder_remove(store);
}

Test(base_store, removes_what_a_killed_one_left_and_what_is_discarded)
{
	char *store = folder_new(), *left = str_format("%s/.new-999999999", store);
	struct base base;

	cr_assert_eq(mkdir(left, 0700), 0);
	cr_assert_eq(base_begin(store, KEY, node_bytes, 2, &base, &err), 0);
	cr_expect_lt(access(left, F_OK), 0);
	base_discard(&base);
	cr_expect_eq(look(store, KEY), -ENOENT);
	free(left);
	folder_remove(store);
}

static void count_waits(void *arg)
{
	++*(int *)arg;
}

Test(base_store, is_made_by_one_at_a_time)
{
	char *store = folder_new();
	int lock = base_lock(store, KEY, NULL, NULL, &err), other, waits = 0;
	pid_t child;

	cr_assert_geq(lock, 0);
	other = base_lock(store, KEY "other", count_waits, &waits, &err);
	cr_assert_geq(other, 0); /* another kind waits for nobody */
	cr_expect_eq(waits, 0);
	child = fork();
	if (child == 0) {
		(void)close(lock);
		(void)close(other);
		(void)base_lock(store, KEY, count_waits, &waits, &err);
		_exit(waits == 1 ? 0 : 1);
	}
	(void)usleep(20000); /* let it come to wait; it passes when it comes late, too */
	(void)close(lock);
	(void)close(other);
	folder_remove(store);
}

Test(base_store, keeps_the_last_used_ones)
{
	char *store = folder_new();
	struct base_entry *entries = NULL;
	size_t count = 0;
	uint64_t bytes;

	make_base(store, KEY "a");
	(void)usleep(10000);
	make_base(store, KEY "b");
	(void)usleep(10000);
	cr_assert_eq(look(store, KEY "a"), 0);
	cr_assert_eq(base_list(store, &entries, &count, &err), 0);
	cr_assert_eq(count, 2);
	cr_expect_str_eq(entries[0].key, KEY "a");
	cr_expect(entries[0].is_whole);
	bytes = entries[0].bytes;
	base_list_free(entries, count);
	cr_expect_eq(base_prune(store, bytes, &err), 1);
	cr_expect_eq(look(store, KEY "a"), 0);
	cr_expect_eq(look(store, KEY "b"), -ENOENT);
	cr_expect_eq(base_prune(store, 0, &err), 1);
	folder_remove(store);
}
