/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The seal of a saved machine: a file that says of each other file of its folder how long it is,
 * when it last changed, and the CRC of what is in it.
 *
 * What has changed since is found by time (the one that nobody can set) and judged by CRC. Before
 * the host's own boot that wrote it, time proves nothing: a host that lost its power may have kept
 * a file's length and not its bytes.
 */
#ifndef VM_BASE_SEAL_H
#define VM_BASE_SEAL_H

#include <stdbool.h>
#include <stddef.h>

#define BASE_SEAL "seal"

struct base_file {
	char name[16];
	int fd;
};

/* Write the seal of @folder, in the place of an older one. 0 or a negative errno. */
int base_seal_write(const char *folder, const struct base_file *files, size_t count);

/* Does this error of a look at the files come from what the host lacks just now? It says nothing of
 * the files. */
bool base_seal_is_passing(int error);

/*
 * Are the files as they were sealed? 0, and seals anew what is but had to be read; -EBADMSG when
 * they are not; another error, which is passing, when that cannot be said. @must_read: what has not
 * changed by its time, too.
 */
int base_seal_check(const char *folder, const struct base_file *files, size_t count,
		    bool must_read);

/* The same of all files that the seal of @folder names, of which there is one at least. */
int base_seal_check_all(const char *folder);

#endif
