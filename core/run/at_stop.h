/* SPDX-License-Identifier: GPL-2.0-only */
/* A machine that stands still: what its CPUs do, and gdb. */
#ifndef RUN_AT_STOP_H
#define RUN_AT_STOP_H

#include <stdio.h>

#include "run/until.h"

/* Write where each CPU is, and hand the machine to gdb where that is asked for. What cannot be had
 * is a warning. */
void at_stop_show(struct vm *vm, const struct kernel *kernel, const struct until *until, FILE *out);

#endif
