/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/initramfs.h"

#include <archive.h>
#include <archive_entry.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"
#include "plugin/elf.h"

static struct initramfs *new_initramfs(void)
{
	struct initramfs *initramfs = NULL;
	struct ktstr_error err = { 0 };

	cr_assert_eq(initramfs_new(&initramfs, &err), 0, "%s", err.text);
	return initramfs;
}

static void add_data(struct initramfs *initramfs, const char *path, const char *text)
{
	struct ktstr_error err = { 0 };

	cr_assert_eq(initramfs_add_data(initramfs, path, 0644, text, strlen(text), &err), 0, "%s",
		     err.text);
}

/* "/path mode [size] [-> target]" a line, in the order of the archive; *ret_bytes: its bytes. */
static char *listing(struct initramfs *initramfs, struct str *ret_bytes)
{
	struct ktstr_error err = { 0 };
	struct archive *archive = archive_read_new();
	struct archive_entry *entry;
	struct str text = { 0 };
	uint64_t length = 0;
	void *bytes;
	int fd = -1;

	cr_assert_eq(initramfs_finish(initramfs, &fd, &length, &err), 0, "%s", err.text);
	cr_assert_eq(length % 512, 0);
	bytes = mmap(NULL, length, PROT_READ, MAP_PRIVATE, fd, 0);
	cr_assert_neq(bytes, MAP_FAILED);
	cr_assert_eq(archive_read_support_format_cpio(archive), ARCHIVE_OK);
	cr_assert_eq(archive_read_open_memory(archive, bytes, length), ARCHIVE_OK);
	while (archive_read_next_header(archive, &entry) == ARCHIVE_OK) {
		const char *target = archive_entry_symlink(entry);

		cr_expect_eq(archive_entry_mtime(entry), 0);
		cr_expect_eq(archive_entry_uid(entry), 0);
		cr_expect_eq(archive_entry_gid(entry), 0);
		(void)str_addf(&text, "/%s %o %lld%s%s\n", archive_entry_pathname(entry),
			       (unsigned int)archive_entry_mode(entry),
			       (long long)archive_entry_size(entry), target ? " -> " : "",
			       target ? target : "");
	}
	cr_expect_eq(archive_format(archive), ARCHIVE_FORMAT_CPIO_SVR4_NOCRC);
	(void)archive_read_free(archive);
	if (ret_bytes)
		cr_assert_eq(str_add_bytes(ret_bytes, bytes, length), 0);
	(void)munmap(bytes, length);
	return text.data;
}

/* A file of the host with @text in it; *path ends in XXXXXX. */
static void make_file(char *path, const char *text, mode_t mode)
{
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	cr_assert_eq(io_write_all(fd, text, strlen(text)), 0);
	cr_assert_eq(fchmod(fd, mode), 0);
	(void)close(fd);
}

Test(initramfs, keeps_the_order_and_adds_folders_on_the_way)
{
	struct initramfs *initramfs = new_initramfs();
	struct ktstr_error err = { 0 };
	_cleanup_free_ char *text = NULL;

	add_data(initramfs, "/b/c/file", "hello");
	cr_assert_eq(initramfs_add_dir(initramfs, "/tmp", 01777, &err), 0);
	cr_assert_eq(initramfs_add_link(initramfs, "/a", "b/c/file", &err), 0);
	add_data(initramfs, "/b/d", "");
	add_data(initramfs, INITRAMFS_SENTINEL, "");
	text = listing(initramfs, NULL);
	cr_expect_str_eq(text, "/b 40755 0\n"
			       "/b/c 40755 0\n"
			       "/b/c/file 100644 5\n"
			       "/tmp 41777 0\n"
			       "/a 120777 8 -> b/c/file\n"
			       "/b/d 100644 0\n"
			       "/.ktstr_init_ok 100644 0\n");
	initramfs_free(initramfs);
}

