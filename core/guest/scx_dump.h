/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel knows of a scheduler that it throws out, of all run queues and tasks: the
 * tracepoint sched_ext:sched_ext_dump, read from a trace instance of its own.
 */
#ifndef GUEST_SCX_DUMP_H
#define GUEST_SCX_DUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "guest/channel.h"

#define SCX_DUMP_TRACING "/sys/kernel/tracing"
/* Of all dumps of a run. */
#define SCX_DUMP_MAX (1024u * 1024u)
/* One frame. */
#define SCX_DUMP_CHUNK_MAX (64u * 1024u)

struct scx_dump {
	int fd;	     /* trace_pipe; -1: the kernel has no such thing */
	size_t kept; /* bytes so far */
	bool is_cut; /* more came */
	struct str chunk;
};

/* Switch the tracepoint on, below @tracing. @cpus of them have a buffer. */
void scx_dump_open(struct scx_dump *dump, const char *tracing, uint32_t cpus);
void scx_dump_done(struct scx_dump *dump);

/* Send what there is, as SCX_DUMP frames that end with a line. */
void scx_dump_drain(struct scx_dump *dump, struct channel_sender *sender);

/* The kernel's own words of a line of a trace; the line itself when it is none of the dump's. */
const char *scx_dump_line(const char *line);

/* Bytes of buffer that each of @cpus CPUs gets, in KiB. */
uint32_t scx_dump_buffer_kib(uint32_t cpus);

#endif
