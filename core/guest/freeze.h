/* SPDX-License-Identifier: GPL-2.0-only */
/* How the session stands still for an answer, with the whole guest (wire/freeze.h). */
#ifndef GUEST_FREEZE_H
#define GUEST_FREEZE_H

#include <stddef.h>
#include <stdint.h>

#include "ktstr/error.h"

/* So often the host may have no answer: it waits for a CPU of its own, not for us. */
#define FREEZE_ROUNDS_MAX 2000u

struct job_replies;

struct freeze {
	uint16_t port; /* 0: not in virtual time */
	const volatile struct job_replies *replies;
	uint32_t seen; /* the number of the last ones */
	/* Stand still until the host lets us go on: freeze_round(), or what a test has for it. */
	int (*round)(struct freeze *freeze, struct ktstr_error *err);
};

void freeze_init(struct freeze *freeze, uint16_t port, const struct job_replies *replies);
/* In the session: its children will not have the memory. */
void freeze_keep(struct freeze *freeze);

/* Needs CAP_SYS_RAWIO. */
int freeze_round(struct freeze *freeze, struct ktstr_error *err);

/* The frames that the host left since the last time, which stay where they are until the next
 * round; *ret_length is 0 when there are none. -EBADMSG for what cannot be frames. */
int freeze_take(struct freeze *freeze, const void **ret, size_t *ret_length,
		struct ktstr_error *err);

#endif
