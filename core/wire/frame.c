/* SPDX-License-Identifier: GPL-2.0-only */
#include "wire/frame.h"

#include <endian.h>
#include <string.h>

void wire_header_put(uint32_t msg_type, uint32_t length, uint32_t crc32,
		     uint8_t ret[WIRE_HEADER_SIZE])
{
	const uint32_t words[4] = { htole32(msg_type), htole32(length), htole32(crc32), 0 };

	memcpy(ret, words, sizeof(words));
}

void wire_header_encode(uint32_t msg_type, const void *payload, uint32_t length,
			uint8_t ret[WIRE_HEADER_SIZE])
{
	wire_header_put(msg_type, length, wire_crc32(0, payload, length), ret);
}

void wire_header_decode(const uint8_t bytes[WIRE_HEADER_SIZE], struct ktstr_frame_header *ret)
{
	uint32_t words[4];

	memcpy(words, bytes, sizeof(words));
	ret->msg_type = le32toh(words[0]);
	ret->length = le32toh(words[1]);
	ret->crc32 = le32toh(words[2]);
	ret->pad = le32toh(words[3]);
}

void wire_account_add(struct wire_account *account, const uint8_t header[WIRE_HEADER_SIZE],
		      uint32_t length)
{
	account->frame_count++;
	account->byte_count += WIRE_HEADER_SIZE + (uint64_t)length;
	account->headers_crc32 = wire_crc32(account->headers_crc32, header, WIRE_HEADER_SIZE);
}

bool wire_account_matches(const struct wire_account *account, const struct ktstr_stream_end *end)
{
	return end->frame_count == account->frame_count && end->byte_count == account->byte_count &&
	       end->headers_crc32 == account->headers_crc32;
}
