/* SPDX-License-Identifier: GPL-2.0-only */
#include "wire/kernel_op.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/str.h"

/* Structs are copied byte by byte. */
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the wire is little-endian");

struct op_head {
	uint32_t size; /* of this struct; it may grow */
	uint32_t request_id;
	uint8_t mode;
	uint8_t direction;
	uint16_t entry_count;
	uint32_t tag_length;
};

struct entry_head {
	uint32_t size;	/* of this struct; it may grow */
	uint32_t total; /* of the entry, with its names and bytes */
	uint8_t target;
	uint8_t value;
	uint16_t symbol_length;
	uint16_t field_length;
	uint16_t reserved;
	uint32_t value_length;
	uint32_t number;
	uint64_t address;
};

struct reply_head {
	uint32_t size; /* of this struct; it may grow */
	uint32_t request_id;
	uint32_t success;
	uint32_t value_count;
	uint32_t reason_length;
	uint32_t reserved;
};

static_assert(sizeof(struct op_head) == WIRE_KERNEL_OP_HEAD_SIZE, "no padding");
static_assert(sizeof(struct entry_head) == WIRE_KERNEL_ENTRY_HEAD_SIZE, "no padding");
static_assert(sizeof(struct reply_head) == WIRE_KERNEL_REPLY_HEAD_SIZE, "no padding");
static_assert(WIRE_KERNEL_OP_HEAD_SIZE + WIRE_KERNEL_TAG_MAX + WIRE_KERNEL_WRITE_MAX +
			      WIRE_KERNEL_ENTRIES_MAX *
				      (WIRE_KERNEL_ENTRY_HEAD_SIZE + 2 * WIRE_KERNEL_NAME_MAX) <=
		      WIRE_KERNEL_REQUEST_MAX,
	      "the largest request fits");

/* What is left of a payload. */
struct rest {
	const uint8_t *at;
	size_t length;
};

/* The next @length bytes, or NULL when there are not that many. */
static const uint8_t *take(struct rest *rest, size_t length)
{
	const uint8_t *at = rest->at;

	if (length > rest->length)
		return NULL;
	rest->at += length;
	rest->length -= length;
	return at;
}

/* A struct that starts with its size, of which @size bytes are known and must be there. */
static int take_head(struct rest *rest, void *ret, uint32_t size)
{
	const uint8_t *at = rest->at;
	uint32_t have;

	if (rest->length < size)
		return -EBADMSG;
	memcpy(&have, at, sizeof(have));
	if (have < size || !take(rest, have))
		return -EBADMSG;
	memcpy(ret, at, size);
	return 0;
}

static int take_name(struct rest *rest, size_t length, char name[WIRE_KERNEL_NAME_MAX + 1])
{
	const uint8_t *at = length <= WIRE_KERNEL_NAME_MAX ? take(rest, length) : NULL;

	if (!at)
		return -EBADMSG;
	str_copy_safe(name, WIRE_KERNEL_NAME_MAX + 1, (const char *)at, length);
	return 0;
}

/* The length that a value kind has by itself; 0: any. */
static uint32_t value_width(uint8_t value)
{
	switch (value) {
	case WIRE_VALUE_U32:
	case WIRE_VALUE_OR_U32:
		return 4;
	case WIRE_VALUE_U64:
		return 8;
	default:
		return 0;
	}
}

static bool is_sound(const struct wire_kernel_op *op, const struct wire_kernel_entry *entry)
{
	uint32_t width = value_width(entry->value);

	if (entry->target >= WIRE_TARGET_COUNT || entry->value >= WIRE_VALUE_COUNT)
		return false;
	if (entry->length == 0 || (width != 0 && entry->length != width))
		return false;
	return op->direction == WIRE_KERNEL_WRITE ||
	       (entry->value != WIRE_VALUE_OR_U32 && entry->length <= WIRE_KERNEL_REPLY_MAX);
}

