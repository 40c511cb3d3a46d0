/* SPDX-License-Identifier: GPL-2.0-only */
#include "wire/frame.h"

#include <zlib.h>

uint32_t wire_crc32(uint32_t crc, const void *data, uint32_t length)
{
	/* The library takes a NULL buffer as "start anew", which would forget @crc. */
	if (length == 0)
		return crc;
	return (uint32_t)crc32(crc, data, length);
}
