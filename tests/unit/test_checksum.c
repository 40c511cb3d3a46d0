/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/checksum.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"
#include "support/scratch.h"
#include "wire/frame.h"

static struct scratch scratch;
static const char *path, *kept;
static struct ktstr_error err;

/* Where the checksum of @path is kept; it goes with the scratch folder. */
static void setup(void)
{
	char name[32];

	scratch_init(&scratch);
	path = scratch_path(&scratch, "file");
	(void)scratch_path(&scratch, "checksums");
	(void)snprintf(name, sizeof(name), "checksums/%08" PRIx32,
		       wire_crc32(0, path, (uint32_t)strlen(path)));
	kept = scratch_path(&scratch, name);
}

static void teardown(void)
{
	scratch_done(&scratch);
}

TestSuite(checksum, .init = setup, .fini = teardown);

/* Write the file, as of long ago. */
static void write_file(const char *text, time_t age_s)
{
	struct timespec times[2] = { { .tv_sec = 1000000000 - age_s },
				     { .tv_sec = 1000000000 - age_s } };

	cr_assert_eq(io_replace_file(path, text, strlen(text), &err), 0, "%s", err.text);
	cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

static uint32_t sum(void)
{
	uint32_t crc = 0;

	cr_assert_eq(checksum_file(scratch.folder, path, &crc, &err), 0, "%s", err.text);
	return crc;
}

Test(checksum, is_that_of_the_file)
{
	uint32_t crc;

	write_file("hello", 0);
	cr_expect_eq(sum(), wire_crc32(0, "hello", 5));
	cr_assert_eq(checksum_file(NULL, path, &crc, &err), 0);
	cr_expect_eq(crc, wire_crc32(0, "hello", 5));
}

Test(checksum, sees_that_the_file_is_another_one)
{
	write_file("hello", 0);
	(void)sum();
	write_file("world", 5);
	cr_expect_eq(sum(), wire_crc32(0, "world", 5));
}

Test(checksum, does_not_keep_that_of_a_file_that_has_just_changed)
{
	/* Its ctime is of now, whatever its mtime says. */
	write_file("hello", 0);
	(void)sum();
	cr_expect_neq(access(kept, F_OK), 0);
}

Test(checksum, is_kept_and_believed_while_the_file_is_the_same)
{
	struct stat status;
	_cleanup_free_ char *folder = str_format("%s/checksums", scratch.folder);
	_cleanup_free_ char *text = NULL;

	write_file("hello", 0);
	cr_assert_eq(stat(path, &status), 0);
	text = str_format("%s\n%llu %llu %llu %llu %llu\n0000abcd\n", path,
			  (unsigned long long)status.st_size,
			  (unsigned long long)status.st_mtim.tv_sec * 1000000000ULL +
				  (unsigned long long)status.st_mtim.tv_nsec,
			  (unsigned long long)status.st_ctim.tv_sec * 1000000000ULL +
				  (unsigned long long)status.st_ctim.tv_nsec,
			  (unsigned long long)status.st_ino, (unsigned long long)status.st_dev);
	cr_assert_eq(mkdir(folder, 0700), 0);
	cr_assert_eq(io_replace_file(kept, text, strlen(text), &err), 0, "%s", err.text);
	cr_expect_eq(sum(), 0xabcd);
	/* One that is cut off says nothing. */
	cr_assert_eq(io_replace_file(kept, text, strlen(text) - 1, &err), 0);
	cr_expect_eq(sum(), wire_crc32(0, "hello", 5));
}

Test(checksum, says_which_file_cannot_be_read)
{
	uint32_t crc;

	cr_expect_eq(checksum_file(scratch.folder, path, &crc, &err), -ENOENT);
	cr_expect_not_null(strstr(err.text, path), "%s", err.text);
}
