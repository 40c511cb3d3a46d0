/* SPDX-License-Identifier: GPL-2.0-only */
#include "coord/assembler.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "support/frames.h"

#define CAP ((size_t)KTSTR_FRAME_PAYLOAD_MAX)

static struct assembler *assembler;

static void setup(void)
{
	assembler = assembler_new();
	cr_assert_not_null(assembler);
}

static void teardown(void)
{
	assembler_free(assembler);
}

TestSuite(assembler, .init = setup, .fini = teardown);

static void feed(const void *bytes, size_t length)
{
	cr_assert_eq(assembler_feed(assembler, bytes, length), 0);
}

static void feed_header(uint32_t msg_type, uint32_t length)
{
	uint8_t header[WIRE_HEADER_SIZE] = { 0 };
	const uint32_t words[4] = { msg_type, length, 0, 0 };

	memcpy(header, words, sizeof(header));
	feed(header, sizeof(header));
}

static size_t drain(void)
{
	struct bulk_message message;
	size_t count = 0;

	while (assembler_next(assembler, &message))
		count++;
	return count;
}

Test(assembler, yields_nothing_of_nothing)
{
	feed("", 0);
	cr_assert_eq(drain(), 0);
	cr_assert_eq(assembler_residual(assembler), 0);
}

/* The run file takes the payloads of all frames of one read at once. */
Test(assembler, payloads_stay_until_more_bytes_come)
{
	enum {
		LENGTH = 3 << 20,
	};
	struct frames frames = { 0 };
	struct bulk_message first, second;
	uint8_t *payload = malloc(LENGTH);

	cr_assert_not_null(payload);
	memset(payload, 0x5a, LENGTH);
	frames_add(&frames, KTSTR_MSG_STDOUT, payload, LENGTH);
	frames_add(&frames, KTSTR_MSG_STDERR, "second", 6);
	feed(frames.bytes, frames.length);
	cr_assert(assembler_next(assembler, &first));
	cr_assert(assembler_next(assembler, &second));
	cr_assert_not(assembler_next(assembler, &second));
	cr_assert_eq(memcmp(first.payload, payload, LENGTH), 0);
	cr_assert_eq(memcmp(second.payload, "second", 6), 0);
	frames_done(&frames);
	free(payload);
}

Test(assembler, says_the_crc_of_the_payload_that_came)
{
	struct frames frames = { 0 };
	struct bulk_message message;

	frames_add_torn(&frames, KTSTR_MSG_STDOUT, "123456789", 9);
	feed(frames.bytes, frames.length);
	cr_assert(assembler_next(assembler, &message));
	cr_assert_not(message.crc_ok);
	cr_assert_eq(message.crc32, 0xcbf43926);
	frames_done(&frames);
}

Test(assembler, yields_a_frame_as_it_was_sent)
{
	struct frames frames = { 0 };
	struct bulk_message message;

	frames_add(&frames, KTSTR_MSG_STDOUT, "hello", 5);
	feed(frames.bytes, frames.length);
	cr_assert_eq(assembler_next(assembler, &message), 1);
	cr_assert_eq(message.msg_type, KTSTR_MSG_STDOUT);
	cr_assert_eq(message.length, 5);
	cr_assert(message.crc_ok);
	cr_assert_arr_eq(message.payload, "hello", 5);
	cr_assert_arr_eq(message.header, frames.bytes, WIRE_HEADER_SIZE);
	cr_assert_eq(assembler_next(assembler, &message), 0);
	frames_done(&frames);
}

Test(assembler, yields_an_empty_payload)
{
	struct frames frames = { 0 };
	struct bulk_message message;

	frames_add(&frames, KTSTR_MSG_SYS_RDY, NULL, 0);
	feed(frames.bytes, frames.length);
	cr_assert_eq(assembler_next(assembler, &message), 1);
	cr_assert(message.crc_ok);
	cr_assert_eq(message.length, 0);
	frames_done(&frames);
}

Test(assembler, yields_a_torn_frame_with_the_flag_clear_and_goes_on)
{
	struct frames frames = { 0 };
	struct bulk_message message;

	frames_add_torn(&frames, KTSTR_MSG_STIMULUS, "bad", 3);
	frames_add(&frames, KTSTR_MSG_STDERR, "good", 4);
	feed(frames.bytes, frames.length);
	cr_assert_eq(assembler_next(assembler, &message), 1);
	cr_assert_not(message.crc_ok);
	cr_assert_eq(message.msg_type, KTSTR_MSG_STIMULUS);
	cr_assert_eq(assembler_next(assembler, &message), 1);
	cr_assert(message.crc_ok);
	cr_assert_eq(assembler_counters(assembler)->torn, 1);
	cr_assert_eq(assembler_counters(assembler)->frames, 2);
	frames_done(&frames);
}

