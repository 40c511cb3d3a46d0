/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the guest gets: the base, which it boots with, and the job, which it takes out of memory
 * that it shares with the host, as two archives; and how much memory that takes.
 */
#ifndef RUN_IMAGE_H
#define RUN_IMAGE_H

#include <stdint.h>

#include "ktstr/error.h"
#include "run/paths.h"
#include "run/prepare.h"
#include "vm/initramfs.h"

struct image {
	struct initramfs *base;
	struct initramfs *job;
	int base_fd; /* owned by @base and @job */
	int job_fd;
	uint64_t loaded_bytes;
	uint64_t memory_bytes; /* what the VM gets */
};

/* Build both archives and settle the guest's memory. -ENOMEM (the guest's) when `vm.memory` is less
 * than this run needs. */
int image_build(const struct prepared *prepared, const struct run_paths *paths, struct image *ret,
		struct ktstr_error *err);
void image_done(struct image *image);

#endif
