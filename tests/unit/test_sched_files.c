/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/sched_files.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"
#include "ktstr/sched_ext.h"
#include "support/run_fixture.h"

static struct run_fixture fixture;
static struct ktstr_error err;
static char log_path[160], dump_path[160];

static void setup(void)
{
	run_fixture_init(&fixture);
	(void)snprintf(log_path, sizeof(log_path), "%s/scheduler.log", fixture.folder);
	(void)snprintf(dump_path, sizeof(dump_path), "%s/sched_ext_dump.txt", fixture.folder);
}

static void teardown(void)
{
	(void)unlink(log_path); /* they may not be there */
	(void)unlink(dump_path);
	run_fixture_done(&fixture);
}

TestSuite(sched_files, .init = setup, .fini = teardown);

static void frame(uint32_t type, uint32_t flags, const char *text)
{
	run_fixture_append(&fixture, RUNFILE_FRAME, type, flags, 1, text, (uint32_t)strlen(text));
}

static void write_them(void)
{
	run_fixture_close(&fixture);
	cr_assert_eq(sched_files_write(fixture.fd, fixture.path, &err), 0, "%s", err.text);
}

static void expect_file(const char *path, const char *expected)
{
	_cleanup_free_ char *text = NULL;
	size_t length;

	cr_assert_eq(io_read_file(path, 4096, &text, &length, &err), 0, "%s", err.text);
	cr_assert_str_eq(text, expected);
}

Test(sched_files, are_not_made_for_nothing)
{
	struct sched_files files = { 0 };

	frame(KTSTR_MSG_STDOUT, KTSTR_FRAME_CRC_OK, "hello\n");
	frame(KTSTR_MSG_SCHED_LOG, KTSTR_FRAME_CRC_OK, "");
	write_them();
	cr_assert_lt(access(log_path, F_OK), 0);
	cr_assert_lt(access(dump_path, F_OK), 0);
	cr_assert_eq(sched_files_find(fixture.path, &files), 0);
	cr_assert_null(files.log_path);
	cr_assert_null(files.dump_path);
}

Test(sched_files, hold_the_log_but_no_torn_piece_of_it)
{
	struct sched_files files = { 0 };

	frame(KTSTR_MSG_SCHED_LOG, KTSTR_FRAME_CRC_OK, "one\n");
	frame(KTSTR_MSG_SCHED_LOG, 0, "torn\n");
	frame(KTSTR_MSG_SCHED_LOG, KTSTR_FRAME_CRC_OK, "two\n");
	write_them();
	expect_file(log_path, "one\ntwo\n");
	cr_assert_eq(sched_files_find(fixture.path, &files), 0);
	cr_assert_str_eq(files.log_path, log_path);
	cr_assert_null(files.dump_path);
	sched_files_done(&files);
}

Test(sched_files, hold_the_dump_of_the_exit_and_that_of_the_tracepoint)
{
	const struct ktstr_scx_exit head = { .size = sizeof(head),
					     .source = KTSTR_SCX_EXIT_OF_OPS,
					     .reason_length = 3,
					     .dump_length = 4 };
	struct str payload = { 0 };

	(void)str_add_bytes(&payload, &head, sizeof(head));
	(void)str_add(&payload, "why\nfoo");
	payload.data[sizeof(head) + 3] = 'D';
	frame(KTSTR_MSG_SCX_DUMP, KTSTR_FRAME_CRC_OK, "traced\n");
	run_fixture_append(&fixture, RUNFILE_FRAME, KTSTR_MSG_SCX_EXIT, KTSTR_FRAME_CRC_OK, 1,
			   payload.data, (uint32_t)payload.length);
	str_done(&payload);
	write_them();
	expect_file(dump_path, "traced\nDfoo");
}

Test(sched_files, follow_no_link_that_lies_in_their_place)
{
	char target[160];

	(void)snprintf(target, sizeof(target), "%s/elsewhere", fixture.folder);
	cr_assert_eq(symlink(target, log_path), 0);
	frame(KTSTR_MSG_SCHED_LOG, KTSTR_FRAME_CRC_OK, "one\n");
	run_fixture_close(&fixture);
	cr_assert_lt(sched_files_write(fixture.fd, fixture.path, &err), 0);
	cr_assert(str_starts(err.text, "cannot write '"), "%s", err.text);
	cr_assert_lt(access(target, F_OK), 0);
}

Test(sched_files, end_at_their_limit)
{
	static char piece[1024 * 1024];
	struct stat status;

	memset(piece, 'x', sizeof(piece));
	for (int i = 0; i < 66; i++)
		run_fixture_append(&fixture, RUNFILE_FRAME, KTSTR_MSG_SCX_DUMP, KTSTR_FRAME_CRC_OK,
				   1, piece, sizeof(piece) - 1);
	write_them();
	cr_assert_eq(stat(dump_path, &status), 0);
	cr_assert_eq(status.st_size, SCHED_FILES_MAX);
}
