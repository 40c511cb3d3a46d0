/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "coord/internal.h"
#include "coord/requests.h"

/* One operation on its way: values that were read lie one after the other. */
struct access {
	struct coord *c;
	const struct wire_kernel_op *op;
	struct ktstr_kern_addrs addrs;
	struct wire_kernel_reply *reply;
	uint8_t *bytes;
	size_t length;
};

/* Memory that an entry means. */
static int find_target(const struct wire_kernel_entry *entry, struct ktstr_error *err)
{
	switch (entry->target) {
	case WIRE_TARGET_SYMBOL:
		if (entry->address == 0)
			return ktstr_fail(err, -ENOENT, "symbol '%s' not found", entry->symbol);
		return 0;
	case WIRE_TARGET_DIRECT:
	case WIRE_TARGET_KVA:
		return 0;
	case WIRE_TARGET_PER_CPU_FIELD:
	case WIRE_TARGET_TASK_FIELD:
		return ktstr_fail(err, -EOPNOTSUPP,
				  "fields of the kernel's structs cannot be named, only addresses");
	}
	return ktstr_fail(err, -EINVAL, "unknown target %u", entry->target);
}

static int read_entry(struct access *access, const struct wire_kernel_entry *entry,
		      struct ktstr_error *err)
{
	const struct coord_spec *spec = access->c->spec;
	uint8_t *to = access->bytes + access->length;
	uint32_t index = access->reply->value_count;
	int rc;

	if (!spec->vm_ops || !spec->vm_ops->read)
		return ktstr_fail(err, -EOPNOTSUPP, "this run has no VM whose memory can be read");
	rc = spec->vm_ops->read(spec->vm, &access->addrs, entry->target, entry->address, to,
				entry->length, err);
	if (rc < 0)
		return rc;
	access->reply->values[index].bytes = to;
	access->reply->values[index].length = entry->length;
	access->reply->value_count++;
	access->length += entry->length;
	return 0;
}

static int write_entry(struct access *access, const struct wire_kernel_entry *entry,
		       struct ktstr_error *err)
{
	const struct coord_spec *spec = access->c->spec;
	const uint8_t *from = access->op->bytes + entry->offset;
	uint32_t bits, word = 0;
	int rc;

	if (!spec->vm_ops || !spec->vm_ops->read || !spec->vm_ops->write)
		return ktstr_fail(err, -EOPNOTSUPP,
				  "this run has no VM whose memory can be written");
	if (entry->value == WIRE_VALUE_OR_U32) {
		/* The guest must not write between our reading and our writing. */
		if (access->op->mode != WIRE_KERNEL_COLD)
			return ktstr_fail(err, -EINVAL,
					  "bits can be set only while the guest stands still");
		rc = spec->vm_ops->read(spec->vm, &access->addrs, entry->target, entry->address,
					&word, sizeof(word), err);
		if (rc < 0)
			return rc;
		memcpy(&bits, from, sizeof(bits));
		word |= bits;
		from = (const uint8_t *)&word;
	}
	return spec->vm_ops->write(spec->vm, &access->addrs, entry->target, entry->address, from,
				   entry->length, err);
}

/* All entries in their order; the first that fails is the last. */
static int do_entries(struct access *access, struct ktstr_error *err)
{
	const struct wire_kernel_op *op = access->op;

	for (uint32_t i = 0; i < op->entry_count; i++) {
		const struct wire_kernel_entry *entry = &op->entries[i];
		int rc = find_target(entry, err);

		if (rc == 0)
			rc = op->direction == WIRE_KERNEL_READ ? read_entry(access, entry, err)
							       : write_entry(access, entry, err);
		if (rc < 0)
			return ktstr_prefix(err, "entry[%u]", i);
	}
	return 0;
}

/* Bytes of all values; -E2BIG when they do not fit into a reply. */
static int count_bytes(const struct wire_kernel_op *op, size_t *ret, struct ktstr_error *err)
{
	size_t size = WIRE_KERNEL_REPLY_HEAD_SIZE, bytes = 0;

	if (op->direction == WIRE_KERNEL_READ) {
		size += op->entry_count * sizeof(uint32_t);
		for (uint32_t i = 0; i < op->entry_count; i++)
			bytes += op->entries[i].length;
	}
	if (size + bytes > WIRE_KERNEL_REPLY_MAX)
		return ktstr_fail(err, -E2BIG, "%zu bytes do not fit into a reply of at most %u",
				  bytes, WIRE_KERNEL_REPLY_MAX);
	*ret = bytes;
	return 0;
}

static int perform(struct access *access, struct ktstr_error *err)
{
	size_t bytes = 0;
	int rc = count_bytes(access->op, &bytes, err);

	if (rc < 0)
		return rc;
	access->bytes = malloc(bytes + 1);
	if (!access->bytes)
		return ktstr_fail(err, -ENOMEM, "out of memory for the answer");
	if (access->op->mode == WIRE_KERNEL_COLD)
		rc = coord_freeze(access->c, err);
	if (rc == 0)
		rc = do_entries(access, err);
	return rc;
}

static void send_reply(struct coord *c, const struct wire_kernel_reply *reply)
{
	size_t length = wire_kernel_reply_size(reply);
	_cleanup_free_ uint8_t *bytes = malloc(length);
	struct wire_kernel_reply failed = { .request_id = reply->request_id,
					    .reason = "out of memory for the answer" };
	uint8_t small[WIRE_KERNEL_REPLY_HEAD_SIZE + sizeof(failed.reason)];

	if (!bytes) {
		reply = &failed;
		length = wire_kernel_reply_size(reply);
	}
	wire_encode_kernel_reply(reply, bytes ? bytes : small);
	requests_reply(c, KTSTR_MSG_KERNEL_OP_REPLY, bytes ? bytes : small, length);
}

/* Whoever judges the run must be able to see that its kernel was changed from outside. */
static void note_write(struct coord *c, const char *tag)
{
	uint32_t count = ++c->requests.kernel_writes;

	if (count <= KERNEL_WRITES_NOTED)
		record_kernel_write(c, tag);
	else if (count == KERNEL_WRITES_NOTED + 1)
		record_warning(c, "the guest writes its kernel's memory again and again; the rest "
				  "is not noted");
}

void kernel_op_serve(struct coord *c, const struct wire_kernel_op *op, bool stays_frozen)
{
	struct wire_kernel_reply reply = { .request_id = op->request_id };
	struct access access = { .c = c, .op = op, .addrs = requests_kernel(c), .reply = &reply };
	struct ktstr_error err = { 0 };

	reply.is_success = perform(&access, &err) == 0;
	if (!reply.is_success) {
		str_copy(reply.reason, sizeof(reply.reason), err.text);
		reply.value_count = 0;
	}
	if (op->direction == WIRE_KERNEL_WRITE)
		note_write(c, op->tag);
	if (!stays_frozen)
		coord_thaw(c);
	send_reply(c, &reply);
	free(access.bytes);
}
