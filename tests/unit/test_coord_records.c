/* SPDX-License-Identifier: GPL-2.0-only */
/* What the coordinator keeps, and what it does when it cannot. */
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <criterion/criterion.h>

#include "support/coord_fixture.h"

TestSuite(coord_records, .init = coord_setup, .fini = coord_teardown, .timeout = 60);

static void fill_console(struct fake_guest *guest)
{
	static char line[65536];

	memset(line, '.', sizeof(line));
	for (int i = 0; i < 65 * 16; i++)
		fake_send(guest->com1, line, sizeof(line));
}

static void play_console_flood(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_boot(&frames);
	fake_frames(guest, &frames);
	fill_console(guest);
	frames_add_end(&frames);
	fake_frames(guest, &frames);
}

static void limit_file_size(rlim_t size)
{
	const struct rlimit limit = { size, size };

	(void)signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

Test(coord_records, ends_the_run_when_the_disk_is_full)
{
	limit_file_size(100 * 1024);
	run_vm(play_floods);
	expect_end(COORD_END_RECORD_FAILED, "the run could not be recorded: cannot append to");
	cr_assert_eq(f.vm.quits, 0, "it is killed");
}

Test(coord_records, counts_the_frames_that_a_full_disk_kept)
{
	struct recorded recorded;

	limit_file_size(100 * 1024);
	run_vm(play_floods);
	read_back(&recorded);
	cr_assert_gt(recorded.by_kind[RUNFILE_FRAME], 10);
	cr_assert_eq(recorded.by_kind[RUNFILE_FRAME], recorded.summary.frames_bucketed);
}

Test(coord_records, calls_no_run_good_that_was_not_kept)
{
	limit_file_size(700);
	run_vm(play_good);
	expect_end(COORD_END_RECORD_FAILED, "the run could not be recorded: cannot append to");
}

Test(coord_records, keeps_a_bounded_part_of_a_console_without_end)
{
	struct recorded recorded;
	struct stat st;

	run_vm(play_console_flood);
	expect_end(COORD_END_STREAM, "");
	read_back(&recorded);
	cr_assert_not_null(strstr(recorded.warnings, "writes without end to its console"));
	cr_assert_eq(stat(f.runfile, &st), 0);
	cr_assert_lt(st.st_size, 65 * 1024 * 1024);
	cr_assert_gt(st.st_size, 64 * 1024 * 1024);
}

/* The same frame for ever, many to a write. */
static void flood(struct fake_guest *guest, uint32_t msg_type, uint32_t length)
{
	static const uint8_t payload[65536];
	struct frames frames = { 0 }, block = { 0 };

	start_scenario(guest, &frames);
	while (block.length < sizeof(payload))
		frames_add(&block, msg_type, payload, length);
	for (;;)
		fake_send(guest->bulk, block.bytes, block.length);
}

static void play_tiny_frames(struct fake_guest *guest)
{
	flood(guest, KTSTR_MSG_SCENARIO_RESUME, 0);
}

static void play_output(struct fake_guest *guest)
{
	flood(guest, KTSTR_MSG_STDERR, 65536);
}

static void play_large_frames(struct fake_guest *guest)
{
	flood(guest, KTSTR_MSG_PROFRAW, 65536);
}

static void play_addresses(struct fake_guest *guest)
{
	flood(guest, KTSTR_MSG_KERN_ADDRS, sizeof(struct ktstr_kern_addrs));
}

static uint64_t runfile_bytes(void)
{
	struct stat st;

	cr_assert_eq(stat(f.runfile, &st), 0);
	return (uint64_t)st.st_size;
}

Test(coord_records, ends_the_run_of_a_guest_that_sends_frames_without_end)
{
	struct recorded recorded;

	run_vm(play_tiny_frames);
	expect_end(COORD_END_RECORD_FAILED, "the guest sent more than 1048576 frames");
	cr_assert_eq(f.vm.quits, 0, "it is killed");
	read_back(&recorded);
	cr_assert_eq(recorded.by_kind[RUNFILE_FRAME], COORD_FRAMES_MAX - 1, "SYS_RDY counts too");
	cr_assert_eq(recorded.summary.frames_bucketed, COORD_FRAMES_MAX - 1);
}

Test(coord_records, counts_frames_of_which_it_keeps_the_header)
{
	struct recorded recorded;

	run_vm(play_addresses);
	expect_end(COORD_END_RECORD_FAILED, "the guest sent more than 1048576 frames");
	read_back(&recorded);
	cr_assert_eq(recorded.by_kind[RUNFILE_FRAME] + recorded.by_kind[RUNFILE_FRAME_HEADER],
		     COORD_FRAMES_MAX);
}

Test(coord_records, ends_the_run_of_a_guest_that_prints_without_end)
{
	struct recorded recorded;

	run_vm(play_output);
	expect_end(COORD_END_RECORD_FAILED, "the guest printed more than 64 MiB");
	read_back(&recorded);
	cr_assert_lt(runfile_bytes(), COORD_OUTPUT_MAX + 1024 * 1024);
}

Test(coord_records, ends_the_run_before_its_file_is_too_large)
{
	struct recorded recorded;

	f.spec.runfile_max = 8 << 20;
	run_vm(play_large_frames);
	expect_end(COORD_END_RECORD_FAILED, "the run file has reached its limit of 8 MiB");
	read_back(&recorded);
	cr_assert_leq(runfile_bytes(), (8 << 20) + 4096);
	cr_assert_gt(runfile_bytes(), 7 << 20);
}
