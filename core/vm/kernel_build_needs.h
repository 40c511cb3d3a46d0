/* SPDX-License-Identifier: GPL-2.0-only */
/* What a machine needs to build a kernel. */
#ifndef VM_KERNEL_BUILD_NEEDS_H
#define VM_KERNEL_BUILD_NEEDS_H

#include "ktstr/error.h"

/* Are compiler, make and the others in PATH, and the headers of libraries where the compiler looks?
 * -ENOENT names all that lacks, and how to install it. */
int build_needs_check(struct ktstr_error *err);

#endif
