/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory that host and guest share, through which the job comes: a PCI device of the guest
 * (ivshmem), whose BAR 2 is a file of the host's. Archives of the job (cpio, newc) lie in it, this
 * struct at JOB_AREA_AT. The host has written them before the guest's CPUs run, so no run depends
 * on when something arrives.
 *
 * The job has two parts: what it takes to bring the scheduler up, and all that the run is. A run
 * that boots finds both. A machine that is to be saved gets none, or the first alone: its agent
 * says how far it has come, waits, and finds the rest of the job of each run in what is there once
 * it goes on.
 *
 * In virtual time answers of the host come this way, too, while the guest stands still
 * (wire/freeze.h): struct job_replies lies at JOB_REPLIES_AT, and the frames behind it. The guest
 * never writes there: in a restored machine the memory is its own from the first write on.
 */
#ifndef WIRE_JOB_AREA_H
#define WIRE_JOB_AREA_H

#include <stdint.h>

#define JOB_AREA_BYTES (UINT64_C(256) << 20)
#define JOB_AREA_PAGE UINT64_C(4096)
#define JOB_AREA_AT (JOB_AREA_BYTES - JOB_AREA_PAGE)
/* Room for the longest answer and more. */
#define JOB_REPLIES_BYTES ((UINT64_C(2) << 20) + JOB_AREA_PAGE)
#define JOB_REPLIES_AT (JOB_AREA_AT - JOB_REPLIES_BYTES)
/* What both archives may have together. */
#define JOB_AREA_ARCHIVE_MAX (JOB_REPLIES_AT - JOB_AREA_PAGE)

#define JOB_AREA_MAGIC 0x4b4a4f42u /* "KJOB" */
#define JOB_AREA_VERSION 3u
/* stop_after: go on to the end. */
#define JOB_AREA_NEVER UINT64_MAX
/* The PCI device. */
#define JOB_AREA_VENDOR 0x1af4u
#define JOB_AREA_DEVICE 0x1110u

/* The parts. */
#define JOB_AREA_SCHEDULER 0u
#define JOB_AREA_SCENARIO 1u
#define JOB_AREA_PARTS 2u

/* How far an agent has come that was not given the whole job. */
#define JOB_AREA_READY 1u    /* it waits for a job */
#define JOB_AREA_ATTACHED 2u /* the scheduler is up, and it waits for the second part */

struct job_area_part {
	uint64_t offset;
	uint64_t length;
	uint32_t crc32;
	uint32_t is_there; /* by the host: the archive can be taken */
};

struct job_area {
	uint32_t magic;
	uint32_t version;
	uint64_t seed; /* of the run: the guest's entropy starts from it */
	struct job_area_part parts[JOB_AREA_PARTS];
	uint32_t state; /* by the guest: JOB_AREA_READY or JOB_AREA_ATTACHED; 0: neither yet */
	uint32_t freeze_port; /* where to stand still for an answer; 0: answers come by the port */
	/* By the host: once so many frames are sent, the agent does nothing more, so that somebody
	 * can stop the machine there. It compares at each frame, whatever stands here: up to there
	 * the run is the same. */
	uint64_t stop_after;
};

struct job_replies {
	uint32_t number; /* another one than before: there are new ones */
	uint32_t length; /* of the frames behind this struct, in bytes */
};
#define JOB_REPLIES_MAX (JOB_REPLIES_BYTES - sizeof(struct job_replies))

#endif