Test(initramfs, same_calls_give_the_same_bytes)
{
	struct str bytes[2] = { { 0 }, { 0 } };

	for (int i = 0; i < 2; i++) {
		struct initramfs *initramfs = new_initramfs();

		add_data(initramfs, "/x/y", "content");
		add_data(initramfs, INITRAMFS_SENTINEL, "");
		free(listing(initramfs, &bytes[i]));
		initramfs_free(initramfs);
	}
	cr_assert_eq(bytes[0].length, bytes[1].length);
	cr_expect_eq(memcmp(bytes[0].data, bytes[1].data, bytes[0].length), 0);
	str_done(&bytes[0]);
	str_done(&bytes[1]);
}

Test(initramfs, ships_a_file_of_the_host_with_its_permissions_and_content)
{
	char path[] = "/tmp/ktstr-test-XXXXXX";
	struct initramfs *initramfs = new_initramfs();
	struct ktstr_error err = { 0 };
	struct str bytes = { 0 };
	_cleanup_free_ char *text = NULL;

	make_file(path, "of the host", 04751);
	cr_assert_eq(initramfs_add_file(initramfs, "/init", path, &err), 0, "%s", err.text);
	text = listing(initramfs, &bytes);
	cr_expect_str_eq(text, "/init 100751 11\n");
	cr_expect(memmem(bytes.data, bytes.length, "of the host", 11));
	(void)unlink(path);
	str_done(&bytes);
	initramfs_free(initramfs);
}

Test(initramfs, ships_a_file_that_is_larger_than_its_buffers)
{
	char path[] = "/tmp/ktstr-test-XXXXXX";
	struct initramfs *initramfs = new_initramfs();
	struct ktstr_error err = { 0 };
	_cleanup_free_ char *text = NULL;
	struct str bytes = { 0 };

	make_file(path, "start", 0644);
	cr_assert_eq(truncate(path, 3000001), 0);
	cr_assert_eq(initramfs_add_file(initramfs, "/big", path, &err), 0, "%s", err.text);
	add_data(initramfs, "/after", "after");
	text = listing(initramfs, &bytes);
	cr_expect_str_eq(text, "/big 100644 3000001\n/after 100644 5\n");
	cr_expect_gt(bytes.length, 3000001);
	(void)unlink(path);
	str_done(&bytes);
	initramfs_free(initramfs);
}

Test(initramfs, counts_what_the_guest_will_hold_in_pages)
{
	struct initramfs *initramfs = new_initramfs();

	cr_expect_eq(initramfs_unpacked_bytes(initramfs), 0);
	add_data(initramfs, "/a", "");
	cr_expect_eq(initramfs_unpacked_bytes(initramfs), 0);
	add_data(initramfs, "/b", "1");
	cr_expect_eq(initramfs_unpacked_bytes(initramfs), 4096);
	initramfs_free(initramfs);
}

Test(initramfs, refuses_bad_paths)
{
	static const char *const paths[] = { "",      "a",    "/",     "//a",	"/a/",
					     "/a//b", "/./a", "/a/..", "/../a", "/a/." };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct initramfs *initramfs = new_initramfs();
		struct ktstr_error err = { 0 };
		char expected[200];

		(void)snprintf(expected, sizeof(expected),
			       "cannot add '%s' to the initramfs: not an absolute path without '.' "
			       "and '..'",
			       paths[i]);
		cr_expect_eq(initramfs_add_data(initramfs, paths[i], 0644, "", 0, &err), -EINVAL);
		cr_expect_str_eq(err.text, expected);
		initramfs_free(initramfs);
	}
}

Test(initramfs, refuses_a_path_that_is_there)
{
	struct initramfs *initramfs = new_initramfs();
	struct ktstr_error err = { 0 };

	add_data(initramfs, "/a/b", "");
	cr_expect_eq(initramfs_add_link(initramfs, "/a/b", "c", &err), -EEXIST);
	cr_expect_str_eq(err.text, "cannot add '/a/b' to the initramfs: it is there already");
	cr_expect_eq(initramfs_add_dir(initramfs, "/a", 0755, &err), 0, "the same folder is fine");
	cr_expect_eq(initramfs_add_dir(initramfs, "/a", 0700, &err), -EEXIST);
	initramfs_free(initramfs);
}

