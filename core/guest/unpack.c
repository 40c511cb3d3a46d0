/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"

#define MAGIC "070701"
#define MAGIC_LENGTH 6u
#define DIGITS 8u
#define FIELDS 13u
#define HEADER_LENGTH (MAGIC_LENGTH + FIELDS * DIGITS)
#define TRAILER "TRAILER!!!"

/* Fields of the header that matter here, by their place. */
enum {
	FIELD_MODE = 1,
	FIELD_FILE_SIZE = 6,
	FIELD_NAME_SIZE = 11,
};

struct entry {
	const char *name;
	uint32_t mode;
	const uint8_t *data;
	uint32_t size;
};

static bool get_field(const uint8_t *header, unsigned int number, uint32_t *ret)
{
	char digits[DIGITS + 1] = "", *end;

	memcpy(digits, header + MAGIC_LENGTH + number * DIGITS, DIGITS);
	*ret = (uint32_t)strtoul(digits, &end, 16);
	return *end == '\0';
}

static size_t align4(size_t at)
{
	return (at + 3) & ~(size_t)3;
}

/* 1: an entry, and *at behind it; 0: the end; -EBADMSG. */
static int next(const uint8_t *archive, size_t length, size_t *at, struct entry *ret)
{
	const uint8_t *header = archive + *at;
	uint32_t name_size;
	size_t name_at = *at + HEADER_LENGTH, data_at;

	if (length - *at < HEADER_LENGTH || memcmp(header, MAGIC, MAGIC_LENGTH) != 0 ||
	    !get_field(header, FIELD_MODE, &ret->mode) ||
	    !get_field(header, FIELD_FILE_SIZE, &ret->size) ||
	    !get_field(header, FIELD_NAME_SIZE, &name_size))
		return -EBADMSG;
	if (name_size == 0 || name_size > length - name_at ||
	    archive[name_at + name_size - 1] != '\0')
		return -EBADMSG;
	data_at = align4(name_at + name_size);
	if (data_at > length || ret->size > length - data_at)
		return -EBADMSG;
	ret->name = (const char *)archive + name_at;
	ret->data = archive + data_at;
	*at = align4(data_at + ret->size);
	if (*at > length)
		*at = length;
	return strcmp(ret->name, TRAILER) != 0;
}

static int create_file(const char *path, const struct entry *entry)
{
	_cleanup_close_ int fd = -1;

	(void)unlink(path); /* mostly it is not there */
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, entry->mode & 07777);
	if (fd < 0)
		return -errno;
	return io_write_all(fd, entry->data, entry->size);
}

static int create_link(const char *path, const struct entry *entry)
{
	_cleanup_free_ char *target = strndup((const char *)entry->data, entry->size);

	if (!target)
		return -ENOMEM;
	(void)unlink(path);
	return symlink(target, path) < 0 ? -errno : 0;
}

static int create(const char *root, const struct entry *entry)
{
	_cleanup_free_ char *path = str_format("%s/%s", root, entry->name);

	if (!path)
		return -ENOMEM;
	if (strstr(entry->name, ".."))
		return -EBADMSG;
	if (S_ISDIR(entry->mode))
		return mkdir(path, entry->mode & 07777) < 0 && errno != EEXIST ? -errno : 0;
	if (S_ISREG(entry->mode))
		return create_file(path, entry);
	if (S_ISLNK(entry->mode))
		return create_link(path, entry);
	return -EBADMSG;
}

int unpack(const uint8_t *archive, size_t length, const char *root, struct ktstr_error *err)
{
	struct entry entry = { 0 };
	size_t at = 0;
	int rc;

	while ((rc = next(archive, length, &at, &entry)) == 1) {
		rc = create(root, &entry);
		if (rc == -ENOSPC || rc == -ENOMEM)
			return ktstr_fail(err, rc,
					  "no room for '%s' of the job; give the VM more memory",
					  entry.name);
		if (rc < 0)
			return ktstr_fail(err, rc, "cannot create '%s' of the job: %s", entry.name,
					  strerror(-rc));
	}
	return rc == 0 ? 0 : ktstr_fail(err, rc, "the job is no archive at byte %zu", at);
}
