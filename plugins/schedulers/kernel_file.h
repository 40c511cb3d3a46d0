/* SPDX-License-Identifier: GPL-2.0-only */
/* Files of /sys and /proc/sys that take and give one value. */
#ifndef SCHEDULERS_KERNEL_FILE_H
#define SCHEDULERS_KERNEL_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "ktstr/error.h"

#define KERNEL_FILE_VALUE_MAX 1023

/* Is @path one below /sys or /proc/sys that does not lead out again? */
bool kernel_file_is_allowed(const char *path);

/*
 * What the file says, with one blank between two words and none around them; of "one [two] three"
 * it is "two". "" when it cannot be read.
 */
void kernel_file_selected(const char *path, char *ret, size_t size);

/* Write @value; with @is_verified -EIO when the file does not read so afterwards. A file that
 * cannot be read is not verified. */
int kernel_file_write(const char *path, const char *value, bool is_verified,
		      struct ktstr_error *err);

/* -ESRCH when the file does not say @value. */
int kernel_file_check(const char *path, const char *value, struct ktstr_error *err);

#endif
