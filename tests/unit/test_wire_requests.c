/* SPDX-License-Identifier: GPL-2.0-only */
/* Requests of the guest and what the host answers: layouts byte by byte, bounds, round trips. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "wire/kernel_op.h"
#include "wire/snapshot.h"

/* Ranges of a snapshot. */

Test(ranges, layout_is_8_bytes_and_16_a_range)
{
	static const uint8_t expected[] = {
		7, 0, 0, 0, 2,	  0,	0,    0,    /* request_id, count */
		8, 7, 6, 5, 4,	  3,	2,    1,    /* address */
		9, 0, 0, 0, 1,	  0,	0,    0,    /* length, kind */
		0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, /* the second */
		4, 0, 0, 0, 2,	  0,	0,    0,
	};
	const struct wire_ranges ranges = {
		.request_id = 7,
		.count = 2,
		.items = { { 0x0102030405060708, 9, WIRE_RANGE_KEEP },
			   { 0xffffffff00000000, 4, WIRE_RANGE_WATCH } },
	};
	uint8_t bytes[WIRE_RANGES_SIZE_MAX];

	cr_assert_eq(wire_encode_ranges(&ranges, bytes), sizeof(expected));
	cr_expect_arr_eq(bytes, expected, sizeof(expected));
}

Test(ranges, come_back_as_they_went)
{
	struct wire_ranges sent = { .request_id = 3, .count = WIRE_RANGES_MAX }, got;
	uint8_t bytes[WIRE_RANGES_SIZE_MAX];

	for (uint32_t i = 0; i < WIRE_RANGES_MAX; i++)
		sent.items[i] = (struct wire_range){ i * 4096, i, i };
	cr_assert_eq(wire_encode_ranges(&sent, bytes), sizeof(bytes));
	cr_assert_eq(wire_decode_ranges(bytes, sizeof(bytes), &got), 0);
	cr_expect_eq(memcmp(&sent, &got, sizeof(got)), 0);
}

static const struct {
	const char *why;
	uint32_t request_id;
	uint32_t count;
	size_t length;
} bad_ranges[] = {
	{ "nothing at all", 1, 1, 0 },
	{ "no whole head", 1, 1, 7 },
	{ "no id", 0, 1, 24 },
	{ "no range", 1, 0, 8 },
	{ "range cut off", 1, 1, 23 },
	{ "a byte too many", 1, 1, 25 },
	{ "one too many", 1, 65, 1048 },
	{ "count wraps", 1, UINT32_MAX, 24 },
	{ "count times 16 wraps to 0", 1, 0x10000000, 8 },
};

Test(ranges, counts_are_not_believed)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad_ranges); i++) {
		uint32_t bytes[300] = { bad_ranges[i].request_id, bad_ranges[i].count };
		struct wire_ranges got = { .request_id = 99 };

		cr_expect_eq(wire_decode_ranges(bytes, bad_ranges[i].length, &got), -EBADMSG, "%s",
			     bad_ranges[i].why);
		cr_expect_eq(got.request_id, 99);
	}
}

/* The reply to a snapshot. */

Test(snapshot_reply, layout_is_520_bytes)
{
	struct wire_snapshot_reply reply;
	uint8_t bytes[520];

	wire_snapshot_reply_init(&reply, 0x01020304, WIRE_SNAPSHOT_ERROR, "why");
	cr_assert_eq(sizeof(reply), sizeof(bytes));
	memcpy(bytes, &reply, sizeof(bytes));
	cr_expect_arr_eq(bytes, "\4\3\2\1\2\0\0\0why\0\0", 13);
	for (size_t i = 11; i < sizeof(bytes); i++)
		cr_assert_eq(bytes[i], 0, "byte %zu", i);
}

Test(snapshot_reply, a_long_reason_is_cut)
{
	struct wire_snapshot_reply reply, got;
	char reason[600];

	memset(reason, 'r', sizeof(reason));
	reason[sizeof(reason) - 1] = '\0';
	wire_snapshot_reply_init(&reply, 1, WIRE_SNAPSHOT_ERROR, reason);
	cr_expect_eq(strlen(reply.reason), 511);
	memset(reply.reason, 'x', sizeof(reply.reason));
	cr_assert_eq(wire_decode_snapshot_reply(&reply, sizeof(reply), &got), 0);
	cr_expect_eq(strlen(got.reason), 511, "a reason without an end gets one");
}

