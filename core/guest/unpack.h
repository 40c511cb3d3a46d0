/* SPDX-License-Identifier: GPL-2.0-only */
/* Archives of cpio's newc format, as the kernel unpacks at boot (Documentation/driver-api/
 * early-userspace/buffer-format.rst), unpacked later. */
#ifndef GUEST_UNPACK_H
#define GUEST_UNPACK_H

#include <stddef.h>
#include <stdint.h>

#include "ktstr/error.h"

/*
 * Create the folders, files and symbolic links of @archive below @root ("": the root folder), with
 * their modes. A folder that is there stays; any other path that is there is replaced. -EBADMSG for
 * what is no such archive, or names "..".
 */
int unpack(const uint8_t *archive, size_t length, const char *root, struct ktstr_error *err);

#endif
