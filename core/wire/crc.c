/* SPDX-License-Identifier: GPL-2.0-only */
#include "wire/crc.h"

#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include "wire/frame.h"

/* How far the multiple of P reaches, in whole words after the one it clears. */
#define REACH 5u
/* Less than this has no beginning worth shortening. */
#define SPARSE_LENGTH_MIN 128u

uint32_t crc_sparse(uint32_t crc, const void *data, size_t length)
{
	const uint8_t *at = data;
	/* What is still to be added to the words that come. The register starts in the first. */
	uint64_t next[REACH] = { (uint32_t)~crc }, end[REACH + 1] = { 0 };

	if (length < SPARSE_LENGTH_MIN)
		return crc_library(crc, data, length);
	for (; length >= sizeof(end); at += sizeof(uint64_t), length -= sizeof(uint64_t)) {
		uint64_t word;

		memcpy(&word, at, sizeof(word));
		word = le64toh(word) ^ next[0];
		/* 145 is two words and 17 bits, 183 two and 55, 211 three and 19, 300 four and
		 * 44. */
		next[0] = next[1];
		next[1] = next[2] ^ word << 17 ^ word << 55;
		next[2] = next[3] ^ word >> 47 ^ word >> 9 ^ word << 19;
		next[3] = next[4] ^ word >> 45 ^ word << 44;
		next[4] = word >> 20;
	}
	memcpy(end, at, length);
	for (size_t i = 0; i < REACH; i++)
		end[i] ^= htole64(next[i]);
	/* The register is in there already: let the library start with an empty one. */
	return crc_library(UINT32_MAX, end, length);
}

static bool multiplies_without_carry(void)
{
#ifdef __x86_64__
	return __builtin_cpu_supports("pclmul");
#else
	return true; /* the library knows */
#endif
}

uint32_t wire_crc32(uint32_t crc, const void *data, uint32_t length)
{
	/* A library may take a NULL buffer as "start anew", which would forget @crc. */
	if (length == 0)
		return crc;
	return multiplies_without_carry() ? crc_library(crc, data, length)
					  : crc_sparse(crc, data, length);
}