Test(snapshot_reply, the_reason_cannot_drive_a_terminal)
{
	struct wire_snapshot_reply reply, got;

	wire_snapshot_reply_init(&reply, 1, WIRE_SNAPSHOT_ERROR, "a\033[2J");
	cr_assert_eq(wire_decode_snapshot_reply(&reply, sizeof(reply), &got), 0);
	cr_expect_str_eq(got.reason, "a?[2J");
}

static const struct {
	uint32_t request_id;
	uint32_t status;
	size_t length;
	int rc;
} replies[] = {
	{ 1, WIRE_SNAPSHOT_OK, 520, 0 },
	{ UINT32_MAX, WIRE_SNAPSHOT_ERROR, 520, 0 },
	{ 0, WIRE_SNAPSHOT_OK, 520, -EBADMSG },
	{ 1, 0, 520, -EBADMSG },
	{ 1, 3, 520, -EBADMSG },
	{ 1, WIRE_SNAPSHOT_OK, 519, -EBADMSG },
	{ 1, WIRE_SNAPSHOT_OK, 521, -EBADMSG },
	{ 1, WIRE_SNAPSHOT_OK, 0, -EBADMSG },
};

Test(snapshot_reply, is_gated)
{
	for (size_t i = 0; i < ARRAY_SIZE(replies); i++) {
		struct wire_snapshot_reply got = { .request_id = 99 };
		uint8_t bytes[530] = { 0 };
		struct wire_snapshot_reply sent;

		wire_snapshot_reply_init(&sent, replies[i].request_id, replies[i].status, "");
		memcpy(bytes, &sent, sizeof(sent));
		cr_expect_eq(wire_decode_snapshot_reply(bytes, replies[i].length, &got),
			     replies[i].rc, "row %zu", i);
		cr_expect_eq(got.request_id, replies[i].rc ? 99 : replies[i].request_id);
	}
}

/* Kernel operations. They are large, so they live on the heap. */

static struct wire_kernel_op *new_op(uint8_t direction)
{
	struct wire_kernel_op *op = calloc(1, sizeof(*op));

	cr_assert_not_null(op);
	op->request_id = 5;
	op->mode = WIRE_KERNEL_COLD;
	op->direction = direction;
	strcpy(op->tag, "tag");
	return op;
}

static const struct wire_kernel_entry u32_entry = {
	.target = WIRE_TARGET_SYMBOL,
	.value = WIRE_VALUE_U32,
	.address = 0x0807060504030201,
	.length = 4,
	.symbol = "jiffies",
};

Test(kernel_op, layout_of_a_write)
{
	static const uint8_t expected[] = {
		16,  0,	  0,   0,   5,	 0,   0,   0, /* size, request_id */
		1,   0,	  1,   0,   3,	 0,   0,   0, /* mode, direction, count, tag */
		't', 'a', 'g',			      /* the tag */
		32,  0,	  0,   0,   43,	 0,   0,   0, /* size, total */
		0,   0,	  7,   0,   0,	 0,   0,   0, /* target, value, names */
		4,   0,	  0,   0,   0,	 0,   0,   0, /* value_length, number */
		1,   2,	  3,   4,   5,	 6,   7,   8, /* address */
		'j', 'i', 'f', 'f', 'i', 'e', 's', 0xaa, 0xbb, 0xcc, 0xdd, /* symbol, value */
	};
	_cleanup_free_ struct wire_kernel_op *op = new_op(WIRE_KERNEL_WRITE);
	_cleanup_free_ uint8_t *bytes = malloc(WIRE_KERNEL_REQUEST_MAX);

	cr_assert_eq(wire_kernel_op_add(op, &u32_entry, "\xaa\xbb\xcc\xdd"), 0);
	cr_assert_eq(wire_encode_kernel_op(op, bytes), sizeof(expected));
	cr_expect_arr_eq(bytes, expected, sizeof(expected));
}

