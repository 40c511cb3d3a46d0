/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/seed.h"

#include <sys/random.h>
#include <sys/types.h>

#include "base/clock.h"

uint64_t seed_draw(void)
{
	uint32_t seed;

	if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return clock_monotonic_ns() & UINT32_MAX; /* cannot happen once Linux has booted */
	return seed;
}