int wire_kernel_op_add(struct wire_kernel_op *op, const struct wire_kernel_entry *entry,
		       const void *bytes)
{
	struct wire_kernel_entry *added = &op->entries[op->entry_count];

	if (!is_sound(op, entry))
		return -EINVAL;
	if (op->entry_count == WIRE_KERNEL_ENTRIES_MAX)
		return -E2BIG;
	if (op->direction == WIRE_KERNEL_WRITE &&
	    entry->length > sizeof(op->bytes) - op->byte_count)
		return -E2BIG;
	*added = *entry;
	added->offset = op->byte_count;
	op->entry_count++;
	if (op->direction == WIRE_KERNEL_WRITE) {
		memcpy(op->bytes + op->byte_count, bytes, entry->length);
		op->byte_count += entry->length;
	}
	return 0;
}

static uint8_t *put(uint8_t *at, const void *bytes, size_t length)
{
	memcpy(at, bytes, length);
	return at + length;
}

static uint8_t *put_entry(uint8_t *at, const struct wire_kernel_op *op,
			  const struct wire_kernel_entry *entry)
{
	uint32_t written = op->direction == WIRE_KERNEL_WRITE ? entry->length : 0;
	struct entry_head head = {
		.size = sizeof(head),
		.target = entry->target,
		.value = entry->value,
		.symbol_length = (uint16_t)strlen(entry->symbol),
		.field_length = (uint16_t)strlen(entry->field),
		.value_length = entry->length,
		.number = entry->number,
		.address = entry->address,
	};

	head.total = head.size + head.symbol_length + head.field_length + written;
	at = put(at, &head, sizeof(head));
	at = put(at, entry->symbol, head.symbol_length);
	at = put(at, entry->field, head.field_length);
	return put(at, op->bytes + entry->offset, written);
}

size_t wire_encode_kernel_op(const struct wire_kernel_op *op, uint8_t ret[WIRE_KERNEL_REQUEST_MAX])
{
	struct op_head head = {
		.size = sizeof(head),
		.request_id = op->request_id,
		.mode = op->mode,
		.direction = op->direction,
		.entry_count = (uint16_t)op->entry_count,
		.tag_length = (uint32_t)strlen(op->tag),
	};
	uint8_t *at = put(ret, &head, sizeof(head));

	assert(op->entry_count <= WIRE_KERNEL_ENTRIES_MAX);
	at = put(at, op->tag, head.tag_length);
	for (uint32_t i = 0; i < op->entry_count; i++)
		at = put_entry(at, op, &op->entries[i]);
	return (size_t)(at - ret);
}

static int take_entry(struct rest *rest, struct wire_kernel_op *op)
{
	struct wire_kernel_entry *entry = &op->entries[op->entry_count];
	struct entry_head head;
	struct rest own;
	const uint8_t *start = rest->at, *bytes = NULL;

	if (rest->length < sizeof(head))
		return -EBADMSG;
	memcpy(&head, start, sizeof(head));
	own = (struct rest){ .at = start, .length = head.total };
	if (!take(rest, head.total) || take_head(&own, &head, sizeof(head)) < 0)
		return -EBADMSG;
	entry->target = head.target;
	entry->value = head.value;
	entry->number = head.number;
	entry->address = head.address;
	entry->length = head.value_length;
	entry->offset = op->byte_count;
	if (!is_sound(op, entry) || take_name(&own, head.symbol_length, entry->symbol) < 0 ||
	    take_name(&own, head.field_length, entry->field) < 0)
		return -EBADMSG;
	op->entry_count++;
	if (op->direction == WIRE_KERNEL_READ)
		return 0;
	if (entry->length <= sizeof(op->bytes) - op->byte_count)
		bytes = take(&own, entry->length);
	if (!bytes)
		return -EBADMSG;
	memcpy(op->bytes + op->byte_count, bytes, entry->length);
	op->byte_count += entry->length;
	return 0;
}

/* How many of the first @max bytes of a longer text leave no character of UTF-8 cut in two. */
static size_t cut_utf8(const uint8_t *text, size_t max)
{
	while (max > 0 && (text[max] & 0xc0) == 0x80)
		max--;
	return max;
}

static int take_tag(struct rest *rest, uint32_t length, char tag[WIRE_KERNEL_TAG_MAX + 1])
{
	const uint8_t *at = take(rest, length);
	size_t kept = length;

	if (!at)
		return -EBADMSG;
	if (length > WIRE_KERNEL_TAG_MAX)
		kept = cut_utf8(at, WIRE_KERNEL_TAG_MAX);
	str_copy_safe(tag, WIRE_KERNEL_TAG_MAX + 1, (const char *)at, kept);
	return 0;
}