Test(kernel_op, a_read_carries_no_bytes)
{
	_cleanup_free_ struct wire_kernel_op *op = new_op(WIRE_KERNEL_READ);
	_cleanup_free_ struct wire_kernel_op *got = new_op(0);
	_cleanup_free_ uint8_t *bytes = malloc(WIRE_KERNEL_REQUEST_MAX);
	struct wire_kernel_entry entry = u32_entry;

	entry.value = WIRE_VALUE_BYTES;
	entry.length = 4096;
	cr_assert_eq(wire_kernel_op_add(op, &entry, NULL), 0);
	cr_assert_eq(wire_encode_kernel_op(op, bytes), 16 + 3 + 32 + 7);
	cr_assert_eq(wire_decode_kernel_op(bytes, 58, got), 0);
	cr_expect_eq(got->direction, WIRE_KERNEL_READ);
	cr_expect_eq(got->entries[0].length, 4096);
	cr_expect_eq(got->byte_count, 0);
}

Test(kernel_op, comes_back_as_it_went)
{
	_cleanup_free_ struct wire_kernel_op *op = new_op(WIRE_KERNEL_WRITE);
	_cleanup_free_ struct wire_kernel_op *got = new_op(WIRE_KERNEL_READ);
	_cleanup_free_ uint8_t *bytes = malloc(WIRE_KERNEL_REQUEST_MAX);
	struct wire_kernel_entry entry = {
		.target = WIRE_TARGET_TASK_FIELD,
		.value = WIRE_VALUE_BYTES,
		.number = 77,
		.address = 123456789,
		.length = 3,
		.field = "scx.weight",
	};
	size_t length;

	cr_assert_eq(wire_kernel_op_add(op, &u32_entry, "1234"), 0);
	cr_assert_eq(wire_kernel_op_add(op, &entry, "abc"), 0);
	length = wire_encode_kernel_op(op, bytes);
	cr_assert_eq(wire_decode_kernel_op(bytes, length, got), 0);
	cr_expect_eq(got->request_id, 5);
	cr_expect_eq(got->mode, WIRE_KERNEL_COLD);
	cr_expect_eq(got->direction, WIRE_KERNEL_WRITE);
	cr_expect_str_eq(got->tag, "tag");
	cr_assert_eq(got->entry_count, 2);
	cr_expect_str_eq(got->entries[0].symbol, "jiffies");
	cr_expect_eq(got->entries[0].address, u32_entry.address);
	cr_expect_eq(got->entries[1].target, WIRE_TARGET_TASK_FIELD);
	cr_expect_eq(got->entries[1].number, 77);
	cr_expect_str_eq(got->entries[1].field, "scx.weight");
	cr_expect_eq(got->entries[1].offset, 4);
	cr_assert_eq(got->byte_count, 7);
	cr_expect_arr_eq(got->bytes, "1234abc", 7);
}

Test(kernel_op, takes_the_largest_request)
{
	_cleanup_free_ struct wire_kernel_op *op = new_op(WIRE_KERNEL_WRITE);
	_cleanup_free_ struct wire_kernel_op *got = new_op(0);
	_cleanup_free_ uint8_t *bytes = malloc(WIRE_KERNEL_REQUEST_MAX);
	_cleanup_free_ uint8_t *kilobyte = calloc(1, 1024);
	struct wire_kernel_entry entry = { .value = WIRE_VALUE_BYTES, .length = 1024 };
	size_t length;

	memset(entry.symbol, 's', WIRE_KERNEL_NAME_MAX);
	memset(entry.field, 'f', WIRE_KERNEL_NAME_MAX);
	memset(op->tag, 't', WIRE_KERNEL_TAG_MAX);
	for (uint32_t i = 0; i < WIRE_KERNEL_ENTRIES_MAX; i++)
		cr_assert_eq(wire_kernel_op_add(op, &entry, kilobyte), 0);
	entry.length = 1;
	cr_expect_eq(wire_kernel_op_add(op, &entry, kilobyte), -E2BIG);
	length = wire_encode_kernel_op(op, bytes);
	cr_assert_leq(length, WIRE_KERNEL_REQUEST_MAX);
	cr_assert_eq(wire_decode_kernel_op(bytes, length, got), 0);
	cr_expect_eq(got->entry_count, WIRE_KERNEL_ENTRIES_MAX);
	cr_expect_eq(got->byte_count, WIRE_KERNEL_WRITE_MAX);
}

