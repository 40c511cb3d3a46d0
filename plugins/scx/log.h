/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What libbpf and the kernel's verifier say while an object is opened, loaded and attached: written
 * to the scheduler's log, and the line of it that tells most kept.
 */
#ifndef SCX_LOG_H
#define SCX_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "ktstr/guest.h"

struct scx_log {
	struct ktstr_guest *guest;
	size_t written;	    /* bytes that went to the scheduler's log so far */
	bool is_verifier;   /* the verifier refused a program */
	char program[64];   /* which */
	char verifier[512]; /* its last word on it */
	char warning[512];  /* libbpf's last warning that says more than "failed to load" */
};

/*
 * From here to log_leave(), libbpf of this process speaks to @log. One at a time: libbpf has one
 * function to print for the whole process, without an argument of ours.
 */
void log_enter(struct scx_log *log, struct ktstr_guest *guest);
void log_leave(struct scx_log *log);

/* Take what libbpf says in one call; a line or a whole verifier log. For log_enter(), and tests. */
void log_take(struct scx_log *log, const char *text);

#endif
