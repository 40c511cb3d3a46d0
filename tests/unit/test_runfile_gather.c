/* SPDX-License-Identifier: GPL-2.0-only */
/* Records that are gathered and written together. */
#include "runfile/writer.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "runfile/reader.h"
#include "support/scratch.h"
#include "wire/frame.h"

static struct scratch scratch;
static const char *path;

static void setup(void)
{
	scratch_init(&scratch);
	path = scratch_path(&scratch, "run");
}

static void teardown(void)
{
	scratch_done(&scratch);
}

TestSuite(runfile_gather, .init = setup, .fini = teardown);

static struct runfile_writer *create(void)
{
	struct runfile_writer *writer = NULL;
	struct ktstr_error err;

	cr_assert_eq(runfile_create(path, 42, 1234567890, &writer, &err), 0, "%s", err.text);
	return writer;
}

static void append(struct runfile_writer *writer, uint32_t kind, uint32_t tag, const void *payload,
		   uint32_t length)
{
	struct ktstr_error err;

	cr_assert_eq(runfile_append(writer, kind, tag, 0, 77, payload, length, &err), 0, "%s",
		     err.text);
}

static void finish(struct runfile_writer *writer)
{
	struct ktstr_error err;

	cr_assert_eq(runfile_close(writer, &err), 0, "%s", err.text);
}

static struct runfile_reader *reopen(void)
{
	struct runfile_reader *reader = NULL;
	struct ktstr_error err;

	cr_assert_eq(runfile_open(path, &reader, &err), 0, "%s", err.text);
	return reader;
}

static unsigned int count(bool *ret_is_torn)
{
	struct runfile_reader *reader = reopen();
	struct runfile_record record;
	unsigned int records = 0;
	const void *payload;

	while (runfile_next(reader, &record, &payload) == 1)
		records++;
	*ret_is_torn = runfile_is_torn(reader);
	runfile_reader_free(reader);
	return records;
}

static void limit_file_size(rlim_t bytes)
{
	struct rlimit limit = { .rlim_cur = bytes, .rlim_max = RLIM_INFINITY };

	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Records of every size that is treated in its own way, many of them: more than one batch. */
static const uint32_t gather_lengths[] = { 0, 1, 7, 8, 24, 511, 512, 513, 514, 4096, 70000 };
#define GATHER_COUNT 5000u

static uint32_t gather_length(uint32_t number)
{
	return gather_lengths[number % ARRAY_SIZE(gather_lengths)];
}

static void gather(struct runfile_writer *writer, uint32_t number, const uint8_t *payload)
{
	struct ktstr_error err = { 0 };
	uint32_t length = gather_length(number);
	uint64_t size = runfile_size(writer), padded = (length + 7) / 8 * 8;

	cr_assert_eq(runfile_gather(writer, RUNFILE_FRAME, number, KTSTR_FRAME_CRC_OK, 77, payload,
				    length, wire_crc32(0, payload, length), &err),
		     0, "%s", err.text);
	cr_assert_eq(runfile_size(writer), size + sizeof(struct runfile_record) + padded);
}

Test(runfile_gather, gathered_records_come_in_order)
{
	static uint8_t payload[70000];
	struct runfile_writer *writer = create();
	struct runfile_reader *reader;
	struct runfile_record record;
	const void *got;

	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 7 + i / 256);
	for (uint32_t i = 0; i < GATHER_COUNT; i++)
		gather(writer, i, payload);
	cr_assert_eq(runfile_count(writer), GATHER_COUNT);
	append(writer, RUNFILE_EVENT, RUNFILE_EVENT_WARNING, "last", 4);
	finish(writer);
	reader = reopen();
	for (uint32_t i = 0; i < GATHER_COUNT; i++) {
		cr_assert_eq(runfile_next(reader, &record, &got), 1);
		cr_assert_eq(record.tag, i);
		cr_assert_eq(record.length, gather_length(i));
		cr_assert_eq(memcmp(got, payload, record.length), 0);
	}
	cr_assert_eq(runfile_next(reader, &record, &got), 1);
	cr_assert_eq(record.kind, RUNFILE_EVENT);
	cr_assert_eq(runfile_next(reader, &record, &got), 0);
	cr_assert_not(runfile_is_torn(reader));
	runfile_reader_free(reader);
}

Test(runfile_gather, a_flush_is_with_the_kernel)
{
	struct runfile_writer *writer = create();
	struct ktstr_error err = { 0 };
	bool is_torn;

	gather(writer, 4, (const uint8_t *)"abcdefghijklmnopqrstuvwx");
	cr_assert_eq(count(&is_torn), 0);
	cr_assert_eq(runfile_flush(writer, &err), 0);
	cr_assert_eq(count(&is_torn), 1);
	cr_assert_eq(runfile_flush(writer, &err), 0, "an empty one does nothing");
	cr_assert_eq(count(&is_torn), 1);
	finish(writer);
}

Test(runfile_gather, a_close_flushes)
{
	struct runfile_writer *writer = create();
	bool is_torn;

	gather(writer, 4, (const uint8_t *)"abcdefghijklmnopqrstuvwx");
	finish(writer);
	cr_assert_eq(count(&is_torn), 1);
}

/* The batch has 64 bytes a record, and the header of the file 64: the limit cuts the sixth. */
Test(runfile_gather, full_disk_keeps_the_whole_records_of_a_batch)
{
	struct runfile_writer *writer = create();
	struct ktstr_error err = { 0 };
	char want[512];
	bool is_torn;

	(void)signal(SIGXFSZ, SIG_IGN);
	limit_file_size(64 + 5 * 64 + 50);
	for (int i = 0; i < 10; i++)
		gather(writer, 4, (const uint8_t *)"abcdefghijklmnopqrstuvwx");
	cr_assert_eq(runfile_flush(writer, &err), -EFBIG);
	(void)snprintf(want, sizeof(want), "cannot append to '%s': File too large", path);
	cr_assert_str_eq(err.text, want);
	cr_assert_eq(runfile_count(writer), 5);
	cr_assert_eq(runfile_size(writer), 64 + 5 * 64);
	limit_file_size(RLIM_INFINITY);
	gather(writer, 4, (const uint8_t *)"abcdefghijklmnopqrstuvwx");
	finish(writer);
	cr_assert_eq(count(&is_torn), 6);
	cr_assert_not(is_torn);
}

Test(runfile_gather, writes_to_a_descriptor)
{
	struct runfile_writer *writer;
	struct ktstr_error err = { 0 };
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	cr_assert_eq(runfile_create_fd(fd, "full", 1, 2, &writer, &err), -ENOSPC);
	cr_assert_str_eq(err.text, "cannot write 'full': No space left on device");
	cr_assert_eq(close(fd), 0, "it is still the caller's");
	fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	cr_assert_eq(runfile_create_fd(fd, "null", 1, 2, &writer, &err), 0);
	append(writer, RUNFILE_FRAME, 1, "x", 1);
	cr_assert_eq(runfile_count(writer), 1);
	finish(writer);
	cr_assert_lt(close(fd), 0, "the writer has closed it");
}
