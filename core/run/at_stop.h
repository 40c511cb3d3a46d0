/* SPDX-License-Identifier: GPL-2.0-only */
/* A machine that stands still: what its CPUs do, and gdb. */
#ifndef RUN_AT_STOP_H
#define RUN_AT_STOP_H

#include "run/until.h"

/*
 * Say where it stopped and where each CPU is, on stop->out or in stop->json, and hand the machine
 * to gdb where that is asked for. What cannot be had is a warning.
 */
void at_stop_show(struct until_stop *stop);

#endif
