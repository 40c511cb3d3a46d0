/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames that are none: wrong checksums and lengths, bytes in the wrong place. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "guest/boot.h"
#include "ktstr/outcome.h"
#include "villain/villain.h"
#include "wire/types.h"

static void send_torn(struct villain *v, const struct frame *frame)
{
	struct ktstr_frame_header header;

	frame_header(frame, &header);
	header.crc32 ^= 0xffffffffu;
	villain_send_as(v, &header, frame->payload, frame->length);
}

static void sched_exit_make(struct frame *frame)
{
	static const char text[] = "it was not me";
	const int32_t code = 1;

	frame_make(frame, KTSTR_MSG_SCHED_EXIT, &code, sizeof(code), text, strlen(text));
}

static void torn_sched_exit(struct villain *v, const struct frame *frame)
{
	struct frame death;

	(void)frame;
	sched_exit_make(&death);
	send_torn(v, &death);
}

static void torn_snapshot(struct villain *v, const struct frame *frame)
{
	const struct ktstr_snapshot_request request = { .request_id = 1,
							.kind = KTSTR_SNAPSHOT_CAPTURE };
	struct frame ask;

	(void)frame;
	frame_make(&ask, KTSTR_MSG_SNAPSHOT_REQUEST, &request, sizeof(request), NULL, 0);
	send_torn(v, &ask);
}

static void send_padded(struct villain *v, const struct frame *frame)
{
	struct ktstr_frame_header header;

	frame_header(frame, &header);
	header.pad = 0xdeadbeefu;
	villain_send_as(v, &header, frame->payload, frame->length);
}

/* A frame of STDOUT with so many zeros, and the right checksum. */
static void send_zeros(struct villain *v, uint32_t length)
{
	uint8_t *zeros = calloc(1, length);
	struct ktstr_frame_header header = { .msg_type = KTSTR_MSG_STDOUT, .length = length };

	if (!zeros)
		villain_die("out of memory");
	header.crc32 = wire_crc32(0, zeros, length);
	villain_send_as(v, &header, zeros, length);
	free(zeros);
}

static void largest(struct villain *v, const struct frame *frame)
{
	(void)frame;
	send_zeros(v, KTSTR_FRAME_PAYLOAD_MAX);
}

static void oversize(struct villain *v, const struct frame *frame)
{
	(void)frame;
	send_zeros(v, KTSTR_FRAME_PAYLOAD_MAX + 1);
}

static void announce_4_gib(struct villain *v)
{
	const struct ktstr_frame_header header = { .msg_type = KTSTR_MSG_STDOUT,
						   .length = 0xffffffffu };
	uint8_t bytes[WIRE_HEADER_SIZE];

	header_bytes(&header, bytes);
	villain_write(v, bytes, sizeof(bytes));
}

static void announce_and_hang(struct villain *v, const struct frame *frame)
{
	(void)frame;
	announce_4_gib(v);
	villain_hang();
}

static void announce_and_go_on(struct villain *v, const struct frame *frame)
{
	(void)frame;
	announce_4_gib(v);
}

static void announce_and_feed(struct villain *v, const struct frame *frame)
{
	static const uint8_t zeros[128 * 1024];

	(void)frame;
	announce_4_gib(v);
	for (;;)
		villain_write(v, zeros, sizeof(zeros));
}

/* Whole and valid frames, but inside the payload of another one. */
static void frames_inside(struct villain *v, const struct frame *frame)
{
	const struct ktstr_test_result result = { .size = sizeof(result),
						  .outcome = KTSTR_OUTCOME_FAIL };
	struct ktstr_frame_header header;
	uint8_t bytes[512];
	struct frame inner, outer;
	size_t length = 0;

	(void)frame;
	sched_exit_make(&inner);
	frame_header(&inner, &header);
	header_bytes(&header, bytes);
	length += WIRE_HEADER_SIZE;
	memcpy(bytes + length, inner.payload, inner.length);
	length += inner.length;
	frame_make(&inner, KTSTR_MSG_TEST_RESULT, &result, sizeof(result), NULL, 0);
	frame_header(&inner, &header);
	header_bytes(&header, bytes + length);
	length += WIRE_HEADER_SIZE;
	memcpy(bytes + length, inner.payload, inner.length);
	length += inner.length;
	frame_make(&outer, KTSTR_MSG_STDOUT, bytes, length, NULL, 0);
	villain_send(v, &outer);
}

