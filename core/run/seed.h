/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef RUN_SEED_H
#define RUN_SEED_H

#include <stdint.h>

/* A new seed, for a run that has none: of 32 bits, so that people can tell it to each other. */
uint64_t seed_draw(void);

#endif
