/* SPDX-License-Identifier: GPL-2.0-only */
#include "explore/again.h"

#include <errno.h>
#include <stdlib.h>

int again_add(struct again *again, uint64_t seed)
{
	uint64_t *seeds;

	for (size_t i = 0; i < again->count; i++)
		if (again->seeds[i] == seed)
			return 0;
	seeds = reallocarray(again->seeds, again->count + 1, sizeof(*seeds));
	if (!seeds)
		return -ENOMEM;
	seeds[again->count++] = seed;
	again->seeds = seeds;
	return 1;
}

bool again_waits(const struct again *again)
{
	return again->next < again->count;
}

bool again_take(struct again *again, uint64_t *ret)
{
	if (!again_waits(again))
		return false;
	*ret = again->seeds[again->next++];
	return true;
}

void again_done(struct again *again)
{
	free(again->seeds);
	*again = (struct again){ 0 };
}