/* Two headers, then two payloads. */
static void interleaved(struct villain *v, const struct frame *frame)
{
	struct ktstr_frame_header header;
	uint8_t bytes[WIRE_HEADER_SIZE];

	frame_header(frame, &header);
	header_bytes(&header, bytes);
	villain_write(v, bytes, sizeof(bytes));
	villain_write(v, bytes, sizeof(bytes));
	villain_write(v, frame->payload, frame->length);
	villain_write(v, frame->payload, frame->length);
	wire_account_add(&v->port.account, bytes, frame->length);
	wire_account_add(&v->port.account, bytes, frame->length);
}

/* The header and half of the payload. */
static void half_a_frame(struct villain *v, const struct frame *frame)
{
	struct ktstr_frame_header header;
	uint8_t bytes[WIRE_HEADER_SIZE];

	frame_header(frame, &header);
	header_bytes(&header, bytes);
	villain_write(v, bytes, sizeof(bytes));
	villain_write(v, frame->payload, frame->length / 2);
}

static void reopened(struct villain *v, const struct frame *frame)
{
	struct ktstr_error err = { 0 };

	half_a_frame(v, frame);
	(void)close(v->port.fd);
	v->port.fd = port_open("/sys/class/virtio-ports", "/dev", WIRE_PORT_BULK, NS_PER_S, &err);
	if (v->port.fd < 0)
		villain_die("%s", err.text);
}

static void half_a_frame_then_off(struct villain *v, const struct frame *frame)
{
	half_a_frame(v, frame);
	boot_power_off();
}

static void half_a_header_then_off(struct villain *v, const struct frame *frame)
{
	(void)frame;
	villain_write(v, "TSNI\x10", 5);
	boot_power_off();
}

static void zeros_between(struct villain *v, const struct frame *frame)
{
	static const uint8_t zeros[4096];

	(void)frame;
	villain_write(v, zeros, sizeof(zeros));
}

static void noise_between(struct villain *v, const struct frame *frame)
{
	static uint32_t noise[16384];
	uint32_t state = 2463534242u;

	(void)frame;
	for (size_t i = 0; i < sizeof(noise) / sizeof(noise[0]); i++) {
		state ^= state << 13;
		state ^= state >> 17;
		state ^= state << 5;
		noise[i] = state;
	}
	villain_write(v, noise, sizeof(noise));
}

const struct trick tricks_of_frames[] = {
	{ "torn_kern_addrs", BEAT_KERN_ADDRS, INSTEAD, send_torn },
	{ "torn_stimulus", BEAT_STIMULUS, INSTEAD, send_torn },
	{ "torn_output", BEAT_OUTPUT, INSTEAD, send_torn },
	{ "torn_worker", BEAT_WORKER, INSTEAD, send_torn },
	{ "torn_result", BEAT_RESULT, INSTEAD, send_torn },
	{ "torn_end", BEAT_END, INSTEAD, send_torn },
	{ "torn_sched_exit", BEAT_WORKER, BEFORE, torn_sched_exit },
	{ "torn_snapshot", BEAT_WORKER, BEFORE, torn_snapshot },
	{ "padded", BEAT_STIMULUS, INSTEAD, send_padded },
	{ "largest", BEAT_OUTPUT, AFTER, largest },
	{ "oversize", BEAT_OUTPUT, AFTER, oversize },
	{ "announced_then_silence", BEAT_OUTPUT, AFTER, announce_and_hang },
	{ "announced_then_frames", BEAT_OUTPUT, AFTER, announce_and_go_on },
	{ "announced_then_flood", BEAT_OUTPUT, AFTER, announce_and_feed },
	{ "frames_inside", BEAT_OUTPUT, AFTER, frames_inside },
	{ "interleaved", BEAT_WORKER, INSTEAD, interleaved },
	{ "reopened", BEAT_WORKER, INSTEAD, reopened },
	{ "half_a_frame_then_off", BEAT_WORKER, INSTEAD, half_a_frame_then_off },
	{ "half_a_header_then_off", BEAT_WORKER, INSTEAD, half_a_header_then_off },
	{ "zeros_between", BEAT_OUTPUT, AFTER, zeros_between },
	{ "noise_between", BEAT_OUTPUT, AFTER, noise_between },
	{ 0 },
};
