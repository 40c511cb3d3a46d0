/* SPDX-License-Identifier: GPL-2.0-only */
#include "coord/dispatch.h"

#include <string.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "base/cleanup.h"
#include "support/outcome.h"

struct bucket_case {
	uint32_t msg_type;
	bool when_valid;
	bool when_torn;
};

ParameterizedTestParameters(dispatch, buckets_by_type)
{
	static struct bucket_case cases[] = {
		{ KTSTR_MSG_STIMULUS, true, true },
		{ KTSTR_MSG_STEP_END, true, true },
		{ KTSTR_MSG_SCENARIO_START, true, true },
		{ KTSTR_MSG_SCENARIO_PAUSE, true, true },
		{ KTSTR_MSG_SCENARIO_RESUME, true, true },
		{ KTSTR_MSG_SCENARIO_END, true, true },
		{ KTSTR_MSG_EXIT, true, true },
		{ KTSTR_MSG_TEST_RESULT, true, true },
		{ KTSTR_MSG_SCHED_EXIT, true, false },
		{ KTSTR_MSG_CRASH, true, true },
		{ KTSTR_MSG_PAYLOAD_METRICS, true, true },
		{ KTSTR_MSG_RAW_PAYLOAD_OUTPUT, true, true },
		{ KTSTR_MSG_PROFRAW, true, true },
		{ KTSTR_MSG_WPROF_TRACE, true, true },
		{ KTSTR_MSG_STDOUT, true, true },
		{ KTSTR_MSG_STDERR, true, true },
		{ KTSTR_MSG_SCHED_LOG, true, true },
		{ KTSTR_MSG_LIFECYCLE, true, true },
		{ KTSTR_MSG_EXEC_EXIT, true, true },
		{ KTSTR_MSG_DMESG, true, true },
		{ KTSTR_MSG_PROBE_OUTPUT, true, true },
		{ KTSTR_MSG_HELLO, true, true },
		{ KTSTR_MSG_CGROUP, true, true },
		{ KTSTR_MSG_WORKER, true, true },
		{ KTSTR_MSG_STEP, true, true },
		{ KTSTR_MSG_ERROR, true, true },
		{ KTSTR_MSG_END, true, true },
		{ KTSTR_MSG_KERN_ADDRS, false, false },
		{ KTSTR_MSG_SNAPSHOT_REQUEST, false, false },
		{ KTSTR_MSG_SNAPSHOT_RANGES, false, false },
		{ KTSTR_MSG_SNAPSHOT_REPLY, false, false },
		{ KTSTR_MSG_KERNEL_OP_REQUEST, false, false },
		{ KTSTR_MSG_KERNEL_OP_REPLY, false, false },
		{ KTSTR_MSG_SYS_RDY, false, false },
		{ KTSTR_TAG('W', 'H', 'A', 'T'), false, false },
		{ 0, false, false },
	};

	return cr_make_param_array(struct bucket_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct bucket_case *c, dispatch, buckets_by_type)
{
	struct outcome o;

	outcome_init(&o);
	cr_assert_eq(send_at(&o, SECOND, c->msg_type, "\1\2\3\4", 4, false), c->when_valid, "%#x",
		     c->msg_type);
	cr_assert_eq(o.sinks.bucketed, c->when_valid);
	cr_assert_eq(send_at(&o, SECOND, c->msg_type, "\1\2\3\4", 4, true), c->when_torn, "%#x",
		     c->msg_type);
	if (c->when_torn)
		cr_assert_not(o.bucket[o.bucket_count - 1].crc_ok);
	outcome_done(&o);
}

Test(dispatch, promotes_nothing_by_a_torn_frame_of_any_type)
{
	static const uint32_t types[] = {
		KTSTR_MSG_SCHED_EXIT,	   KTSTR_MSG_SCENARIO_START, KTSTR_MSG_SCENARIO_PAUSE,
		KTSTR_MSG_SCENARIO_RESUME, KTSTR_MSG_SCENARIO_END,   KTSTR_MSG_STIMULUS,
		KTSTR_MSG_LIFECYCLE,	   KTSTR_MSG_EXIT,	     KTSTR_MSG_END,
		KTSTR_MSG_KERN_ADDRS,	   KTSTR_MSG_SYS_RDY,	     KTSTR_MSG_SNAPSHOT_REQUEST,
	};
	static const uint8_t ones[72] = { [0 ... 71] = 1 };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct dispatch_sinks before;
		struct outcome o;

		outcome_init(&o);
		o.sinks.workload_duration_ns = SECOND;
		o.sinks.kernel_text_link_kva = UINT64_C(0xffffffff81000000);
		before = o.sinks;
		for (uint32_t length = 0; length <= sizeof(ones); length += 4)
			(void)send_at(&o, SECOND, types[i], ones, length, true);
		before.bucketed = o.sinks.bucketed;
		before.dropped_torn = o.sinks.dropped_torn;
		cr_assert_eq(memcmp(&before, &o.sinks, sizeof(before)), 0, "%#x", types[i]);
		outcome_done(&o);
	}
}

