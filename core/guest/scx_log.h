/* SPDX-License-Identifier: GPL-2.0-only */
/* Why a sched_ext scheduler left, out of the kernel's log. */
#ifndef GUEST_SCX_LOG_H
#define GUEST_SCX_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "ktstr/sched_ext.h"

#define SCX_LOG_KMSG "/dev/kmsg"

/* In the kernel's words. */
struct scx_exit_record {
	uint32_t kind; /* KTSTR_SCX_EXIT_ */
	char name[128];
	char reason[128];
	char message[1024];
	char backtrace[4096]; /* one frame a line */
};

struct scx_log {
	int fd;		 /* -1: there is no log */
	bool has_record; /* of the first that left since scx_log_forget() */
	bool is_open;	 /* more lines of it may come */
	struct scx_exit_record record;
};

/* Only what comes from now on counts. */
void scx_log_open(struct scx_log *log, const char *path);
void scx_log_done(struct scx_log *log);

/* Read what there is. */
void scx_log_drain(struct scx_log *log);
/* A scheduler's life begins. */
void scx_log_forget(struct scx_log *log);

/* One record as /dev/kmsg gives it: "PRIORITY,NUMBER,TIME,FLAGS;TEXT", and lines behind it. */
void scx_log_record(struct scx_log *log, const char *record);

/* The kind that the kernel calls so: "runnable task stall"; KTSTR_SCX_EXIT_NONE for other words. */
uint32_t scx_exit_kind(const char *reason);

#endif
