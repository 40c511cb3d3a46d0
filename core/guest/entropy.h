/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's random numbers: each run starts its own from its seed, wherever the machine comes
 * from. */
#ifndef GUEST_ENTROPY_H
#define GUEST_ENTROPY_H

#include <stdint.h>

/* Best effort: a kernel that does not take it has other entropy. */
void entropy_seed(uint64_t seed);

#endif
