/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Read a run file, one record after the other, by plain reads into one buffer: memory grows with
 * the largest record, not with the file, and a file that is cut meanwhile only ends early.
 */
#ifndef RUNFILE_READER_H
#define RUNFILE_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "ktstr/error.h"
#include "runfile/format.h"

struct runfile_reader;

/* Open and check the header. -EINVAL with the sentence: not a run file, another version, cut off or
 * damaged header. */
int runfile_open(const char *path, struct runfile_reader **ret, struct ktstr_error *err);
/* The same over an fd, which is borrowed until runfile_reader_free(). */
int runfile_open_fd(int fd, const char *name, struct runfile_reader **ret, struct ktstr_error *err);
void runfile_reader_free(struct runfile_reader *reader);

const struct runfile_header *runfile_header_of(const struct runfile_reader *reader);

/*
 * The next record, its payload aligned to 8 bytes and valid until the next call. 1: there is one;
 * 0: the end. After the end runfile_is_torn() tells whether bytes were left that make no whole
 * record or that could not be read. Records of unknown kind are handed out too.
 */
int runfile_next(struct runfile_reader *reader, struct runfile_record *ret,
		 const void **ret_payload);
bool runfile_is_torn(const struct runfile_reader *reader);
void runfile_rewind(struct runfile_reader *reader);

#endif
