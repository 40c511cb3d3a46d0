/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/base_store.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"
#include "support/folder.h"

#define KEY "format 1\nkernel x\n"

static struct ktstr_error err;
static const uint64_t node_bytes[] = { 1 << 20, 2 << 20 };

static void make_base(const char *store, const char *key)
{
	int lock = base_lock(store, key, &err);
	struct base base;

	cr_assert_geq(lock, 0, "%s", err.text);
	cr_assert_eq(base_begin(store, key, node_bytes, 2, &base, &err), 0, "%s", err.text);
	cr_assert_eq(pwrite(base.memory_fds[1], "memory", 6, 4096), 6);
	cr_assert_eq(write(base.state_fd, "state", 5), 5);
	cr_assert_eq(write(base.stream_fd, "stream", 6), 6);
	cr_assert_eq(base_commit(store, key, &base, &err), 0, "%s", err.text);
	(void)close(lock);
}

static size_t prune(const char *store, uint64_t bytes_max, uint32_t flags)
{
	struct base_pruned pruned = { 0 };

	cr_assert_eq(base_prune(store, bytes_max, flags, &pruned, &err), 0, "%s", err.text);
	return pruned.count;
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

static void expect_whole(const char *store, bool is_whole)
{
	struct base_entry *entries = NULL;
	size_t count = 0;

	cr_assert_eq(base_list(store, &entries, &count, &err), 0);
	cr_assert_eq(count, 1);
	cr_expect_eq(entries[0].is_whole, is_whole);
	base_list_free(entries, count);
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
	cr_assert_eq(read(base.stream_fd, text, sizeof(text)), 6);
	cr_expect_str_eq(text, "stream");
	base_done(&base);
	cr_expect_eq(look(store, KEY "other"), -ENOENT);
	cr_expect_eq(look(store, KEY), 0);
	free(store);
	folder_remove(folder);
}

/* Each of them is no base any more, until a new one takes its place. */
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
	} cases[] = { { "ram0", FLIP },	   { "ram1", FLIP },	 { "ram1", CUT },
		      { "ram0", GROW },	   { "state", FLIP },	 { "state", CUT },
		      { "state", REMOVE }, { "ram1", REMOVE },	 { "stream", FLIP },
		      { "stream", CUT },   { "stream", REMOVE }, { "seal", REMOVE },
		      { "seal", CUT },	   { "key", REMOVE },	 { "key", FLIP } };

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
		expect_whole(store, false);
		cr_expect_eq(look(store, KEY), -EBADMSG, "%s", path);
		cr_expect(strstr(err.text, "is damaged"), "%s", err.text);
		make_base(store, KEY);
		expect_whole(store, true);
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

/* Whoever flips a byte can set the time back that everybody can set. */
Test(base_store, finds_a_change_behind_an_old_time)
{
	char *store = folder_new(), *path;
	struct timespec times[2];
	struct stat status;
	int fd;

	make_base(store, KEY);
	path = find(store, "ram0");
	fd = open(path, O_RDWR);
	cr_assert_eq(fstat(fd, &status), 0);
	cr_assert_eq(pwrite(fd, "X", 1, 12345), 1);
	times[0] = status.st_atim;
	times[1] = status.st_mtim;
	cr_assert_eq(futimens(fd, times), 0);
	(void)close(fd);
	cr_expect_eq(look(store, KEY), -EBADMSG);
	free(path);
	folder_remove(store);
}

/* The first line of a seal names the host's boot; each later line is "NAME SIZE TIME CRC". */
static void rewrite_seal(const char *path, bool is_crc_changed)
{
	char text[1024] = "", *lines;
	int fd = open(path, O_RDWR);

	cr_assert_gt(read(fd, text, sizeof(text) - 1), 0);
	lines = strchr(text, '\n');
	cr_assert_not_null(lines);
	if (is_crc_changed) {
		size_t end = strlen(lines) - 2;

		lines[end] = lines[end] == '0' ? '1' : '0';
	}
	cr_assert_eq(ftruncate(fd, 0), 0);
	cr_assert_gt(pwrite(fd, "sealed in another one", 21, 0), 0);
	cr_assert_gt(pwrite(fd, lines, strlen(lines), 21), 0);
	(void)close(fd);
}

