/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What of a run file is the guest's own, and its digest: two runs are the same when it is.
 *
 * It is every frame in its order, also those of which the file has the header alone, what COM1 and
 * COM2 said, and the captures. Left out is what the host adds: its stamps, its events and counts,
 * how it cut the consoles into records and where these lie between the frames, and how long a
 * capture took.
 */
#ifndef REPORT_STREAM_H
#define REPORT_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ktstr/error.h"
#include "runfile/format.h"

/* Hexadecimal digits of a whole digest, and of as many as a person is shown. */
#define STREAM_DIGEST_LENGTH 64
#define STREAM_DIGEST_SHOWN 16

struct stream_identity {
	char digest[STREAM_DIGEST_LENGTH + 1];
	uint64_t frames; /* that the file has, or of which it has the header */
};

bool stream_is_same(const struct stream_identity *a, const struct stream_identity *b);

/* The digest of records that are handed in one by one, in the order of the file. */
struct stream_hash;

/* NULL when out of memory; freed by stream_hash_free(). */
struct stream_hash *stream_hash_new(void);
void stream_hash_free(struct stream_hash *hash);
void stream_hash_add(struct stream_hash *hash, const struct runfile_record *record,
		     const void *payload);
/* Once, after the last record. */
void stream_hash_end(struct stream_hash *hash, struct stream_identity *ret);

/* The same over a whole file; @runfile_fd is borrowed, @name is for messages. */
int stream_identify(int runfile_fd, const char *name, struct stream_identity *ret,
		    struct ktstr_error *err);

/* Is it a frame, whole or its header alone? */
bool stream_is_frame(const struct runfile_record *record);

/*
 * @payload, of @length bytes, of a capture without what is the host's; returns how many bytes were
 * written to @ret, which has room for a struct runfile_capture. They stand for as many of @payload.
 */
size_t stream_capture_head(const void *payload, size_t length, uint8_t *ret);

#endif