Test(kernel_op, refuses_more_bytes_than_a_write_may_have)
{
	_cleanup_free_ struct wire_kernel_op *op = new_op(WIRE_KERNEL_WRITE);
	_cleanup_free_ uint8_t *much = calloc(1, WIRE_KERNEL_WRITE_MAX + 1);
	struct wire_kernel_entry entry = { .value = WIRE_VALUE_BYTES,
					   .length = WIRE_KERNEL_WRITE_MAX + 1 };

	cr_expect_eq(wire_kernel_op_add(op, &entry, much), -E2BIG);
	entry.length = WIRE_KERNEL_WRITE_MAX;
	cr_expect_eq(wire_kernel_op_add(op, &entry, much), 0);
}

static const struct {
	const char *why;
	uint8_t direction;
	uint8_t target;
	uint8_t value;
	uint32_t length;
	int rc;
} entries[] = {
	{ "a write of 4", WIRE_KERNEL_WRITE, 0, WIRE_VALUE_U32, 4, 0 },
	{ "bits to set", WIRE_KERNEL_WRITE, 0, WIRE_VALUE_OR_U32, 4, 0 },
	{ "a read of 8", WIRE_KERNEL_READ, 2, WIRE_VALUE_U64, 8, 0 },
	{ "a read of a MiB", WIRE_KERNEL_READ, 1, WIRE_VALUE_BYTES, 1 << 20, 0 },
	{ "a read of more", WIRE_KERNEL_READ, 1, WIRE_VALUE_BYTES, (1 << 20) + 1, -EINVAL },
	{ "bits to set in a read", WIRE_KERNEL_READ, 0, WIRE_VALUE_OR_U32, 4, -EINVAL },
	{ "no bytes", WIRE_KERNEL_WRITE, 0, WIRE_VALUE_BYTES, 0, -EINVAL },
	{ "5 bytes for 4", WIRE_KERNEL_WRITE, 0, WIRE_VALUE_U32, 5, -EINVAL },
	{ "4 bytes for 8", WIRE_KERNEL_WRITE, 0, WIRE_VALUE_U64, 4, -EINVAL },
	{ "unknown target", WIRE_KERNEL_WRITE, 5, WIRE_VALUE_U32, 4, -EINVAL },
	{ "unknown value", WIRE_KERNEL_WRITE, 0, 4, 4, -EINVAL },
};

Test(kernel_op, entries_are_checked_on_both_sides)
{
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		_cleanup_free_ struct wire_kernel_op *op = new_op(entries[i].direction);
		_cleanup_free_ struct wire_kernel_op *got = new_op(0);
		_cleanup_free_ uint8_t *bytes = malloc(WIRE_KERNEL_REQUEST_MAX);
		struct wire_kernel_entry entry = { .target = entries[i].target,
						   .value = entries[i].value,
						   .length = entries[i].length };
		size_t length;

		cr_expect_eq(wire_kernel_op_add(op, &entry, "12345678"), entries[i].rc, "%s",
			     entries[i].why);
		/* The other side sees it from somebody who does not check. */
		op->entries[0] = entry;
		op->entry_count = 1;
		length = wire_encode_kernel_op(op, bytes);
		cr_expect_eq(wire_decode_kernel_op(bytes, length, got),
			     entries[i].rc ? -EBADMSG : 0, "%s", entries[i].why);
	}
}

/* A byte of the request of layout_of_a_write that is something else. */
static const struct {
	const char *why;
	size_t at;
	uint8_t byte;
} changes[] = {
	{ "head too small", 0, 15 },
	{ "head beyond the payload", 1, 1 },
	{ "no id", 4, 0 },
	{ "unknown mode", 8, 2 },
	{ "unknown direction", 9, 2 },
	{ "no entry", 10, 0 },
	{ "an entry too many", 10, 2 },
	{ "more than 64 entries", 10, 65 },
	{ "tag beyond the end", 13, 1 },
	{ "entry head too small", 19, 31 },
	{ "entry head too large", 19, 99 },
	{ "total too small", 23, 42 },
	{ "total beyond the end", 23, 44 },
	{ "total wraps", 26, 0xff },
	{ "symbol beyond its entry", 29, 8 },
	{ "field beyond its entry", 31, 1 },
	{ "value beyond its entry", 35, 5 },
};

