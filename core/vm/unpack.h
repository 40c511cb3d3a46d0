/* SPDX-License-Identifier: GPL-2.0-only */
/* Unpack a part of a file through libarchive, in this process alone. */
#ifndef VM_UNPACK_H
#define VM_UNPACK_H

#include <stdbool.h>
#include <stdint.h>

#include "ktstr/error.h"

struct unpack {
	int fd; /* the packed file; its offset is not used */
	uint64_t offset;
	uint64_t length;
	uint64_t output_max;
};

/*
 * Write what gzip, xz, lzma, bzip2, lz4 or zstd packed to @out_fd. -ENOTSUP: none of these;
 * -EBADMSG: damaged; -EFBIG: more than output_max.
 */
int unpack_stream(const struct unpack *unpack, int out_fd, uint64_t *ret_length,
		  struct ktstr_error *err);

/*
 * Go through the files of a Debian package. @take is called with the path of each regular file,
 * without a leading "./", and returns the fd to write it to, or -1 to pass over it; it keeps the
 * fd. A file larger than output_max is -EFBIG.
 */
typedef int (*unpack_take)(void *arg, const char *path);
int unpack_deb(const struct unpack *unpack, unpack_take take, void *arg, struct ktstr_error *err);

#endif
