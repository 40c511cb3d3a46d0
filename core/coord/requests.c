/* SPDX-License-Identifier: GPL-2.0-only */
#include "coord/requests.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "coord/internal.h"

void requests_init(struct coord *c)
{
	c->sinks->kernel_ops = &c->requests.kernel_ops;
}

void requests_done(struct coord *c)
{
	c->sinks->kernel_ops = NULL; /* the sinks outlive the queue */
	free(c->requests.output);
}

struct ktstr_kern_addrs requests_kernel(const struct coord *c)
{
	return (struct ktstr_kern_addrs){
		.phys_base_plus_1 = c->sinks->kern_phys_base_plus_1,
		.page_offset_base = c->sinks->page_offset_base,
	};
}

/* Have the loop wake us when the port has room again, or no longer. */
static void wait_for_room(struct coord *c, bool waits)
{
	struct epoll_event event = { .events = EPOLLIN | (waits ? EPOLLOUT : 0),
				     .data.u32 = SOURCE_BULK };

	if (waits == c->requests.waits_for_room)
		return;
	c->requests.waits_for_room = waits;
	/* A file, which is no place for replies, is not in the set. */
	(void)epoll_ctl(c->epoll_fd, EPOLL_CTL_MOD, c->fds[SOURCE_BULK], &event);
}

/* How many bytes the port took; -1: it takes none any more. */
static ssize_t send_some(struct coord *c, const uint8_t *bytes, size_t length)
{
	ssize_t n;

	if (c->fds[SOURCE_BULK] < 0)
		return -1;
	do
		n = send(c->fds[SOURCE_BULK], bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 && errno == EAGAIN ? 0 : n;
}

void requests_flush(struct coord *c)
{
	struct requests *requests = &c->requests;
	size_t length = requests->output_end - requests->output_start;
	ssize_t n;

	if (length == 0 || coord_has_freezes(c))
		return;
	n = send_some(c, requests->output + requests->output_start, length);
	requests->output_start += n < 0 ? length : (size_t)n;
	if (requests->output_start == requests->output_end)
		requests->output_start = requests->output_end = 0;
	if (c->fds[SOURCE_BULK] >= 0)
		wait_for_room(c, requests->output_end > 0);
}

/* Space at the end of what waits for @length bytes more, or NULL. */
static uint8_t *output_space(struct requests *requests, size_t length)
{
	size_t used = requests->output_end - requests->output_start;

	if (!requests->output)
		requests->output = malloc(REQUESTS_OUTPUT_MAX);
	if (!requests->output || length > REQUESTS_OUTPUT_MAX - used)
		return NULL;
	if (requests->output_start > 0) {
		memmove(requests->output, requests->output + requests->output_start, used);
		requests->output_start = 0;
		requests->output_end = used;
	}
	return requests->output + requests->output_end;
}

void requests_reply(struct coord *c, uint32_t msg_type, const void *payload, size_t length)
{
	uint8_t *space = output_space(&c->requests, WIRE_HEADER_SIZE + length);

	if (space) {
		wire_header_encode(msg_type, payload, (uint32_t)length, space);
		memcpy(space + WIRE_HEADER_SIZE, payload, length);
		c->requests.output_end += WIRE_HEADER_SIZE + length;
		requests_flush(c);
		return;
	}
	if (!c->requests.has_dropped)
		record_warning(c,
			       "the guest asks and does not read the answers; some were dropped");
	c->requests.has_dropped = true;
}

void requests_reply_snapshot(struct coord *c, uint32_t request_id, const struct ktstr_error *err)
{
	struct wire_snapshot_reply reply;

	wire_snapshot_reply_init(&reply, request_id,
				 err->code ? WIRE_SNAPSHOT_ERROR : WIRE_SNAPSHOT_OK, err->text);
	requests_reply(c, KTSTR_MSG_SNAPSHOT_REPLY, &reply, sizeof(reply));
}

void requests_refuse(struct coord *c)
{
	static const char reason[] = "too many requests wait already";
	uint32_t request_id = c->sinks->refused_id;

	if (request_id == 0)
		return;
	c->sinks->refused_id = 0;
	if (c->sinks->refused_type == KTSTR_MSG_SNAPSHOT_REQUEST) {
		struct ktstr_error err = { 0 };

		(void)ktstr_fail(&err, -EBUSY, "%s", reason);
		requests_reply_snapshot(c, request_id, &err);
	} else {
		struct wire_kernel_reply reply = { .request_id = request_id };
		uint8_t bytes[WIRE_KERNEL_REPLY_HEAD_SIZE + sizeof(reason)];

		memcpy(reply.reason, reason, sizeof(reason));
		wire_encode_kernel_reply(&reply, bytes);
		requests_reply(c, KTSTR_MSG_KERNEL_OP_REPLY, bytes, wire_kernel_reply_size(&reply));
	}
}

bool requests_wait(const struct coord *c)
{
	return c->sinks->snapshot_count > 0 || c->requests.kernel_ops.count > 0;
}

bool requests_are_due(const struct coord *c)
{
	return requests_wait(c) && !coord_has_freezes(c);
}

static void serve_snapshot(struct coord *c)
{
	struct dispatch_sinks *sinks = c->sinks;
	struct ktstr_snapshot_request request = sinks->snapshots_pending[0];
	struct wire_ranges ranges = sinks->snapshot_ranges[0];
	struct ktstr_error err = { 0 };
	int rc;

	sinks->snapshot_count--;
	memmove(sinks->snapshots_pending, sinks->snapshots_pending + 1,
		sinks->snapshot_count * sizeof(request));
	memmove(sinks->snapshot_ranges, sinks->snapshot_ranges + 1,
		sinks->snapshot_count * sizeof(ranges));
	switch (request.kind) {
	case KTSTR_SNAPSHOT_CAPTURE:
		rc = capture_serve(c, &request, &ranges, &err);
		break;
	case KTSTR_SNAPSHOT_WATCH:
		rc = watch_serve(c, &request, &ranges, &err);
		break;
	default:
		rc = ktstr_fail(&err, -EINVAL, "there is no snapshot of kind %u", request.kind);
		break;
	}
	err.code = rc;
	requests_reply_snapshot(c, request.request_id, &err);
}

static bool is_cold_write(const struct wire_kernel_op *op)
{
	return op->mode == WIRE_KERNEL_COLD && op->direction == WIRE_KERNEL_WRITE;
}

/* The first in the queue; writes that stand side by side share one freeze. */
static void serve_kernel_op(struct coord *c)
{
	struct dispatch_kernel_ops *ops = &c->requests.kernel_ops;
	bool stays_frozen =
		ops->count > 1 && is_cold_write(&ops->items[0]) && is_cold_write(&ops->items[1]);

	kernel_op_serve(c, &ops->items[0], stays_frozen);
	ops->count--;
	memmove(ops->items, ops->items + 1, ops->count * sizeof(ops->items[0]));
}

bool requests_guest_is_there(const struct coord *c)
{
	return c->stage <= STAGE_WINDING && !c->is_powered_off && !c->is_reset;
}

void requests_serve(struct coord *c)
{
	uint64_t end_ns = coord_now(c) + REQUESTS_TURN_NS;

	do {
		if (!requests_guest_is_there(c)) {
			c->sinks->snapshot_count = 0;
			c->requests.kernel_ops.count = 0;
			break;
		}
		if (c->sinks->snapshot_count > 0)
			serve_snapshot(c);
		if (c->requests.kernel_ops.count > 0)
			serve_kernel_op(c);
	} while (requests_wait(c) && coord_now(c) < end_ns);
	coord_thaw(c);
}
