/* SPDX-License-Identifier: GPL-2.0-only */
/* Give made-up bytes the checksums that let them through to what lies behind. */
#ifndef FUZZ_PUT_RIGHT_H
#define FUZZ_PUT_RIGHT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "runfile/format.h"
#include "wire/frame.h"

/*
 * A run file: header, indices and CRCs, up to the record that is not whole. @data has at least the
 * size of the header. Returns how many whole records the file has after it.
 */
static inline uint64_t put_runfile_right(uint8_t *data, size_t size)
{
	struct runfile_header header;
	size_t at = sizeof(header);
	uint64_t count = 0;

	memcpy(&header, data, sizeof(header));
	memcpy(header.magic, RUNFILE_MAGIC, sizeof(header.magic));
	header.version = RUNFILE_VERSION;
	header.header_size = sizeof(header);
	header.crc32 = wire_crc32(0, &header, offsetof(struct runfile_header, crc32));
	memcpy(data, &header, sizeof(header));
	while (size - at >= sizeof(struct runfile_record)) {
		struct runfile_record record;
		size_t whole;

		memcpy(&record, data + at, sizeof(record));
		whole = sizeof(record) + (size_t)record.length + -record.length % RUNFILE_ALIGNMENT;
		if (whole <= size - at)
			record.payload_crc32 =
				wire_crc32(0, data + at + sizeof(record), record.length);
		record.index = count;
		record.header_crc32 =
			wire_crc32(0, &record, offsetof(struct runfile_record, header_crc32));
		memcpy(data + at, &record, sizeof(record));
		if (record.length > RUNFILE_PAYLOAD_MAX || whole > size - at)
			break;
		at += whole;
		count++;
	}
	return count;
}

#endif
