/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/stream.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "ktstr/frame.h"
#include "runfile/writer.h"
#include "support/scratch.h"

#define RECORDS_MAX 8

struct row {
	uint32_t kind, tag, flags;
	uint64_t host_ns;
	const char *payload; /* NULL: the list ends */
};

static struct scratch scratch;

static void setup(void)
{
	scratch_init(&scratch);
}

static void teardown(void)
{
	scratch_done(&scratch);
}

TestSuite(stream, .init = setup, .fini = teardown);

#define FRAME(letters, text)                                                                       \
	{                                                                                          \
		RUNFILE_FRAME, letters, KTSTR_FRAME_CRC_OK, 5, text                                \
	}
#define COM1(text)                                                                                 \
	{                                                                                          \
		RUNFILE_CONSOLE, 0, 0, 6, text                                                     \
	}
#define COM2(text)                                                                                 \
	{                                                                                          \
		RUNFILE_CRASH, 0, 0, 6, text                                                       \
	}

static struct stream_identity identify(const char *name, const struct row *rows)
{
	const char *path = scratch_path(&scratch, name);
	struct stream_identity identity = { 0 };
	struct runfile_writer *writer = NULL;
	struct ktstr_error err = { 0 };
	int fd;

	cr_assert_eq(runfile_create(path, 1, 2, &writer, &err), 0, "%s", err.text);
	for (; rows->payload; rows++)
		cr_assert_eq(runfile_append(writer, rows->kind, rows->tag, rows->flags,
					    rows->host_ns, rows->payload,
					    (uint32_t)strlen(rows->payload), &err),
			     0, "%s", err.text);
	cr_assert_eq(runfile_close(writer, &err), 0, "%s", err.text);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	cr_assert_geq(fd, 0);
	cr_assert_eq(stream_identify(fd, path, &identity, &err), 0, "%s", err.text);
	(void)close(fd);
	return identity;
}

static const struct row plain[] = { FRAME(KTSTR_MSG_STDOUT, "one"),
				    FRAME(KTSTR_MSG_STDERR, "two"),
				    COM1("hello world"),
				    COM2("crash"),
				    { 0 } };

Test(stream, has_a_digest_that_never_changes)
{
	struct stream_identity identity = identify("a", plain);

	/* Whoever changes what is hashed changes FORMAT too, and this. */
	cr_assert_str_eq(identity.digest,
			 "0cdf9ffa40a5d2f46e16474008b4461986e1172af0580e8c0b341b41ea6c1dc1");
	cr_assert_eq(identity.frames, 2);
}

Test(stream, does_not_look_at_what_is_the_hosts)
{
	static const struct row cases[][RECORDS_MAX] = {
		{ { RUNFILE_META, 0, 0, 0, "{}" },
		  { RUNFILE_SOURCE, 0, 0, 0, "name: x" },
		  FRAME(KTSTR_MSG_STDOUT, "one"),
		  FRAME(KTSTR_MSG_STDERR, "two"),
		  COM1("hello world"),
		  COM2("crash"),
		  { RUNFILE_SUMMARY, 0, 0, 99, "sum" } },
		{ { RUNFILE_FRAME, KTSTR_MSG_STDOUT, KTSTR_FRAME_CRC_OK, 777, "one" },
		  { RUNFILE_EVENT, RUNFILE_EVENT_TIMING, 0, 778, "qemu" },
		  { RUNFILE_FRAME, KTSTR_MSG_STDERR, KTSTR_FRAME_CRC_OK, 779, "two" },
		  COM1("hello world"),
		  COM2("crash") },
		{ COM1("hel"), FRAME(KTSTR_MSG_STDOUT, "one"), COM2("cra"), COM1("lo world"),
		  COM2("sh"), FRAME(KTSTR_MSG_STDERR, "two") },
	};
	struct stream_identity want = identify("a", plain);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char name[8] = { 'b', (char)('0' + i), 0 };
		struct stream_identity identity = identify(name, cases[i]);

		cr_expect(stream_is_same(&identity, &want), "case %zu", i);
	}
}

Test(stream, sees_every_change_of_the_guests)
{
	static const struct row cases[][RECORDS_MAX] = {
		{ FRAME(KTSTR_MSG_STDERR, "two"), FRAME(KTSTR_MSG_STDOUT, "one"),
		  COM1("hello world"), COM2("crash") },
		{ FRAME(KTSTR_MSG_STDOUT, "onetwo"), COM1("hello world"), COM2("crash") },
		{ FRAME(KTSTR_MSG_STDOUT, "onet"), FRAME(KTSTR_MSG_STDERR, "wo"),
		  COM1("hello world"), COM2("crash") },
		{ FRAME(KTSTR_MSG_STDOUT, "one"), FRAME(KTSTR_MSG_SCHED_LOG, "two"),
		  COM1("hello world"), COM2("crash") },
		{ FRAME(KTSTR_MSG_STDOUT, "one"),
		  { RUNFILE_FRAME, KTSTR_MSG_STDERR, 0, 5, "two" },
		  COM1("hello world"),
		  COM2("crash") },
		{ FRAME(KTSTR_MSG_STDOUT, "one"),
		  { RUNFILE_FRAME_HEADER, KTSTR_MSG_STDERR, KTSTR_FRAME_CRC_OK, 5, "two" },
		  COM1("hello world"),
		  COM2("crash") },
		{ FRAME(KTSTR_MSG_STDOUT, "one"), FRAME(KTSTR_MSG_STDERR, "two"),
		  COM1("hello worlD"), COM2("crash") },
		{ FRAME(KTSTR_MSG_STDOUT, "one"), FRAME(KTSTR_MSG_STDERR, "two"),
		  COM2("hello world"), COM1("crash") },
		{ FRAME(KTSTR_MSG_STDOUT, "one"), FRAME(KTSTR_MSG_STDERR, "two"),
		  COM1("hello worldcrash") },
		{ FRAME(KTSTR_MSG_STDOUT, "one"),
		  FRAME(KTSTR_MSG_STDERR, "two"),
		  COM1("hello world"),
		  COM2("crash"),
		  { RUNFILE_CAPTURE, 1, 0, 9, "capture" } },
		{ { 0 } },
	};
	struct stream_identity plain_one = identify("a", plain);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char name[8] = { 'b', (char)('a' + i), 0 };
		struct stream_identity identity = identify(name, cases[i]);

		cr_expect(!stream_is_same(&identity, &plain_one), "case %zu", i);
	}
}

Test(stream, leaves_out_how_long_a_capture_took)
{
	struct runfile_capture capture = { .size = sizeof(capture), .frozen_ns = 12345 };
	struct runfile_capture want = { .size = sizeof(capture) };
	uint8_t head[sizeof(capture)];

	cr_assert_eq(stream_capture_head(&capture, sizeof(capture), head), sizeof(capture));
	cr_assert_eq(memcmp(head, &want, sizeof(want)), 0);
	/* One that is cut off before that. */
	cr_assert_eq(stream_capture_head(&capture, 8, head), 8);
	cr_assert_eq(memcmp(head, &capture, 8), 0);
}

Test(stream, says_what_is_no_run_file)
{
	const char *path = scratch_path(&scratch, "text");
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct stream_identity identity;
	struct ktstr_error err = { 0 };

	cr_assert_lt(stream_identify(fd, "a text", &identity, &err), 0);
	cr_assert_neq(strstr(err.text, "a text"), NULL, "%s", err.text);
	(void)close(fd);
}
