/* SPDX-License-Identifier: GPL-2.0-only */
/* The part of the kernel's sched_ext dump that is about what went wrong. */
#ifndef REPORT_SCX_DUMP_H
#define REPORT_SCX_DUMP_H

#include <stddef.h>

#include "base/str.h"

#define SCX_DUMP_LINES_MAX 32u

/*
 * Append the lines of the dump about the task that @message names ("worker[151] failed to run for
 * 2.976s"), below the state of the CPU whose runqueue it is on; where it names none, or one that is
 * not in the dump, the states of the CPUs. At most SCX_DUMP_LINES_MAX lines, as they stand in the
 * dump: not made safe. Nothing where the dump has nothing of the kind. 0 or -ENOMEM.
 */
int scx_dump_part(const char *dump, size_t length, const char *message, struct str *out);

#endif
