/* SPDX-License-Identifier: GPL-2.0-only */
/* The CRC-32 of files. */
#ifndef WIRE_CRC_FILE_H
#define WIRE_CRC_FILE_H

#include <stdint.h>

/*
 * Of the first @max bytes of a file, or of all when it is shorter; *ret_length (may be NULL) says
 * how many there were. The position of @fd stays. 0 or a negative errno.
 */
int crc_file(int fd, uint64_t max, uint32_t *ret_crc, uint64_t *ret_length);

#endif
