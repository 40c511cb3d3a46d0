/* SPDX-License-Identifier: GPL-2.0-only */
/* Work that does nothing but take time on the CPU. */
#ifndef WORKLOADS_SPIN_H
#define WORKLOADS_SPIN_H

#include <stdint.h>

/* So many turns of a spin loop pass between two pauses. */
#define SPIN_TURNS_PER_PAUSE 256

/* Kind to a sibling thread; and where one host thread runs all CPUs, the next one gets its turn. */
static inline void spin_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield" ::: "memory");
#endif
}

/* A pause in each turn would leave an emulated CPU each time, and nothing but that would be done.
 */
static inline void spin(int64_t turns)
{
	for (int64_t i = 0; i < turns; i++) {
		if (i % SPIN_TURNS_PER_PAUSE == 0)
			spin_pause();
		__asm__ volatile("" ::: "memory");
	}
}

#endif
