/* SPDX-License-Identifier: GPL-2.0-only */
/* What dispatch keeps of the guest's requests for the loop to serve. */
#include "coord/dispatch.h"

#include <string.h>

#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "support/outcome.h"

static struct outcome o;
static struct dispatch_kernel_ops ops;

static void setup(void)
{
	outcome_init(&o);
	ops.count = 0;
	o.sinks.kernel_ops = &ops;
}

static void teardown(void)
{
	outcome_done(&o);
}

TestSuite(dispatch_requests, .init = setup, .fini = teardown);

static void send_ranges(uint32_t id, uint64_t address, bool is_torn)
{
	const struct wire_ranges ranges = { .request_id = id,
					    .count = 1,
					    .items = { { address, 4, WIRE_RANGE_KEEP } } };
	uint8_t bytes[WIRE_RANGES_SIZE_MAX];

	cr_assert_not(send_at(&o, SECOND, KTSTR_MSG_SNAPSHOT_RANGES, bytes,
			      (uint32_t)wire_encode_ranges(&ranges, bytes), is_torn));
}

static void send_request(uint32_t id)
{
	const struct ktstr_snapshot_request request =
		snapshot_request(id, KTSTR_SNAPSHOT_CAPTURE, "tag");

	cr_assert_not(
		send_at(&o, SECOND, KTSTR_MSG_SNAPSHOT_REQUEST, &request, sizeof(request), false));
}

static void send_op(uint32_t id, const char *tag, bool is_torn)
{
	static uint8_t bytes[WIRE_KERNEL_REQUEST_MAX];
	static struct wire_kernel_op op;
	const struct wire_kernel_entry entry = { .value = WIRE_VALUE_U32, .length = 4 };

	memset(&op, 0, sizeof(op));
	op.request_id = id;
	op.direction = WIRE_KERNEL_READ;
	strcpy(op.tag, tag);
	cr_assert_eq(wire_kernel_op_add(&op, &entry, NULL), 0);
	cr_assert_not(send_at(&o, SECOND, KTSTR_MSG_KERNEL_OP_REQUEST, bytes,
			      (uint32_t)wire_encode_kernel_op(&op, bytes), is_torn));
}

Test(dispatch_requests, ranges_go_with_the_request_of_their_id)
{
	send_ranges(4, 0x1000, false);
	send_ranges(5, 0x2000, false);
	send_request(5);
	send_request(5);
	send_request(4);
	cr_assert_eq(o.sinks.snapshot_count, 3);
	cr_expect_eq(o.sinks.snapshot_ranges[0].count, 1);
	cr_expect_eq(o.sinks.snapshot_ranges[0].items[0].address, 0x2000);
	cr_expect_eq(o.sinks.snapshot_ranges[1].count, 0, "they were used");
	cr_expect_eq(o.sinks.snapshot_ranges[2].count, 0, "newer ones took their place");
}

Test(dispatch_requests, torn_and_malformed_ranges_are_dropped)
{
	send_ranges(4, 0x1000, true);
	(void)send_at(&o, SECOND, KTSTR_MSG_SNAPSHOT_RANGES, "\4\0\0\0\1\0\0\0", 8, false);
	send_request(4);
	cr_assert_eq(o.sinks.snapshot_count, 1);
	cr_expect_eq(o.sinks.snapshot_ranges[0].count, 0);
	cr_expect_eq(o.sinks.dropped_torn, 1);
	cr_expect_eq(o.sinks.dropped_malformed, 1);
	cr_expect_eq(o.sinks.bucketed, 0);
}

Test(dispatch_requests, a_request_beyond_the_queue_is_named)
{
	for (uint32_t i = 1; i <= DISPATCH_SNAPSHOTS_MAX; i++)
		send_request(i);
	cr_expect_eq(o.sinks.refused_id, 0);
	send_request(77);
	cr_expect_eq(o.sinks.refused_id, 77);
	cr_expect_eq(o.sinks.refused_type, KTSTR_MSG_SNAPSHOT_REQUEST);
	cr_expect_eq(o.sinks.dropped_internal, 1);
}

Test(dispatch_requests, kernel_operations_are_queued_and_never_bucketed)
{
	send_op(1, "one", false);
	send_op(2, "two", true);
	send_op(3, "three", false);
	cr_assert_eq(ops.count, 2);
	cr_expect_eq(ops.items[0].request_id, 1);
	cr_expect_str_eq(ops.items[0].tag, "one");
	cr_expect_eq(ops.items[1].request_id, 3);
	cr_expect_eq(o.sinks.dropped_torn, 1);
	cr_expect_eq(o.sinks.bucketed, 0);
	cr_expect_eq(o.sinks.refused_id, 0, "a torn one gets no reply: its id may be another's");
}

Test(dispatch_requests, malformed_kernel_operations_are_dropped_without_a_reply)
{
	static const uint8_t bytes[64] = { 16, [4] = 1, [10] = 1 };

	for (uint32_t length = 0; length <= sizeof(bytes); length++)
		(void)send_at(&o, SECOND, KTSTR_MSG_KERNEL_OP_REQUEST, bytes, length, false);
	cr_expect_eq(ops.count, 0);
	cr_expect_eq(o.sinks.dropped_malformed, 65);
	cr_expect_eq(o.sinks.refused_id, 0);
}

Test(dispatch_requests, kernel_operations_beyond_the_queue_are_named)
{
	for (uint32_t i = 1; i <= DISPATCH_KERNEL_OPS_MAX; i++)
		send_op(i, "x", false);
	send_op(88, "x", false);
	cr_assert_eq(ops.count, DISPATCH_KERNEL_OPS_MAX);
	cr_expect_eq(o.sinks.refused_id, 88);
	cr_expect_eq(o.sinks.refused_type, KTSTR_MSG_KERNEL_OP_REQUEST);
	o.sinks.refused_id = 0;
	(void)send_at(&o, SECOND, KTSTR_MSG_KERNEL_OP_REQUEST, "x", 1, false);
	cr_expect_eq(o.sinks.refused_id, 0, "what has no id gets no reply");
}

Test(dispatch_requests, nobody_serves_kernel_operations_without_a_queue)
{
	o.sinks.kernel_ops = NULL;
	send_op(1, "x", false);
	cr_expect_eq(o.sinks.dropped_internal, 1);
}

/* A request whose tag is longer than an agent's can be. */
Test(dispatch_requests, a_long_tag_is_cut_before_a_character_that_does_not_fit)
{
	uint8_t bytes[16 + 300 + 32] = { 16, [4] = 9, [9] = 1, [10] = 1, [12] = 44, [13] = 1 };
	uint8_t *entry = bytes + 16 + 300;

	memset(bytes + 16, 'a', 300);
	memcpy(bytes + 16 + 255, "\xc3\xa9", 2);
	entry[0] = entry[4] = 32;
	entry[16] = 4;
	(void)send_at(&o, SECOND, KTSTR_MSG_KERNEL_OP_REQUEST, bytes, sizeof(bytes), false);
	cr_assert_eq(ops.count, 1);
	cr_expect_eq(strlen(ops.items[0].tag), 255);
}
