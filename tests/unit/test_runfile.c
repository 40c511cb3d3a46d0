/* SPDX-License-Identifier: GPL-2.0-only */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "runfile/reader.h"
#include "runfile/writer.h"
#include "wire/frame.h"

static char folder[] = "/tmp/ktstr-runfile-XXXXXX";
static char path[64];

static void make_folder(void)
{
	cr_assert(mkdtemp(folder) != NULL);
	(void)snprintf(path, sizeof(path), "%s/run", folder);
}

static void remove_folder(void)
{
	(void)unlink(path);
	(void)rmdir(folder);
}

TestSuite(runfile, .init = make_folder, .fini = remove_folder);

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

	cr_assert_eq(
		runfile_append(writer, kind, tag, KTSTR_FRAME_CRC_OK, 77, payload, length, &err), 0,
		"%s", err.text);
}

static void finish(struct runfile_writer *writer)
{
	struct ktstr_error err;

	cr_assert_eq(runfile_close(writer, &err), 0, "%s", err.text);
}

/* Three records: 4 bytes, none, 16 bytes. */
static void write_sample(void)
{
	struct runfile_writer *writer = create();

	append(writer, RUNFILE_META, 0, "{\"a\"", 4);
	append(writer, RUNFILE_FRAME, KTSTR_MSG_SCENARIO_START, NULL, 0);
	append(writer, RUNFILE_CONSOLE, 0, "sixteen bytes, y", 16);
	finish(writer);
}

static size_t slurp(char *buffer, size_t size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	cr_assert(fd >= 0);
	n = read(fd, buffer, size);
	cr_assert(n >= 0);
	return (size_t)n;
}

static void put(const char *bytes, size_t length)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	cr_assert(fd >= 0);
	cr_assert_eq(write(fd, bytes, length), (ssize_t)length);
}

static struct runfile_reader *open_run(void)
{
	struct runfile_reader *reader = NULL;
	struct ktstr_error err;

	cr_assert_eq(runfile_open(path, &reader, &err), 0, "%s", err.text);
	return reader;
}

/* How many whole records the file has. */
static unsigned int count(bool *ret_is_torn)
{
	struct runfile_reader *reader = open_run();
	struct runfile_record record;
	unsigned int records = 0;
	const void *payload;

	while (runfile_next(reader, &record, &payload) == 1)
		records++;
	*ret_is_torn = runfile_is_torn(reader);
	runfile_reader_free(reader);
	return records;
}

/* Refused by the sentence "@before'PATH' @after". */
static void assert_refused(const char *before, const char *after)
{
	struct runfile_reader *reader = NULL;
	struct ktstr_error err = { 0 };
	char want[512];

	(void)snprintf(want, sizeof(want), "%s'%s' %s", before, path, after);
	cr_assert_eq(runfile_open(path, &reader, &err), -EINVAL);
	cr_assert_str_eq(err.text, want);
	cr_assert_null(reader);
}

Test(runfile, layout_is_pinned)
{
	cr_assert_eq(sizeof(struct runfile_header), 64);
	cr_assert_eq(offsetof(struct runfile_header, crc32), 60);
	cr_assert_eq(sizeof(struct runfile_record), 40);
	cr_assert_eq(offsetof(struct runfile_record, host_ns), 16);
	cr_assert_eq(offsetof(struct runfile_record, payload_crc32), 32);
	cr_assert_eq(offsetof(struct runfile_record, header_crc32), 36);
	cr_assert_eq(sizeof(struct runfile_summary), 112);
	cr_assert_eq(RUNFILE_SUMMARY_MIN, 104);
	cr_assert_eq(sizeof(struct runfile_capture), 112);
	cr_assert_eq(offsetof(struct runfile_capture, hit_number), 24);
	cr_assert_eq(offsetof(struct runfile_capture, frozen_ns), 32);
	cr_assert_eq(offsetof(struct runfile_capture, tag), 40);
	cr_assert_eq(sizeof(struct runfile_cpu), 208);
	cr_assert_eq(offsetof(struct runfile_cpu, rip), 128);
	cr_assert_eq(offsetof(struct runfile_cpu, cr3), 160);
	cr_assert_eq(offsetof(struct runfile_cpu, cpl), 200);
	cr_assert_eq(sizeof(struct runfile_range), 16);
	cr_assert_eq(offsetof(struct runfile_summary, headers_crc32), 64);
}

