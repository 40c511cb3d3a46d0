/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory that host and guest share, through which the job comes: a PCI device of the guest
 * (ivshmem), whose BAR 2 is a file of the host's. The archive of the job (cpio, newc) lies at its
 * start, this struct at JOB_AREA_AT. The host has written both before the guest's CPUs run, so no
 * run depends on when something arrives.
 *
 * A machine that is to be saved gets none: its agent says that it is ready, waits, and finds the
 * job of each run in what is there once it goes on.
 */
#ifndef WIRE_JOB_AREA_H
#define WIRE_JOB_AREA_H

#include <stdint.h>

#define JOB_AREA_BYTES (UINT64_C(256) << 20)
#define JOB_AREA_PAGE UINT64_C(4096)
#define JOB_AREA_AT (JOB_AREA_BYTES - JOB_AREA_PAGE)
/* The longest archive. */
#define JOB_AREA_ARCHIVE_MAX JOB_AREA_AT

#define JOB_AREA_MAGIC 0x4b4a4f42u /* "KJOB" */
#define JOB_AREA_VERSION 1u
/* The PCI device. */
#define JOB_AREA_VENDOR 0x1af4u
#define JOB_AREA_DEVICE 0x1110u

struct job_area {
	uint32_t magic;
	uint32_t version;
	uint32_t has_job;  /* by the host: 1: the archive is there */
	uint32_t crc32;	   /* of the archive */
	uint64_t length;   /* of it, in bytes */
	uint64_t seed;	   /* of the run: the guest's entropy starts from it */
	uint32_t is_ready; /* by the guest: 1: it waits for a job */
	uint32_t reserved;
};

#endif
