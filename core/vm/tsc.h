/* SPDX-License-Identifier: GPL-2.0-only */
/* The rate of this machine's time stamp counter, which a TCG guest sees as its own. */
#ifndef VM_TSC_H
#define VM_TSC_H

#include <stdint.h>

/*
 * In kHz, measured against the clock for a few milliseconds; 0 where there is no such counter or it
 * could not be measured. A guest that measures it itself, on a busy host, may be wrong by far, and
 * with it every time that it tells.
 */
uint32_t tsc_measure_khz(void);

#endif
