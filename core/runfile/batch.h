/* SPDX-License-Identifier: GPL-2.0-only */
/* Records that wait to be written together. Not for other modules. */
#ifndef RUNFILE_BATCH_H
#define RUNFILE_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "runfile/format.h"

/* Shorter payloads are copied beside their headers, which costs less than parts of their own. */
#define BATCH_COPY_MAX 512u
#define BATCH_PARTS_MAX 512u
#define BATCH_BYTES ((size_t)64 * 1024)
#define BATCH_RECORDS_MAX (BATCH_BYTES / sizeof(struct runfile_record))

/* Zero-initialise. */
struct batch {
	size_t part_count;
	size_t used; /* of @bytes */
	size_t record_count;
	uint64_t length;		     /* of all records */
	struct iovec parts[BATCH_PARTS_MAX]; /* all records, in order; for one writev() */
	uint64_t ends[BATCH_RECORDS_MAX];    /* of each record, from the start of the batch */
	uint8_t bytes[BATCH_BYTES];	     /* headers, padding, short payloads */
};

/* Is there room for a record with a payload of @length bytes? In an empty one there always is. */
bool batch_has_room(const struct batch *batch, uint32_t length);
/* Add a whole record. A payload of more than BATCH_COPY_MAX bytes is borrowed until
 * batch_clear(). */
void batch_add(struct batch *batch, const struct runfile_record *record, const void *payload);
void batch_clear(struct batch *batch);

/* How many records the first @length bytes hold whole, and where the last of them ends. */
size_t batch_whole(const struct batch *batch, uint64_t length, uint64_t *ret_end);

#endif