Test(runfile, gives_back_what_was_appended)
{
	struct runfile_record record;
	struct runfile_reader *reader;
	const void *payload;

	write_sample();
	reader = open_run();
	cr_assert_eq(runfile_header_of(reader)->seed, 42);
	cr_assert_eq(runfile_header_of(reader)->start_realtime_ns, 1234567890);

	cr_assert_eq(runfile_next(reader, &record, &payload), 1);
	cr_assert_eq(record.kind, RUNFILE_META);
	cr_assert_eq(record.length, 4);
	cr_assert_eq(record.index, 0);
	cr_assert_eq(record.host_ns, 77);
	cr_assert_eq(memcmp(payload, "{\"a\"", 4), 0);

	cr_assert_eq(runfile_next(reader, &record, &payload), 1);
	cr_assert_eq(record.tag, KTSTR_MSG_SCENARIO_START);
	cr_assert_eq(record.flags, KTSTR_FRAME_CRC_OK);
	cr_assert_eq(record.length, 0);

	cr_assert_eq(runfile_next(reader, &record, &payload), 1);
	cr_assert_eq(record.index, 2);
	cr_assert_eq(memcmp(payload, "sixteen bytes, y", 16), 0);
	cr_assert_eq((uintptr_t)payload % RUNFILE_ALIGNMENT, 0);

	cr_assert_eq(runfile_next(reader, &record, &payload), 0);
	cr_assert_not(runfile_is_torn(reader));
	cr_assert_eq(runfile_next(reader, &record, &payload), 0);
	runfile_reader_free(reader);
}

Test(runfile, rewinds)
{
	struct runfile_record record;
	struct runfile_reader *reader;
	const void *payload;

	write_sample();
	reader = open_run();
	while (runfile_next(reader, &record, &payload) == 1)
		;
	runfile_rewind(reader);
	cr_assert_eq(runfile_next(reader, &record, &payload), 1);
	cr_assert_eq(record.index, 0);
	cr_assert_eq(record.kind, RUNFILE_META);
	runfile_reader_free(reader);
}

Test(runfile, holds_records_of_every_size)
{
	static const uint32_t lengths[] = { 0,	    1,	    7,	    8,	     9,
					    262103, 262104, 262105, 1048576, RUNFILE_PAYLOAD_MAX };
	_cleanup_free_ char *bytes = malloc(RUNFILE_PAYLOAD_MAX);
	struct runfile_writer *writer = create();
	struct runfile_record record;
	struct runfile_reader *reader;
	const void *payload;

	cr_assert_not_null(bytes);
	for (size_t i = 0; i < RUNFILE_PAYLOAD_MAX; i++)
		bytes[i] = (char)(i * 31 >> 3);
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++)
		append(writer, RUNFILE_FRAME, (uint32_t)i, bytes, lengths[i]);
	finish(writer);

	reader = open_run();
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		cr_assert_eq(runfile_next(reader, &record, &payload), 1);
		cr_assert_eq(record.length, lengths[i]);
		cr_assert_eq(memcmp(payload, bytes, lengths[i]), 0);
	}
	cr_assert_eq(runfile_next(reader, &record, &payload), 0);
	cr_assert_not(runfile_is_torn(reader));
	runfile_reader_free(reader);
}

Test(runfile, size_is_that_of_the_file)
{
	struct runfile_writer *writer = create();
	struct stat st;

	cr_assert_eq(runfile_size(writer), 64);
	append(writer, RUNFILE_CONSOLE, 0, "123456789", 9);
	cr_assert_eq(runfile_size(writer), 64 + 40 + 16);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq((uint64_t)st.st_size, runfile_size(writer));
	finish(writer);
}

