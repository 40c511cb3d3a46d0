/* SPDX-License-Identifier: GPL-2.0-only */
#include "base/io.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"

static char *folder, *path;

static void make_folder(void)
{
	const char *above = getenv("TMPDIR");

	folder = str_format("%s/ktstr-test-XXXXXX", above ? above : "/tmp");
	cr_assert_not_null(mkdtemp(folder));
	path = str_format("%s/file", folder);
}

static void remove_folder(void)
{
	(void)unlink(path); /* not every test makes it */
	(void)rmdir(folder);
	free(path);
	free(folder);
}

TestSuite(io, .init = make_folder, .fini = remove_folder);

static void write_file(const char *text)
{
	struct ktstr_error err = { 0 };

	cr_assert_eq(io_replace_file(path, text, strlen(text), &err), 0, "%s", err.text);
}

Test(io, reads_what_was_written)
{
	struct ktstr_error err = { 0 };
	size_t length = 0;
	char *data;

	write_file("hello");
	cr_assert_eq(io_read_file(path, 5, &data, &length, &err), 0, "%s", err.text);
	cr_expect_eq(length, 5);
	cr_expect_str_eq(data, "hello");
	free(data);
	cr_assert_eq(io_read_file(path, 5, &data, NULL, &err), 0, "%s", err.text);
	free(data);
}

Test(io, reads_an_empty_file)
{
	struct ktstr_error err = { 0 };
	size_t length = 99;
	char *data;

	write_file("");
	cr_assert_eq(io_read_file(path, 0, &data, &length, &err), 0, "%s", err.text);
	cr_expect_eq(length, 0);
	cr_expect_str_eq(data, "");
	free(data);
}

Test(io, reads_files_without_a_size)
{
	struct ktstr_error err = { 0 };
	char *data;

	cr_assert_eq(io_read_file("/proc/self/status", 65536, &data, NULL, &err), 0, "%s",
		     err.text);
	cr_expect(str_starts(data, "Name:"));
	free(data);
}

Test(io, refuses_a_file_over_the_limit)
{
	struct ktstr_error err = { 0 };
	char *data = NULL, *says = str_format("cannot read '%s': larger than 4 bytes", path);

	write_file("hello");
	cr_expect_eq(io_read_file(path, 4, &data, NULL, &err), -EFBIG);
	cr_expect_str_eq(err.text, says);
	cr_expect_null(data);
	free(says);
}

Test(io, names_a_missing_file)
{
	struct ktstr_error err = { 0 };
	char *data = NULL, *says = str_format("cannot open '%s': No such file or directory", path);

	cr_expect_eq(io_read_file(path, 4, &data, NULL, &err), -ENOENT);
	cr_expect_str_eq(err.text, says);
	free(says);
}

Test(io, a_folder_is_no_file)
{
	struct ktstr_error err = { 0 };
	char *data = NULL, *says = str_format("cannot read '%s': Is a directory", folder);

	cr_expect_eq(io_read_file(folder, 4, &data, NULL, &err), -EISDIR);
	cr_expect_str_eq(err.text, says);
	free(says);
}

Test(io, replace_leaves_only_the_new_file)
{
	struct ktstr_error err = { 0 };
	struct stat st;
	char *data;

	write_file("old and longer");
	write_file("new");
	cr_assert_eq(io_read_file(path, 100, &data, NULL, &err), 0, "%s", err.text);
	cr_expect_str_eq(data, "new");
	free(data);
	cr_assert_eq(unlink(path), 0);
	cr_expect_eq(rmdir(folder), 0, "something was left behind");
	cr_assert_eq(mkdir(folder, 0700), 0);
	write_file("new");
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 0400, 0400);
	cr_expect_eq(st.st_mode & 0111, 0);
}

Test(io, replace_keeps_to_the_umask)
{
	struct stat st;
	mode_t old = umask(0027);

	write_file("x");
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0640);
	cr_expect_eq(umask(old), 0027);
}

Test(io, replace_names_what_it_cannot_write)
{
	struct ktstr_error err = { 0 };
	char *target = str_format("%s/no/file", folder);
	char *says = str_format("cannot write '%s': No such file or directory", target);

	cr_expect_eq(io_replace_file(target, "x", 1, &err), -ENOENT);
	cr_expect_str_eq(err.text, says);
	free(says);
	free(target);
}

Test(io, replace_cleans_up_after_itself)
{
	struct ktstr_error err = { 0 };

	/* A folder cannot be replaced by a file. */
	cr_assert_eq(mkdir(path, 0700), 0);
	cr_expect_lt(io_replace_file(path, "x", 1, &err), 0);
	cr_expect_eq(rmdir(path), 0);
	cr_expect_eq(rmdir(folder), 0, "something was left behind");
	cr_assert_eq(mkdir(folder, 0700), 0);
}