int wire_decode_kernel_op(const void *payload, size_t length, struct wire_kernel_op *ret)
{
	struct rest rest = { .at = payload, .length = length };
	struct op_head head;

	if (length > WIRE_KERNEL_REQUEST_MAX || take_head(&rest, &head, sizeof(head)) < 0)
		return -EBADMSG;
	if (head.request_id == 0 || head.mode > WIRE_KERNEL_COLD ||
	    head.direction > WIRE_KERNEL_READ || head.entry_count == 0 ||
	    head.entry_count > WIRE_KERNEL_ENTRIES_MAX)
		return -EBADMSG;
	ret->request_id = head.request_id;
	ret->mode = head.mode;
	ret->direction = head.direction;
	ret->entry_count = 0;
	ret->byte_count = 0;
	if (take_tag(&rest, head.tag_length, ret->tag) < 0)
		return -EBADMSG;
	for (uint16_t i = 0; i < head.entry_count; i++)
		if (take_entry(&rest, ret) < 0)
			return -EBADMSG;
	return rest.length == 0 ? 0 : -EBADMSG;
}

int wire_kernel_op_id(const void *payload, size_t length, uint32_t *ret_id)
{
	struct rest rest = { .at = payload, .length = length };
	struct op_head head;

	if (take_head(&rest, &head, sizeof(head)) < 0 || head.request_id == 0)
		return -EBADMSG;
	*ret_id = head.request_id;
	return 0;
}

size_t wire_kernel_reply_size(const struct wire_kernel_reply *reply)
{
	size_t size = sizeof(struct reply_head) + strlen(reply->reason);

	for (uint32_t i = 0; i < reply->value_count; i++)
		size += sizeof(uint32_t) + reply->values[i].length;
	return size;
}

void wire_encode_kernel_reply(const struct wire_kernel_reply *reply, uint8_t *ret)
{
	struct reply_head head = {
		.size = sizeof(head),
		.request_id = reply->request_id,
		.success = reply->is_success,
		.value_count = reply->value_count,
		.reason_length = (uint32_t)strlen(reply->reason),
	};
	uint8_t *at = put(ret, &head, sizeof(head));

	at = put(at, reply->reason, head.reason_length);
	for (uint32_t i = 0; i < reply->value_count; i++) {
		at = put(at, &reply->values[i].length, sizeof(uint32_t));
		at = put(at, reply->values[i].bytes, reply->values[i].length);
	}
}

static int take_value(struct rest *rest, const uint8_t **ret_bytes, uint32_t *ret_length)
{
	const uint8_t *at = take(rest, sizeof(*ret_length));

	if (!at)
		return -EBADMSG;
	memcpy(ret_length, at, sizeof(*ret_length));
	*ret_bytes = take(rest, *ret_length);
	return *ret_bytes ? 0 : -EBADMSG;
}

int wire_decode_kernel_reply(const void *payload, size_t length, struct wire_kernel_reply *ret)
{
	struct rest rest = { .at = payload, .length = length };
	struct wire_kernel_reply reply = { 0 };
	struct reply_head head;
	const uint8_t *reason;

	if (length > WIRE_KERNEL_REPLY_MAX || take_head(&rest, &head, sizeof(head)) < 0)
		return -EBADMSG;
	if (head.request_id == 0 || head.success > 1 ||
	    head.value_count > WIRE_KERNEL_ENTRIES_MAX ||
	    head.reason_length > WIRE_KERNEL_REASON_MAX)
		return -EBADMSG;
	reason = take(&rest, head.reason_length);
	if (!reason)
		return -EBADMSG;
	str_copy_safe(reply.reason, sizeof(reply.reason), (const char *)reason, head.reason_length);
	reply.request_id = head.request_id;
	reply.is_success = head.success == 1;
	reply.value_count = head.value_count;
	for (uint32_t i = 0; i < head.value_count; i++)
		if (take_value(&rest, &reply.values[i].bytes, &reply.values[i].length) < 0)
			return -EBADMSG;
	if (rest.length != 0)
		return -EBADMSG;
	*ret = reply;
	return 0;
}
