/* SPDX-License-Identifier: GPL-2.0-only */
/* Byte streams of frames for tests, as a guest would send them. Aborts when out of memory. */
#ifndef SUPPORT_FRAMES_H
#define SUPPORT_FRAMES_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/frame.h"

/* Zero-initialise; frames_done() frees. */
struct frames {
	uint8_t *bytes;
	size_t length;
	struct wire_account account;
};

static inline void frames_add_bytes(struct frames *frames, const void *bytes, size_t length)
{
	uint8_t *grown = realloc(frames->bytes, frames->length + length + 1);

	if (!grown)
		abort();
	if (length)
		memcpy(grown + frames->length, bytes, length);
	frames->bytes = grown;
	frames->length += length;
}

static inline void frames_add_header(struct frames *frames, uint32_t msg_type, const void *payload,
				     uint32_t length, uint32_t crc_mask)
{
	uint8_t header[WIRE_HEADER_SIZE];
	uint32_t crc;

	wire_header_encode(msg_type, payload, length, header);
	memcpy(&crc, header + 8, sizeof(crc));
	crc ^= crc_mask;
	memcpy(header + 8, &crc, sizeof(crc));
	wire_account_add(&frames->account, header, length);
	frames_add_bytes(frames, header, sizeof(header));
	frames_add_bytes(frames, payload, length);
}

/* A frame with a right CRC. */
static inline void frames_add(struct frames *frames, uint32_t msg_type, const void *payload,
			      uint32_t length)
{
	frames_add_header(frames, msg_type, payload, length, 0);
}

/* A frame whose CRC is wrong in every bit. */
static inline void frames_add_torn(struct frames *frames, uint32_t msg_type, const void *payload,
				   uint32_t length)
{
	frames_add_header(frames, msg_type, payload, length, UINT32_MAX);
}

/* A struct that starts with its size, and a text behind it. */
static inline void frames_add_with_text(struct frames *frames, uint32_t msg_type, const void *head,
					uint32_t head_size, const char *text)
{
	uint32_t length = head_size + (uint32_t)strlen(text);
	uint8_t *payload = malloc(length);

	if (!payload)
		abort();
	memcpy(payload, head, head_size);
	memcpy(payload + head_size, text, strlen(text));
	frames_add(frames, msg_type, payload, length);
	free(payload);
}

/* The end-of-stream frame for all that was added so far. */
static inline void frames_add_end(struct frames *frames)
{
	struct ktstr_stream_end end = {
		.frame_count = frames->account.frame_count,
		.byte_count = frames->account.byte_count,
		.headers_crc32 = frames->account.headers_crc32,
	};

	frames_add(frames, KTSTR_MSG_END, &end, sizeof(end));
}

static inline void frames_done(struct frames *frames)
{
	free(frames->bytes);
	*frames = (struct frames){ 0 };
}

#endif
