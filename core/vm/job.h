/* SPDX-License-Identifier: GPL-2.0-only */
/* The host's end of the memory through which the job comes (wire/job_area.h): a memory file. */
#ifndef VM_JOB_H
#define VM_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ktstr/error.h"

/* An archive of one part of a job, at the start of a memory file. */
struct job_archive {
	int fd; /* borrowed */
	uint64_t length;
	uint32_t crc32;
};

/* Fill in the CRC of what is there. */
int job_archive_check(struct job_archive *archive, struct ktstr_error *err);

/*
 * Make the memory file of @scenario the job area of a run with @seed: with @scheduler, both
 * checked. -EFBIG when they are too long.
 */
int job_publish(const struct job_archive *scenario, const struct job_archive *scheduler,
		uint64_t seed, struct ktstr_error *err);
/* A CRC-32 over both archives that job_publish() was given. 0 or -errno. */
int job_checksum(int fd, uint32_t *ret);
/* Is the scheduler's part for the guest to see, or was its machine saved with it? Before the guest
 * runs. */
int job_show_scheduler(int fd, bool is_there, struct ktstr_error *err);

/* In virtual time: the guest is to stand still where it wants an answer. Before it runs. */
int job_show_freeze_port(int fd, struct ktstr_error *err);

/* Before the VM runs: let its agent do nothing more once it has sent @frames frames. */
int job_stop_after(int fd, uint64_t frames, struct ktstr_error *err);

/* A new area for a machine that is to be saved: with @scheduler, or without a job (NULL). */
int job_new(const struct job_archive *scheduler, int *ret_fd, struct ktstr_error *err);

/* How far the agent has come that was not given the whole job: JOB_AREA_READY, ..., or 0. */
uint32_t job_state(int fd);

/* Answers to a guest that stands still: whole frames. @number is another one each time. */
int job_answer(int fd, uint32_t number, const void *frames, size_t length, struct ktstr_error *err);

#endif
