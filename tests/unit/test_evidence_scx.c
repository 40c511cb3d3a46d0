/* SPDX-License-Identifier: GPL-2.0-only */
/* What evidence says of schedulers, from run files as the coordinator leaves them. */
#include "judge/judge.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "support/runfile_maker.h"
#include "support/scratch.h"

static struct scratch scratch;
static const char *path;
static struct runfile_maker maker;
static struct evidence evidence;
static struct ktstr_error err;
static char sentence[SCX_TEXT_MAX];

static const char meta[] = "{\"scheduler\": {\"plugin\": \"scx_x\"}, \"plugins\": ["
			   "{\"kind\": \"scheduler\", \"name\": \"eevdf\", \"crc32\": 286331153},"
			   "{\"kind\": \"scenario\", \"name\": \"steps\", \"crc32\": 572662306}]}";

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
	maker_start(&maker, path, meta);
	maker_begin(&maker, &good_hello);
}

static void teardown(void)
{
	evidence_done(&evidence);
	scratch_done(&scratch);
}

TestSuite(evidence_scx, .init = setup, .fini = teardown);

static void read_it(void)
{
	_cleanup_close_ int fd = -1;

	maker_seal(&maker, COORD_END_STREAM, "the guest ended its stream");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	cr_assert_eq(evidence_read(fd, path, &evidence, &err), 0, "%s", err.text);
}

static void add_exit(uint32_t kind, const char *reason, const char *message, bool crc_ok)
{
	const struct ktstr_scx_exit head = {
		.size = sizeof(head),
		.kind = kind,
		.source = KTSTR_SCX_EXIT_OF_OPS,
		.reason_length = (uint32_t)strlen(reason),
		.message_length = (uint32_t)strlen(message),
	};
	struct str payload = { 0 };

	(void)str_add_bytes(&payload, &head, sizeof(head));
	(void)str_add(&payload, reason);
	(void)str_add(&payload, message);
	maker_frame(&maker, KTSTR_MSG_SCX_EXIT, payload.data, (uint32_t)payload.length, crc_ok);
	str_done(&payload);
}

static void add_swap(const char *plugin, int32_t code, uint32_t flags)
{
	struct ktstr_sched_swap swap = {
		.size = sizeof(swap), .kind = KTSTR_SCHED_SWAP_REPLACE, .code = code, .flags = flags
	};

	str_copy(swap.plugin, sizeof(swap.plugin), plugin);
	maker_frame(&maker, KTSTR_MSG_SCHED_SWAP, &swap, sizeof(swap), true);
}

static void add_state(uint32_t when, const char *text)
{
	struct ktstr_scx_state state = { .size = sizeof(state), .when = when };

	str_copy(state.state, sizeof(state.state), text);
	maker_frame(&maker, KTSTR_MSG_SCX_STATE, &state, sizeof(state), true);
}

static void add_step(uint16_t index)
{
	const struct ktstr_step_info step = { .size = sizeof(step), .index = index };

	maker_frame(&maker, KTSTR_MSG_STEP, &step, sizeof(step), true);
}

static void add_phase(uint8_t phase, const char *why)
{
	char payload[100];
	int length = snprintf(payload, sizeof(payload), "%c%s", phase, why);

	maker_frame(&maker, KTSTR_MSG_LIFECYCLE, payload, (uint32_t)length, true);
}

Test(evidence_scx, of_a_run_without_any_has_none)
{
	maker_pass(&maker);
	read_it();
	cr_assert_str_eq(evidence.scx.scheduler, "scx_x");
	cr_assert_not(evidence.scx.has_exit);
	cr_assert_not(evidence.scx.has_state);
	cr_assert_not(evidence.scx.has_died_at_start);
	cr_assert_str_eq(scx_sentence(&evidence.scx, sentence, sizeof(sentence)), "");
	cr_assert_null(evidence.unfinished);
	cr_assert_null(evidence.malformed);
}

Test(evidence_scx, tells_of_an_ejection_in_a_step)
{
	add_step(1);
	add_exit(KTSTR_SCX_EXIT_ERROR_STALL, "runnable task stall", "x[7] failed to run", true);
	maker_pass(&maker);
	read_it();
	cr_assert(evidence.scx.has_exit);
	cr_assert_str_eq(scx_sentence(&evidence.scx, sentence, sizeof(sentence)),
			 "scheduler 'scx_x' was ejected 0.00 s into step 1: runnable task stall "
			 "(1026): 'x[7] failed to run'");
}

