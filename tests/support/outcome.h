/* SPDX-License-Identifier: GPL-2.0-only */
/* For tests of dispatch: frames through an assembler into sinks, and what that did. */
#ifndef SUPPORT_OUTCOME_H
#define SUPPORT_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "coord/dispatch.h"
#include "support/frames.h"

#define BUCKET_MAX 64
#define SECOND NS_PER_S

struct bucket_entry {
	uint32_t msg_type;
	uint32_t length;
	bool crc_ok;
	uint8_t payload[64];
};

/* The sinks, and what the frames of one stream did to them. */
struct outcome {
	struct dispatch_sinks sinks;
	struct bucket_entry bucket[BUCKET_MAX];
	size_t bucket_count;
	size_t message_count;
	int kill_evt;
	int sys_rdy_evt;
};

void outcome_init(struct outcome *outcome);
void outcome_done(struct outcome *outcome);

/* How often an eventfd was written; sets it back. */
uint64_t read_counter(int fd);

/* Feed the stream to an assembler and dispatch every frame, as the loop does. Ends the stream. */
void run_dispatch(struct frames *frames, uint64_t now_ns, struct outcome *outcome);

/* One frame at @now_ns into sinks that exist already. True: it was bucketed. */
bool send_at(struct outcome *outcome, uint64_t now_ns, uint32_t msg_type, const void *payload,
	     uint32_t length, bool is_torn);

struct ktstr_snapshot_request snapshot_request(uint32_t id, uint32_t kind, const char *tag);
void add_snapshot(struct frames *frames, uint32_t id, const char *tag, bool is_torn);

#endif
