/* SPDX-License-Identifier: GPL-2.0-only */
#include "judge/judge.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "support/runfile_maker.h"
#include "support/scratch.h"

static struct scratch scratch;
static const char *path;
static struct runfile_maker maker;
static struct evidence evidence;
static struct ktstr_error err;

static const struct maker_hello good_hello = {
	.seed = MAKER_SEED,
	.scheduler_crc = MAKER_SCHEDULER_CRC,
	.scheduler = "eevdf",
	.scenario = "steps",
};

static void setup(void)
{
	scratch_init(&scratch);
	path = scratch_path(&scratch, "run");
	memset(&evidence, 0, sizeof(evidence));
}

static void teardown(void)
{
	evidence_done(&evidence);
	scratch_done(&scratch);
}

TestSuite(evidence, .init = setup, .fini = teardown);

static void read_it(void)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	cr_assert_eq(evidence_read(fd, path, &evidence, &err), 0, "%s", err.text);
}

Test(evidence, knows_whose_time_the_guest_lived_in)
{
	static const struct {
		const char *meta;
		bool is_virtual;
	} rows[] = {
		{ "{\"vm\": {\"clock\": \"virtual\"}}", true },
		{ "{\"vm\": {\"clock\": \"host\"}}", false },
		{ "{\"vm\": {\"clock\": 7}}", false },
		{ "{\"clock\": \"virtual\"}", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		maker_start(&maker, path, rows[i].meta);
		maker_seal(&maker, COORD_END_STREAM, "");
		read_it();
		cr_expect_eq(evidence.is_virtual, rows[i].is_virtual, "row %zu", i);
		evidence_done(&evidence);
		(void)unlink(path);
	}
}

Test(evidence, of_a_good_run_is_whole)
{
	maker_good_run(path, 3);
	read_it();
	cr_assert(evidence.has_summary);
	cr_assert(evidence.is_sealed);
	cr_assert_not(evidence.is_torn);
	cr_assert(evidence.has_all_sent);
	cr_assert_eq(evidence.frames_recorded, 9);
	cr_assert_eq(evidence.summary.frames_bucketed, 9);
	cr_assert_eq(evidence.summary.end_reason, COORD_END_STREAM);
	cr_assert_str_eq(evidence.end_reason, "the guest ended its stream");
	cr_assert(evidence.has_result);
	cr_assert_eq(evidence.result_outcome, KTSTR_OUTCOME_PASS);
	cr_assert_eq(evidence.hello_count, 1);
	cr_assert_null(evidence.hello_mismatch);
	cr_assert_null(evidence.malformed);
	cr_assert_null(evidence.sched_exit_text);
	cr_assert_not(evidence.has_error);
}

/* A run in which each frame is there but the one with this number, whatever the summary says. */
static void make_without(uint32_t missing)
{
	uint8_t header[WIRE_HEADER_SIZE];

	maker_start(&maker, path, maker_meta);
	maker_hello(&maker, &good_hello);
	for (uint32_t i = 0; i < 3; i++) {
		if (i != missing) {
			maker_frame(&maker, KTSTR_MSG_STDOUT, "line\n", 5, true);
			continue;
		}
		wire_header_encode(KTSTR_MSG_STDOUT, "line\n", 5, header);
		wire_account_add(&maker.account, header, 5);
	}
	maker_result(&maker, KTSTR_OUTCOME_PASS, "");
	maker_seal(&maker, COORD_END_STREAM, "");
}

Test(evidence, misses_a_frame_that_was_taken_out)
{
	for (uint32_t missing = 0; missing < 4; missing++) {
		make_without(missing);
		read_it();
		cr_expect(evidence.has_summary && evidence.summary.end_matches);
		cr_expect_eq(evidence.has_all_sent, missing == 3, "%u", missing);
		evidence_done(&evidence);
		cr_assert_eq(unlink(path), 0);
	}
}

Test(evidence, counts_frames_that_were_not_admitted)
{
	uint8_t header[WIRE_HEADER_SIZE];

	for (int missing = 0; missing < 2; missing++) {
		maker_start(&maker, path, maker_meta);
		wire_header_encode(KTSTR_MSG_SYS_RDY, NULL, 0, header);
		wire_account_add(&maker.account, header, 0);
		if (!missing)
			cr_assert_eq(runfile_append(maker.writer, RUNFILE_FRAME_HEADER, 0, 0, 1,
						    header, sizeof(header), &err),
				     0);
		maker_seal(&maker, COORD_END_STREAM, "");
		read_it();
		cr_expect_eq(evidence.has_all_sent, !missing);
		evidence_done(&evidence);
		cr_assert_eq(unlink(path), 0);
	}
}

Test(evidence, is_refused_where_there_is_no_run_file)
{
	_cleanup_close_ int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	cr_assert_eq(evidence_read(fd, path, &evidence, &err), -EINVAL);
	cr_assert_not_null(strstr(err.text, path));
}

Test(evidence, of_a_cut_file_says_so)
{
	struct stat st;

	maker_good_run(path, 3);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(truncate(path, st.st_size - 1), 0);
	read_it();
	cr_assert(evidence.is_torn);
	cr_assert_not(evidence.has_summary);
}

Test(evidence, of_a_file_without_summary_says_so)
{
	maker_start(&maker, path, maker_meta);
	maker_hello(&maker, &good_hello);
	maker_close(&maker);
	read_it();
	cr_assert_not(evidence.has_summary);
	cr_assert_not(evidence.is_sealed);
	cr_assert_not(evidence.is_torn);
}

static void append_summary(const struct runfile_summary *summary, uint32_t length)
{
	cr_assert_eq(runfile_append(maker.writer, RUNFILE_SUMMARY, 0, 0, 1, summary, length, &err),
		     0);
}

Test(evidence, of_a_file_that_goes_on_is_not_sealed)
{
	maker_start(&maker, path, maker_meta);
	append_summary(&maker.summary, sizeof(maker.summary));
	maker_frame(&maker, KTSTR_MSG_STDOUT, "x", 1, true);
	maker_close(&maker);
	read_it();
	cr_assert(evidence.has_summary);
	cr_assert_not(evidence.is_sealed);
}

Test(evidence, takes_the_first_summary_and_seals_no_second)
{
	struct runfile_summary better;

	maker_start(&maker, path, maker_meta);
	maker.summary.frames_torn = 3;
	better = maker.summary;
	better.frames_torn = 0;
	append_summary(&maker.summary, sizeof(maker.summary));
	append_summary(&better, sizeof(better));
	maker_close(&maker);
	read_it();
	cr_assert_eq(evidence.summary.frames_torn, 3);
	cr_assert_not(evidence.is_sealed);
}

Test(evidence, takes_no_short_summary_nor_one_after_it)
{
	struct runfile_summary small;

	maker_start(&maker, path, maker_meta);
	small = maker.summary;
	small.size = RUNFILE_SUMMARY_MIN - 8;
	append_summary(&small, small.size);
	append_summary(&maker.summary, sizeof(maker.summary));
	maker_close(&maker);
	read_it();
	cr_assert_not(evidence.has_summary);
	cr_assert_not(evidence.is_sealed);
}

Test(evidence, takes_a_summary_of_the_first_agents)
{
	struct runfile_summary first;

	maker_start(&maker, path, maker_meta);
	first = maker.summary;
	first.size = RUNFILE_SUMMARY_MIN;
	first.last_phase = 6;
	first.host_wait_ns = 7;
	append_summary(&first, first.size);
	maker_close(&maker);
	read_it();
	cr_assert(evidence.has_summary);
	cr_assert_eq(evidence.summary.last_phase, 6);
	cr_assert_eq(evidence.summary.host_wait_ns, 0);
}

Test(evidence, takes_a_longer_summary)
{
	struct {
		struct runfile_summary summary;
		uint64_t more;
	} grown;

	maker_start(&maker, path, maker_meta);
	grown.summary = maker.summary;
	grown.summary.size = sizeof(grown);
	grown.summary.last_phase = 6;
	grown.more = 1;
	cr_assert_eq(
		runfile_append(maker.writer, RUNFILE_SUMMARY, 0, 0, 1, &grown, sizeof(grown), &err),
		0);
	maker_close(&maker);
	read_it();
	cr_assert(evidence.has_summary);
	cr_assert_eq(evidence.summary.last_phase, 6);
}

/* What the agent loaded against what was sent. */

static void expect_hello(const struct maker_hello *hello, const char *meta, const char *mismatch)
{
	maker_start(&maker, path, meta);
	maker_hello(&maker, hello);
	maker_seal(&maker, COORD_END_STREAM, "");
	read_it();
	cr_assert_eq(evidence.hello_count, 1);
	cr_assert_not_null(evidence.hello_mismatch);
	cr_assert_str_eq(evidence.hello_mismatch, mismatch);
}

Test(evidence, notices_another_file_of_the_scheduler)
{
	struct maker_hello hello = good_hello;

	hello.scheduler_crc = 5;
	expect_hello(&hello, maker_meta,
		     "the file of the scheduler 'eevdf' is another one there (checksum 00000005)");
}

Test(evidence, notices_a_plugin_that_was_not_sent)
{
	struct maker_hello hello = good_hello;

	hello.scheduler = "evil";
	expect_hello(&hello, maker_meta, "it loaded the scheduler 'evil', which was not sent");
}

Test(evidence, notices_that_the_scenario_was_not_loaded)
{
	struct maker_hello hello = good_hello;

	hello.scenario = NULL;
	expect_hello(&hello, maker_meta, "it did not load the scenario 'steps'");
}

Test(evidence, notices_another_seed)
{
	struct maker_hello hello = good_hello;

	hello.seed = 78;
	expect_hello(&hello, maker_meta, "its seed is 78, and not 77");
}

Test(evidence, notices_that_nobody_says_what_was_sent)
{
	expect_hello(&good_hello, NULL, "the run file does not say which plugins were sent");
}

Test(evidence, notices_that_meta_is_no_json)
{
	expect_hello(&good_hello, "{\"plugins\": [",
		     "the run file does not say which plugins were sent");
}

Test(evidence, does_not_believe_the_first_hello_more_than_the_second)
{
	struct maker_hello other = good_hello;

	other.scheduler_crc = 5;
	maker_start(&maker, path, maker_meta);
	maker_hello(&maker, &good_hello);
	maker_hello(&maker, &other);
	maker_seal(&maker, COORD_END_STREAM, "");
	read_it();
	cr_assert_eq(evidence.hello_count, 2);
	cr_assert_not_null(evidence.hello_mismatch);
}

/* Frames that say how it went. */

Test(evidence, keeps_the_worst_result)
{
	maker_start(&maker, path, maker_meta);
	maker_result(&maker, KTSTR_OUTCOME_PASS, "fine");
	maker_result(&maker, KTSTR_OUTCOME_FAIL, "lost a wakeup");
	maker_result(&maker, KTSTR_OUTCOME_PASS, "fine again");
	maker_seal(&maker, COORD_END_STREAM, "");
	read_it();
	cr_assert_eq(evidence.result_outcome, KTSTR_OUTCOME_FAIL);
	cr_assert_str_eq(evidence.result_text, "lost a wakeup");
}

Test(evidence, takes_a_result_that_is_none_for_an_error)
{
	maker_start(&maker, path, maker_meta);
	maker_result(&maker, 12, "");
	maker_seal(&maker, COORD_END_STREAM, "");
	read_it();
	cr_assert_eq(evidence.result_outcome, KTSTR_OUTCOME_ERROR);
}

Test(evidence, keeps_the_first_error_and_makes_it_safe)
{
	maker_start(&maker, path, maker_meta);
	maker_error(&maker, KTSTR_STAGE_SCHEDULER, "no \x1b[1m map");
	maker_error(&maker, KTSTR_STAGE_SCENARIO, "later");
	maker_seal(&maker, COORD_END_STREAM, "");
	read_it();
	cr_assert(evidence.has_error);
	cr_assert_eq(evidence.error_stage, KTSTR_STAGE_SCHEDULER);
	cr_assert_str_eq(evidence.error_text, "no ?[1m map");
}

Test(evidence, reads_why_the_scheduler_died)
{
	maker_start(&maker, path, maker_meta);
	maker_frame(&maker, KTSTR_MSG_SCHED_EXIT, "\1\0\0\0runnable task stall", 23, true);
	maker_seal(&maker, COORD_END_SCHED_EXIT, "");
	read_it();
	cr_assert_str_eq(evidence.sched_exit_text, "runnable task stall");
}

Test(evidence, knows_the_status_where_the_scheduler_left_no_text)
{
	maker_start(&maker, path, maker_meta);
	maker_frame(&maker, KTSTR_MSG_SCHED_EXIT, "\x09\0\0\0", 4, true);
	maker_seal(&maker, COORD_END_SCHED_EXIT, "");
	read_it();
	cr_assert_str_eq(evidence.sched_exit_text, "exit status 9");
}

Test(evidence, believes_no_torn_frame)
{
	maker_start(&maker, path, maker_meta);
	maker_frame(&maker, KTSTR_MSG_SCHED_EXIT, "\1\0\0\0", 4, false);
	maker_frame(&maker, KTSTR_MSG_TEST_RESULT, "x", 1, false);
	maker_frame(&maker, KTSTR_MSG_HELLO, "x", 1, false);
	maker_frame(&maker, KTSTR_MSG_ERROR, "x", 1, false);
	maker_seal(&maker, COORD_END_STREAM, "");
	read_it();
	cr_assert_null(evidence.sched_exit_text);
	cr_assert_not(evidence.has_result);
	cr_assert_not(evidence.has_error);
	cr_assert_eq(evidence.hello_count, 0);
	cr_assert_null(evidence.malformed);
	cr_assert_eq(evidence.summary.frames_torn, 4);
}

static const struct {
	uint32_t msg_type;
	const char *text;
} malformed[] = {
	{ KTSTR_MSG_HELLO, "a HELLO frame is too short" },
	{ KTSTR_MSG_TEST_RESULT, "a TEST_RESULT frame cannot be decoded" },
	{ KTSTR_MSG_ERROR, "an ERROR frame cannot be decoded" },
};

Test(evidence, notices_frames_that_make_no_sense)
{
	for (size_t i = 0; i < ARRAY_SIZE(malformed); i++) {
		(void)unlink(path);
		maker_start(&maker, path, maker_meta);
		maker_frame(&maker, malformed[i].msg_type, "\1\0\0\0", 4, true);
		maker_seal(&maker, COORD_END_STREAM, "");
		read_it();
		cr_assert_not_null(evidence.malformed);
		cr_assert_str_eq(evidence.malformed, malformed[i].text);
		evidence_done(&evidence);
	}
}

Test(evidence, notices_a_hello_that_promises_too_much)
{
	const struct ktstr_hello hello = { .size = sizeof(hello), .plugin_count = UINT32_MAX };

	maker_start(&maker, path, maker_meta);
	maker_frame(&maker, KTSTR_MSG_HELLO, &hello, sizeof(hello), true);
	maker_seal(&maker, COORD_END_STREAM, "");
	read_it();
	cr_assert_str_eq(evidence.malformed, "a HELLO frame names more plugins than it holds");
	cr_assert_eq(evidence.hello_count, 0);
}

/* What a PASS must be made of. */

Test(evidence, notices_a_result_of_a_scenario_that_never_ran)
{
	maker_start(&maker, path, maker_meta);
	maker_hello(&maker, &good_hello);
	maker_result(&maker, KTSTR_OUTCOME_PASS, "");
	maker_seal(&maker, COORD_END_STREAM, "");
	read_it();
	cr_assert_str_eq(evidence.malformed,
			 "a scenario passed on an agent that never said it was ready (SYS_RDY)");
}

Test(evidence, asks_nothing_of_a_scenario_that_did_not_pass)
{
	maker_start(&maker, path, maker_meta);
	maker_hello(&maker, &good_hello);
	maker_result(&maker, KTSTR_OUTCOME_SKIP, "");
	maker_seal(&maker, COORD_END_STREAM, "");
	read_it();
	cr_assert_null(evidence.malformed);
}

Test(evidence, notices_frames_in_the_wrong_order)
{
	maker_start(&maker, path, maker_meta);
	maker_begin(&maker, &good_hello);
	maker_pass(&maker);
	maker_frame(&maker, KTSTR_MSG_SCENARIO_START, NULL, 0, true);
	maker_seal(&maker, COORD_END_STREAM, "");
	read_it();
	cr_assert_str_eq(evidence.malformed, "a second SCENARIO_START frame came");
}
