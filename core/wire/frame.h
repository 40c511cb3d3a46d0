/* SPDX-License-Identifier: GPL-2.0-only */
/* Frame headers: encode, decode, CRC. No I/O. The format is described in ktstr/frame.h and
 * docs/wire.md. */
#ifndef WIRE_FRAME_H
#define WIRE_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "ktstr/frame.h"

#define WIRE_HEADER_SIZE 16u

/* CRC-32 (IEEE) of a payload; 0 for an empty one. Continue a running one by passing it as @crc. */
uint32_t wire_crc32(uint32_t crc, const void *data, uint32_t length);
/* The same, of @from, which is copied to @to. They may not overlap. */
uint32_t wire_crc32_copy(uint32_t crc, void *to, const void *from, uint32_t length);

/* The header of a payload, in wire order. */
void wire_header_encode(uint32_t msg_type, const void *payload, uint32_t length,
			uint8_t ret[WIRE_HEADER_SIZE]);
/* The same where the CRC of the payload is known. */
void wire_header_put(uint32_t msg_type, uint32_t length, uint32_t crc32,
		     uint8_t ret[WIRE_HEADER_SIZE]);
void wire_header_decode(const uint8_t bytes[WIRE_HEADER_SIZE], struct ktstr_frame_header *ret);

/* Running account of what was sent or received, for the end-of-stream frame. Zero-initialise. */
struct wire_account {
	uint64_t frame_count;
	uint64_t byte_count;
	uint32_t headers_crc32;
};

/* Count one frame by its header as sent. */
void wire_account_add(struct wire_account *account, const uint8_t header[WIRE_HEADER_SIZE],
		      uint32_t length);
/* Is it what the END frame says was sent before it? */
bool wire_account_matches(const struct wire_account *account, const struct ktstr_stream_end *end);

#endif