Test(runfile, cuts_a_tail_torn_at_any_byte)
{
	char bytes[512];
	size_t length, last;
	bool is_torn;

	write_sample();
	length = slurp(bytes, sizeof(bytes));
	last = length - 40 - 16;
	for (size_t cut = last; cut < length; cut++) {
		put(bytes, cut);
		cr_assert_eq(count(&is_torn), 2, "cut at byte %zu", cut);
		cr_assert_eq(is_torn, cut != last, "cut at byte %zu", cut);
	}
}

Test(runfile, ends_at_a_record_with_a_flipped_bit)
{
	char bytes[512];
	size_t length, middle = 64 + 40 + 8;
	bool is_torn;

	write_sample();
	length = slurp(bytes, sizeof(bytes));
	for (size_t bit = middle * 8; bit < length * 8; bit++) {
		bytes[bit / 8] ^= (char)(1 << bit % 8);
		put(bytes, length);
		cr_assert_eq(count(&is_torn), bit / 8 < middle + 40 ? 1 : 2, "bit %zu", bit);
		cr_assert(is_torn, "bit %zu", bit);
		bytes[bit / 8] ^= (char)(1 << bit % 8);
	}
}

Test(runfile, ends_at_a_length_above_the_cap)
{
	struct runfile_record record = { .kind = RUNFILE_FRAME, .length = RUNFILE_PAYLOAD_MAX + 1 };
	struct runfile_writer *writer = create();
	char bytes[128];
	bool is_torn;

	finish(writer);
	cr_assert_eq(slurp(bytes, sizeof(bytes)), 64);
	record.header_crc32 = wire_crc32(0, &record, offsetof(struct runfile_record, header_crc32));
	memcpy(bytes + 64, &record, sizeof(record));
	put(bytes, 64 + sizeof(record));
	cr_assert_eq(count(&is_torn), 0);
	cr_assert(is_torn);
}

Test(runfile, ends_at_a_record_out_of_order)
{
	char bytes[512], swapped[512];
	size_t length;
	bool is_torn;

	write_sample();
	length = slurp(bytes, sizeof(bytes));
	/* The second and third record change places. */
	memcpy(swapped, bytes, 64 + 48);
	memcpy(swapped + 112, bytes + 152, 56);
	memcpy(swapped + 168, bytes + 112, 40);
	put(swapped, length);
	cr_assert_eq(count(&is_torn), 1);
	cr_assert(is_torn);
}

Test(runfile, file_that_shrinks_while_it_is_read_only_ends_early)
{
	_cleanup_free_ char *bytes = calloc(1, 1048576);
	struct runfile_writer *writer = create();
	struct runfile_record record;
	struct runfile_reader *reader;
	const void *payload;

	for (int i = 0; i < 8; i++)
		append(writer, RUNFILE_FRAME, 0, bytes, 1048576);
	reader = open_run();
	cr_assert_eq(runfile_next(reader, &record, &payload), 1);
	cr_assert_eq(truncate(path, 3000000), 0);
	cr_assert_eq(runfile_next(reader, &record, &payload), 1);
	cr_assert_eq(runfile_next(reader, &record, &payload), 0);
	cr_assert(runfile_is_torn(reader));
	runfile_reader_free(reader);
	finish(writer);
}

Test(runfile, refuses_what_is_no_run_file)
{
	put("#!/bin/sh\necho a text that is longer than the header of any run file is\n", 72);
	assert_refused("", "is not a run file");
	put("", 0);
	assert_refused("", "is not a run file");
}

Test(runfile, refuses_another_version)
{
	char bytes[512];
	size_t length;

	write_sample();
	length = slurp(bytes, sizeof(bytes));
	bytes[8] = 1;
	put(bytes, length);
	assert_refused("", "is a run file of version 1, this ktstr reads version 2; read it with "
			   "the ktstr that wrote it");
}

Test(runfile, refuses_a_cut_header)
{
	char bytes[512];

	write_sample();
	(void)slurp(bytes, sizeof(bytes));
	put(bytes, 63);
	assert_refused("run file ", "is cut off within its header (63 of 64 bytes)");
}

