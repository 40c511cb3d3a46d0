/* SPDX-License-Identifier: GPL-2.0-only */
#include "runfile/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "wire/frame.h"

struct runfile_writer {
	char *path;
	int fd;
	uint64_t size; /* of the whole records */
	uint64_t index;
	bool is_broken; /* a half-written record could not be cut off */
};

/* Write all of @parts at the end of the whole records, in one call where the kernel allows it. */
static int write_parts(const struct runfile_writer *writer, struct iovec *parts, int count)
{
	uint64_t offset = writer->size;

	while (count > 0) {
		ssize_t n = pwritev(writer->fd, parts, count, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENOSPC;
		offset += (uint64_t)n;
		while (count > 0 && (size_t)n >= parts->iov_len) {
			n -= (ssize_t)parts->iov_len;
			parts++;
			count--;
		}
		if (count > 0) {
			parts->iov_base = (char *)parts->iov_base + n;
			parts->iov_len -= (size_t)n;
		}
	}
	return 0;
}

static int write_header(struct runfile_writer *writer, uint64_t seed, uint64_t start_realtime_ns,
			struct ktstr_error *err)
{
	struct runfile_header header = {
		.magic = RUNFILE_MAGIC,
		.version = RUNFILE_VERSION,
		.header_size = sizeof(header),
		.start_realtime_ns = start_realtime_ns,
		.seed = seed,
	};
	struct iovec part = { .iov_base = &header, .iov_len = sizeof(header) };
	int rc;

	header.crc32 = wire_crc32(0, &header, offsetof(struct runfile_header, crc32));
	rc = write_parts(writer, &part, 1);
	if (rc < 0)
		return ktstr_fail(err, rc, "cannot write '%s': %s", writer->path, strerror(-rc));
	writer->size = sizeof(header);
	return 0;
}

static void writer_free(struct runfile_writer *writer)
{
	if (writer->fd >= 0)
		(void)close(writer->fd); /* the caller is failing already, or has asked before */
	free(writer->path);
	free(writer);
}

int runfile_create(const char *path, uint64_t seed, uint64_t start_realtime_ns,
		   struct runfile_writer **ret, struct ktstr_error *err)
{
	struct runfile_writer *writer = calloc(1, sizeof(*writer));
	int rc;

	if (!writer)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	writer->fd = -1;
	writer->path = strdup(path);
	if (!writer->path) {
		rc = ktstr_fail(err, -ENOMEM, "out of memory");
		goto free_writer;
	}
	writer->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (writer->fd < 0) {
		rc = ktstr_fail(err, -errno, "cannot create '%s': %s", path, strerror(errno));
		goto free_writer;
	}
	rc = write_header(writer, seed, start_realtime_ns, err);
	if (rc < 0)
		goto remove_file;
	*ret = writer;
	return 0;

remove_file:
	(void)unlink(path); /* it holds nothing */
free_writer:
	writer_free(writer);
	return rc;
}

/* Back to the last whole record, so that the next one follows it. */
static int cut(struct runfile_writer *writer, int code, struct ktstr_error *err)
{
	if (ftruncate(writer->fd, (off_t)writer->size) < 0) {
		writer->is_broken = true;
		return ktstr_fail(
			err, code,
			"cannot append to '%s': %s, nor cut off what was half written: %s",
			writer->path, strerror(-code), strerror(errno));
	}
	return ktstr_fail(err, code, "cannot append to '%s': %s", writer->path, strerror(-code));
}

int runfile_append(struct runfile_writer *writer, uint32_t kind, uint32_t tag, uint32_t flags,
		   uint64_t host_ns, const void *payload, uint32_t length, struct ktstr_error *err)
{
	static const char zeros[RUNFILE_ALIGNMENT];
	size_t padding = -length % RUNFILE_ALIGNMENT;
	struct runfile_record record = {
		.kind = kind,
		.tag = tag,
		.length = length,
		.flags = flags,
		.host_ns = host_ns,
		.index = writer->index,
	};
	struct iovec parts[] = {
		{ .iov_base = &record, .iov_len = sizeof(record) },
		{ .iov_base = (void *)payload, .iov_len = length },
		{ .iov_base = (void *)zeros, .iov_len = padding },
	};
	int rc;

	if (writer->is_broken)
		return ktstr_fail(err, -EIO,
				  "cannot append to '%s': it ends in a half-written record",
				  writer->path);
	if (length > RUNFILE_PAYLOAD_MAX)
		return ktstr_fail(
			err, -EMSGSIZE,
			"cannot append to '%s': a record of %u bytes, at most %u are stored",
			writer->path, length, RUNFILE_PAYLOAD_MAX);
	record.payload_crc32 = wire_crc32(0, payload, length);
	record.header_crc32 = wire_crc32(0, &record, offsetof(struct runfile_record, header_crc32));
	rc = write_parts(writer, parts, ARRAY_SIZE(parts));
	if (rc < 0)
		return cut(writer, rc, err);
	writer->size += sizeof(record) + length + padding;
	writer->index++;
	return 0;
}

uint64_t runfile_size(const struct runfile_writer *writer)
{
	return writer->size;
}

int runfile_dup_readonly(const struct runfile_writer *writer, struct ktstr_error *err)
{
	char path[64];
	int fd;

	/* By the open file, not by its name: the name may be another file's by now. */
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", writer->fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return ktstr_fail(err, -errno, "cannot open '%s' to read it: %s", writer->path,
				  strerror(errno));
	return fd;
}

int runfile_close(struct runfile_writer *writer, struct ktstr_error *err)
{
	int rc = 0;

	if (!writer)
		return 0;
	if (close(steal_fd(&writer->fd)) < 0)
		rc = ktstr_fail(err, -errno, "cannot close '%s': %s", writer->path,
				strerror(errno));
	writer_free(writer);
	return rc;
}
