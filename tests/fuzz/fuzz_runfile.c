/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Run files. Each input is read as it is, and once more with its CRCs and indices put right, so
 * that what lies behind them is reached.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "fuzz/fuzz.h"
#include "runfile/reader.h"
#include "wire/frame.h"

/* The records until the end, each of them inside the file. */
static uint64_t read_all(struct runfile_reader *reader, size_t size)
{
	size_t used = sizeof(struct runfile_header);
	struct runfile_record record;
	const void *payload = NULL;
	uint64_t count = 0;
	volatile char sum = 0;

	while (runfile_next(reader, &record, &payload) == 1) {
		FUZZ_REQUIRE(record.index == count);
		FUZZ_REQUIRE((uintptr_t)payload % RUNFILE_ALIGNMENT == 0);
		used += sizeof(record) + record.length + -record.length % RUNFILE_ALIGNMENT;
		FUZZ_REQUIRE(used <= size);
		for (uint32_t i = 0; i < record.length; i++)
			sum = (char)(sum + ((const char *)payload)[i]);
		count++;
	}
	FUZZ_REQUIRE(runfile_is_torn(reader) == (used < size));
	FUZZ_REQUIRE(runfile_next(reader, &record, &payload) == 0);
	return count;
}

static uint64_t read_file(const uint8_t *data, size_t size)
{
	struct runfile_reader *reader = NULL;
	struct ktstr_error err = { 0 };
	_cleanup_close_ int fd = io_memfd("run", data, size, &err);
	uint64_t count;

	if (fd < 0)
		return 0;
	if (runfile_open_fd(fd, "run", &reader, &err) < 0) {
		FUZZ_REQUIRE(err.text[0] != '\0');
		return 0;
	}
	count = read_all(reader, size);
	runfile_rewind(reader);
	FUZZ_REQUIRE(read_all(reader, size) == count);
	runfile_reader_free(reader);
	return count;
}

/* Returns how many whole records the file has after it. */
static uint64_t put_right(uint8_t *data, size_t size)
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ uint8_t *copy = NULL;

	(void)read_file(data, size);
	if (size < sizeof(struct runfile_header))
		return 0;
	copy = malloc(size);
	if (!copy)
		return 0;
	memcpy(copy, data, size);
	FUZZ_REQUIRE(put_right(copy, size) == read_file(copy, size));
	return 0;
}
