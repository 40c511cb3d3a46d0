/* SPDX-License-Identifier: GPL-2.0-only */
#include "runfile/batch.h"

#include <assert.h>
#include <string.h>

/* A header, a payload, its padding. */
#define PARTS_PER_RECORD 3u

bool batch_has_room(const struct batch *batch, uint32_t length)
{
	size_t copied = sizeof(struct runfile_record) + RUNFILE_ALIGNMENT;

	if (length <= BATCH_COPY_MAX)
		copied += length;
	return batch->record_count < BATCH_RECORDS_MAX && batch->used + copied <= BATCH_BYTES &&
	       batch->part_count + PARTS_PER_RECORD <= BATCH_PARTS_MAX;
}

static void add_part(struct batch *batch, const void *data, size_t length)
{
	assert(batch->part_count < BATCH_PARTS_MAX);
	batch->parts[batch->part_count++] = (struct iovec){
		.iov_base = (void *)data,
		.iov_len = length,
	};
}

/* Room for @length bytes, as part of the batch: what follows upon other bytes is one part with
 * them. */
static uint8_t *add_bytes(struct batch *batch, size_t length)
{
	uint8_t *at = batch->bytes + batch->used;
	struct iovec *last = batch->part_count > 0 ? &batch->parts[batch->part_count - 1] : NULL;

	assert(length <= BATCH_BYTES - batch->used);
	batch->used += length;
	if (last && (uint8_t *)last->iov_base + last->iov_len == at)
		last->iov_len += length;
	else
		add_part(batch, at, length);
	return at;
}

void batch_add(struct batch *batch, const struct runfile_record *record, const void *payload)
{
	size_t padding = -record->length % RUNFILE_ALIGNMENT;
	uint8_t *at;

	assert(batch_has_room(batch, record->length));
	if (record->length > BATCH_COPY_MAX) {
		memcpy(add_bytes(batch, sizeof(*record)), record, sizeof(*record));
		add_part(batch, payload, record->length);
		if (padding > 0)
			memset(add_bytes(batch, padding), 0, padding);
	} else {
		at = add_bytes(batch, sizeof(*record) + record->length + padding);
		memcpy(at, record, sizeof(*record));
		if (record->length > 0)
			memcpy(at + sizeof(*record), payload, record->length);
		memset(at + sizeof(*record) + record->length, 0, padding);
	}
	batch->length += sizeof(*record) + record->length + padding;
	batch->ends[batch->record_count++] = batch->length;
}

void batch_clear(struct batch *batch)
{
	batch->part_count = 0;
	batch->used = 0;
	batch->record_count = 0;
	batch->length = 0;
}

size_t batch_whole(const struct batch *batch, uint64_t length, uint64_t *ret_end)
{
	size_t count = 0;

	while (count < batch->record_count && batch->ends[count] <= length)
		count++;
	*ret_end = count > 0 ? batch->ends[count - 1] : 0;
	return count;
}