Test(io, makes_folders_above)
{
	struct ktstr_error err = { 0 };
	char *inner = str_format("%s/a", folder), *deep = str_format("%s/a//b/", folder);
	struct stat st;

	cr_expect_eq(io_make_dirs(deep, &err), 0, "%s", err.text);
	cr_expect_eq(io_make_dirs(deep, &err), 0, "%s", err.text);
	cr_assert_eq(stat(deep, &st), 0);
	cr_expect(S_ISDIR(st.st_mode));
	cr_expect_eq(rmdir(deep), 0);
	cr_expect_eq(rmdir(inner), 0);
	free(deep);
	free(inner);
}

Test(io, a_file_in_the_way_is_named)
{
	struct ktstr_error err = { 0 };
	char *inner = str_format("%s/a", path);
	char *says = str_format("cannot create folder '%s': Not a directory", inner);

	write_file("x");
	cr_expect_eq(io_make_dirs(inner, &err), -ENOTDIR);
	cr_expect_str_eq(err.text, says);
	free(says);
	free(inner);
}

Test(io, memfd_is_at_its_beginning_and_closes_on_exec)
{
	struct ktstr_error err = { 0 };
	char data[6] = "";
	int fd = io_memfd("x", "hello", 5, &err);

	cr_assert_geq(fd, 0, "%s", err.text);
	cr_expect_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	cr_expect_eq(io_read_all(fd, data, 5), 0);
	cr_expect_str_eq(data, "hello");
	close(fd);
}

Test(io, finds_programs_as_the_shell_does)
{
	_cleanup_free_ char *shell = NULL;

	cr_assert_eq(setenv("PATH", "/nowhere:/bin", 1), 0);
	shell = io_find_program("sh");
	cr_assert_not_null(shell);
	cr_expect_str_eq(shell, "/bin/sh");
	cr_expect_null(io_find_program("no-such-program"));
	cr_assert_eq(setenv("PATH", "", 1), 0);
	cr_expect_null(io_find_program("sh"));
}

Test(io, read_all_wants_all)
{
	struct ktstr_error err = { 0 };
	char data[6];
	int fd = io_memfd("x", "hello", 5, &err);

	cr_assert_geq(fd, 0, "%s", err.text);
	cr_expect_eq(io_read_all(fd, data, 6), -ENODATA);
	close(fd);
	cr_expect_eq(io_read_all(-1, data, 6), -EBADF);
	cr_expect_eq(io_read_all(-1, data, 0), 0);
}

/* More than a pipe holds. */
#define MUCH (1024 * 1024)

static void *drain(void *arg)
{
	static char data[MUCH];
	int rc = io_read_all(*(int *)arg, data, sizeof(data));

	for (size_t i = 0; rc == 0 && i < sizeof(data); i++)
		if (data[i] != (char)i)
			rc = -EBADMSG;
	return (void *)(intptr_t)rc;
}

Test(io, write_all_waits_for_a_full_pipe)
{
	static char data[MUCH];
	pthread_t thread;
	void *result;
	int fds[2];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)i;
	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	cr_assert_eq(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
	cr_assert_eq(pthread_create(&thread, NULL, drain, &fds[0]), 0);
	cr_expect_eq(io_write_all(fds[1], data, sizeof(data)), 0);
	cr_assert_eq(pthread_join(thread, &result), 0);
	cr_expect_eq((intptr_t)result, 0);
	close(fds[0]);
	close(fds[1]);
}

Test(io, write_all_tells_why_it_could_not)
{
	cr_expect_eq(io_write_all(-1, "x", 1), -EBADF);
	cr_expect_eq(io_write_all(-1, "x", 0), 0);
}

Test(cleanup, steals_leave_nothing_behind)
{
	int fd = 5;
	char *text = (char *)"x", *stolen = steal_ptr(text);

	cr_expect_str_eq(stolen, "x");
	cr_expect_null(text);
	cr_expect_eq(steal_fd(&fd), 5);
	cr_expect_eq(fd, -1);
}

Test(cleanup, closes_and_keeps_errno)
{
	int copy;

	{
		_cleanup_close_ int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

		cr_assert_geq(fd, 0);
		copy = fd;
		errno = EXDEV;
	}
	cr_expect_eq(errno, EXDEV);
	cr_expect_eq(fcntl(copy, F_GETFD), -1);
}