/* Where the first word of the end comes, that is where the scheduler left. */
Test(evidence_scx, knows_where_it_left)
{
	struct scx scx = { 0 };
	const struct ktstr_step_info step = { .size = sizeof(step), .index = 4 };
	const struct ktstr_scx_exit left = { .size = sizeof(left),
					     .kind = KTSTR_SCX_EXIT_UNREG,
					     .source = KTSTR_SCX_EXIT_OF_LOG };
	const uint8_t died[] = { KTSTR_PHASE_SCHEDULER_DIED };
	const struct ktstr_stimulus stimulus = { 0 };
	const struct {
		struct ktstr_frame frame;
		const char *expected;
	} rows[] = {
		{ { .msg_type = KTSTR_MSG_LIFECYCLE, .payload = died, .length = 1 },
		  "the scheduler left before the scenario began: unreg (64)" },
		{ { .msg_type = KTSTR_MSG_SCENARIO_START },
		  "the scheduler left 1.50 s into the scenario: unreg (64)" },
		{ { .msg_type = KTSTR_MSG_STEP, .payload = &step, .length = sizeof(step) },
		  "the scheduler left 1.50 s into step 4: unreg (64)" },
		{ { .msg_type = KTSTR_MSG_STEP_END,
		    .payload = &stimulus,
		    .length = sizeof(stimulus) },
		  "the scheduler left 1.50 s after step 4: unreg (64)" },
		{ { .msg_type = KTSTR_MSG_SCENARIO_END },
		  "the scheduler left 1.50 s after the scenario: unreg (64)" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ktstr_frame frame = rows[i].frame;
		struct ktstr_frame exit_frame = { .msg_type = KTSTR_MSG_SCX_EXIT,
						  .payload = &left,
						  .length = sizeof(left) };

		frame.host_ns = 1000000000;
		exit_frame.host_ns = 2500000000;
		cr_assert_eq(scx_take(&scx, &frame), 0);
		cr_assert_eq(scx_take(&scx, &exit_frame), 0);
		cr_expect_str_eq(scx_sentence(&scx, sentence, sizeof(sentence)), rows[i].expected,
				 "%s", sentence);
		scx.exit_at.is_known = false;
	}
	scx_done(&scx);
}

/* Frames came at the host's 1 s and 2.5 s; the guest's clock says something else. */
Test(evidence_scx, believes_the_guests_clock_of_how_long_that_was)
{
	const struct ktstr_guest_time start = { .guest_ns = 10 * NS_PER_S };
	const struct ktstr_step_info step = { .size = sizeof(step), .index = 2 };
	const struct ktstr_stimulus stimulus = { .elapsed_ms = 4000 };
	const struct ktstr_scenario_end end = { .elapsed_ms = 4000 };
	const struct ktstr_scx_exit left = { .size = sizeof(left),
					     .kind = KTSTR_SCX_EXIT_UNREG,
					     .source = KTSTR_SCX_EXIT_OF_LOG };
	const struct ktstr_scx_state died = { .size = sizeof(died),
					      .when = KTSTR_SCX_DIED,
					      .guest_ns = 17 * NS_PER_S };
	const struct {
		struct ktstr_frame frames[2];
		const char *expected;
	} rows[] = {
		{ { { .msg_type = KTSTR_MSG_SCENARIO_START,
		      .payload = &start,
		      .length = sizeof(start) } },
		  "the scheduler left 7.00 s into the scenario: unreg (64)" },
		{ { { .msg_type = KTSTR_MSG_STEP, .payload = &step, .length = sizeof(step) },
		    { .msg_type = KTSTR_MSG_STIMULUS,
		      .payload = &stimulus,
		      .length = sizeof(stimulus) } },
		  "the scheduler left 3.00 s into step 2: unreg (64)" },
		{ { { .msg_type = KTSTR_MSG_STEP_END,
		      .payload = &stimulus,
		      .length = sizeof(stimulus) } },
		  "the scheduler left 3.00 s after step 2: unreg (64)" },
		{ { { .msg_type = KTSTR_MSG_SCENARIO_END,
		      .payload = &end,
		      .length = sizeof(end) } },
		  "the scheduler left 3.00 s after the scenario: unreg (64)" },
	};
	struct scx scx = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct ktstr_frame exit_frame = { .msg_type = KTSTR_MSG_SCX_EXIT,
							.host_ns = 2500 * NS_PER_MS,
							.payload = &left,
							.length = sizeof(left) };
		const struct ktstr_frame state_frame = { .msg_type = KTSTR_MSG_SCX_STATE,
							 .host_ns = 2500 * NS_PER_MS,
							 .payload = &died,
							 .length = sizeof(died) };

		for (size_t j = 0; j < 2 && rows[i].frames[j].msg_type; j++) {
			struct ktstr_frame frame = rows[i].frames[j];

			frame.host_ns = NS_PER_S;
			cr_assert_eq(scx_take(&scx, &frame), 0);
		}
		cr_assert_eq(scx_take(&scx, &exit_frame), 0);
		cr_assert_eq(scx_take(&scx, &state_frame), 0);
		cr_assert_eq(scx_take(&scx, &state_frame),
			     0); /* what comes later changes nothing */
		cr_expect_str_eq(scx_sentence(&scx, sentence, sizeof(sentence)), rows[i].expected,
				 "%s", sentence);
		scx.exit_at.is_known = false;
	}
	scx_done(&scx);
}

