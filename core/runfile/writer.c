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
#include "runfile/batch.h"
#include "wire/frame.h"

struct runfile_writer {
	char *path;
	int fd;
	uint64_t size;	/* of the whole records, with those of the batch */
	uint64_t count; /* of them */
	bool is_broken; /* a half-written record could not be cut off */
	struct batch batch;
};

/* Write all of @parts from @offset on, in one call where the kernel allows it. */
static int write_parts(const struct runfile_writer *writer, struct iovec *parts, size_t count,
		       uint64_t offset, uint64_t *ret_written)
{
	*ret_written = 0;
	while (count > 0) {
		ssize_t n = pwritev(writer->fd, parts, (int)count, (off_t)(offset + *ret_written));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENOSPC;
		*ret_written += (uint64_t)n;
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
	uint64_t written;
	int rc;

	header.crc32 = wire_crc32(0, &header, offsetof(struct runfile_header, crc32));
	rc = write_parts(writer, &part, 1, 0, &written);
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

int runfile_create_fd(int fd, const char *name, uint64_t seed, uint64_t start_realtime_ns,
		      struct runfile_writer **ret, struct ktstr_error *err)
{
	struct runfile_writer *writer = calloc(1, sizeof(*writer));
	int rc;

	if (!writer)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	writer->fd = fd;
	writer->path = strdup(name);
	rc = writer->path ? write_header(writer, seed, start_realtime_ns, err)
			  : ktstr_fail(err, -ENOMEM, "out of memory");
	if (rc < 0) {
		writer->fd = -1; /* still the caller's */
		writer_free(writer);
		return rc;
	}
	*ret = writer;
	return 0;
}

int runfile_create(const char *path, uint64_t seed, uint64_t start_realtime_ns,
		   struct runfile_writer **ret, struct ktstr_error *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	int rc;

	if (fd < 0)
		return ktstr_fail(err, -errno, "cannot create '%s': %s", path, strerror(errno));
	rc = runfile_create_fd(fd, path, seed, start_realtime_ns, ret, err);
	if (rc < 0) {
		(void)close(fd);
		(void)unlink(path); /* it holds nothing */
	}
	return rc;
}

/* The batch could not be written but for its first @written bytes: keep the whole records. */
static int cut(struct runfile_writer *writer, uint64_t written, int code, struct ktstr_error *err)
{
	const struct batch *batch = &writer->batch;
	uint64_t start = writer->size - batch->length, end;
	size_t whole = batch_whole(batch, written, &end);

	writer->size = start + end;
	writer->count -= batch->record_count - whole;
	if (ftruncate(writer->fd, (off_t)writer->size) < 0) {
		writer->is_broken = true;
		return ktstr_fail(
			err, code,
			"cannot append to '%s': %s, nor cut off what was half written: %s",
			writer->path, strerror(-code), strerror(errno));
	}
	return ktstr_fail(err, code, "cannot append to '%s': %s", writer->path, strerror(-code));
}

int runfile_flush(struct runfile_writer *writer, struct ktstr_error *err)
{
	struct batch *batch = &writer->batch;
	uint64_t written;
	int rc;

	if (batch->record_count == 0)
		return 0;
	rc = write_parts(writer, batch->parts, batch->part_count, writer->size - batch->length,
			 &written);
	if (rc < 0)
		rc = cut(writer, written, rc, err);
	batch_clear(batch);
	return rc;
}

int runfile_gather(struct runfile_writer *writer, uint32_t kind, uint32_t tag, uint32_t flags,
		   uint64_t host_ns, const void *payload, uint32_t length, uint32_t payload_crc32,
		   struct ktstr_error *err)
{
	struct runfile_record record = {
		.kind = kind,
		.tag = tag,
		.length = length,
		.flags = flags,
		.host_ns = host_ns,
		.payload_crc32 = payload_crc32,
	};
	int rc;

	if (length > RUNFILE_PAYLOAD_MAX)
		return ktstr_fail(
			err, -EMSGSIZE,
			"cannot append to '%s': a record of %u bytes, at most %u are stored",
			writer->path, length, RUNFILE_PAYLOAD_MAX);
	if (!batch_has_room(&writer->batch, length)) {
		rc = runfile_flush(writer, err);
		if (rc < 0)
			return rc;
	}
	if (writer->is_broken)
		return ktstr_fail(err, -EIO,
				  "cannot append to '%s': it ends in a half-written record",
				  writer->path);
	record.index = writer->count++;
	record.header_crc32 = wire_crc32(0, &record, offsetof(struct runfile_record, header_crc32));
	writer->size -= writer->batch.length;
	batch_add(&writer->batch, &record, payload);
	writer->size += writer->batch.length;
	return 0;
}

int runfile_append(struct runfile_writer *writer, uint32_t kind, uint32_t tag, uint32_t flags,
		   uint64_t host_ns, const void *payload, uint32_t length, struct ktstr_error *err)
{
	uint32_t crc32 = length <= RUNFILE_PAYLOAD_MAX ? wire_crc32(0, payload, length) : 0;
	int rc = runfile_gather(writer, kind, tag, flags, host_ns, payload, length, crc32, err);

	return rc < 0 ? rc : runfile_flush(writer, err);
}

uint64_t runfile_count(const struct runfile_writer *writer)
{
	return writer->count;
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
	int rc;

	if (!writer)
		return 0;
	rc = runfile_flush(writer, err);
	if (close(steal_fd(&writer->fd)) < 0 && rc == 0)
		rc = ktstr_fail(err, -errno, "cannot close '%s': %s", writer->path,
				strerror(errno));
	writer_free(writer);
	return rc;
}
