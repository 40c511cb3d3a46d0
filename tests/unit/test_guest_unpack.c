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

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"
#include "guest/job_area.h"
#include "guest/rest.h"
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
	free(bytes);
	free(text);
	free(path);
	initramfs_free(initramfs);
	folder_remove(root);
}

/* The memory that carries them. */

struct parts {
	struct initramfs *initramfs[JOB_AREA_PARTS];
	struct job_archive archives[JOB_AREA_PARTS];
	char *pci;
	char *root;
};

/* Two archives, each with a file of its own, and a folder of devices. */
static struct parts parts_new(void)
{
	static const char *const names[] = { "/scheduler", "/scenario" };
	struct parts parts = { .pci = folder_new(), .root = folder_new() };

	for (uint32_t i = 0; i < JOB_AREA_PARTS; i++) {
		struct job_archive *archive = &parts.archives[i];

		cr_assert_eq(initramfs_new(&parts.initramfs[i], &err), 0);
		cr_assert_eq(initramfs_add_data(parts.initramfs[i], names[i], 0644, "abc", 3, &err),
			     0);
		cr_assert_eq(
			initramfs_finish(parts.initramfs[i], &archive->fd, &archive->length, &err),
			0);
		cr_assert_eq(job_archive_check(archive, &err), 0, "%s", err.text);
	}
	return parts;
}

static void parts_done(struct parts *parts)
{
	for (uint32_t i = 0; i < JOB_AREA_PARTS; i++)
		initramfs_free(parts->initramfs[i]);
	folder_remove(parts->pci);
	folder_remove(parts->root);
}

static void write_text(const char *folder, const char *name, const char *text)
{
	char *path = str_format("%s/%s", folder, name);

	cr_assert_eq(io_replace_file(path, text, strlen(text), &err), 0, "%s", err.text);
	free(path);
}

/* A device whose memory is the file @fd. */
static uint8_t *map_area(const struct parts *parts, int fd)
{
	char *device = str_format("%s/device", parts->pci);
	char *resource = str_format("%s/resource2", device);
	char *target = str_format("/proc/self/fd/%d", fd);
	uint8_t *area = NULL;

	(void)unlink(resource);
	(void)mkdir(device, 0755);
	write_text(device, "vendor", "0x1af4\n");
	write_text(device, "device", "0x1110\n");
	cr_assert_eq(symlink(target, resource), 0);
	cr_assert_eq(job_area_map(parts->pci, &area, &err), 0, "%s", err.text);
	free(target);
	free(resource);
	free(device);
	return area;
}

static bool has(const struct parts *parts, const char *name)
{
	char *path = str_format("%s/%s", parts->root, name);
	bool is_there = access(path, F_OK) == 0;

	free(path);
	return is_there;
}

static int publish(struct parts *parts)
{
	return job_publish(&parts->archives[JOB_AREA_SCENARIO],
			   &parts->archives[JOB_AREA_SCHEDULER], 7, &err);
}

Test(job_area, a_whole_job_is_taken_at_once)
{
	struct parts parts = parts_new();
	int fd = parts.archives[JOB_AREA_SCENARIO].fd;
	struct job_area_taken taken = { 0 };
	uint8_t *area;

	cr_assert_eq(publish(&parts), 0, "%s", err.text);
	cr_assert_eq(lseek(fd, 0, SEEK_END), (off_t)JOB_AREA_BYTES);
	area = map_area(&parts, fd);
	cr_assert_eq(job_area_take(area, parts.root, &taken, &err), 0, "%s", err.text);
	cr_expect(taken.is_whole);
	cr_expect_eq(taken.seed, 7);
	cr_expect(has(&parts, "scheduler"));
	cr_expect(has(&parts, "scenario"));
	cr_expect_eq(job_state(fd), 0); /* nobody had to wait */
	job_area_unmap(area);
	parts_done(&parts);
}

Test(job_area, the_schedulers_part_can_come_alone)
{
	struct parts parts = parts_new();
	struct job_area_taken taken = { .is_whole = true };
	uint8_t *area;
	int fd = -1;

	cr_assert_eq(job_new(&parts.archives[JOB_AREA_SCHEDULER], &fd, &err), 0, "%s", err.text);
	area = map_area(&parts, fd);
	cr_assert_eq(job_area_take(area, parts.root, &taken, &err), 0, "%s", err.text);
	cr_expect_not(taken.is_whole);
	cr_expect(has(&parts, "scheduler"));
	cr_expect_not(has(&parts, "scenario"));
	cr_expect_eq(job_state(fd), 0);
	cr_expect_not(job_area_has_scenario(area));
	cr_expect_eq(job_state(fd), JOB_AREA_ATTACHED);
	job_area_unmap(area);
	(void)close(fd);
	parts_done(&parts);
}