Test(initramfs, refuses_an_entry_below_a_file)
{
	struct initramfs *initramfs = new_initramfs();
	struct ktstr_error err = { 0 };

	add_data(initramfs, "/a", "");
	cr_expect_eq(initramfs_add_data(initramfs, "/a/b", 0644, "", 0, &err), -ENOTDIR);
	cr_expect_str_eq(err.text, "cannot add '/a/b' to the initramfs: '/a' is no folder there");
	initramfs_free(initramfs);
}

Test(initramfs, refuses_what_is_no_regular_file)
{
	struct initramfs *initramfs = new_initramfs();
	struct ktstr_error err = { 0 };

	cr_expect_eq(initramfs_add_file(initramfs, "/a", "/proc/self", &err), -EISDIR);
	cr_expect_str_eq(err.text, "cannot add '/proc/self' to the initramfs: not a regular file");
	cr_expect_eq(initramfs_add_file(initramfs, "/a", "/dev/null", &err), -EINVAL);
	cr_expect_str_eq(err.text, "cannot add '/dev/null' to the initramfs: not a regular file");
	cr_expect_eq(initramfs_add_file(initramfs, "/a", "/proc/self/no", &err), -ENOENT);
	cr_expect_str_eq(err.text, "cannot open '/proc/self/no': No such file or directory");
	initramfs_free(initramfs);
}

Test(initramfs, refuses_a_file_that_is_shorter_than_it_says)
{
	const char *path = NULL;
	struct initramfs *initramfs = new_initramfs();
	struct ktstr_error err = { 0 };

	/* Files of sysfs are a page long by their status and a few bytes by reading. */
	if (access("/sys/kernel/profiling", R_OK) == 0)
		path = "/sys/kernel/profiling";
	else if (access("/sys/kernel/uevent_seqnum", R_OK) == 0)
		path = "/sys/kernel/uevent_seqnum";
	else
		cr_skip_test("no sysfs here");
	cr_expect_eq(initramfs_add_file(initramfs, "/a", path, &err), -EIO);
	cr_expect(strstr(err.text, "it became shorter while it was read"), "%s", err.text);
	initramfs_free(initramfs);
}

Test(initramfs, refuses_a_file_that_is_too_large)
{
	char path[] = "/tmp/ktstr-test-XXXXXX";
	struct initramfs *initramfs = new_initramfs();
	struct ktstr_error err = { 0 };

	make_file(path, "", 0644);
	if (truncate(path, (off_t)3 << 30) == 0) {
		cr_expect_eq(initramfs_add_file(initramfs, "/a", path, &err), -EFBIG);
		cr_expect(strstr(err.text, "larger than 2 GiB"), "%s", err.text);
	}
	(void)unlink(path);
	initramfs_free(initramfs);
}

Test(initramfs, refuses_a_link_without_target)
{
	struct initramfs *initramfs = new_initramfs();
	struct ktstr_error err = { 0 };

	cr_expect_eq(initramfs_add_link(initramfs, "/a", "", &err), -EINVAL);
	cr_expect_str_eq(err.text, "cannot add '/a' to the initramfs: a link needs a target of 1 "
				   "to 4095 bytes");
	initramfs_free(initramfs);
}

Test(initramfs, refuses_entries_after_the_end)
{
	struct initramfs *initramfs = new_initramfs();
	struct ktstr_error err = { 0 };
	int fd = -1;

	cr_assert_eq(initramfs_finish(initramfs, &fd, NULL, &err), 0);
	cr_expect_eq(initramfs_add_data(initramfs, "/a", 0644, "", 0, &err), -EINVAL);
	cr_expect_str_eq(err.text, "cannot add '/a' to the initramfs: it is closed already");
	cr_expect_eq(initramfs_finish(initramfs, &fd, NULL, &err), 0, "again is fine");
	initramfs_free(initramfs);
}

