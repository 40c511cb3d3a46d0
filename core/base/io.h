/* SPDX-License-Identifier: GPL-2.0-only */
/* Whole reads and writes, small files, folders. All return 0 or a negative errno unless they say
 * otherwise. */
#ifndef BASE_IO_H
#define BASE_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ktstr/error.h"

/* Write all of it, over interruptions and short writes. Waits when a non-blocking fd is full. */
int io_write_all(int fd, const void *data, size_t length);

/* Read exactly @length bytes; -ENODATA when the end comes first. */
int io_read_all(int fd, void *data, size_t length);

/*
 * Read a whole file of at most @max bytes into fresh memory with a NUL behind it; the caller frees.
 * -EFBIG when it is longer. Works for files of /proc and /sys too.
 */
int io_read_file(const char *path, size_t max, char **ret_data, size_t *ret_length,
		 struct ktstr_error *err);

/*
 * Replace @path by @data at once (temporary file beside it, then rename), mode 0644 less the umask.
 * A crash leaves either the old file or the new one.
 */
int io_replace_file(const char *path, const void *data, size_t length, struct ktstr_error *err);

/* mkdir -p, mode 0755 less the umask. */
int io_make_dirs(const char *path, struct ktstr_error *err);

/* The path of the program @name of a folder of PATH; the caller frees. NULL when there is none. */
char *io_find_program(const char *name);

/* An anonymous file in memory with these bytes, close-on-exec, offset 0. Returns the fd or a
 * negative errno. */
int io_memfd(const char *name, const void *data, size_t length, struct ktstr_error *err);

/* Read and drop what a socket has, without waiting. */
void io_drain(int fd);

#endif
