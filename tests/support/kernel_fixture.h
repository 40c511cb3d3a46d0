/* SPDX-License-Identifier: GPL-2.0-only */
/* A machine with kernels made by hand: a cache, /usr/lib/modules and /boot in a folder of its own.
 */
#ifndef SUPPORT_KERNEL_FIXTURE_H
#define SUPPORT_KERNEL_FIXTURE_H

#include <stdbool.h>

#include "vm/kernel_find.h"

#define KERNEL_WITH "CONFIG_64BIT=y\nCONFIG_SCHED_CLASS_EXT=y\nCONFIG_DEBUG_INFO_BTF=y\n"
#define KERNEL_WITHOUT "CONFIG_64BIT=y\n# CONFIG_SCHED_CLASS_EXT is not set\n"

struct kernel_fixture {
	char *root;
	char cache[256];
	char modules[256];
	char boot[256];
	char path[512]; /* what kernel_fixture_at() returned last */
	struct kernel_places places;
};

/* No kernel at all. The release that runs is "5.0-running". */
void kernel_fixture_init(struct kernel_fixture *fixture);
void kernel_fixture_done(struct kernel_fixture *fixture);

/* The path of @name in the root, valid until the next call. */
const char *kernel_fixture_at(struct kernel_fixture *fixture, const char *name);

/* An image at @path in the root. */
void kernel_fixture_bzimage(struct kernel_fixture *fixture, const char *path, const char *release);

/* An entry of the cache, made as a fetch would: image and config in a new folder, then the commit.
 */
void kernel_fixture_cached(struct kernel_fixture *fixture, const char *release, const char *config,
			   bool has_no_pvh);

#endif
