/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/wake.h"

#define BITS 4
#define PER_OCTAVE (1u << BITS)

/* Small ones have a bucket each; above, a bucket is a power of two and the BITS below its first
 * one. */
static uint32_t bucket_of(uint32_t ns)
{
	uint32_t shift;

	if (ns < PER_OCTAVE)
		return ns;
	shift = 31u - (uint32_t)__builtin_clz(ns) - BITS;
	return PER_OCTAVE * (shift + 1) + ((ns >> shift) & (PER_OCTAVE - 1));
}

/* The middle of a bucket. */
static uint32_t value_of(uint32_t bucket)
{
	uint32_t shift;

	if (bucket < PER_OCTAVE)
		return bucket;
	shift = bucket / PER_OCTAVE - 1;
	return ((PER_OCTAVE + bucket % PER_OCTAVE) << shift) + ((1u << shift) >> 1);
}

void wake_add(struct wake *wake, uint32_t ns, double weight)
{
	wake->weights[bucket_of(ns)] += weight;
	wake->weight += weight;
	if (ns > wake->max_ns)
		wake->max_ns = ns;
}

uint32_t wake_percentile(const struct wake *wake, double share)
{
	double before = 0;

	if (wake->weight <= 0)
		return 0;
	for (uint32_t i = 0; i < WAKE_BUCKETS; i++) {
		before += wake->weights[i];
		if (wake->weights[i] > 0 && before >= share * wake->weight)
			return value_of(i) < wake->max_ns ? value_of(i) : wake->max_ns;
	}
	return wake->max_ns;
}