Test(runfile, refuses_a_damaged_header_bit_by_bit)
{
	char bytes[512];
	size_t length;

	write_sample();
	length = slurp(bytes, sizeof(bytes));
	for (size_t bit = 12 * 8; bit < 64 * 8; bit++) {
		bytes[bit / 8] ^= (char)(1 << bit % 8);
		put(bytes, length);
		assert_refused("run file ", "has a damaged header");
		bytes[bit / 8] ^= (char)(1 << bit % 8);
	}
}

Test(runfile, says_which_file_cannot_be_opened)
{
	struct runfile_reader *reader = NULL;
	struct ktstr_error err = { 0 };
	char want[512];

	cr_assert_eq(runfile_open(path, &reader, &err), -ENOENT);
	(void)snprintf(want, sizeof(want), "cannot open '%s': No such file or directory", path);
	cr_assert_str_eq(err.text, want);
}

Test(runfile, says_that_a_folder_cannot_be_read)
{
	struct runfile_reader *reader = NULL;
	struct ktstr_error err = { 0 };
	char want[512];

	cr_assert_eq(runfile_open(folder, &reader, &err), -EISDIR);
	(void)snprintf(want, sizeof(want), "cannot read '%s': Is a directory", folder);
	cr_assert_str_eq(err.text, want);
}

Test(runfile, never_overwrites)
{
	struct runfile_writer *writer = NULL;
	struct ktstr_error err = { 0 };
	char want[512];

	put("precious", 8);
	cr_assert_eq(runfile_create(path, 0, 0, &writer, &err), -EEXIST);
	(void)snprintf(want, sizeof(want), "cannot create '%s': File exists", path);
	cr_assert_str_eq(err.text, want);
}

Test(runfile, refuses_a_payload_above_the_cap)
{
	struct runfile_writer *writer = create();
	struct ktstr_error err = { 0 };
	char want[512];

	cr_assert_eq(
		runfile_append(writer, RUNFILE_FRAME, 0, 0, 0, "", RUNFILE_PAYLOAD_MAX + 1, &err),
		-EMSGSIZE);
	(void)snprintf(want, sizeof(want),
		       "cannot append to '%s': a record of 16777217 bytes, at most 16777216 are "
		       "stored",
		       path);
	cr_assert_str_eq(err.text, want);
	cr_assert_eq(runfile_size(writer), 64);
	finish(writer);
}

