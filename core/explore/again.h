/* SPDX-License-Identifier: GPL-2.0-only */
/* Seeds whose run was ended before it could say anything: each is run once more, and no oftener. */
#ifndef EXPLORE_AGAIN_H
#define EXPLORE_AGAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct again {
	uint64_t *seeds; /* in the order in which they came */
	size_t count;
	size_t next; /* the first that was not taken yet */
};

/* 1: it is to be run once more, 0: it was already, or -ENOMEM. */
int again_add(struct again *again, uint64_t seed);

/* The next one that is to be run once more; false: there is none. */
bool again_take(struct again *again, uint64_t *ret);

/* Is there one that was not taken yet? */
bool again_waits(const struct again *again);

void again_done(struct again *again);

#endif
