/* SPDX-License-Identifier: GPL-2.0-only */
#include "support/outcome.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <criterion/criterion.h>

uint64_t read_counter(int fd)
{
	uint64_t count;

	return read(fd, &count, sizeof(count)) == (ssize_t)sizeof(count) ? count : 0;
}

void outcome_init(struct outcome *outcome)
{
	memset(outcome, 0, sizeof(*outcome));
	dispatch_init(&outcome->sinks);
	outcome->kill_evt = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	outcome->sys_rdy_evt = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	outcome->sinks.kill_evt = outcome->kill_evt;
	outcome->sinks.sys_rdy_evt = outcome->sys_rdy_evt;
}

void outcome_done(struct outcome *outcome)
{
	(void)close(outcome->kill_evt);
	(void)close(outcome->sys_rdy_evt);
}

void run_dispatch(struct frames *frames, uint64_t now_ns, struct outcome *outcome)
{
	struct assembler *assembler = assembler_new();
	struct bulk_message message;

	cr_assert_not_null(assembler);
	cr_assert_eq(assembler_feed(assembler, frames->bytes, frames->length), 0);
	while (assembler_next(assembler, &message)) {
		struct bucket_entry *entry = &outcome->bucket[outcome->bucket_count];

		outcome->message_count++;
		if (!dispatch_bulk_message(&message, now_ns, &outcome->sinks))
			continue;
		cr_assert_lt(outcome->bucket_count++, BUCKET_MAX);
		entry->msg_type = message.msg_type;
		entry->length = message.length;
		entry->crc_ok = message.crc_ok;
		if (message.length > 0 && message.length <= sizeof(entry->payload))
			memcpy(entry->payload, message.payload, message.length);
	}
	cr_assert_eq(assembler_residual(assembler), 0);
	assembler_free(assembler);
	frames_done(frames);
}

bool send_at(struct outcome *outcome, uint64_t now_ns, uint32_t msg_type, const void *payload,
	     uint32_t length, bool is_torn)
{
	struct frames frames = { 0 };
	size_t before = outcome->bucket_count;

	(is_torn ? frames_add_torn : frames_add)(&frames, msg_type, payload, length);
	run_dispatch(&frames, now_ns, outcome);
	return outcome->bucket_count > before;
}

struct ktstr_snapshot_request snapshot_request(uint32_t id, uint32_t kind, const char *tag)
{
	struct ktstr_snapshot_request request = { .request_id = id, .kind = kind };

	memcpy(request.tag, tag, strlen(tag));
	return request;
}

void add_snapshot(struct frames *frames, uint32_t id, const char *tag, bool is_torn)
{
	struct ktstr_snapshot_request request = snapshot_request(id, KTSTR_SNAPSHOT_CAPTURE, tag);

	(is_torn ? frames_add_torn : frames_add)(frames, KTSTR_MSG_SNAPSHOT_REQUEST, &request,
						 sizeof(request));
}
