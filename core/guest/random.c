/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/random.h"

static uint64_t splitmix64(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint64_t rotate_left(uint64_t x, unsigned int bits)
{
	return x << bits | x >> (64 - bits);
}

void random_init(struct random *random, uint64_t seed, uint32_t purpose, uint32_t spawn,
		 uint32_t index)
{
	uint64_t state = seed;

	/* Each word is mixed before the next comes in, so that neighbouring streams share nothing.
	 */
	state = splitmix64(&state) ^ purpose;
	state = splitmix64(&state) ^ ((uint64_t)spawn << 32 | index);
	for (int i = 0; i < 4; i++)
		random->state[i] = splitmix64(&state);
}

uint64_t random_next(struct random *random)
{
	uint64_t *s = random->state;
	uint64_t result = rotate_left(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate_left(s[3], 45);
	return result;
}

uint64_t random_below(struct random *random, uint64_t bound)
{
	/* Draws from the uneven end are thrown away. */
	uint64_t uneven = -bound % bound;
	uint64_t draw;

	do
		draw = random_next(random);
	while (draw < uneven);
	return draw % bound;
}
