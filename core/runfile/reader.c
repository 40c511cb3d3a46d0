/* SPDX-License-Identifier: GPL-2.0-only */
#include "runfile/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "wire/frame.h"

/* Read this much at once, so that small records cost no call each. */
#define READ_AHEAD (256u * 1024u)

/*
 * Plain reads into one buffer rather than a mapping: a file that is cut while it is read makes a
 * short read instead of SIGBUS, and memory stays at the largest record whatever the file's size.
 */
struct runfile_reader {
	int fd;
	bool is_own_fd;
	struct runfile_header header;
	uint64_t next_index;
	bool is_ended;
	bool is_torn;
	int failure; /* -errno of a read that failed; 0: the file just ended */
	/* buffer[start .. end) is what the file has from @offset on. */
	uint64_t offset;
	char *buffer;
	size_t size;
	size_t start;
	size_t end;
};

static void seek(struct runfile_reader *reader, uint64_t offset)
{
	reader->offset = offset;
	reader->start = 0;
	reader->end = 0;
	reader->next_index = 0;
	reader->is_ended = false;
	reader->is_torn = false;
	reader->failure = 0;
}

/* Move what is left to the front and make room for @length bytes in all. */
static bool make_room(struct runfile_reader *reader, size_t length)
{
	size_t left = reader->end - reader->start;
	size_t size = length > READ_AHEAD ? length : READ_AHEAD;
	char *grown;

	memmove(reader->buffer, reader->buffer + reader->start, left);
	reader->start = 0;
	reader->end = left;
	if (size <= reader->size)
		return true;
	grown = realloc(reader->buffer, size);
	if (!grown)
		return false;
	reader->buffer = grown;
	reader->size = size;
	return true;
}

/* See that the buffer holds @length bytes from its start on. False: the file has fewer, or
 * cannot be read. */
static bool fill(struct runfile_reader *reader, size_t length)
{
	if (reader->end - reader->start >= length)
		return true;
	if (!make_room(reader, length)) {
		reader->failure = -ENOMEM;
		return false;
	}
	while (reader->end < length) {
		ssize_t n =
			pread(reader->fd, reader->buffer + reader->end, reader->size - reader->end,
			      (off_t)(reader->offset + reader->end));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			reader->failure = -errno;
		if (n <= 0)
			return false;
		reader->end += (size_t)n;
	}
	return true;
}

static void skip(struct runfile_reader *reader, size_t length)
{
	reader->start += length;
	reader->offset += length;
}

static int check_header(const struct runfile_header *header, size_t length, const char *name,
			struct ktstr_error *err)
{
	if (length < sizeof(header->magic) ||
	    memcmp(header->magic, RUNFILE_MAGIC, sizeof(header->magic)) != 0)
		return ktstr_fail(err, -EINVAL, "'%s' is not a run file", name);
	if (length >= offsetof(struct runfile_header, header_size) &&
	    header->version != RUNFILE_VERSION)
		return ktstr_fail(err, -EINVAL,
				  "'%s' is a run file of version %u, this ktstr reads version %u; "
				  "read it with the ktstr that wrote it",
				  name, header->version, RUNFILE_VERSION);
	if (length < sizeof(*header))
		return ktstr_fail(err, -EINVAL,
				  "run file '%s' is cut off within its header (%zu of %zu bytes)",
				  name, length, sizeof(*header));
	if (header->header_size != sizeof(*header) ||
	    header->crc32 != wire_crc32(0, header, offsetof(struct runfile_header, crc32)))
		return ktstr_fail(err, -EINVAL, "run file '%s' has a damaged header", name);
	return 0;
}

static int read_header(struct runfile_reader *reader, const char *name, struct ktstr_error *err)
{
	size_t length;
	int rc;

	if (!fill(reader, sizeof(reader->header)) && reader->failure < 0)
		return ktstr_fail(err, reader->failure, "cannot read '%s': %s", name,
				  strerror(-reader->failure));
	length = reader->end < sizeof(reader->header) ? reader->end : sizeof(reader->header);
	memcpy(&reader->header, reader->buffer, length);
	rc = check_header(&reader->header, length, name, err);
	if (rc == 0)
		skip(reader, sizeof(reader->header));
	return rc;
}

/* Takes @fd when @is_own_fd, even on failure. */
static int open_reader(int fd, bool is_own_fd, const char *name, struct runfile_reader **ret,
		       struct ktstr_error *err)
{
	struct runfile_reader *reader = calloc(1, sizeof(*reader));
	int rc;

	if (!reader) {
		if (is_own_fd)
			(void)close(fd); /* it was only read */
		return ktstr_fail(err, -ENOMEM, "out of memory");
	}
	reader->fd = fd;
	reader->is_own_fd = is_own_fd;
	reader->size = READ_AHEAD;
	reader->buffer = malloc(reader->size);
	rc = reader->buffer ? read_header(reader, name, err)
			    : ktstr_fail(err, -ENOMEM, "out of memory");
	if (rc < 0) {
		runfile_reader_free(reader);
		return rc;
	}
	*ret = reader;
	return 0;
}

int runfile_open_fd(int fd, const char *name, struct runfile_reader **ret, struct ktstr_error *err)
{
	return open_reader(fd, false, name, ret, err);
}

int runfile_open(const char *path, struct runfile_reader **ret, struct ktstr_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return ktstr_fail(err, -errno, "cannot open '%s': %s", path, strerror(errno));
	return open_reader(fd, true, path, ret, err);
}

void runfile_reader_free(struct runfile_reader *reader)
{
	if (!reader)
		return;
	if (reader->is_own_fd)
		(void)close(reader->fd); /* it was only read */
	free(reader->buffer);
	free(reader);
}

const struct runfile_header *runfile_header_of(const struct runfile_reader *reader)
{
	return &reader->header;
}

/* The record at the start of the buffer, if it is whole. */
static bool take(struct runfile_reader *reader, struct runfile_record *ret,
		 const void **ret_payload)
{
	struct runfile_record record;
	const char *payload;
	size_t length;

	if (!fill(reader, sizeof(record)))
		return false;
	memcpy(&record, reader->buffer + reader->start, sizeof(record));
	if (record.header_crc32 !=
		    wire_crc32(0, &record, offsetof(struct runfile_record, header_crc32)) ||
	    record.length > RUNFILE_PAYLOAD_MAX || record.index != reader->next_index)
		return false;
	length = sizeof(record) + record.length + -record.length % RUNFILE_ALIGNMENT;
	if (!fill(reader, length))
		return false;
	payload = reader->buffer + reader->start + sizeof(record);
	if (record.payload_crc32 != wire_crc32(0, payload, record.length))
		return false;
	skip(reader, length);
	reader->next_index++;
	*ret = record;
	*ret_payload = payload;
	return true;
}

int runfile_next(struct runfile_reader *reader, struct runfile_record *ret,
		 const void **ret_payload)
{
	if (!reader->is_ended && take(reader, ret, ret_payload))
		return 1;
	if (!reader->is_ended) {
		reader->is_ended = true;
		reader->is_torn = reader->end > reader->start || reader->failure < 0;
	}
	return 0;
}

bool runfile_is_torn(const struct runfile_reader *reader)
{
	return reader->is_torn;
}

void runfile_rewind(struct runfile_reader *reader)
{
	seek(reader, sizeof(reader->header));
}
