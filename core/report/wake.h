/* SPDX-License-Identifier: GPL-2.0-only */
/* Wake-up latencies of all workers together, in bounded memory. */
#ifndef REPORT_WAKE_H
#define REPORT_WAKE_H

#include <stdint.h>

/* 16 to an octave, so that a percentile is right to about 3 %. */
#define WAKE_BUCKETS 464

struct wake {
	double weights[WAKE_BUCKETS];
	double weight; /* of all */
	uint32_t max_ns;
};

/* One sample that stands for @weight latencies. */
void wake_add(struct wake *wake, uint32_t ns, double weight);

/* The latency that @share of all (0 to 1) does not exceed; 0 when there is none. */
uint32_t wake_percentile(const struct wake *wake, double share);

#endif