/* This program, which needs a loader and libraries. */
static char *own_path(void)
{
	return realpath("/proc/self/exe", NULL);
}

Test(initramfs, elf_brings_its_loader_and_its_libraries)
{
	struct initramfs *initramfs = new_initramfs();
	_cleanup_free_ char *self = own_path();
	_cleanup_free_ char *text = NULL;
	struct ktstr_error err = { 0 };
	struct elf_info *info = NULL;

	cr_assert_eq(elf_read(self, &info, &err), 0, "%s", err.text);
	cr_assert_eq(initramfs_add_elf(initramfs, "/init", self, &err), 0, "%s", err.text);
	text = listing(initramfs, NULL);
	cr_expect(str_starts(text, "/init 100"), "%s", text);
	if (info->interpreter) {
		_cleanup_free_ char *line = str_format("\n%s 100", info->interpreter);

		cr_expect(strstr(text, line), "no %s in %s", info->interpreter, text);
	}
	for (char **needed = info->needed; *needed; needed++) {
		_cleanup_free_ char *name = str_format("/%s 100", *needed);

		cr_expect(strstr(text, name), "no %s in %s", *needed, text);
	}
	elf_free(info);
	initramfs_free(initramfs);
}

Test(initramfs, libraries_lie_where_a_linker_without_cache_looks)
{
	struct initramfs *initramfs = new_initramfs();
	_cleanup_free_ char *self = own_path();
	_cleanup_free_ char *text = NULL;
	struct ktstr_error err = { 0 };

	cr_assert_eq(initramfs_add_elf(initramfs, "/init", self, &err), 0, "%s", err.text);
	text = listing(initramfs, NULL);
	for (char *line = text; *line; line = strchr(line, '\n') + 1) {
		_cleanup_free_ char *path = strndup(line, strcspn(line, " "));
		char *slash = strrchr(path, '/');

		if (!strstr(slash, ".so"))
			continue;
		*slash = '\0';
		cr_expect(strcmp(path, "/lib") == 0 || strcmp(path, "/usr/lib") == 0 ||
				  strcmp(path, "/lib64") == 0 || strcmp(path, "/usr/lib64") == 0 ||
				  str_ends(path, "/lib/x86_64-linux-gnu"),
			  "%s", path);
	}
	initramfs_free(initramfs);
}

Test(initramfs, what_lies_below_is_not_added_again)
{
	struct initramfs *base = new_initramfs(), *job = new_initramfs();
	_cleanup_free_ char *self = own_path();
	_cleanup_free_ char *text = NULL;
	struct ktstr_error err = { 0 };

	cr_assert_eq(initramfs_add_elf(base, "/ktstr/agent", self, &err), 0, "%s", err.text);
	initramfs_set_below(job, base);
	cr_assert_eq(initramfs_add_elf(job, "/ktstr/plugin", self, &err), 0, "%s", err.text);
	cr_expect_eq(initramfs_add_file(job, "/ktstr/agent", self, &err), -EEXIST);
	text = listing(job, NULL);
	cr_expect(str_starts(text, "/ktstr/plugin 100"), "%s", text);
	cr_expect_null(strchr(strchr(text, '\n') + 1, '\n'), "more than one entry: %s", text);
	initramfs_free(job);
	initramfs_free(base);
}

Test(initramfs, refuses_an_elf_that_is_none)
{
	char path[] = "/tmp/ktstr-test-XXXXXX";
	struct initramfs *initramfs = new_initramfs();
	struct ktstr_error err = { 0 };

	make_file(path, "no ELF at all", 0755);
	cr_expect_lt(initramfs_add_elf(initramfs, "/init", path, &err), 0);
	cr_expect(strstr(err.text, path), "%s", err.text);
	(void)unlink(path);
	initramfs_free(initramfs);
}

Test(initramfs, free_accepts_null)
{
	initramfs_free(NULL);
}
