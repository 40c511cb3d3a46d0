/* SPDX-License-Identifier: GPL-2.0-only */
/* The gates: the seed's tests by their own names and inputs, and the mixed batches beside them. */
#include "coord/dispatch.h"

#include <criterion/criterion.h>

#include "support/outcome.h"

Test(seed, sched_exit_with_torn_crc_does_not_promote_kill)
{
	struct frames frames = { 0 };
	struct outcome o;

	outcome_init(&o);
	frames_add_torn(&frames, KTSTR_MSG_SCHED_EXIT, "exit-payload", 12);
	run_dispatch(&frames, SECOND, &o);
	cr_assert_eq(o.message_count, 1, "the assembler emits one message");
	cr_assert_not(o.sinks.kill);
	cr_assert_not(o.sinks.is_sched_exit);
	cr_assert_eq(read_counter(o.kill_evt), 0);
	cr_assert_eq(o.bucket_count, 0);
	cr_assert_eq(o.sinks.dropped_torn, 1);
	outcome_done(&o);
}

Test(seed, sched_exit_with_valid_crc_does_promote_kill)
{
	struct frames frames = { 0 };
	struct outcome o;

	outcome_init(&o);
	frames_add(&frames, KTSTR_MSG_SCHED_EXIT, "exit-payload", 12);
	run_dispatch(&frames, SECOND, &o);
	cr_assert(o.sinks.kill);
	cr_assert(o.sinks.is_sched_exit);
	cr_assert_eq(read_counter(o.kill_evt), 1, "written exactly once");
	cr_assert_eq(o.bucket_count, 1);
	cr_assert_eq(o.bucket[0].msg_type, KTSTR_MSG_SCHED_EXIT);
	cr_assert_eq(o.bucket[0].length, 12);
	cr_assert_arr_eq(o.bucket[0].payload, "exit-payload", 12);
	cr_assert(o.bucket[0].crc_ok);
	outcome_done(&o);
}

Test(seed, sched_exit_torn_crc_does_not_promote_when_other_valid_frames_present)
{
	struct frames frames = { 0 };
	struct outcome o;

	outcome_init(&o);
	frames_add_torn(&frames, KTSTR_MSG_SCHED_EXIT, "first", 5);
	frames_add(&frames, KTSTR_MSG_STIMULUS, "valid", 5);
	frames_add_torn(&frames, KTSTR_MSG_SCHED_EXIT, "second", 6);
	run_dispatch(&frames, SECOND, &o);
	cr_assert_eq(o.message_count, 3);
	cr_assert_not(o.sinks.kill);
	cr_assert_eq(read_counter(o.kill_evt), 0);
	cr_assert_eq(o.bucket_count, 1, "only the valid STIMULUS buckets");
	cr_assert_eq(o.bucket[0].msg_type, KTSTR_MSG_STIMULUS);
	cr_assert(o.bucket[0].crc_ok);
	outcome_done(&o);
}

Test(seed, snapshot_request_with_torn_crc_is_dropped)
{
	struct frames frames = { 0 };
	struct outcome o;

	outcome_init(&o);
	add_snapshot(&frames, 7, "snap_dump", true);
	run_dispatch(&frames, SECOND, &o);
	cr_assert_eq(o.message_count, 1);
	cr_assert_eq(o.sinks.snapshot_count, 0);
	cr_assert_eq(o.bucket_count, 0);
	outcome_done(&o);
}

Test(seed, snapshot_request_with_valid_crc_is_pushed)
{
	struct frames frames = { 0 };
	struct outcome o;

	outcome_init(&o);
	add_snapshot(&frames, 42, "valid_tag", false);
	run_dispatch(&frames, SECOND, &o);
	cr_assert_eq(o.sinks.snapshot_count, 1);
	cr_assert_eq(o.sinks.snapshots_pending[0].request_id, 42);
	cr_assert_eq(o.sinks.snapshots_pending[0].kind, KTSTR_SNAPSHOT_CAPTURE);
	cr_assert_str_eq(o.sinks.snapshots_pending[0].tag, "valid_tag");
	cr_assert_eq(o.bucket_count, 0, "internal to the coordinator: never buckets");
	outcome_done(&o);
}

Test(seed, snapshot_request_torn_crc_dropped_in_mixed_batch)
{
	struct frames frames = { 0 };
	struct outcome o;

	outcome_init(&o);
	add_snapshot(&frames, 1, "first", false);
	add_snapshot(&frames, 2, "torn", true);
	add_snapshot(&frames, 3, "third", false);
	run_dispatch(&frames, SECOND, &o);
	cr_assert_eq(o.message_count, 3);
	cr_assert_eq(o.sinks.snapshot_count, 2);
	cr_assert_eq(o.sinks.snapshots_pending[0].request_id, 1);
	cr_assert_eq(o.sinks.snapshots_pending[1].request_id, 3);
	outcome_done(&o);
}

