/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Snapshots: what a capture is to keep, and what the host answers. The request itself is struct
 * ktstr_snapshot_request. docs/wire.md describes every byte.
 */
#ifndef WIRE_SNAPSHOT_H
#define WIRE_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#define WIRE_RANGES_MAX 64u
/* The smallest and the largest encoded list of ranges. */
#define WIRE_RANGES_SIZE_MIN (8u + 16u)
#define WIRE_RANGES_SIZE_MAX (8u + 16u * WIRE_RANGES_MAX)

/* What an address is. Other values are refused when the request is served. */
#define WIRE_RANGE_KEEP 1u  /* kernel virtual: these bytes belong to the capture */
#define WIRE_RANGE_WATCH 2u /* kernel virtual: where the symbol lies that a WATCH names */

struct wire_range {
	uint64_t address;
	uint32_t length;
	uint32_t kind;
};

/* SNAPSHOT_RANGES: goes before the request with the same id. */
struct wire_ranges {
	uint32_t request_id;
	uint32_t count;
	struct wire_range items[WIRE_RANGES_MAX];
};

#define WIRE_SNAPSHOT_OK 1u
#define WIRE_SNAPSHOT_ERROR 2u
#define WIRE_REASON_MAX 512u

/* SNAPSHOT_REPLY. */
struct wire_snapshot_reply {
	uint32_t request_id;
	uint32_t status;
	char reason[WIRE_REASON_MAX]; /* NUL-terminated; empty when all went well */
};

/* Returns how many bytes were written; @ranges must not hold more than WIRE_RANGES_MAX. */
size_t wire_encode_ranges(const struct wire_ranges *ranges, uint8_t ret[WIRE_RANGES_SIZE_MAX]);

/*
 * 0 or -EBADMSG: an id of 0, no range or too many, or a length that does not fit the count. What
 * the ranges ask for is not looked at. The rest of *ret is zero.
 */
int wire_decode_ranges(const void *payload, size_t length, struct wire_ranges *ret);

/* A reply in wire order, which is also its order in memory. A long reason is cut. */
void wire_snapshot_reply_init(struct wire_snapshot_reply *reply, uint32_t request_id,
			      uint32_t status, const char *reason);

/* 0, or -EBADMSG for another length, another status, or an id of 0. The reason comes back ended by
 * NUL and safe for a terminal. */
int wire_decode_snapshot_reply(const void *payload, size_t length, struct wire_snapshot_reply *ret);

#endif
