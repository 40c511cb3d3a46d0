/* SPDX-License-Identifier: GPL-2.0-only */
#include "wire/crc_file.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "wire/frame.h"

/* Read and summed at once. */
#define PIECE ((size_t)1 << 20)

/* Not by a mapping: a file that somebody cuts meanwhile would end us. */
int crc_file(int fd, uint64_t max, uint32_t *ret_crc, uint64_t *ret_length)
{
	_cleanup_free_ uint8_t *piece = malloc(PIECE);
	uint64_t at = 0;
	uint32_t crc = 0;

	if (!piece)
		return -ENOMEM;
	while (at < max) {
		size_t length = max - at < PIECE ? (size_t)(max - at) : PIECE;
		ssize_t n = pread(fd, piece, length, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		crc = wire_crc32(crc, piece, (uint32_t)n);
		at += (uint64_t)n;
	}
	*ret_crc = crc;
	if (ret_length)
		*ret_length = at;
	return 0;
}
