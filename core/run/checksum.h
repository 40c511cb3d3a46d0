/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The CRC-32 of large files that seldom change (a kernel, QEMU), read once and then known: each has
 * a small file in <cache>/checksums, which counts as long as size, times and inode are the same.
 */
#ifndef RUN_CHECKSUM_H
#define RUN_CHECKSUM_H

#include <stdint.h>

#include "ktstr/error.h"

/* @cache: the folder of ktstr's caches; NULL: nothing is known and nothing kept. A cache that
 * cannot be read or written is no error. */
int checksum_file(const char *cache, const char *path, uint32_t *ret, struct ktstr_error *err);

#endif
