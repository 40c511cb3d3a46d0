/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel operations: the guest asks the host to read or write memory of the guest's kernel, and the
 * host answers. The same code encodes and decodes on both sides. docs/wire.md describes every byte.
 */
#ifndef WIRE_KERNEL_OP_H
#define WIRE_KERNEL_OP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_KERNEL_OP_HEAD_SIZE 16u
#define WIRE_KERNEL_ENTRY_HEAD_SIZE 32u
#define WIRE_KERNEL_REPLY_HEAD_SIZE 24u

#define WIRE_KERNEL_ENTRIES_MAX 64u
#define WIRE_KERNEL_TAG_MAX 256u
#define WIRE_KERNEL_NAME_MAX 127u
#define WIRE_KERNEL_REASON_MAX 256u
/* All bytes that one request writes. */
#define WIRE_KERNEL_WRITE_MAX (64u * 1024u)
#define WIRE_KERNEL_REQUEST_MAX (128u * 1024u)
#define WIRE_KERNEL_REPLY_MAX (1024u * 1024u)

/* mode */
#define WIRE_KERNEL_HOT 0u  /* while the guest runs */
#define WIRE_KERNEL_COLD 1u /* all of it within one freeze */
/* direction */
#define WIRE_KERNEL_WRITE 0u
#define WIRE_KERNEL_READ 1u
/* target: what the entry points at */
#define WIRE_TARGET_SYMBOL 0u	     /* @symbol, which the guest found at @address */
#define WIRE_TARGET_DIRECT 1u	     /* @address in the kernel's map of all memory */
#define WIRE_TARGET_KVA 2u	     /* @address, by a walk through the page tables */
#define WIRE_TARGET_PER_CPU_FIELD 3u /* @field of @symbol of CPU @number */
#define WIRE_TARGET_TASK_FIELD                                                                     \
	4u /* @field of the task with pid @number that started at @address                         \
	    */
#define WIRE_TARGET_COUNT 5u
/* value */
#define WIRE_VALUE_U32 0u
#define WIRE_VALUE_U64 1u
#define WIRE_VALUE_BYTES 2u
#define WIRE_VALUE_OR_U32 3u /* set these bits; writes only */
#define WIRE_VALUE_COUNT 4u

struct wire_kernel_entry {
	uint8_t target;
	uint8_t value;
	uint32_t number;
	uint64_t address;
	uint32_t length; /* bytes to read or to write */
	uint32_t offset; /* of the bytes to write, in the request's bytes[] */
	char symbol[WIRE_KERNEL_NAME_MAX + 1];
	char field[WIRE_KERNEL_NAME_MAX + 1];
};

struct wire_kernel_op {
	uint32_t request_id;
	uint8_t mode;
	uint8_t direction;
	char tag[WIRE_KERNEL_TAG_MAX + 1];
	uint32_t entry_count;
	struct wire_kernel_entry entries[WIRE_KERNEL_ENTRIES_MAX];
	uint32_t byte_count;
	uint8_t bytes[WIRE_KERNEL_WRITE_MAX];
};

/*
 * Append @entry, whose offset is set, and, in a write, the @entry->length bytes at @bytes. 0;
 * -E2BIG when there are too many entries or bytes; -EINVAL for what the other side would refuse.
 */
int wire_kernel_op_add(struct wire_kernel_op *op, const struct wire_kernel_entry *entry,
		       const void *bytes);

/* Returns how many bytes were written; always fits WIRE_KERNEL_REQUEST_MAX. */
size_t wire_encode_kernel_op(const struct wire_kernel_op *op, uint8_t ret[WIRE_KERNEL_REQUEST_MAX]);

/*
 * 0 or -EBADMSG: an id of 0, unknown words, lengths that do not fit, more than the limits above. A
 * tag beyond WIRE_KERNEL_TAG_MAX is cut before the character that does not fit. After a failure
 * *ret is undefined.
 */
int wire_decode_kernel_op(const void *payload, size_t length, struct wire_kernel_op *ret);

/* The id alone, of a request whose other parts nobody will look at. 0 or -EBADMSG. */
int wire_kernel_op_id(const void *payload, size_t length, uint32_t *ret_id);

struct wire_kernel_reply {
	uint32_t request_id;
	bool is_success;
	char reason[WIRE_KERNEL_REASON_MAX + 1];
	uint32_t value_count;
	struct {
		const uint8_t *bytes; /* borrowed */
		uint32_t length;
	} values[WIRE_KERNEL_ENTRIES_MAX];
};

/* Bytes of the encoded reply. */
size_t wire_kernel_reply_size(const struct wire_kernel_reply *reply);
/* Write that many bytes. */
void wire_encode_kernel_reply(const struct wire_kernel_reply *reply, uint8_t *ret);
/* 0 or -EBADMSG, and *ret is left alone. Values point into @payload; the reason is safe for a
 * terminal. */
int wire_decode_kernel_reply(const void *payload, size_t length, struct wire_kernel_reply *ret);

#endif