Test(kernel_op, lengths_are_not_believed)
{
	_cleanup_free_ struct wire_kernel_op *op = new_op(WIRE_KERNEL_WRITE);
	_cleanup_free_ struct wire_kernel_op *got = new_op(0);
	_cleanup_free_ uint8_t *bytes = malloc(WIRE_KERNEL_REQUEST_MAX);
	size_t length;

	cr_assert_eq(wire_kernel_op_add(op, &u32_entry, "1234"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		length = wire_encode_kernel_op(op, bytes);
		cr_assert_eq(wire_decode_kernel_op(bytes, length, got), 0);
		bytes[changes[i].at] = changes[i].byte;
		cr_expect_eq(wire_decode_kernel_op(bytes, length, got), -EBADMSG, "%s",
			     changes[i].why);
	}
	length = wire_encode_kernel_op(op, bytes);
	for (size_t cut = 0; cut < length; cut++)
		cr_expect_eq(wire_decode_kernel_op(bytes, cut, got), -EBADMSG, "cut to %zu", cut);
	cr_expect_eq(wire_decode_kernel_op(bytes, length + 1, got), -EBADMSG);
	cr_expect_eq(wire_decode_kernel_op(bytes, WIRE_KERNEL_REQUEST_MAX + 1, got), -EBADMSG);
}

Test(kernel_op, a_newer_head_and_a_newer_entry_are_read_by_their_sizes)
{
	static const uint8_t newer[] = {
		20,  0, 0, 0, 5,  0, 0, 0, 0, 1, 1, 0, 1, 0, 0, 0, 9, 9, 9, 9, /* the head */
		't',							       /* the tag */
		36,  0, 0, 0, 40, 0, 0, 0, 2, 1, 1, 0, 0, 0, 0, 0,	       /* an entry */
		8,   0, 0, 0, 0,  0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9, /* and more */
		's', 7, 7, 7, /* a symbol, and what is not known */
	};
	_cleanup_free_ struct wire_kernel_op *got = new_op(0);

	cr_assert_eq(wire_decode_kernel_op(newer, sizeof(newer), got), 0);
	cr_expect_str_eq(got->tag, "t");
	cr_expect_str_eq(got->entries[0].symbol, "s");
	cr_expect_eq(got->entries[0].target, WIRE_TARGET_KVA);
	cr_expect_eq(got->entries[0].address, 0x0807060504030201);
}

/* A request whose tag has @length bytes, as an agent without a limit would send it. */
static int decode_tag(const char *tag, uint32_t length, struct wire_kernel_op *got)
{
	_cleanup_free_ uint8_t *bytes = calloc(1, WIRE_KERNEL_REQUEST_MAX);
	static const uint8_t entry[32] = { 32, [4] = 32, [9] = 1, [16] = 8 };
	static const uint8_t head[16] = { 16, [4] = 1, [9] = 1, [10] = 1 };

	memcpy(bytes, head, sizeof(head));
	memcpy(bytes + 12, &length, sizeof(length));
	memcpy(bytes + 16, tag, length);
	memcpy(bytes + 16 + length, entry, sizeof(entry));
	return wire_decode_kernel_op(bytes, 16 + length + sizeof(entry), got);
}

Test(kernel_op, a_long_tag_is_cut_between_two_characters)
{
	_cleanup_free_ struct wire_kernel_op *got = new_op(0);
	char tag[300];

	memset(tag, 'a', sizeof(tag));
	cr_assert_eq(decode_tag(tag, 256, got), 0);
	cr_expect_eq(strlen(got->tag), 256);
	cr_assert_eq(decode_tag(tag, 257, got), 0);
	cr_expect_eq(strlen(got->tag), 256);
	memcpy(tag + 254, "\xe2\x82\xac", 3); /* bytes 254 to 256: the last does not fit */
	cr_assert_eq(decode_tag(tag, 300, got), 0);
	cr_expect_eq(strlen(got->tag), 254);
	memcpy(tag + 253,
	       "\xe2\x82\xac"
	       "a",
	       4);
	cr_assert_eq(decode_tag(tag, 300, got), 0);
	cr_expect_eq(strlen(got->tag), 256, "a character that fits stays");
	cr_expect_arr_eq(got->tag + 253, "\xe2\x82\xac", 3);
}

Test(kernel_op, names_and_tags_cannot_drive_a_terminal)
{
	_cleanup_free_ struct wire_kernel_op *got = new_op(0);

	cr_assert_eq(decode_tag("a\033[2J", 5, got), 0);
	cr_expect_str_eq(got->tag, "a?[2J");
}

/* The reply to a kernel operation. */

Test(kernel_reply, layout)
{
	static const uint8_t expected[] = {
		24,  0,	  0,   0, 9, 0, 0, 0,	1,   0, 0, 0, 2, 0,
		0,   0,	  3,   0, 0, 0, 0, 0,	0,   0, /* the head */
		'w', 'h', 'y', 2, 0, 0, 0, 'a', 'b', 1, 0, 0, 0, 'c',
	};
	const struct wire_kernel_reply reply = {
		.request_id = 9,
		.is_success = true,
		.reason = "why",
		.value_count = 2,
		.values = { { (const uint8_t *)"ab", 2 }, { (const uint8_t *)"c", 1 } },
	};
	uint8_t bytes[sizeof(expected)];
	struct wire_kernel_reply got;

	cr_assert_eq(wire_kernel_reply_size(&reply), sizeof(expected));
	wire_encode_kernel_reply(&reply, bytes);
	cr_expect_arr_eq(bytes, expected, sizeof(expected));
	cr_assert_eq(wire_decode_kernel_reply(bytes, sizeof(bytes), &got), 0);
	cr_expect_eq(got.request_id, 9);
	cr_expect(got.is_success);
	cr_expect_str_eq(got.reason, "why");
	cr_assert_eq(got.value_count, 2);
	cr_expect_eq(got.values[0].length, 2);
	cr_expect_arr_eq(got.values[0].bytes, "ab", 2);
	cr_expect_arr_eq(got.values[1].bytes, "c", 1);
}

static const struct {
	const char *why;
	size_t at;
	uint8_t byte;
} reply_changes[] = {
	{ "head too small", 0, 23 },
	{ "head beyond the payload", 1, 1 },
	{ "no id", 4, 0 },
	{ "success of 2", 8, 2 },
	{ "a value too many", 12, 3 },
	{ "a value too few", 12, 1 },
	{ "more than 64", 12, 65 },
	{ "reason beyond the end", 16, 200 },
	{ "reason above 256", 17, 2 },
	{ "value beyond the end", 27, 3 },
	{ "value wraps", 30, 0xff },
};

Test(kernel_reply, lengths_are_not_believed)
{
	const struct wire_kernel_reply reply = {
		.request_id = 9,
		.reason = "why",
		.value_count = 2,
		.values = { { (const uint8_t *)"ab", 2 }, { (const uint8_t *)"c", 1 } },
	};
	struct wire_kernel_reply got = { .request_id = 99 };
	size_t length = wire_kernel_reply_size(&reply);
	uint8_t bytes[64] = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(reply_changes); i++) {
		wire_encode_kernel_reply(&reply, bytes);
		bytes[reply_changes[i].at] = reply_changes[i].byte;
		cr_expect_eq(wire_decode_kernel_reply(bytes, length, &got), -EBADMSG, "%s",
			     reply_changes[i].why);
		cr_expect_eq(got.request_id, 99);
	}
	wire_encode_kernel_reply(&reply, bytes);
	for (size_t cut = 0; cut < length; cut++)
		cr_expect_eq(wire_decode_kernel_reply(bytes, cut, &got), -EBADMSG, "%zu", cut);
	cr_expect_eq(wire_decode_kernel_reply(bytes, length + 1, &got), -EBADMSG);
	cr_expect_eq(wire_decode_kernel_reply(bytes, WIRE_KERNEL_REPLY_MAX + 1, &got), -EBADMSG);
}

Test(kernel_reply, the_reason_cannot_drive_a_terminal)
{
	const struct wire_kernel_reply reply = { .request_id = 1, .reason = "a\033[2J" };
	struct wire_kernel_reply got;
	uint8_t bytes[64];

	wire_encode_kernel_reply(&reply, bytes);
	cr_assert_eq(wire_decode_kernel_reply(bytes, wire_kernel_reply_size(&reply), &got), 0);
	cr_expect_str_eq(got.reason, "a?[2J");
	cr_expect_not(got.is_success);
}
