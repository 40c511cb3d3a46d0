/* SPDX-License-Identifier: GPL-2.0-only */
#include "wire/snapshot.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/str.h"

/* Structs are copied byte by byte. */
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the wire is little-endian");
static_assert(sizeof(struct wire_range) == 16, "a range is 16 bytes");
static_assert(sizeof(struct wire_ranges) == WIRE_RANGES_SIZE_MAX, "ranges have no padding");
static_assert(sizeof(struct wire_snapshot_reply) == 520, "a reply is 520 bytes");

#define RANGES_HEAD_SIZE offsetof(struct wire_ranges, items)

size_t wire_encode_ranges(const struct wire_ranges *ranges, uint8_t ret[WIRE_RANGES_SIZE_MAX])
{
	size_t length = RANGES_HEAD_SIZE + ranges->count * sizeof(ranges->items[0]);

	assert(ranges->count <= WIRE_RANGES_MAX);
	memcpy(ret, ranges, length);
	return length;
}

int wire_decode_ranges(const void *payload, size_t length, struct wire_ranges *ret)
{
	uint32_t head[2];

	if (length < sizeof(head))
		return -EBADMSG;
	memcpy(head, payload, sizeof(head));
	if (head[0] == 0 || head[1] == 0 || head[1] > WIRE_RANGES_MAX ||
	    length != sizeof(head) + head[1] * sizeof(ret->items[0]))
		return -EBADMSG;
	memset(ret, 0, sizeof(*ret));
	memcpy(ret, payload, length);
	return 0;
}

void wire_snapshot_reply_init(struct wire_snapshot_reply *reply, uint32_t request_id,
			      uint32_t status, const char *reason)
{
	memset(reply, 0, sizeof(*reply));
	reply->request_id = request_id;
	reply->status = status;
	str_copy(reply->reason, sizeof(reply->reason), reason);
}

int wire_decode_snapshot_reply(const void *payload, size_t length, struct wire_snapshot_reply *ret)
{
	struct wire_snapshot_reply reply;

	if (length != sizeof(reply))
		return -EBADMSG;
	memcpy(&reply, payload, sizeof(reply));
	if (reply.request_id == 0 ||
	    (reply.status != WIRE_SNAPSHOT_OK && reply.status != WIRE_SNAPSHOT_ERROR))
		return -EBADMSG;
	memset(ret, 0, sizeof(*ret));
	ret->request_id = reply.request_id;
	ret->status = reply.status;
	str_copy_safe(ret->reason, sizeof(ret->reason), reply.reason,
		      strnlen(reply.reason, sizeof(reply.reason)));
	return 0;
}
