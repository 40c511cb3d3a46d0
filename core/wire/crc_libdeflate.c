/* SPDX-License-Identifier: GPL-2.0-only */
#include "wire/frame.h"

#include <libdeflate.h>

uint32_t wire_crc32(uint32_t crc, const void *data, uint32_t length)
{
	/* As crc_zlib.c, several times as fast where the CPU multiplies without carry. */
	if (length == 0)
		return crc;
	return libdeflate_crc32(crc, data, length);
}