static void limit_file_size(rlim_t bytes)
{
	struct rlimit limit = { .rlim_cur = bytes, .rlim_max = RLIM_INFINITY };

	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* The limit lets a part of the record through, as a disk that fills up does. */
Test(runfile, full_disk_leaves_whole_records)
{
	struct runfile_writer *writer = create();
	struct ktstr_error err = { 0 };
	char large[4096] = { 0 }, want[512];
	struct stat st;
	bool is_torn;

	(void)signal(SIGXFSZ, SIG_IGN); /* the write then fails with EFBIG */
	append(writer, RUNFILE_FRAME, 1, "first", 5);
	limit_file_size(1000);
	cr_assert_eq(runfile_append(writer, RUNFILE_FRAME, 2, 0, 0, large, sizeof(large), &err),
		     -EFBIG);
	(void)snprintf(want, sizeof(want), "cannot append to '%s': File too large", path);
	cr_assert_str_eq(err.text, want);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq((uint64_t)st.st_size, runfile_size(writer));

	/* What still fits is taken, and follows the last whole record. */
	append(writer, RUNFILE_EVENT, RUNFILE_EVENT_WARNING, "disk full", 9);
	limit_file_size(RLIM_INFINITY);
	finish(writer);
	cr_assert_eq(count(&is_torn), 2);
	cr_assert_not(is_torn);
}

Test(runfile, full_disk_at_the_start_leaves_no_file)
{
	struct runfile_writer *writer = NULL;
	struct ktstr_error err = { 0 };
	char want[512];

	(void)signal(SIGXFSZ, SIG_IGN);
	limit_file_size(10);
	cr_assert_eq(runfile_create(path, 0, 0, &writer, &err), -EFBIG);
	limit_file_size(RLIM_INFINITY);
	(void)snprintf(want, sizeof(want), "cannot write '%s': File too large", path);
	cr_assert_str_eq(err.text, want);
	cr_assert_eq(access(path, F_OK), -1);
}

Test(runfile, second_descriptor_reads_while_the_first_writes)
{
	struct runfile_writer *writer = create();
	struct runfile_reader *reader = NULL;
	struct runfile_record record;
	struct ktstr_error err;
	const void *payload;
	int fd;

	append(writer, RUNFILE_CONSOLE, 0, "abc", 3);
	fd = runfile_dup_readonly(writer, &err);
	cr_assert(fd >= 0, "%s", err.text);
	cr_assert_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	cr_assert_eq(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	cr_assert_eq(runfile_open_fd(fd, "run", &reader, &err), 0);
	cr_assert_eq(runfile_next(reader, &record, &payload), 1);
	cr_assert_eq(runfile_next(reader, &record, &payload), 0);
	append(writer, RUNFILE_CONSOLE, 0, "def", 3);
	runfile_rewind(reader);
	cr_assert_eq(runfile_next(reader, &record, &payload), 1);
	cr_assert_eq(runfile_next(reader, &record, &payload), 1);
	cr_assert_eq(memcmp(payload, "def", 3), 0);
	runfile_reader_free(reader);
	cr_assert_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC, "a borrowed fd stays open");
	(void)close(fd);
	finish(writer);
}

Test(runfile, seals_with_a_summary)
{
	struct runfile_summary summary = { .size = sizeof(summary),
					   .frames_received = 3,
					   .exit_code = -1 },
			       back;
	struct runfile_writer *writer = create();
	struct runfile_record record;
	struct runfile_reader *reader;
	const void *payload;

	append(writer, RUNFILE_SUMMARY, 0, &summary, sizeof(summary));
	finish(writer);
	reader = open_run();
	cr_assert_eq(runfile_next(reader, &record, &payload), 1);
	cr_assert_eq(record.kind, RUNFILE_SUMMARY);
	cr_assert_eq(record.length, sizeof(back));
	memcpy(&back, payload, sizeof(back));
	cr_assert_eq(memcmp(&back, &summary, sizeof(back)), 0);
	runfile_reader_free(reader);
}

static long peak_rss_kib(void)
{
	struct rusage usage;

	cr_assert_eq(getrusage(RUSAGE_SELF, &usage), 0);
	return usage.ru_maxrss;
}

/* Payloads in a hole of the file, so that it costs no disk: their CRC is that of zeros. */
Test(runfile, memory_does_not_grow_with_the_file)
{
	enum {
		RECORDS = 256,
		LENGTH = 1048576
	};
	struct runfile_record record = { .kind = RUNFILE_FRAME, .length = LENGTH };
	_cleanup_free_ char *zeros = calloc(1, LENGTH);
	_cleanup_close_ int fd = -1;
	struct runfile_reader *reader;
	const void *payload;
	unsigned int records = 0;
	long before;

	finish(create());
	fd = open(path, O_WRONLY | O_CLOEXEC);
	record.payload_crc32 = wire_crc32(0, zeros, LENGTH);
	for (uint64_t i = 0; i < RECORDS; i++) {
		record.index = i;
		record.header_crc32 =
			wire_crc32(0, &record, offsetof(struct runfile_record, header_crc32));
		cr_assert_eq(pwrite(fd, &record, sizeof(record),
				    (off_t)(64 + i * (sizeof(record) + LENGTH))),
			     (ssize_t)sizeof(record));
	}
	cr_assert_eq(ftruncate(fd, 64 + RECORDS * ((off_t)sizeof(record) + LENGTH)), 0);

	before = peak_rss_kib();
	reader = open_run();
	while (runfile_next(reader, &record, &payload) == 1)
		records++;
	cr_assert_eq(records, RECORDS);
	cr_assert_not(runfile_is_torn(reader));
	runfile_reader_free(reader);
	cr_assert_lt(peak_rss_kib() - before, 16 * 1024);
}
