/* SPDX-License-Identifier: GPL-2.0-only */
/* A VM that boots to be saved. */
#ifndef RUN_BASE_BOOT_H
#define RUN_BASE_BOOT_H

#include <stdbool.h>

#include "ktstr/error.h"
#include "run/base.h"
#include "vm/base_store.h"

/*
 * Boot it into the files of @base, which base_begin() made, until its agent waits for a job, or
 * with @is_attached until the run's scheduler is up in it, and save it there. -EINTR when a signal
 * came, -ENOSPC when its memory found no room.
 */
int base_boot(const struct run_base_spec *spec, bool is_attached, const struct base *base,
	      struct ktstr_error *err);

#endif
