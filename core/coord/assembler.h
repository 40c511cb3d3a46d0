/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The assembler: bytes of the bulk port in, whole frames out, however the stream was split.
 *
 * Limits and rules (docs/wire.md): a payload of exactly KTSTR_FRAME_PAYLOAD_MAX is accepted; a
 * frame that announces more, once it is all there or the buffer says it cannot be, drops the whole
 * buffer and is counted; a partial frame that grows past twice the limit is dropped; a wrong CRC
 * yields the frame with the flag clear; nothing is allocated because a header announces it, nor for
 * each frame: the one buffer grows with what has come, and stays. Time is linear in the bytes,
 * whatever the split.
 */
#ifndef COORD_ASSEMBLER_H
#define COORD_ASSEMBLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/frame.h"

struct assembler;

struct assembler_counters {
	uint64_t bytes;	   /* fed */
	uint64_t frames;   /* yielded */
	uint64_t torn;	   /* of them with a wrong CRC */
	uint64_t oversize; /* buffers dropped */
	uint64_t padded;   /* frames whose pad word was not zero */
};

struct bulk_message {
	uint32_t msg_type;
	uint32_t length;
	uint32_t crc32; /* of the payload as it is, whatever the header says */
	bool crc_ok;
	const uint8_t *header;	/* the 16 bytes as received */
	const uint8_t *payload; /* both borrowed until bytes are fed or asked room for */
};

struct assembler *assembler_new(void);
void assembler_free(struct assembler *assembler);

/*
 * Where the next read may put its bytes: at least @want bytes unless memory ran out (NULL). So a
 * payload is copied once, from the socket into this buffer.
 */
void *assembler_space(struct assembler *assembler, size_t want, size_t *ret_size);
/* @length bytes were put there. */
void assembler_commit(struct assembler *assembler, size_t length);
/* Both at once, for bytes that lie elsewhere. 0 or -ENOMEM. */
int assembler_feed(struct assembler *assembler, const void *bytes, size_t length);

/* The next whole frame. 1: there is one; 0: more bytes are needed. */
int assembler_next(struct assembler *assembler, struct bulk_message *ret);

const struct assembler_counters *assembler_counters(const struct assembler *assembler);
/* Bytes of a partial frame that are left. */
size_t assembler_residual(const struct assembler *assembler);

#endif