Test(assembler, counts_a_pad_that_is_not_zero_and_keeps_the_frame)
{
	struct frames frames = { 0 };

	frames_add(&frames, KTSTR_MSG_STDOUT, "x", 1);
	frames.bytes[12] = 7;
	feed(frames.bytes, frames.length);
	cr_assert_eq(drain(), 1);
	cr_assert_eq(assembler_counters(assembler)->padded, 1);
	frames_done(&frames);
}

Test(assembler, yields_the_same_frames_however_the_stream_is_split)
{
	struct frames frames = { 0 };

	for (int i = 0; i < 20; i++) {
		char payload[64];

		memset(payload, 'a' + i, sizeof(payload));
		frames_add(&frames, KTSTR_MSG_STDOUT, payload, (uint32_t)i * 3);
	}
	for (size_t piece = 1; piece <= frames.length; piece++) {
		struct assembler *other = assembler_new();
		struct bulk_message message;
		size_t count = 0;

		for (size_t at = 0; at < frames.length; at += piece) {
			size_t left = frames.length - at;

			cr_assert_eq(assembler_feed(other, frames.bytes + at,
						    left < piece ? left : piece),
				     0);
			while (assembler_next(other, &message)) {
				cr_assert(message.crc_ok, "piece %zu, frame %zu", piece, count);
				cr_assert_eq(message.length, count * 3);
				count++;
			}
		}
		cr_assert_eq(count, 20, "piece %zu", piece);
		cr_assert_eq(assembler_residual(other), 0);
		assembler_free(other);
	}
	frames_done(&frames);
}

Test(assembler, accepts_a_payload_of_exactly_the_limit)
{
	struct frames frames = { 0 };
	_cleanup_free_ char *payload = calloc(1, CAP);
	struct bulk_message message;

	payload[CAP - 1] = 'z';
	frames_add(&frames, KTSTR_MSG_PROFRAW, payload, (uint32_t)CAP);
	feed(frames.bytes, frames.length);
	cr_assert_eq(assembler_next(assembler, &message), 1);
	cr_assert(message.crc_ok);
	cr_assert_eq(message.length, CAP);
	cr_assert_eq(message.payload[CAP - 1], 'z');
	frames_done(&frames);
}

Test(assembler, drops_the_whole_buffer_for_a_payload_above_the_limit)
{
	struct frames frames = { 0 };
	_cleanup_free_ char *payload = calloc(1, CAP + 1);

	frames_add(&frames, KTSTR_MSG_STDOUT, "before", 6);
	frames_add(&frames, KTSTR_MSG_PROFRAW, payload, (uint32_t)CAP + 1);
	frames_add(&frames, KTSTR_MSG_STDOUT, "lost", 4);
	feed(frames.bytes, frames.length);
	cr_assert_eq(drain(), 1, "the frame before it still comes");
	cr_assert_eq(assembler_counters(assembler)->oversize, 1);
	cr_assert_eq(assembler_residual(assembler), 0);
	feed(frames.bytes, WIRE_HEADER_SIZE + 6);
	cr_assert_eq(drain(), 1, "and frames after it");
	frames_done(&frames);
}

Test(assembler, keeps_waiting_for_a_header_that_announces_too_much)
{
	feed_header(KTSTR_MSG_PROFRAW, UINT32_MAX);
	feed("abc", 3);
	cr_assert_eq(drain(), 0);
	cr_assert_eq(assembler_residual(assembler), WIRE_HEADER_SIZE + 3);
	cr_assert_eq(assembler_counters(assembler)->oversize, 0);
}

Test(assembler, drops_a_partial_frame_that_grows_past_twice_the_limit)
{
	static const char zeros[65536];
	size_t fed = WIRE_HEADER_SIZE;

	feed_header(KTSTR_MSG_PROFRAW, UINT32_MAX);
	while (assembler_counters(assembler)->oversize == 0 && fed < 4 * CAP) {
		feed(zeros, sizeof(zeros));
		fed += sizeof(zeros);
		cr_assert_eq(drain(), 0);
	}
	cr_assert_eq(assembler_counters(assembler)->oversize, 1);
	cr_assert_leq(fed, 2 * CAP + sizeof(zeros) + WIRE_HEADER_SIZE);
	cr_assert_eq(assembler_residual(assembler), 0);
}