/* The host may have lost its power: times are as they were, and the bytes need not be. */
Test(base_store, reads_the_files_once_after_the_host_has_booted)
{
	char *store = folder_new(), *path, text[1024] = "";
	int fd;

	make_base(store, KEY);
	path = find(store, "seal");
	rewrite_seal(path, false);
	cr_expect_eq(look(store, KEY), 0);
	fd = open(path, O_RDONLY);
	cr_assert_gt(read(fd, text, sizeof(text) - 1), 0);
	(void)close(fd);
	cr_expect_null(strstr(text, "another one"), "it is sealed anew: %s", text);
	cr_expect_eq(look(store, KEY), 0);
	rewrite_seal(path, true);
	cr_expect_eq(look(store, KEY), -EBADMSG);
	free(path);
	folder_remove(store);
}

Test(base_store, is_none_without_a_state)
{
	char *store = folder_new();
	int lock = base_lock(store, KEY, &err);
	struct base base;

	cr_assert_eq(base_begin(store, KEY, node_bytes, 2, &base, &err), 0, "%s", err.text);
	cr_expect_eq(base_commit(store, KEY, &base, &err), -ENOSPC);
	cr_expect(strstr(err.text, "cannot keep a saved VM"), "%s", err.text);
	cr_expect_eq(look(store, KEY), -ENOENT);
	(void)close(lock);
	folder_remove(store);
}

/* Its lock says whether somebody makes it, in whatever container. */
Test(base_store, removes_what_a_killed_one_left_and_what_is_discarded)
{
	char *store = folder_new(), *left = str_format("%s/.new-0123456789abcdef", store);
	char *others = str_format("%s/.new-fedcba9876543210", store);
	char *lock_path = str_format("%s/.fedcba9876543210", store);
	int lock = open(lock_path, O_RDWR | O_CREAT, 0600);
	struct base base;

	cr_assert_eq(flock(lock, LOCK_EX), 0);
	cr_assert_eq(mkdir(left, 0700), 0);
	cr_assert_eq(mkdir(others, 0700), 0);
	cr_assert_eq(base_begin(store, KEY, node_bytes, 2, &base, &err), 0);
	cr_expect_lt(access(left, F_OK), 0);
	cr_expect_eq(access(others, F_OK), 0);
	base_discard(&base);
	cr_expect_eq(look(store, KEY), -ENOENT);
	(void)close(lock);
	cr_expect_eq(prune(store, UINT64_MAX, 0), 0);
	cr_expect_lt(access(others, F_OK), 0);
	free(left);
	free(others);
	free(lock_path);
	folder_remove(store);
}

static int open_base(const char *store, struct base *ret)
{
	return base_open(store, KEY, 2, ret, &err);
}

/* Somebody else may have found out before, and have made another one. */
Test(base_store, removes_only_the_one_that_is_bad)
{
	char *store = folder_new(), *state;
	struct base bad, other;
	int lock;

	make_base(store, KEY);
	cr_assert_eq(open_base(store, &bad), 0, "%s", err.text);
	make_base(store, KEY);
	base_remove(&bad);
	cr_expect_eq(look(store, KEY), 0, "the new one is gone");

	cr_assert_eq(open_base(store, &bad), 0, "%s", err.text);
	lock = base_lock(store, KEY, &err);
	base_remove(&bad);
	cr_expect_eq(look(store, KEY), 0, "it is gone while another one is made");
	(void)close(lock);

	cr_assert_eq(open_base(store, &bad), 0, "%s", err.text);
	cr_assert_eq(open_base(store, &other), 0, "%s", err.text);
	state = find(store, "state");
	base_remove(&bad);
	cr_expect_eq(look(store, KEY), -ENOENT);
	cr_expect_lt(access(state, F_OK), 0);
	base_remove(&other); /* which is gone */
	cr_expect_eq(look(store, KEY), -ENOENT);
	free(state);
	folder_remove(store);
}

