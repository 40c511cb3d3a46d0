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
#include "fuzz/put_right.h"
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
	FUZZ_REQUIRE(put_runfile_right(copy, size) == read_file(copy, size));
	return 0;
}