Test(evidence_scx, believes_the_last_exit_with_a_right_checksum)
{
	add_exit(KTSTR_SCX_EXIT_ERROR, "runtime error", "first", true);
	add_exit(KTSTR_SCX_EXIT_ERROR_BPF, "scx_bpf_error", "second", true);
	add_exit(KTSTR_SCX_EXIT_ERROR_STALL, "runnable task stall", "torn", false);
	maker_pass(&maker);
	read_it();
	cr_assert_eq(evidence.scx.exit_kind, KTSTR_SCX_EXIT_ERROR_BPF);
	cr_assert_str_eq(evidence.scx.exit_message, "second");
}

Test(evidence_scx, holds_no_exit_against_the_scheduler_that_came_after)
{
	add_exit(KTSTR_SCX_EXIT_UNREG, "unregistered from user space", "", true);
	add_swap("scx_y", 0, KTSTR_SCHED_SWAP_FORCED);
	maker_pass(&maker);
	read_it();
	cr_assert_not(evidence.scx.has_exit);
	cr_assert_str_eq(evidence.scx.scheduler, "scx_y");
	cr_assert_eq(evidence.scx.swaps, 1);
	cr_assert_eq(evidence.scx.swaps_forced, 1);
}

Test(evidence_scx, keeps_the_exit_of_one_that_could_not_be_swapped_in)
{
	add_exit(KTSTR_SCX_EXIT_ERROR, "runtime error", "ops.init() failed (-12)", true);
	add_swap("scx_y", -3, 0);
	maker_pass(&maker);
	read_it();
	cr_assert(evidence.scx.has_exit);
	cr_assert_eq(evidence.scx.swaps_failed, 1);
	cr_assert_str_eq(evidence.scx.scheduler, "scx_x");
}

/* The old one left in order, for it was to be swapped: what the next one left by is its own. */
static const struct {
	uint32_t kind;
	const char *name, *expected;
} followers[] = {
	{ KTSTR_SCHED_SWAP_REPLACE, "other", "scheduler 'other' was ejected " },
	{ KTSTR_SCHED_SWAP_RESTART, "", "scheduler 'scx_x' was ejected " },
};

Test(evidence_scx, names_the_one_that_could_not_be_swapped_in)
{
	for (size_t i = 0; i < ARRAY_SIZE(followers); i++) {
		struct ktstr_sched_swap swap = { .size = sizeof(swap),
						 .kind = followers[i].kind,
						 .code = -ESRCH };

		add_swap("scx_y", 0, 0);
		add_exit(KTSTR_SCX_EXIT_UNREG, "unregistered from user space", "", true);
		add_state(KTSTR_SCX_STOPPED, "disabled");
		add_exit(KTSTR_SCX_EXIT_ERROR, "runtime error", "ops.init() failed (-12)", true);
		add_state(KTSTR_SCX_DIED, "disabled");
		str_copy(swap.name, sizeof(swap.name), followers[i].name);
		maker_frame(&maker, KTSTR_MSG_SCHED_SWAP, &swap, sizeof(swap), true);
		maker_pass(&maker);
		read_it();
		scx_sentence(&evidence.scx, sentence, sizeof(sentence));
		cr_expect_eq(
			strncmp(sentence, followers[i].expected, strlen(followers[i].expected)), 0,
			"%s", sentence);
		cr_expect_str_eq(evidence.scx.exit_message, "ops.init() failed (-12)");
		teardown();
		setup();
	}
}

