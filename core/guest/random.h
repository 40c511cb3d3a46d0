/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The agent's random numbers: xoshiro256**, seeded by splitmix64. A run has one seed and many
 * streams, each a function of that seed and of who draws from it, so that one worker's appetite
 * does not change what another one gets.
 */
#ifndef GUEST_RANDOM_H
#define GUEST_RANDOM_H

#include <stdint.h>

struct random {
	uint64_t state[4];
};

/* What a stream is for. */
#define RANDOM_FOR_RUN 0u     /* the scenario's own; spawn and index are 0 */
#define RANDOM_FOR_WORKER 1u  /* what a workload draws */
#define RANDOM_FOR_SAMPLES 2u /* which wake-up latencies are kept */
#define RANDOM_FOR_KERNEL 3u  /* its entropy */
#define RANDOM_FOR_START 4u   /* when a worker begins */

/* The stream of @purpose for worker @index of spawn @spawn. */
void random_init(struct random *random, uint64_t seed, uint32_t purpose, uint32_t spawn,
		 uint32_t index);

uint64_t random_next(struct random *random);

/* Uniform in 0 to @bound - 1; @bound is at least 1. */
uint64_t random_below(struct random *random, uint64_t bound);

#endif
