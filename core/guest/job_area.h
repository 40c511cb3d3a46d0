/* SPDX-License-Identifier: GPL-2.0-only */
/* The guest's end of the memory through which the job comes (wire/job_area.h). */
#ifndef GUEST_JOB_AREA_H
#define GUEST_JOB_AREA_H

#include <stdbool.h>
#include <stdint.h>

#include "ktstr/error.h"
#include "wire/job_area.h"

#define JOB_AREA_PCI "/sys/bus/pci/devices"

/* Find the device below @pci and map it. 0 and *ret, all of JOB_AREA_BYTES, to be unmapped by
 * job_area_unmap(): every child of ours has page tables for it. -ENODEV when there is none. */
int job_area_map(const char *pci, uint8_t **ret, struct ktstr_error *err);
void job_area_unmap(uint8_t *area);
/* Unmap all but its head, which stays for this process alone, and the answers of the host, which
 * NULL stands for where they are not wanted. */
const struct job_replies *job_area_keep(uint8_t *area, bool are_replies_wanted);
const struct job_area *job_area_head(uint8_t *area);

/* What was taken. */
struct job_area_taken {
	uint64_t seed;	      /* of the run */
	bool is_whole;	      /* the scenario's part, too */
	uint16_t freeze_port; /* in virtual time (guest/freeze.h); 0: not */
};

/*
 * Wait until there is a job, and unpack what is there of it below @root ("" for the root folder
 * itself). -EBADMSG for a job that is not what the host wrote.
 */
int job_area_take(uint8_t *area, const char *root, struct job_area_taken *ret,
		  struct ktstr_error *err);

/* Is the scenario's part there? If not, the host is told that the scheduler is up. */
bool job_area_has_scenario(uint8_t *area);
/* The same as job_area_take() for that part alone, which is there. */
int job_area_take_scenario(uint8_t *area, const char *root, uint64_t *ret_seed,
			   struct ktstr_error *err);

#endif
