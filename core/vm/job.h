/* SPDX-License-Identifier: GPL-2.0-only */
/* The host's end of the memory through which the job comes (wire/job_area.h): a memory file. */
#ifndef VM_JOB_H
#define VM_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "ktstr/error.h"

/* Make a memory file that has the archive of a job at its start, @length bytes, the job area of a
 * run with @seed. -EFBIG when it is too long. */
int job_publish(int fd, uint64_t length, uint64_t seed, struct ktstr_error *err);

/* The CRC-32 of the archive that job_publish() was given. 0 or -errno. */
int job_checksum(int fd, uint32_t *ret);

/* A new area without a job. */
int job_new_empty(int *ret_fd, struct ktstr_error *err);

/* Does the agent wait for a job in there? */
bool job_is_awaited(int fd);

#endif
