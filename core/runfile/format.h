/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The run file: everything that happened, in order, append-only. It is the verdict bucket, what
 * checkers read, what `ktstr check` judges again, and what a bug report attaches.
 *
 * A file header of 64 bytes, then records. A record is a header of 40 bytes, then its payload,
 * padded with zeros to a multiple of 8. All little-endian. A record whose header or payload does
 * not match its CRC, that is longer than allowed, that is not the next one by its index, or that
 * runs past the end of the file, ends the file there: a torn tail is cut, not fatal.
 */
#ifndef RUNFILE_FORMAT_H
#define RUNFILE_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "ktstr/frame.h"

#define RUNFILE_MAGIC "KTSTRRUN" /* 8 bytes, no NUL */
#define RUNFILE_VERSION 2u
/* Records start at multiples of this, and so do their payloads. */
#define RUNFILE_ALIGNMENT 8u
/* The largest payload of a record. */
#define RUNFILE_PAYLOAD_MAX KTSTR_FRAME_PAYLOAD_MAX

struct runfile_header {
	char magic[8];
	uint32_t version;
	uint32_t header_size;
	uint64_t start_realtime_ns; /* wall clock at time 0 of all records */
	uint64_t seed;
	uint8_t reserved[28];
	uint32_t crc32; /* of the bytes before it */
};

#define RUNFILE_META 1u	  /* JSON: kernel, plugins, scenario, machine; the first record */
#define RUNFILE_SOURCE 2u /* the scenario file, verbatim */
#define RUNFILE_FRAME                                                                              \
	3u /* a frame that dispatch admitted; tag: its type; flags: KTSTR_FRAME_CRC_OK */
#define RUNFILE_CONSOLE 4u /* bytes of COM1 */
#define RUNFILE_CRASH 5u   /* bytes of COM2 */
#define RUNFILE_EVENT                                                                              \
	6u /* something that the host saw; tag: RUNFILE_EVENT_*; payload: text or JSON */
#define RUNFILE_SUMMARY                                                                            \
	7u /* struct runfile_summary: the coordinator's account; the last record                   \
	    */

#define RUNFILE_CAPTURE                                                                            \
	8u /* the guest stood still: struct runfile_capture, its CPUs, its ranges; tag:            \
	    * RUNFILE_CAPTURE_*                                                                    \
	    */

/*
 * The header of a frame before the END frame that dispatch did not admit: its 16 bytes as sent.
 * With these and the FRAME records, in order, the END frame can be held against the file itself.
 */
#define RUNFILE_FRAME_HEADER 9u

/* Tags of RUNFILE_EVENT. */
#define RUNFILE_EVENT_TIMING 1u /* "name" at host_ns: a milestone of `--timings` */
#define RUNFILE_EVENT_END_REASON                                                                   \
	2u /* JSON {"reason": ..., "text": ...}: why the run ended other than by its end */
#define RUNFILE_EVENT_WARNING 3u /* text */
#define RUNFILE_EVENT_KERNEL_WRITE                                                                 \
	4u /* text, its tag: the guest had the host write memory of its kernel */

/* Tags of RUNFILE_CAPTURE. */
#define RUNFILE_CAPTURE_REQUEST 1u /* the guest asked for it */
#define RUNFILE_CAPTURE_WATCH 2u   /* a watched symbol was written */

struct runfile_record {
	uint32_t kind;
	uint32_t tag;
	uint32_t length; /* of the payload, without padding */
	uint32_t flags;
	uint64_t host_ns; /* since the start of the run */
	uint64_t index;	  /* number of the record, from 0 */
	uint32_t payload_crc32;
	uint32_t header_crc32; /* of the bytes before it */
};

/* What the coordinator counted. Starts with its size: may grow. */
struct runfile_summary {
	uint32_t size;
	uint32_t end_reason; /* enum coord_end */
	uint64_t frames_received;
	uint64_t frames_bucketed;
	uint64_t frames_torn;	 /* CRC mismatch */
	uint64_t frames_dropped; /* unknown type, internal type sent by the guest, malformed */
	uint64_t frames_oversize;
	uint64_t bytes_received;
	uint64_t bytes_left; /* a partial frame at the end */
	uint32_t headers_crc32;
	uint32_t has_end;     /* a valid END frame came */
	uint32_t end_matches; /* and its counts match */
	uint32_t frames_after_end;
	int32_t exit_code;	/* of the last valid EXIT; -1: none */
	uint32_t last_phase;	/* last valid LIFECYCLE */
	uint32_t is_panicked;	/* the console said "Kernel panic", or a reset without a crash */
	uint32_t is_crashed;	/* COM2 said "PANIC:" */
	int32_t qemu_status;	/* wait status of QEMU; 0 when it ended by itself */
	uint32_t is_sched_exit; /* a valid SCHED_EXIT came */
	/* Of the time between SCENARIO_START and SCENARIO_END: the longest that a thread of the VM
	 * was ready to run, and the host had no CPU for it. 0: not known, or its guest does not
	 * live in the host's time. */
	uint64_t host_wait_ns;
};

/* The size of the first ones. */
#define RUNFILE_SUMMARY_MIN offsetof(struct runfile_summary, host_wait_ns)

#define RUNFILE_CAPTURE_TAG_SIZE 72u
#define RUNFILE_CAPTURE_NO_CPU UINT32_MAX
/* So many captures a run keeps. */
#define RUNFILE_CAPTURES_MAX 64u

/*
 * A capture: @cpu_count structs runfile_cpu follow, then @range_count structs runfile_range, then
 * the bytes of the ranges, one range after the other. Starts with its size: may grow. The record's
 * host_ns is the moment at which the guest stood still.
 */
struct runfile_capture {
	uint32_t size;
	uint32_t request_id; /* of the request for the capture, or for the watch */
	uint32_t cpu_count;
	uint32_t range_count;
	uint32_t cpu_size;   /* of a struct runfile_cpu */
	uint32_t range_size; /* of a struct runfile_range */
	uint32_t hit_number; /* of the watch, from 1; 0: no watch */
	uint32_t hit_cpu;    /* that wrote; RUNFILE_CAPTURE_NO_CPU: not known, or no watch */
	uint64_t frozen_ns;  /* how long the guest had stood still when this was written */
	char tag[RUNFILE_CAPTURE_TAG_SIZE]; /* NUL-terminated: the name asked for, or the symbol */
};

/* The registers of one CPU, x86-64. */
struct runfile_cpu {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rip, rflags;
	uint64_t cr0, cr2, cr3, cr4, efer;
	uint64_t fs_base, gs_base;
	uint32_t cpl;	    /* 3: user mode */
	uint32_t is_halted; /* waits for an interrupt */
};

/* What a range is about; its bytes come behind all of these. */
struct runfile_range {
	uint64_t address; /* kernel virtual */
	uint32_t length;
	uint32_t reserved;
};

#endif