Test(assembler, gives_no_memory_to_an_announcement)
{
	size_t size;

	feed_header(KTSTR_MSG_PROFRAW, (uint32_t)CAP);
	cr_assert_eq(drain(), 0);
	cr_assert_not_null(assembler_space(assembler, 1, &size));
	cr_assert_leq(size, 64u * 1024);
}

Test(assembler, has_one_buffer_for_all_frames_once_it_is_large_enough)
{
	enum {
		LENGTH = 1 << 20,
	};
	struct frames frames = { 0 };
	_cleanup_free_ char *payload = calloc(1, LENGTH);
	void *space = NULL;
	size_t size;

	frames_add(&frames, KTSTR_MSG_PROFRAW, payload, LENGTH);
	for (int i = 0; i < 10; i++) {
		feed(frames.bytes, frames.length);
		cr_assert_eq(drain(), 1);
		if (i == 0)
			space = assembler_space(assembler, 1, &size);
		cr_assert_eq(assembler_space(assembler, 1, &size), space);
	}
	frames_done(&frames);
}

/* What is in use stays at the front of the buffer, in the caches, however long the stream. */
Test(assembler, does_not_wander_through_a_large_buffer)
{
	struct frames large = { 0 }, small = { 0 };
	_cleanup_free_ char *payload = calloc(1, CAP);
	const uint8_t *front;
	size_t size;

	frames_add(&large, KTSTR_MSG_PROFRAW, payload, (uint32_t)CAP);
	feed(large.bytes, large.length);
	cr_assert_eq(drain(), 1);
	front = assembler_space(assembler, 1, &size);
	frames_add(&small, KTSTR_MSG_STDOUT, payload, 60000);
	feed(small.bytes, 1);
	for (int i = 0; i < 100; i++) {
		feed(small.bytes + 1, small.length - 1);
		feed(small.bytes, 1);
		cr_assert_eq(drain(), 1);
		cr_assert_lt((const uint8_t *)assembler_space(assembler, 1, &size) - front,
			     1 << 20);
	}
	frames_done(&large);
	frames_done(&small);
}

/* Memory stays bounded while a hostile guest dribbles towards the limit. */
Test(assembler, needs_no_more_memory_than_twice_the_limit_and_a_read)
{
	static const char zeros[65536];
	size_t size;

	feed_header(KTSTR_MSG_PROFRAW, UINT32_MAX);
	for (size_t fed = 0; fed < 2 * CAP - 2 * sizeof(zeros); fed += sizeof(zeros)) {
		feed(zeros, sizeof(zeros));
		cr_assert_eq(drain(), 0);
		cr_assert_not_null(assembler_space(assembler, 1, &size));
		cr_assert_leq(assembler_residual(assembler) + size, 2 * CAP + 1024 * 1024);
	}
}

/* A payload goes from the read into the buffer and is handed out there. */
Test(assembler, hands_out_payloads_where_they_were_read)
{
	struct frames frames = { 0 };
	struct bulk_message message;
	uint8_t *space;
	size_t size;

	frames_add(&frames, KTSTR_MSG_STDOUT, "payload", 7);
	space = assembler_space(assembler, frames.length, &size);
	cr_assert_geq(size, frames.length);
	memcpy(space, frames.bytes, frames.length);
	assembler_commit(assembler, frames.length);
	cr_assert_eq(assembler_next(assembler, &message), 1);
	cr_assert_eq(message.payload, space + WIRE_HEADER_SIZE);
	frames_done(&frames);
}

/* Many small frames and a partial one behind them, again and again: the cost of moving shows here.
 */
Test(assembler, moves_fewer_bytes_than_it_receives)
{
	struct frames frames = { 0 };
	uint8_t *before = NULL;
	size_t moves = 0, size;

	for (int i = 0; i < 1000; i++)
		frames_add(&frames, KTSTR_MSG_STDOUT, "0123456789abcdef", 16);
	for (size_t at = 0; at < frames.length; at++) {
		uint8_t *space = assembler_space(assembler, 1, &size);

		moves += before && space != before + 1;
		before = space;
		*space = frames.bytes[at];
		assembler_commit(assembler, 1);
		(void)drain();
	}
	cr_assert_eq(assembler_counters(assembler)->frames, 1000);
	cr_assert_leq(moves, 1001, "it settles at most once a frame");
	frames_done(&frames);
}
