/* SPDX-License-Identifier: GPL-2.0-only */
/* Run another program to its end, without a shell. */
#ifndef VM_COMMAND_H
#define VM_COMMAND_H

#include <stddef.h>
#include <stdint.h>

#include "ktstr/error.h"

struct command {
	const char *const *argv; /* ended by NULL; argv[0] is looked up in PATH */
	const char *folder;	 /* where it runs; NULL: here */
	uint32_t timeout_ms;
	size_t output_max; /* what it may print on stdout at most */
};

/*
 * Run it with stdin from /dev/null and in the C locale. 0: it exited with 0, and *@ret_output holds
 * its stdout, NUL-terminated (the caller frees; @ret_output may be NULL). Otherwise the error text
 * ends in the last lines of its stderr: -ENOENT when there is no such program, -ETIMEDOUT when it
 * was killed at the deadline, -EFBIG when it printed too much, -EIO when it failed.
 */
int command_run(const struct command *command, char **ret_output, struct ktstr_error *err);

#endif
