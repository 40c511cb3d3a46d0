/* SPDX-License-Identifier: GPL-2.0-only */
/* Is a sched_ext scheduler in charge? As the kernel tells it in sysfs. */
#ifndef SCHEDULERS_SCHED_EXT_STATE_H
#define SCHEDULERS_SCHED_EXT_STATE_H

#include <stdbool.h>

#include "ktstr/error.h"

#define SCHED_EXT_STATE_PATH "/sys/kernel/sched_ext/state"

/* Room for the longest word that the kernel writes there. */
#define SCHED_EXT_STATE_MAX 32

/*
 * Read the word in @path ("disabled", "enabling", "enabled", "disabling"). A kernel without
 * sched_ext has no such file: "disabled". Returns 0, or a negative errno when it cannot be read or
 * is empty.
 */
int sched_ext_state_read(const char *path, char ret_state[SCHED_EXT_STATE_MAX],
			 struct ktstr_error *err);

#endif