/* What cannot be read just now may be as good as ever. */
Test(base_store, is_not_damaged_for_want_of_descriptors)
{
	char *store = folder_new();
	struct base_pruned pruned;
	struct rlimit limit, few;
	struct base base;
	int next;

	make_base(store, KEY);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	next = dup(STDIN_FILENO);
	cr_assert_geq(next, 0);
	(void)close(next);
	few = (struct rlimit){ .rlim_cur = (rlim_t)next + 2, .rlim_max = limit.rlim_max };
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	cr_expect_eq(open_base(store, &base), -EMFILE);
	cr_expect(strstr(err.text, "cannot read the saved VM"), "%s", err.text);
	cr_expect_eq(base_prune(store, UINT64_MAX, BASE_PRUNE_DAMAGED, &pruned, &err), -EMFILE);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_expect_eq(look(store, KEY), 0);
	folder_remove(store);
}

/* One whose bytes have changed behind an unchanged time is found out by reading alone. */
Test(base_store, tells_damage_by_reading)
{
	char *store = folder_new(), *state;
	struct base base;
	int fd;

	make_base(store, KEY);
	cr_assert_eq(open_base(store, &base), 0, "%s", err.text);
	cr_expect_not(base_is_damaged(&base));
	state = find(store, "state");
	fd = open(state, O_RDWR | O_CLOEXEC);
	cr_assert_eq(pwrite(fd, "X", 1, 2), 1);
	(void)close(fd);
	cr_expect(base_is_damaged(&base));
	base_done(&base);
	free(state);
	folder_remove(store);
}

Test(base_store, is_made_by_one_at_a_time)
{
	char *store = folder_new();
	int lock = base_lock(store, KEY, &err), other;

	cr_assert_geq(lock, 0);
	other = base_lock(store, KEY "other", &err);
	cr_assert_geq(other, 0); /* another kind waits for nobody */
	cr_expect_eq(base_lock(store, KEY, &err), -EBUSY);
	cr_expect_str_eq(err.text, "another one makes this saved VM");
	(void)close(lock);
	(void)close(other);
	lock = base_lock(store, KEY, &err);
	cr_expect_geq(lock, 0);
	(void)close(lock);
	folder_remove(store);
}

static void set_age(const char *store, size_t index, time_t age_s)
{
	const struct timespec times[2] = { { .tv_sec = time(NULL) - age_s },
					   { .tv_sec = time(NULL) - age_s } };
	struct base_entry *entries = NULL;
	size_t count = 0;
	char *path;

	cr_assert_eq(base_list(store, &entries, &count, &err), 0);
	cr_assert_lt(index, count);
	path = str_format("%s/%s", store, entries[index].name);
	cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
	free(path);
	base_list_free(entries, count);
}

Test(base_store, keeps_the_last_used_ones)
{
	char *store = folder_new();
	struct base_entry *entries = NULL;
	size_t count = 0;
	uint64_t bytes;

	make_base(store, KEY "a");
	set_age(store, 0, 100);
	make_base(store, KEY "b");
	set_age(store, 0, 50);
	cr_assert_eq(look(store, KEY "a"), 0);
	cr_assert_eq(base_list(store, &entries, &count, &err), 0);
	cr_assert_eq(count, 2);
	cr_expect_str_eq(entries[0].key, KEY "a");
	cr_expect(entries[0].is_whole);
	bytes = entries[0].bytes;
	base_list_free(entries, count);
	cr_expect_eq(prune(store, bytes, 0), 1);
	cr_expect_eq(look(store, KEY "a"), 0);
	cr_expect_eq(look(store, KEY "b"), -ENOENT);
	cr_expect_eq(prune(store, 0, BASE_PRUNE_KEEPS_LAST), 0);
	cr_expect_eq(prune(store, 0, 0), 1);
	cr_expect_eq(look(store, KEY "a"), -ENOENT);
	folder_remove(store);
}

Test(base_store, prunes_damaged_ones_when_asked)
{
	char *store = folder_new(), *path;

	make_base(store, KEY);
	path = find(store, "seal");
	cr_assert_eq(unlink(path), 0);
	cr_expect_eq(prune(store, UINT64_MAX, 0), 0);
	cr_expect_eq(prune(store, UINT64_MAX, BASE_PRUNE_DAMAGED), 1);
	free(path);
	folder_remove(store);
}

Test(base_store, lists_nothing_where_there_is_no_store)
{
	char *folder = folder_new(), *store = str_format("%s/none", folder);
	struct base_entry *entries = NULL;
	size_t count = 1;

	cr_expect_eq(base_list(store, &entries, &count, &err), 0);
	cr_expect_eq(count, 0);
	base_list_free(entries, count);
	free(store);
	folder_remove(folder);
}
