/* SPDX-License-Identifier: GPL-2.0-only */
/* Append to a run file. One write per record; nothing is buffered, so a crash loses nothing that
 * was appended. */
#ifndef RUNFILE_WRITER_H
#define RUNFILE_WRITER_H

#include <stdint.h>

#include "ktstr/error.h"
#include "runfile/format.h"

struct runfile_writer;

/* Create @path (must not exist). */
int runfile_create(const char *path, uint64_t seed, uint64_t start_realtime_ns,
		   struct runfile_writer **ret, struct ktstr_error *err);

/*
 * Append one record. -EMSGSIZE for a payload over RUNFILE_PAYLOAD_MAX. -ENOSPC and the like come
 * back with the text; a half-written record is cut off again, and a later append may succeed.
 */
int runfile_append(struct runfile_writer *writer, uint32_t kind, uint32_t tag, uint32_t flags,
		   uint64_t host_ns, const void *payload, uint32_t length, struct ktstr_error *err);

/* Bytes of all whole records, with the file's header. */
uint64_t runfile_size(const struct runfile_writer *writer);
/* A second, read-only descriptor of the file, close-on-exec; the caller closes. Or -errno. */
int runfile_dup_readonly(const struct runfile_writer *writer, struct ktstr_error *err);
/* Close and free, on failure too. NULL is fine. */
int runfile_close(struct runfile_writer *writer, struct ktstr_error *err);

#endif
