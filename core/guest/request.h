/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests from the session to the host, and the wait for their replies. One is under way at a
 * time; replies to others, and frames of other types, are passed over.
 */
#ifndef GUEST_REQUEST_H
#define GUEST_REQUEST_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "guest/channel.h"
#include "guest/freeze.h"
#include "ktstr/error.h"
#include "wire/kernel_op.h"
#include "wire/snapshot.h"

/* How long the host may take. The clock stands still while the host has stopped us. */
#define REQUEST_TIMEOUT_NS (30 * NS_PER_S)

struct requester {
	struct channel_sender *sender;
	int fd;				      /* where replies come from; borrowed */
	const volatile uint32_t *is_stopping; /* nobody is to wait any longer */
	uint64_t timeout_ns;
	pthread_mutex_t lock;
	uint32_t last_snapshot_id; /* ids count from 1 and are never 0 */
	uint32_t last_kernel_op_id;
	/* What came in and was not looked at yet. It grows as bytes come, never because a header
	 * says so. */
	uint8_t *in;
	size_t length;
	size_t size;
	struct freeze *freeze;	   /* in virtual time; NULL: replies come from fd */
	struct ktstr_error broken; /* code != 0: no reply can be read any more, and why */
};

void requester_init(struct requester *requester, struct channel_sender *sender, int fd,
		    const volatile uint32_t *is_stopping);
/* In virtual time the guest stands still for each answer. NULL, or a freeze without a port: no. */
void requester_use_freeze(struct requester *requester, struct freeze *freeze);
void requester_done(struct requester *requester);

/*
 * Ask for a snapshot of @kind. @ranges go first (count 0: none); their id is set here. Returns 0
 * when the host did it; -EREMOTEIO with its reason when it did not; -ETIMEDOUT; -ECANCELED when the
 * run is to end early; -EBADMSG when a reply was damaged, now or before; -EIO when the host is
 * gone; -EINVAL for a tag of no byte or more than KTSTR_SNAPSHOT_TAG_MAX.
 */
int request_snapshot(struct requester *requester, uint32_t kind, const char *tag,
		     struct wire_ranges *ranges, struct ktstr_error *err);

/*
 * Ask for a kernel operation, whose id is set here. The same results. What was read goes to
 * @data[i], for each entry of a read, which must have room for its length.
 */
int request_kernel_op(struct requester *requester, struct wire_kernel_op *op, void *const *data,
		      struct ktstr_error *err);

#endif
