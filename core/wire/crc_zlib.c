/* SPDX-License-Identifier: GPL-2.0-only */
#include "wire/crc.h"

#include <zlib.h>

uint32_t crc_library(uint32_t crc, const void *data, size_t length)
{
	return (uint32_t)crc32_z(crc, data, length);
}