Test(seed, both_gates_drop_torn_frames_in_same_drain)
{
	struct frames frames = { 0 };
	struct outcome o;

	outcome_init(&o);
	frames_add_torn(&frames, KTSTR_MSG_SCHED_EXIT, "sched-exit", 10);
	add_snapshot(&frames, 99, "tag", true);
	run_dispatch(&frames, SECOND, &o);
	cr_assert_eq(o.message_count, 2);
	cr_assert_not(o.sinks.kill);
	cr_assert_eq(read_counter(o.kill_evt), 0);
	cr_assert_eq(o.sinks.snapshot_count, 0);
	cr_assert_eq(o.bucket_count, 0);
	outcome_done(&o);
}

Test(seed, sys_rdy_with_torn_crc_does_not_fire_eventfd)
{
	struct frames frames = { 0 };
	struct outcome o;

	outcome_init(&o);
	frames_add_torn(&frames, KTSTR_MSG_SYS_RDY, "", 0);
	run_dispatch(&frames, SECOND, &o);
	cr_assert_eq(o.message_count, 1);
	cr_assert_eq(read_counter(o.sys_rdy_evt), 0);
	cr_assert_eq(o.sinks.sys_rdy_evt, o.sys_rdy_evt, "the handle is kept for a valid frame");
	cr_assert_not(o.sinks.is_ready);
	outcome_done(&o);
}

Test(seed, sys_rdy_with_valid_crc_fires_eventfd_once)
{
	struct frames frames = { 0 };
	struct outcome o;

	outcome_init(&o);
	frames_add(&frames, KTSTR_MSG_SYS_RDY, "", 0);
	run_dispatch(&frames, SECOND, &o);
	cr_assert_eq(read_counter(o.sys_rdy_evt), 1);
	cr_assert_eq(o.sinks.sys_rdy_evt, -1, "the handle is consumed");
	cr_assert(o.sinks.is_ready);
	cr_assert_eq(o.bucket_count, 0);
	outcome_done(&o);
}

Test(seed, sys_rdy_with_valid_crc_fires_once_then_subsequent_drops)
{
	struct frames frames = { 0 };
	struct outcome o;

	outcome_init(&o);
	frames_add(&frames, KTSTR_MSG_SYS_RDY, "", 0);
	frames_add(&frames, KTSTR_MSG_SYS_RDY, "", 0);
	run_dispatch(&frames, SECOND, &o);
	cr_assert_eq(o.message_count, 2);
	cr_assert_eq(read_counter(o.sys_rdy_evt), 1);
	cr_assert_eq(o.sinks.sys_rdy_evt, -1);
	cr_assert_eq(o.sinks.dropped_internal, 1);
	outcome_done(&o);
}

Test(seed, sys_rdy_and_sched_exit_fire_independently)
{
	struct frames frames = { 0 };
	struct outcome o;

	outcome_init(&o);
	frames_add(&frames, KTSTR_MSG_SYS_RDY, "", 0);
	frames_add(&frames, KTSTR_MSG_SCHED_EXIT, "exit-payload", 12);
	run_dispatch(&frames, SECOND, &o);
	cr_assert_eq(read_counter(o.sys_rdy_evt), 1);
	cr_assert_eq(o.sinks.sys_rdy_evt, -1);
	cr_assert(o.sinks.kill);
	cr_assert_eq(read_counter(o.kill_evt), 1);
	outcome_done(&o);
}

/*
 * Every order of torn and valid gate frames: each gate opens by its own valid frame, whatever its
 * neighbours are.
 */
Test(dispatch, gates_every_frame_by_itself_in_any_order)
{
	enum {
		KINDS = 6,
		LENGTH = 4,
		CASES = 6 * 6 * 6 * 6
	};

	for (unsigned int number = 0; number < CASES; number++) {
		struct frames frames = { 0 };
		unsigned int has[KINDS] = { 0 }, rest = number;
		struct outcome o;

		outcome_init(&o);
		for (int i = 0; i < LENGTH; i++, rest /= KINDS) {
			has[rest % KINDS]++;
			switch (rest % KINDS) {
			case 0:
				frames_add(&frames, KTSTR_MSG_SCHED_EXIT, "\1\0\0\0", 4);
				break;
			case 1:
				frames_add_torn(&frames, KTSTR_MSG_SCHED_EXIT, "\1\0\0\0", 4);
				break;
			case 2:
				add_snapshot(&frames, 5, "x", false);
				break;
			case 3:
				add_snapshot(&frames, 6, "x", true);
				break;
			case 4:
				frames_add(&frames, KTSTR_MSG_SYS_RDY, NULL, 0);
				break;
			case 5:
				frames_add_torn(&frames, KTSTR_MSG_SYS_RDY, NULL, 0);
				break;
			}
		}
		run_dispatch(&frames, SECOND, &o);
		cr_assert_eq(o.sinks.kill, has[0] > 0, "case %u", number);
		cr_assert_eq(read_counter(o.kill_evt), has[0] > 0, "case %u", number);
		cr_assert_eq(o.bucket_count, has[0], "case %u", number);
		cr_assert_eq(o.sinks.snapshot_count, has[2], "case %u", number);
		cr_assert_eq(o.sinks.is_ready, has[4] > 0, "case %u", number);
		cr_assert_eq(read_counter(o.sys_rdy_evt), has[4] > 0, "case %u", number);
		cr_assert_eq(o.sinks.dropped_torn, has[1] + has[3] + has[5], "case %u", number);
		outcome_done(&o);
	}
}