Test(evidence_scx, keeps_the_last_state)
{
	add_state(KTSTR_SCX_ATTACHED, "enabled");
	add_state(KTSTR_SCX_DIED, "disabled");
	maker_pass(&maker);
	read_it();
	cr_assert(evidence.scx.has_state);
	cr_assert_str_eq(evidence.scx.state.state, "disabled");
	cr_assert_eq(evidence.scx.state.when, KTSTR_SCX_DIED);
}

Test(evidence_scx, makes_texts_of_the_guest_one_safe_line)
{
	add_exit(KTSTR_SCX_EXIT_ERROR_BPF, "a\033[31m", "b\nc\n", true);
	maker_pass(&maker);
	read_it();
	cr_assert_str_eq(evidence.scx.exit_reason, "a?[31m");
	cr_assert_str_eq(evidence.scx.exit_message, "b c");
}

Test(evidence_scx, keeps_so_much_of_a_text)
{
	char text[4000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	add_exit(1027, text, text, true);
	maker_pass(&maker);
	read_it();
	cr_assert_lt(strlen(evidence.scx.exit_message), 500);
	cr_assert_lt(strlen(scx_sentence(&evidence.scx, sentence, sizeof(sentence))),
		     sizeof(sentence));
}

Test(evidence_scx, names_a_kind_it_does_not_know_by_its_number)
{
	add_exit(1099, "", "", true);
	maker_pass(&maker);
	read_it();
	cr_assert_str_eq(scx_sentence(&evidence.scx, sentence, sizeof(sentence)),
			 "scheduler 'scx_x' was ejected 0.00 s into the scenario: 1099 (1099)");
}

Test(evidence_scx, knows_a_scheduler_that_did_not_start)
{
	const int32_t code = 1;

	evidence_done(&evidence);
	maker_close(&maker);
	cr_assert_eq(unlink(path), 0);
	maker_start(&maker, path, meta);
	maker_hello(&maker, &good_hello);
	maker_error(&maker, KTSTR_STAGE_SCHEDULER, "the verifier refused it");
	add_phase(KTSTR_PHASE_SCHEDULER_DIED, "the verifier refused it");
	maker_frame(&maker, KTSTR_MSG_EXIT, &code, sizeof(code), true);
	read_it();
	cr_assert(evidence.scx.has_died_at_start);
	cr_assert_str_eq(evidence.scx.start_error, "the verifier refused it");
	cr_assert(evidence.has_error);
	cr_assert_not(evidence.has_other_error);
	cr_assert_null(evidence.malformed);
	cr_assert_str_eq(evidence.unfinished, "the agent never said that it was ready (SYS_RDY)");
}

Test(evidence_scx, knows_errors_of_other_stages)
{
	maker_error(&maker, KTSTR_STAGE_SCHEDULER, "one");
	maker_error(&maker, KTSTR_STAGE_WORKLOAD, "two");
	maker_pass(&maker);
	read_it();
	cr_assert(evidence.has_other_error);
	cr_assert_str_eq(evidence.error_text, "one");
}

Test(evidence_scx, takes_a_second_error_for_one_of_another_kind)
{
	maker_error(&maker, KTSTR_STAGE_SCHEDULER, "the verifier refused it");
	maker_error(&maker, KTSTR_STAGE_SCHEDULER, "scheduler 'x' was killed by SIGSEGV");
	maker_pass(&maker);
	read_it();
	cr_assert(evidence.has_other_error);
}

Test(evidence_scx, finds_frames_of_schedulers_that_cannot_be_decoded)
{
	const struct ktstr_scx_exit left = { .size = sizeof(left),
					     .source = KTSTR_SCX_EXIT_OF_OPS,
					     .dump_length = 1 };

	maker_frame(&maker, KTSTR_MSG_SCX_EXIT, &left, sizeof(left), true);
	maker_pass(&maker);
	read_it();
	cr_assert_not(evidence.scx.has_exit);
	cr_assert_str_eq(evidence.malformed, "a SCX_EXIT frame cannot be decoded");
}
