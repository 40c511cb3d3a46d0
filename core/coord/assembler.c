/* SPDX-License-Identifier: GPL-2.0-only */
#include "coord/assembler.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define CAPACITY_MIN ((size_t)64 * 1024)
/* A partial frame that grows beyond this is dropped. */
#define RESIDUAL_MAX (2 * (size_t)KTSTR_FRAME_PAYLOAD_MAX)
/* The largest residual, and room for the read that takes it over the limit. */
#define CAPACITY_MAX (RESIDUAL_MAX + (size_t)1024 * 1024)

/* Bytes [start, end) of @data wait to be parsed; what lies before has been handed out. */
struct assembler {
	uint8_t *data;
	size_t capacity;
	size_t start;
	size_t end;
	struct assembler_counters counters;
};

struct assembler *assembler_new(void)
{
	return calloc(1, sizeof(struct assembler));
}

void assembler_free(struct assembler *assembler)
{
	if (!assembler)
		return;
	free(assembler->data);
	free(assembler);
}

/*
 * Doubling makes the copies linear in the bytes received; above the largest residual there is
 * nothing to double for.
 */
static size_t next_capacity(size_t capacity, size_t need)
{
	size_t size = capacity ? capacity * 2 : CAPACITY_MIN;

	if (size > CAPACITY_MAX)
		size = CAPACITY_MAX;
	return size < need ? need : size;
}

static void move_to_front(struct assembler *assembler)
{
	size_t live = assembler->end - assembler->start;

	if (assembler->start > 0 && live > 0)
		memmove(assembler->data, assembler->data + assembler->start, live);
	assembler->start = 0;
	assembler->end = live;
}

static int grow(struct assembler *assembler, size_t want)
{
	size_t live = assembler->end - assembler->start;
	size_t size;
	uint8_t *data;

	if (want > SIZE_MAX / 4)
		return -ENOMEM;
	size = next_capacity(assembler->capacity, live + want);
	move_to_front(assembler);
	if (size <= assembler->capacity)
		return 0;
	data = realloc(assembler->data, size);
	if (!data)
		return -ENOMEM;
	assembler->data = data;
	assembler->capacity = size;
	return 0;
}

void *assembler_space(struct assembler *assembler, size_t want, size_t *ret_size)
{
	size_t live = assembler->end - assembler->start;

	if (want == 0)
		want = 1;
	/* Moving pays when it moves no more than was consumed since the last move. It is not put
	 * off until the end of the buffer, so that the bytes in use stay few, and in the caches. */
	if (assembler->start >= CAPACITY_MIN && assembler->start >= live)
		move_to_front(assembler);
	if (assembler->capacity - assembler->end < want && grow(assembler, want) < 0)
		return NULL;
	*ret_size = assembler->capacity - assembler->end;
	return assembler->data + assembler->end;
}

void assembler_commit(struct assembler *assembler, size_t length)
{
	assembler->end += length;
	assembler->counters.bytes += length;
}

int assembler_feed(struct assembler *assembler, const void *bytes, size_t length)
{
	size_t size;
	void *space;

	if (length == 0)
		return 0;
	space = assembler_space(assembler, length, &size);
	if (!space)
		return -ENOMEM;
	memcpy(space, bytes, length);
	assembler_commit(assembler, length);
	return 0;
}

/* Nothing is left: begin at the front again. What was handed out stays where it is. */
static void settle(struct assembler *assembler)
{
	assembler->start = 0;
	assembler->end = 0;
}

static int need_more(struct assembler *assembler)
{
	size_t live = assembler->end - assembler->start;

	if (live > RESIDUAL_MAX) {
		assembler->counters.oversize++;
		live = 0;
	}
	if (live == 0)
		settle(assembler);
	return 0;
}

int assembler_next(struct assembler *assembler, struct bulk_message *ret)
{
	size_t live = assembler->end - assembler->start;
	struct ktstr_frame_header header;
	const uint8_t *at;

	if (live < WIRE_HEADER_SIZE)
		return need_more(assembler);
	at = assembler->data + assembler->start;
	wire_header_decode(at, &header);
	if (live - WIRE_HEADER_SIZE < header.length)
		return need_more(assembler);
	if (header.length > KTSTR_FRAME_PAYLOAD_MAX) {
		assembler->counters.oversize++;
		settle(assembler);
		return 0;
	}
	ret->msg_type = header.msg_type;
	ret->length = header.length;
	ret->header = at;
	ret->payload = at + WIRE_HEADER_SIZE;
	ret->crc32 = wire_crc32(0, ret->payload, header.length);
	ret->crc_ok = ret->crc32 == header.crc32;
	assembler->start += WIRE_HEADER_SIZE + header.length;
	assembler->counters.frames++;
	assembler->counters.torn += !ret->crc_ok;
	assembler->counters.padded += header.pad != 0;
	return 1;
}

const struct assembler_counters *assembler_counters(const struct assembler *assembler)
{
	return &assembler->counters;
}

size_t assembler_residual(const struct assembler *assembler)
{
	return assembler->end - assembler->start;
}
