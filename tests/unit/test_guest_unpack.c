/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/unpack.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/str.h"
#include "support/folder.h"
#include "vm/initramfs.h"
#include "vm/job.h"
#include "wire/job_area.h"

static struct ktstr_error err;

/* One entry of newc, without padding of its data. */
static void add(struct str *archive, const char *name, unsigned int mode, const char *data)
{
	size_t size = strlen(data);

	cr_assert_eq(str_addf(archive,
			      "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x%s%c", 0,
			      mode, 0, 0, 1, 0, size, 0, 0, 0, 0, strlen(name) + 1, 0, name, '\0'),
		     0);
	while (archive->length % 4)
		cr_assert_eq(str_add_bytes(archive, "", 1), 0);
	cr_assert_eq(str_add_bytes(archive, data, size), 0);
	while (archive->length % 4)
		cr_assert_eq(str_add_bytes(archive, "", 1), 0);
}

static int unpack_str(const struct str *archive, const char *root)
{
	return unpack((const uint8_t *)archive->data, archive->length, root, &err);
}

Test(unpack, makes_folders_files_and_links_with_their_modes)
{
	char *root = folder_new();
	struct str archive = { 0 };
	struct stat status;
	char *path = str_format("%s/a/file", root), *text = NULL;
	char target[16] = "";

	add(&archive, "a", S_IFDIR | 0755, "");
	add(&archive, "a/file", S_IFREG | 0751, "content");
	add(&archive, "a/link", S_IFLNK | 0777, "file");
	add(&archive, "TRAILER!!!", 0, "");
	cr_assert_eq(unpack_str(&archive, root), 0, "%s", err.text);
	cr_assert_eq(io_read_file(path, 100, &text, NULL, &err), 0);
	cr_expect_str_eq(text, "content");
	cr_assert_eq(stat(path, &status), 0);
	cr_expect_eq(status.st_mode & 0111, 0111 & 0751);
	free(path);
	path = str_format("%s/a/link", root);
	cr_assert_gt(readlink(path, target, sizeof(target) - 1), 0);
	cr_expect_str_eq(target, "file");
	/* Once more: what is there is replaced. */
	cr_expect_eq(unpack_str(&archive, root), 0, "%s", err.text);
	free(path);
	free(text);
	str_done(&archive);
	folder_remove(root);
}

Test(unpack, takes_no_archive_that_is_cut_or_damaged)
{
	char *root = folder_new();
	struct str archive = { 0 };

	add(&archive, "file", S_IFREG | 0644, "content");
	add(&archive, "TRAILER!!!", 0, "");
	for (size_t length = 0; length + 4 < archive.length; length++)
		cr_assert_lt(unpack((const uint8_t *)archive.data, length, root, &err), 0, "%zu",
			     length);
	for (size_t at = 0; at < 110; at++) {
		struct str damaged = { 0 };

		cr_assert_eq(str_add_bytes(&damaged, archive.data, archive.length), 0);
		damaged.data[at] = 'z';
		(void)unpack_str(&damaged, root); /* whatever it says: the sanitizers look */
		str_done(&damaged);
	}
	str_done(&archive);
	folder_remove(root);
}

Test(unpack, leaves_its_root_to_nobody)
{
	char *root = folder_new();
	struct str archive = { 0 };

	add(&archive, "../file", S_IFREG | 0644, "content");
	add(&archive, "TRAILER!!!", 0, "");
	cr_assert_eq(unpack_str(&archive, root), -EBADMSG);
	cr_expect(strstr(err.text, "../file"));
	str_done(&archive);
	folder_remove(root);
}

/* What the host packs is what the guest unpacks. */
Test(unpack, understands_the_hosts_archives)
{
	char *root = folder_new(), *path = str_format("%s/folder/data", root), *text = NULL;
	struct initramfs *initramfs = NULL;
	uint64_t length = 0;
	uint8_t *bytes;
	int fd = -1;

	cr_assert_eq(initramfs_new(&initramfs, &err), 0);
	cr_assert_eq(initramfs_add_data(initramfs, "/folder/data", 0644, "abc", 3, &err), 0);
	cr_assert_eq(initramfs_finish(initramfs, &fd, &length, &err), 0);
	bytes = malloc(length);
	cr_assert_eq(pread(fd, bytes, length, 0), (ssize_t)length);
	cr_assert_eq(unpack(bytes, length, root, &err), 0, "%s", err.text);
	cr_assert_eq(io_read_file(path, 100, &text, NULL, &err), 0);
	cr_expect_str_eq(text, "abc");
	/* And the area that carries it. */
	cr_assert_eq(job_publish(fd, length, 7, &err), 0);
	cr_assert_eq(lseek(fd, 0, SEEK_END), (off_t)JOB_AREA_BYTES);
	cr_expect_not(job_is_awaited(fd));
	cr_expect_eq(job_publish(fd, JOB_AREA_ARCHIVE_MAX + 1, 7, &err), -EFBIG);
	cr_expect(strstr(err.text, "at most 255 MiB"), "%s", err.text);
	free(bytes);
	free(text);
	free(path);
	initramfs_free(initramfs);
	folder_remove(root);
}
