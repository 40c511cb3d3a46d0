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

/* Clear a word: 145 bits are two words and 17, 183 two and 55, 211 three and 19, 300 four and 44.
 * The words after it are in the order of their distance, the last one takes the first one's place.
 */
static inline void clear_word(uint64_t word, uint64_t *at, uint64_t *two, uint64_t *three,
			      uint64_t *four)
{
	word ^= *at;
	*two = *two ^ word << 17 ^ word << 55;
	*three = *three ^ word >> 47 ^ word >> 9 ^ word << 19;
	*four = *four ^ word >> 45 ^ word << 44;
	*at = word >> 20; /* five words on */
}

static inline uint64_t pass(const uint8_t **from, uint8_t **to, bool has_copy)
{
	uint64_t word;

	memcpy(&word, *from, sizeof(word));
	*from += sizeof(word);
	if (has_copy) {
		memcpy(*to, &word, sizeof(word));
		*to += sizeof(word);
	}
	return le64toh(word);
}

/* The compiler makes two functions of it. */
static inline __attribute__((always_inline)) uint32_t
sparse(uint32_t crc, const uint8_t *from, size_t length, uint8_t *to, bool has_copy)
{
	/* What is still to be added to the words that come. The register starts in the first. */
	uint64_t a = (uint32_t)~crc, b = 0, c = 0, d = 0, e = 0;
	uint64_t end[2 * REACH] = { 0 };

	while (length >= sizeof(end)) {
		clear_word(pass(&from, &to, has_copy), &a, &c, &d, &e);
		clear_word(pass(&from, &to, has_copy), &b, &d, &e, &a);
		clear_word(pass(&from, &to, has_copy), &c, &e, &a, &b);
		clear_word(pass(&from, &to, has_copy), &d, &a, &b, &c);
		clear_word(pass(&from, &to, has_copy), &e, &b, &c, &d);
		length -= REACH * sizeof(uint64_t);
	}
	if (has_copy)
		memcpy(to, from, length);
	memcpy(end, from, length);
	end[0] ^= htole64(a);
	end[1] ^= htole64(b);
	end[2] ^= htole64(c);
	end[3] ^= htole64(d);
	end[4] ^= htole64(e);
	/* The register is in there already: let the library start with an empty one. */
	return crc_library(UINT32_MAX, end, length);
}

uint32_t crc_sparse(uint32_t crc, const void *data, size_t length)
{
	if (length < SPARSE_LENGTH_MIN)
		return crc_library(crc, data, length);
	return sparse(crc, data, length, NULL, false);
}

uint32_t crc_sparse_copy(uint32_t crc, void *to, const void *from, size_t length)
{
	if (length >= SPARSE_LENGTH_MIN)
		return sparse(crc, from, length, to, true);
	memcpy(to, from, length);
	return crc_library(crc, to, length);
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

uint32_t wire_crc32_copy(uint32_t crc, void *to, const void *from, uint32_t length)
{
	if (length == 0)
		return crc;
	if (!multiplies_without_carry())
		return crc_sparse_copy(crc, to, from, length);
	memcpy(to, from, length);
	return crc_library(crc, to, length);
}
