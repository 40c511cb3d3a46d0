/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Append to a run file. What was appended is with the kernel when the call returns, so a crash of
 * this process loses none of it. Records that come in numbers may be gathered instead and are
 * there after the next runfile_flush().
 */
#ifndef RUNFILE_WRITER_H
#define RUNFILE_WRITER_H

#include <stdint.h>

#include "ktstr/error.h"
#include "runfile/format.h"

struct runfile_writer;

/* Create @path (must not exist). */
int runfile_create(const char *path, uint64_t seed, uint64_t start_realtime_ns,
		   struct runfile_writer **ret, struct ktstr_error *err);
/* The same over an empty file that is open for writing. Takes @fd on success; @name is for errors.
 */
int runfile_create_fd(int fd, const char *name, uint64_t seed, uint64_t start_realtime_ns,
		      struct runfile_writer **ret, struct ktstr_error *err);

/*
 * Append one record, and what was gathered before it. -EMSGSIZE for a payload over
 * RUNFILE_PAYLOAD_MAX. -ENOSPC and the like come back with the text; a half-written record is cut
 * off again, and a later append may succeed.
 */
int runfile_append(struct runfile_writer *writer, uint32_t kind, uint32_t tag, uint32_t flags,
		   uint64_t host_ns, const void *payload, uint32_t length, struct ktstr_error *err);

/*
 * As runfile_append() for one of many: the record is only gathered, and @payload, whose CRC is
 * @payload_crc32, must stay as it is until the next runfile_flush(). A full batch is written at
 * once. A failure concerns the whole batch: see runfile_flush().
 */
int runfile_gather(struct runfile_writer *writer, uint32_t kind, uint32_t tag, uint32_t flags,
		   uint64_t host_ns, const void *payload, uint32_t length, uint32_t payload_crc32,
		   struct ktstr_error *err);
/* Write what was gathered, in one call where the kernel allows it. After a failure the file has
 * those records of the batch that were written whole, and the others are lost. */
int runfile_flush(struct runfile_writer *writer, struct ktstr_error *err);

/* Bytes of all whole records, with the file's header and with those that are only gathered. */
uint64_t runfile_size(const struct runfile_writer *writer);
/* The records themselves, counted in the same way. */
uint64_t runfile_count(const struct runfile_writer *writer);
/* A second, read-only descriptor of the file, close-on-exec; the caller closes. Or -errno. */
int runfile_dup_readonly(const struct runfile_writer *writer, struct ktstr_error *err);
/* Flush, close and free, on failure too. NULL is fine. */
int runfile_close(struct runfile_writer *writer, struct ktstr_error *err);

#endif
