/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests of the guest: captures, watches, kernel operations. Every valid one gets exactly one
 * reply over the bulk port, which never waits for the guest: what the port does not take is kept,
 * up to a limit. Not for other modules.
 */
#ifndef COORD_REQUESTS_H
#define COORD_REQUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "coord/coord.h"
#include "coord/dispatch.h"

/* Replies that wait for the guest to read. */
#define REQUESTS_OUTPUT_MAX ((size_t)2 * 1024 * 1024)
/* Time that one wake may spend on requests before the other channels get their turn. */
#define REQUESTS_TURN_NS (20 * NS_PER_MS)
/* Bytes of all ranges of one capture. */
#define CAPTURE_BYTES_MAX (1024u * 1024u)
/* So often one watch is captured; then it is over. */
#define WATCH_HITS_MAX 16u
/* A watch that is hit twice within this time rests for as long: its symbol may be one that is
 * written all the time, and each hit stops the whole guest. */
#define WATCH_REST_NS (100 * NS_PER_MS)
/* So many kernel writes get an event each. */
#define KERNEL_WRITES_NOTED 1000u

struct coord;

struct watch {
	bool is_set;
	bool is_resting;
	uint32_t request_id;
	uint32_t hits;
	uint64_t last_hit_ns; /* 0: none yet */
	uint64_t rest_until_ns;
	uint64_t address;
	uint32_t length;
	struct wire_ranges ranges; /* what each hit keeps; the first is what is watched */
	char symbol[KTSTR_SNAPSHOT_TAG_MAX + 1];
};

struct requests {
	struct dispatch_kernel_ops kernel_ops;
	uint8_t *output; /* replies; NULL until one has to wait */
	size_t output_start;
	size_t output_end;
	bool has_dropped; /* a reply, and a warning said so */
	bool waits_for_room;
	bool is_frozen;
	bool is_held;	       /* by itself, until freeze_serve() lets it go on */
	uint32_t failed_holds; /* one after the other */
	bool has_warned_of_stop;
	uint64_t frozen_at_ns;
	uint32_t kernel_writes;
	uint32_t capture_count;
	char tags[RUNFILE_CAPTURES_MAX][KTSTR_SNAPSHOT_TAG_MAX + 1]; /* of the captures */
	struct watch watches[COORD_WATCHES_MAX + 1];
};

/* requests.c */
void requests_init(struct coord *c);
void requests_done(struct coord *c);
/* The frame that was just dispatched may have found a queue full: tell its sender. */
void requests_refuse(struct coord *c);
/* Serve what waits, for one turn. */
void requests_serve(struct coord *c);
bool requests_wait(const struct coord *c);
/* And nobody but the loop will serve them. */
bool requests_are_due(const struct coord *c);
/* A guest that is going cannot hear us, nor can it be stopped. */
bool requests_guest_is_there(const struct coord *c);
/* Send what the port takes. */
void requests_flush(struct coord *c);
/* One reply frame. */
void requests_reply(struct coord *c, uint32_t msg_type, const void *payload, size_t length);
void requests_reply_snapshot(struct coord *c, uint32_t request_id, const struct ktstr_error *err);
/* What the guest said of its kernel. */
struct ktstr_kern_addrs requests_kernel(const struct coord *c);

/* freeze.c: in virtual time the guest stands still by itself to be answered. */
bool coord_has_freezes(const struct coord *c);
void freeze_serve(struct coord *c);

/* capture.c */
/* Stop the guest. Nothing to do when it stands still. */
int coord_freeze(struct coord *c, struct ktstr_error *err);
/* Keep what watches it ran into meanwhile, and let it go on. The run ends when that fails. */
void coord_thaw(struct coord *c);
struct capture_spec {
	uint32_t cause; /* RUNFILE_CAPTURE_ */
	uint32_t request_id;
	uint32_t hit_number;
	uint32_t hit_cpu;
	const char *tag;
	const struct wire_ranges *ranges;
};
/* Whether a capture of these ranges can be kept. */
int capture_check(const struct coord *c, const struct wire_ranges *ranges, struct ktstr_error *err);
/* Append one record of what was checked. The guest stands still. */
int capture_take(struct coord *c, const struct capture_spec *spec, struct ktstr_error *err);
/* KTSTR_SNAPSHOT_CAPTURE: all of it but the reply. */
int capture_serve(struct coord *c, const struct ktstr_snapshot_request *request,
		  const struct wire_ranges *ranges, struct ktstr_error *err);

/* watch.c */
/* KTSTR_SNAPSHOT_WATCH: all of it but the reply. */
int watch_serve(struct coord *c, const struct ktstr_snapshot_request *request,
		const struct wire_ranges *ranges, struct ktstr_error *err);
/* The guest may have stopped by itself. */
void watches_look(struct coord *c);
/* Keep all hits there are. The guest stands still. */
void watches_keep(struct coord *c);
/* Set again what has rested. */
void watches_tick(struct coord *c);

/* kernel_access.c: all of a kernel operation. The guest may go on after it, or stay frozen. */
void kernel_op_serve(struct coord *c, const struct wire_kernel_op *op, bool stays_frozen);

#endif
