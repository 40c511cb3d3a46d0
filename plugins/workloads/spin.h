/* SPDX-License-Identifier: GPL-2.0-only */
/* Work that does nothing but take time on the CPU. */
#ifndef WORKLOADS_SPIN_H
#define WORKLOADS_SPIN_H

#include <stdint.h>

/* One turn of a spin loop, in the way that is kind to a sibling thread. */
static inline void spin_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield" ::: "memory");
#else
	__asm__ volatile("" ::: "memory");
#endif
}

static inline void spin(int64_t turns)
{
	for (int64_t i = 0; i < turns; i++)
		spin_pause();
}

#endif
