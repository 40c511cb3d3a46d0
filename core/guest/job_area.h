/* SPDX-License-Identifier: GPL-2.0-only */
/* The guest's end of the memory through which the job comes (wire/job_area.h). */
#ifndef GUEST_JOB_AREA_H
#define GUEST_JOB_AREA_H

#include <stdint.h>

#include "ktstr/error.h"

#define JOB_AREA_PCI "/sys/bus/pci/devices"

/* Find the device below @pci and map it. 0 and *ret, all of JOB_AREA_BYTES; -ENODEV when there is
 * none. */
int job_area_map(const char *pci, uint8_t **ret, struct ktstr_error *err);

/*
 * Wait until there is a job, and unpack it below @root ("" for the root folder itself). *ret_seed
 * is the run's. -EBADMSG for a job that is not what the host wrote. @area is unmapped: every child
 * of ours would have page tables for it.
 */
int job_area_take(uint8_t *area, const char *root, uint64_t *ret_seed, struct ktstr_error *err);

#endif
