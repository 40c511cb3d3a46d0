/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/tsc.h"

#include <stdbool.h>
#include <time.h>

#include "base/clock.h"

#define MEASURE_NS (4 * NS_PER_MS)
#define TRIES 32
/* Two clocks were read at one moment when no more than this lay between two looks at the first. */
#define MOMENT_TICKS 2000

struct moment {
	uint64_t ticks;
	uint64_t ns;
};

#ifdef __x86_64__
static bool read_ticks(uint64_t *ret)
{
	*ret = __builtin_ia32_rdtsc();
	return true;
}
#else
static bool read_ticks(uint64_t *ret)
{
	(void)ret;
	return false;
}
#endif

/* Read both clocks with nothing in between. */
static bool take_moment(struct moment *ret)
{
	uint64_t best = MOMENT_TICKS + 1;

	for (int i = 0; i < TRIES; i++) {
		uint64_t before, after, ns;

		if (!read_ticks(&before))
			return false;
		ns = clock_now_ns(CLOCK_MONOTONIC_RAW);
		(void)read_ticks(&after);
		if (after - before < best) {
			best = after - before;
			*ret = (struct moment){ before + best / 2, ns };
		}
	}
	return best <= MOMENT_TICKS;
}

uint32_t tsc_measure_khz(void)
{
	const struct timespec wait = { .tv_nsec = (long)MEASURE_NS };
	struct moment first, second;
	uint64_t khz;

	if (!take_moment(&first))
		return 0;
	(void)nanosleep(&wait, NULL); /* a signal only makes it less exact */
	if (!take_moment(&second) || second.ns - first.ns < MEASURE_NS / 2)
		return 0;
	khz = (second.ticks - first.ticks) * (NS_PER_S / 1000) / (second.ns - first.ns);
	return khz > 100000 && khz < 20000000 ? (uint32_t)khz : 0;
}
