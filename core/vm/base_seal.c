/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/base_seal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/str.h"
#include "wire/crc_file.h"

#define SEAL_MAX ((size_t)16 * 1024)
#define FILES_MAX 128
#define BOOT_ID "/proc/sys/kernel/random/boot_id"

static int file_crc(int fd, uint64_t size, uint32_t *ret)
{
	uint64_t length = 0;
	int rc = crc_file(fd, size, ret, &length);

	return rc == 0 && length < size ? -ENODATA : rc;
}

static uint64_t change_time(const struct stat *status)
{
	return (uint64_t)status->st_ctim.tv_sec * NS_PER_S + (uint64_t)status->st_ctim.tv_nsec;
}

/* "sealed in the boot ID": the first line. NULL when out of memory. */
static char *first_line(void)
{
	_cleanup_free_ char *id = NULL;
	struct ktstr_error ignored;

	if (io_read_file(BOOT_ID, 64, &id, NULL, &ignored) < 0)
		return str_format("sealed\n"); /* then no two boots are told apart */
	return str_format("sealed in the boot %.*s\n", (int)strcspn(id, "\n"), id);
}

/* "NAME SIZE CTIME CRC" */
static int add_file(const struct base_file *file, struct str *seal)
{
	struct stat status;
	uint32_t crc;
	int rc = fstat(file->fd, &status) < 0 ? -errno : 0;

	if (rc == 0)
		rc = file_crc(file->fd, (uint64_t)status.st_size, &crc);
	if (rc == 0)
		rc = str_addf(seal, "%s %" PRIu64 " %" PRIu64 " %08" PRIx32 "\n", file->name,
			      (uint64_t)status.st_size, change_time(&status), crc);
	return rc;
}

int base_seal_write(const char *folder, const struct base_file *files, size_t count)
{
	_cleanup_free_ char *path = str_format("%s/" BASE_SEAL, folder);
	_cleanup_free_ char *first = first_line();
	struct ktstr_error ignored;
	struct str seal = { 0 };
	int rc = path && first ? str_add(&seal, first) : -ENOMEM;

	for (size_t i = 0; i < count && rc == 0; i++)
		rc = add_file(&files[i], &seal);
	if (rc == 0)
		rc = io_replace_file(path, seal.data, seal.length, &ignored);
	str_done(&seal);
	return rc;
}

bool base_seal_is_passing(int error)
{
	return error == -ENOMEM || error == -EMFILE || error == -ENFILE;
}

/* What is no passing error is damage. */
static int judge(int rc)
{
	return rc == 0 || base_seal_is_passing(rc) ? rc : -EBADMSG;
}

static int check_file(const struct base_file *file, const char *seal, bool is_time_trusted,
		      bool *was_read)
{
	_cleanup_free_ char *start = str_format("\n%s ", file->name);
	const char *line = start ? strstr(seal, start) : NULL;
	uint64_t size, changed;
	struct stat status;
	uint32_t crc, found;
	int rc;

	if (!start)
		return -ENOMEM;
	if (!line || sscanf(line + strlen(start), "%" SCNu64 " %" SCNu64 " %" SCNx32, &size,
			    &changed, &crc) != 3)
		return -EBADMSG;
	if (fstat(file->fd, &status) < 0 || (uint64_t)status.st_size != size)
		return -EBADMSG;
	if (is_time_trusted && change_time(&status) == changed)
		return 0;
	*was_read = true;
	rc = judge(file_crc(file->fd, size, &found));
	return rc < 0 || found == crc ? rc : -EBADMSG;
}

static int read_seal(const char *folder, char **ret)
{
	_cleanup_free_ char *path = str_format("%s/" BASE_SEAL, folder);
	struct ktstr_error ignored;

	return path ? judge(io_read_file(path, SEAL_MAX, ret, NULL, &ignored)) : -ENOMEM;
}

int base_seal_check(const char *folder, const struct base_file *files, size_t count, bool must_read)
{
	_cleanup_free_ char *first = first_line();
	_cleanup_free_ char *seal = NULL;
	bool is_time_trusted, was_read = false;
	int rc = first ? read_seal(folder, &seal) : -ENOMEM;

	if (rc < 0)
		return rc;
	is_time_trusted = !must_read && str_starts(seal, first);
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = check_file(&files[i], seal, is_time_trusted, &was_read);
	if (rc == 0 && was_read)
		(void)base_seal_write(folder, files, count); /* only the next look takes longer */
	return rc;
}

/* The file that @line of a seal is about. */
static int open_file(const char *folder, const char *line, struct base_file *ret)
{
	_cleanup_free_ char *path = NULL;

	/* A name with a slash would lead elsewhere. */
	if (sscanf(line, "%15[a-z0-9] ", ret->name) != 1)
		return -EBADMSG;
	path = str_format("%s/%s", folder, ret->name);
	ret->fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	return ret->fd >= 0 ? 0 : path ? judge(-errno) : -ENOMEM;
}

int base_seal_check_all(const char *folder)
{
	_cleanup_free_ char *seal = NULL;
	struct base_file files[FILES_MAX];
	int rc = read_seal(folder, &seal);
	char *line, *rest = seal;
	size_t count = 0;

	(void)strsep(&rest, "\n");
	while (rc == 0 && count < FILES_MAX && (line = strsep(&rest, "\n")) && *line) {
		rc = open_file(folder, line, &files[count]);
		count += rc == 0;
	}
	if (rc == 0)
		rc = count > 0 ? base_seal_check(folder, files, count, false) : -EBADMSG;
	for (size_t i = 0; i < count; i++)
		(void)close(files[i].fd); /* only read */
	return rc;
}
