/* SPDX-License-Identifier: GPL-2.0-only */
#include "wire/crc.h"

#include <libdeflate.h>

uint32_t crc_library(uint32_t crc, const void *data, size_t length)
{
	return libdeflate_crc32(crc, data, length);
}
