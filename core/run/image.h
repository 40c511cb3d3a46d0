/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the guest gets, as archives, and how much memory that takes: the base, which it boots with,
 * and the two parts of the job, which it takes out of memory that it shares with the host. The
 * scheduler's part is what it takes to bring the scheduler up, and the same for all runs that
 * differ in other things alone; the other one has all else.
 */
#ifndef RUN_IMAGE_H
#define RUN_IMAGE_H

#include <stdint.h>

#include "ktstr/error.h"
#include "run/paths.h"
#include "run/prepare.h"
#include "vm/initramfs.h"
#include "vm/job.h"

struct image {
	struct initramfs *base;
	struct initramfs *scheduler;
	struct initramfs *job;
	int base_fd; /* owned by the archives, as those below */
	struct job_archive scheduler_archive;
	int job_fd; /* the job area of the run (vm/job.h) */
	uint64_t loaded_bytes;
	uint64_t memory_bytes; /* what the VM gets */
};

#define IMAGE_NONE                                                                                 \
	(struct image)                                                                             \
	{                                                                                          \
		.base_fd = -1, .scheduler_archive = { .fd = -1 }, .job_fd = -1                     \
	}

/* Build the archives and settle the guest's memory. -ENOMEM (the guest's) when `vm.memory` is less
 * than this run needs. */
int image_build(const struct prepared *prepared, const struct run_paths *paths, struct image *ret,
		struct ktstr_error *err);
void image_done(struct image *image);

#endif
