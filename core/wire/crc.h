/* SPDX-License-Identifier: GPL-2.0-only */
/* How wire_crc32() of frame.h is computed: two ways to the same number. */
#ifndef WIRE_CRC_H
#define WIRE_CRC_H

#include <stddef.h>
#include <stdint.h>

/* By a library: libdeflate, or else zlib. The fastest where the CPU multiplies without carry. */
uint32_t crc_library(uint32_t crc, const void *data, size_t length);

/*
 * By shifts alone. CRC-32 is the remainder of a division by a polynomial P of degree 32, and takes
 * nothing from it to first add multiples of P to the message. One multiple of P has few terms:
 *
 *	x^300 + x^155 + x^117 + x^89 + 1
 *
 * Adding it clears a bit and flips those 145, 183, 211 and 300 bits later; adding it for all 64
 * bits of a word at once takes eight shifts. So the message is shortened word by word, and the
 * library has only its end to divide. On a CPU without carry-less multiplication, an emulated one
 * above all, that is four times as fast as tables.
 */
uint32_t crc_sparse(uint32_t crc, const void *data, size_t length);
/* The same while the bytes are copied, which takes little more time. */
uint32_t crc_sparse_copy(uint32_t crc, void *to, const void *from, size_t length);

#endif
