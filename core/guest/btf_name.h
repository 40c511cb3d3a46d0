/* SPDX-License-Identifier: GPL-2.0-only */
/* The names that BTF has for things: the kernel cuts those of programs to 15 bytes. */
#ifndef GUEST_BTF_NAME_H
#define GUEST_BTF_NAME_H

#include <stddef.h>
#include <stdint.h>

/* The name of the type @id in @length bytes of raw BTF, of this machine's byte order; NULL when
 * there is none, or the bytes are no BTF. */
const char *btf_name(const void *bytes, size_t length, uint32_t id);

#endif