Test(job_area, the_scenarios_part_can_come_later)
{
	struct parts parts = parts_new();
	int fd = parts.archives[JOB_AREA_SCENARIO].fd;
	const struct session_spec spec = { .pci = parts.pci, .root = parts.root };
	struct session_status status = { 0 };
	struct life life = { .spec = { 0 }, .observer = { .is_blind = true, .log = { .fd = -1 } } };
	uint64_t seed = 0;

	cr_assert_eq(publish(&parts), 0);
	cr_assert_eq(job_show_scheduler(fd, false, &err), 0, "%s", err.text);
	job_area_unmap(map_area(&parts, fd));
	cr_assert_eq(rest_take(&spec, &status, &life, &seed, &err), 0, "%s", err.text);
	cr_expect_eq(seed, 7);
	cr_expect(has(&parts, "scenario"));
	cr_expect_not(has(&parts, "scheduler"));
	parts_done(&parts);
}

Test(job_area, who_waits_for_the_rest_says_so_and_can_be_called_off)
{
	struct parts parts = parts_new();
	const struct session_spec spec = { .pci = parts.pci, .root = parts.root };
	struct session_status status = { .is_stopping = 1 };
	struct life life = { .spec = { 0 }, .observer = { .is_blind = true, .log = { .fd = -1 } } };
	uint64_t seed = 0;
	int fd = -1;

	cr_assert_eq(job_new(&parts.archives[JOB_AREA_SCHEDULER], &fd, &err), 0);
	job_area_unmap(map_area(&parts, fd));
	cr_expect_eq(rest_take(&spec, &status, &life, &seed, &err), -ECANCELED);
	cr_expect_str_eq(err.text, "the run is to end early");
	cr_expect_eq(job_state(fd), JOB_AREA_ATTACHED);
	(void)close(fd);
	parts_done(&parts);
}

Test(job_area, a_dead_scheduler_is_not_waited_with)
{
	struct parts parts = parts_new();
	const struct session_spec spec = { .pci = parts.pci, .root = parts.root };
	struct session_status status = { 0 };
	struct life life = { .observer = { .is_blind = true, .log = { .fd = -1 } },
			     .death = { .code = -ESRCH, .text = "it died" } };
	uint64_t seed = 0;
	int fd = -1;

	cr_assert_eq(job_new(&parts.archives[JOB_AREA_SCHEDULER], &fd, &err), 0);
	job_area_unmap(map_area(&parts, fd));
	cr_expect_eq(rest_take(&spec, &status, &life, &seed, &err), -ESRCH);
	cr_expect_str_eq(err.text, "it died");
	cr_expect_eq(job_state(fd), 0);
	(void)close(fd);
	parts_done(&parts);
}

Test(job_area, a_part_that_is_not_as_it_was_written_is_refused)
{
	struct parts parts = parts_new();
	int fd = parts.archives[JOB_AREA_SCENARIO].fd;
	struct job_area_taken taken = { 0 };
	struct job_area *head;
	uint8_t *area;

	cr_assert_eq(publish(&parts), 0);
	area = map_area(&parts, fd);
	head = (struct job_area *)(area + JOB_AREA_AT);
	head->parts[JOB_AREA_SCENARIO].crc32++;
	cr_expect_eq(job_area_take(area, parts.root, &taken, &err), -EBADMSG);
	cr_expect_str_eq(err.text, "the job did not arrive as the host wrote it");
	head->parts[JOB_AREA_SCHEDULER].offset = JOB_AREA_AT;
	cr_expect_eq(job_area_take(area, parts.root, &taken, &err), -EBADMSG);
	cr_expect(strstr(err.text, "none of this agent's version"), "%s", err.text);
	job_area_unmap(area);
	parts_done(&parts);
}

Test(job_area, a_job_that_is_too_long_is_refused)
{
	struct parts parts = parts_new();

	parts.archives[JOB_AREA_SCENARIO].length = JOB_AREA_ARCHIVE_MAX;
	cr_expect_eq(publish(&parts), -EFBIG);
	cr_expect(strstr(err.text, "at most 253 MiB"), "%s", err.text);
	parts_done(&parts);
}