Test(dispatch, sys_rdy_with_a_payload_is_dropped_and_keeps_the_handle)
{
	struct outcome o;

	outcome_init(&o);
	cr_assert_not(send_at(&o, SECOND, KTSTR_MSG_SYS_RDY, "x", 1, false));
	cr_assert_not(o.sinks.is_ready);
	cr_assert_eq(read_counter(o.sys_rdy_evt), 0);
	cr_assert_eq(o.sinks.sys_rdy_evt, o.sys_rdy_evt);
	cr_assert_eq(o.sinks.dropped_malformed, 1);
	outcome_done(&o);
}

Test(dispatch, warns_of_each_unknown_type_once)
{
	struct outcome o;

	outcome_init(&o);
	for (uint32_t i = 0; i < 40; i++)
		(void)send_at(&o, SECOND, 0x11110000 + i % 20, NULL, 0, i % 2 == 0);
	cr_assert_eq(o.sinks.dropped_unknown, 40);
	cr_assert_eq(o.sinks.unknown_count, DISPATCH_UNKNOWN_MAX, "the list is bounded");
	cr_assert_eq(o.sinks.unknown_types[3], 0x11110003);
	outcome_done(&o);
}

struct snapshot_case {
	uint32_t id;
	uint32_t kind;
	uint32_t length;
	bool is_pushed;
};

ParameterizedTestParameters(dispatch, snapshot_request_is_decoded_strictly)
{
	static struct snapshot_case cases[] = {
		{ 1, KTSTR_SNAPSHOT_CAPTURE, 72, true },  { 1, KTSTR_SNAPSHOT_WATCH, 72, true },
		{ 0, KTSTR_SNAPSHOT_CAPTURE, 72, false }, { 1, KTSTR_SNAPSHOT_NONE, 72, false },
		{ 1, KTSTR_SNAPSHOT_CAPTURE, 71, false }, { 1, KTSTR_SNAPSHOT_CAPTURE, 0, false },
		{ 1, KTSTR_SNAPSHOT_CAPTURE, 73, false },
	};

	return cr_make_param_array(struct snapshot_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct snapshot_case *c, dispatch, snapshot_request_is_decoded_strictly)
{
	struct {
		struct ktstr_snapshot_request request;
		char more[8];
	} payload = { .request = snapshot_request(c->id, c->kind, "tag") };
	struct outcome o;

	outcome_init(&o);
	(void)send_at(&o, SECOND, KTSTR_MSG_SNAPSHOT_REQUEST, &payload, c->length, false);
	cr_assert_eq(o.sinks.snapshot_count, c->is_pushed);
	cr_assert_eq(o.sinks.dropped_malformed, !c->is_pushed);
	outcome_done(&o);
}

Test(dispatch, snapshot_requests_are_bounded)
{
	struct outcome o;

	outcome_init(&o);
	for (uint32_t i = 1; i <= DISPATCH_SNAPSHOTS_MAX + 3; i++) {
		struct frames frames = { 0 };

		add_snapshot(&frames, i, "t", false);
		run_dispatch(&frames, SECOND, &o);
	}
	cr_assert_eq(o.sinks.snapshot_count, DISPATCH_SNAPSHOTS_MAX);
	cr_assert_eq(o.sinks.dropped_internal, 3);
	outcome_done(&o);
}

#define LINK UINT64_C(0xffffffff81000000)
#define GIB (UINT64_C(1) << 30)

struct kaslr_case {
	uint64_t link;
	uint64_t text_plus_1;
	uint64_t published; /* biased */
};

ParameterizedTestParameters(dispatch, kern_addrs_publishes_the_offset_within_its_gates)
{
	static struct kaslr_case cases[] = {
		{ LINK, LINK + 1, 1 }, /* an offset of 0 is one */
		{ LINK, LINK + 0x200000 + 1, 0x200001 },
		{ LINK, LINK + GIB + 1, GIB + 1 }, /* the most that is believed */
		{ LINK, LINK + GIB + 2, 0 },
		{ LINK, LINK, 0 },  /* runtime below link */
		{ LINK, 0, 0 },	    /* not found */
		{ 0, LINK + 1, 0 }, /* link address not known */
		{ UINT64_C(0xffff7fffffffffff), UINT64_C(0xffff800000000001), 0 },
		{ UINT64_C(0xffff800000000000), UINT64_C(0xffff800000000001), 1 },
		{ UINT64_C(0xffff800000000000), UINT64_C(0xffff800000000000), 0 },
		{ LINK, UINT64_MAX, UINT64_MAX - 1 - LINK + 1 > GIB + 1 ? 0 : UINT64_MAX - LINK },
	};

	return cr_make_param_array(struct kaslr_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct kaslr_case *c, dispatch, kern_addrs_publishes_the_offset_within_its_gates)
{
	struct ktstr_kern_addrs addrs = { .phys_base_plus_1 = 5,
					  .page_offset_base = 9,
					  .kernel_text_plus_1 = c->text_plus_1 };
	struct outcome o;

	outcome_init(&o);
	o.sinks.kernel_text_link_kva = c->link;
	cr_assert_not(send_at(&o, SECOND, KTSTR_MSG_KERN_ADDRS, &addrs, sizeof(addrs), false));
	cr_assert_eq(o.sinks.kern_virt_kaslr_plus_1, c->published, "%#lx", c->text_plus_1);
	cr_assert_eq(o.sinks.kern_phys_base_plus_1, 5, "the rest does not hang on it");
	cr_assert_eq(o.sinks.page_offset_base, 9);
	outcome_done(&o);
}

Test(dispatch, kern_addrs_keeps_the_first_offset_and_flags_another)
{
	struct ktstr_kern_addrs addrs = { .kernel_text_plus_1 = LINK + 0x1000 + 1 };
	struct outcome o;

	outcome_init(&o);
	o.sinks.kernel_text_link_kva = LINK;
	(void)send_at(&o, SECOND, KTSTR_MSG_KERN_ADDRS, &addrs, sizeof(addrs), false);
	(void)send_at(&o, SECOND, KTSTR_MSG_KERN_ADDRS, &addrs, sizeof(addrs), false);
	cr_assert_not(o.sinks.is_kaslr_divergent);
	addrs.kernel_text_plus_1 += 0x1000;
	(void)send_at(&o, SECOND, KTSTR_MSG_KERN_ADDRS, &addrs, sizeof(addrs), false);
	cr_assert(o.sinks.is_kaslr_divergent);
	cr_assert_eq(o.sinks.kern_virt_kaslr_plus_1, 0x1001);
	cr_assert_eq(o.sinks.dropped_malformed, 1);
	outcome_done(&o);
}

Test(dispatch, kern_addrs_keeps_the_first_of_each_address)
{
	struct ktstr_kern_addrs addrs = { .phys_base_plus_1 = 5, .page_offset_base = 9 };
	struct outcome o;

	outcome_init(&o);
	(void)send_at(&o, SECOND, KTSTR_MSG_KERN_ADDRS, &addrs, sizeof(addrs), false);
	addrs.page_offset_base = 0; /* not found this time */
	(void)send_at(&o, SECOND, KTSTR_MSG_KERN_ADDRS, &addrs, sizeof(addrs), false);
	cr_assert_eq(o.sinks.dropped_malformed, 0);
	addrs = (struct ktstr_kern_addrs){ .phys_base_plus_1 = 6, .page_offset_base = 10 };
	(void)send_at(&o, SECOND, KTSTR_MSG_KERN_ADDRS, &addrs, sizeof(addrs), false);
	cr_assert_eq(o.sinks.kern_phys_base_plus_1, 5);
	cr_assert_eq(o.sinks.page_offset_base, 9);
	cr_assert_eq(o.sinks.dropped_malformed, 1);
	outcome_done(&o);
}

Test(dispatch, kern_addrs_outside_of_any_kernel_are_malformed)
{
	const struct ktstr_kern_addrs addrs = { .kernel_text_plus_1 = 0x1000 };
	struct outcome o;

	outcome_init(&o);
	(void)send_at(&o, SECOND, KTSTR_MSG_KERN_ADDRS, &addrs, sizeof(addrs), false);
	cr_assert_eq(o.sinks.dropped_malformed, 1);
	outcome_done(&o);
}

Test(dispatch, kern_addrs_of_another_length_is_dropped)
{
	static const uint8_t ones[32] = { [0 ... 31] = 1 };
	struct outcome o;

	outcome_init(&o);
	for (uint32_t length = 0; length <= sizeof(ones); length++)
		if (length != sizeof(struct ktstr_kern_addrs))
			(void)send_at(&o, SECOND, KTSTR_MSG_KERN_ADDRS, ones, length, false);
	cr_assert_eq(o.sinks.dropped_malformed, 32);
	cr_assert_eq(o.sinks.kern_phys_base_plus_1, 0);
	outcome_done(&o);
}

/* One step of a story about the watchdog, and what stands in the sinks after it. */
struct watchdog_step {
	uint32_t msg_type; /* 0: the story is over */
	uint64_t now_ns;
	uint64_t reset_ns, pause_ns, start_ns, cumulative_ns;
};

struct watchdog_story {
	uint64_t budget_ns;
	struct watchdog_step steps[6];
};

#define START KTSTR_MSG_SCENARIO_START
#define PAUSE KTSTR_MSG_SCENARIO_PAUSE
#define RESUME KTSTR_MSG_SCENARIO_RESUME
#define END KTSTR_MSG_SCENARIO_END

ParameterizedTestParameters(dispatch, watchdog)
{
	static struct watchdog_story stories[] = {
		/* The first start stamps, every start sets the deadline anew. */
		{ 100, { { START, 7, 107, 0, 7, 0 }, { START, 50, 150, 0, 7, 0 } } },
		/* Stamps have a floor of 1. */
		{ 100, { { START, 0, 100, 0, 1, 0 }, { PAUSE, 0, 100, 1, 1, 0 } } },
		/* Without a budget: the stamp, and a pause of 1; no deadline. */
		{ 0,
		  { { START, 7, 0, 0, 7, 0 },
		    { PAUSE, 9, 0, 1, 7, 0 },
		    { RESUME, 20, 0, 1, 7, 0 },
		    { END, 30, 0, 1, 7, 0 } } },
		/* A pause puts the deadline off by as long as it lasted. */
		{ 100,
		  { { START, 10, 110, 0, 10, 0 },
		    { PAUSE, 20, 110, 20, 10, 0 },
		    { RESUME, 50, 140, 0, 10, 30 },
		    { PAUSE, 60, 140, 60, 10, 30 },
		    { RESUME, 65, 145, 0, 10, 35 } } },
		/* A resume without a pause does nothing. */
		{ 100, { { START, 10, 110, 0, 10, 0 }, { RESUME, 20, 110, 0, 10, 0 } } },
		/* The clock handed in went back: nothing wraps. */
		{ 100,
		  { { START, 10, 110, 0, 10, 0 },
		    { PAUSE, 50, 110, 50, 10, 0 },
		    { RESUME, 40, 110, 0, 10, 0 } } },
		/* Nothing overflows. */
		{ UINT64_MAX,
		  { { START, 10, UINT64_MAX, 0, 10, 0 },
		    { PAUSE, 20, UINT64_MAX, 20, 10, 0 },
		    { RESUME, UINT64_MAX, UINT64_MAX, 0, 10, UINT64_MAX - 20 },
		    { PAUSE, 1, UINT64_MAX, 1, 10, UINT64_MAX - 20 },
		    { RESUME, UINT64_MAX, UINT64_MAX, 0, 10, UINT64_MAX } } },
		/* The end gives the teardown a fresh budget. */
		{ 100, { { START, 10, 110, 0, 10, 0 }, { END, 90, 190, 0, 10, 0 } } },
	};

	return cr_make_param_array(struct watchdog_story, stories, ARRAY_SIZE(stories));
}

ParameterizedTest(struct watchdog_story *story, dispatch, watchdog)
{
	struct outcome o;

	outcome_init(&o);
	o.sinks.workload_duration_ns = story->budget_ns;
	for (const struct watchdog_step *step = story->steps; step->msg_type != 0; step++) {
		int number = (int)(step - story->steps);

		cr_assert(send_at(&o, step->now_ns, step->msg_type, NULL, 0, false));
		cr_assert_eq(o.sinks.watchdog_reset_ns, step->reset_ns, "step %d: %lu", number,
			     o.sinks.watchdog_reset_ns);
		cr_assert_eq(o.sinks.watchdog_pause_ns, step->pause_ns, "step %d", number);
		cr_assert_eq(o.sinks.scenario_start_ns, step->start_ns, "step %d", number);
		cr_assert_eq(o.sinks.scenario_pause_cumulative_ns, step->cumulative_ns, "step %d",
			     number);
		cr_assert_eq(o.sinks.is_scenario_ended, step->msg_type == END);
	}
	outcome_done(&o);
}

Test(dispatch, stimulus_sets_the_current_step)
{
	struct ktstr_stimulus stimulus = { .step_index = 3 };
	struct outcome o;

	outcome_init(&o);
	(void)send_at(&o, SECOND, KTSTR_MSG_STIMULUS, &stimulus, sizeof(stimulus), false);
	cr_assert_eq(o.sinks.current_step, 3);
	stimulus.step_index = 4;
	cr_assert(send_at(&o, SECOND, KTSTR_MSG_STIMULUS, &stimulus, sizeof(stimulus) - 1, false),
		  "a short one is bucketed");
	cr_assert_eq(o.sinks.current_step, 3, "but sets nothing");
	outcome_done(&o);
}

Test(dispatch, knows_what_the_guests_clock_showed_when_a_step_began)
{
	struct ktstr_guest_time time = { 7 * SECOND };
	struct ktstr_stimulus stimulus = { .elapsed_ms = 2000, .step_index = 1 };
	struct outcome o;

	outcome_init(&o);
	(void)send_at(&o, SECOND, KTSTR_MSG_SCENARIO_START, &time, sizeof(time), false);
	(void)send_at(&o, SECOND, KTSTR_MSG_STIMULUS, &stimulus, sizeof(stimulus), false);
	cr_assert_eq(o.sinks.step_guest_ns, 9 * SECOND);
	stimulus.elapsed_ms = 5000;
	(void)send_at(&o, SECOND, KTSTR_MSG_STEP_END, &stimulus, sizeof(stimulus), false);
	(void)send_at(&o, SECOND, KTSTR_MSG_STIMULUS, &stimulus, sizeof(stimulus), false);
	cr_assert_eq(o.sinks.step_guest_ns, 9 * SECOND, "the same step goes on");
	cr_assert_eq(o.sinks.clock.now_ns, 12 * SECOND);
	stimulus.elapsed_ms = 6000;
	(void)send_at(&o, SECOND, KTSTR_MSG_STIMULUS, &stimulus, sizeof(stimulus), true);
	cr_assert_eq(o.sinks.clock.now_ns, 12 * SECOND, "a torn one says nothing");
	outcome_done(&o);
}

Test(dispatch, lifecycle_sets_the_last_phase_and_leaves_the_deadline_alone)
{
	struct outcome o;

	outcome_init(&o);
	o.sinks.workload_duration_ns = 100;
	(void)send_at(&o, SECOND, KTSTR_MSG_LIFECYCLE, "\6why", 4, false);
	cr_assert_eq(o.sinks.last_phase, KTSTR_PHASE_SCHEDULER_ATTACHED);
	(void)send_at(&o, SECOND, KTSTR_MSG_LIFECYCLE, NULL, 0, false);
	cr_assert_eq(o.sinks.last_phase, KTSTR_PHASE_SCHEDULER_ATTACHED);
	cr_assert_eq(o.sinks.watchdog_reset_ns, 0);
	cr_assert_not(o.sinks.is_overdue);
	(void)send_at(&o, SECOND, KTSTR_MSG_LIFECYCLE, "\7late", 5, true);
	cr_assert_not(o.sinks.is_overdue, "a torn one says nothing");
	(void)send_at(&o, SECOND, KTSTR_MSG_LIFECYCLE, "\7late", 5, false);
	cr_assert(o.sinks.is_overdue);
	cr_assert_eq(o.sinks.last_phase, KTSTR_PHASE_SCHEDULER_ATTACHED, "it is no phase of that");
	outcome_done(&o);
}

Test(dispatch, exit_keeps_the_last_valid_code)
{
	struct outcome o;

	outcome_init(&o);
	cr_assert_eq(o.sinks.exit_code, -1);
	(void)send_at(&o, SECOND, KTSTR_MSG_EXIT, "\3\0\0\0", 4, false);
	(void)send_at(&o, SECOND, KTSTR_MSG_EXIT, "\5\0\0\0", 4, false);
	(void)send_at(&o, SECOND, KTSTR_MSG_EXIT, "\7\0\0\0\0", 5, false);
	(void)send_at(&o, SECOND, KTSTR_MSG_EXIT, "\7\0\0", 3, false);
	(void)send_at(&o, SECOND, KTSTR_MSG_EXIT, "\7\0\0\0", 4, true);
	cr_assert(o.sinks.has_exit);
	cr_assert_eq(o.sinks.exit_code, 5);
	outcome_done(&o);
}

Test(dispatch, end_counts_the_first_valid_one)
{
	struct ktstr_stream_end end = { .frame_count = 4 };
	struct outcome o;

	outcome_init(&o);
	(void)send_at(&o, SECOND, KTSTR_MSG_END, &end, sizeof(end), true);
	(void)send_at(&o, SECOND, KTSTR_MSG_END, &end, sizeof(end) - 1, false);
	cr_assert_not(o.sinks.has_end);
	(void)send_at(&o, SECOND, KTSTR_MSG_END, &end, sizeof(end), false);
	cr_assert(o.sinks.has_end);
	end.frame_count = 9;
	(void)send_at(&o, SECOND, KTSTR_MSG_END, &end, sizeof(end), false);
	cr_assert_eq(o.sinks.end.frame_count, 4);
	outcome_done(&o);
}

Test(dispatch, end_matches_only_what_arrived)
{
	struct wire_account account = { .frame_count = 3, .byte_count = 99, .headers_crc32 = 7 };
	struct dispatch_sinks sinks;

	dispatch_init(&sinks);
	sinks.end =
		(struct ktstr_stream_end){ .frame_count = 3, .byte_count = 99, .headers_crc32 = 7 };
	cr_assert_not(dispatch_end_matches(&sinks, &account), "no END frame came");
	sinks.has_end = true;
	cr_assert(dispatch_end_matches(&sinks, &account));
	account.frame_count--;
	cr_assert_not(dispatch_end_matches(&sinks, &account));
	account.frame_count++;
	account.byte_count++;
	cr_assert_not(dispatch_end_matches(&sinks, &account));
	account.byte_count--;
	account.headers_crc32 ^= 1;
	cr_assert_not(dispatch_end_matches(&sinks, &account));
}
