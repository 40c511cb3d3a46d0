/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/request.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "wire/frame.h"

/* Most replies come at once: the first looks are short. */
#define QUICK_POLLS 4
#define QUICK_POLL_NS UINT64_C(100000)
#define SLOW_POLL_NS (5 * NS_PER_MS)
#define READ_BYTES 4096

/* What is waited for. take() tells whether a frame of that type is it; if so, it has taken what the
 * frame says. */
struct awaited {
	uint32_t msg_type;
	uint32_t request_id;
	bool (*take)(struct awaited *awaited, const void *payload, size_t length);
	struct wire_snapshot_reply snapshot;
	struct wire_kernel_reply kernel;
	const struct wire_kernel_op *op;
	void *const *data;
};

void requester_init(struct requester *requester, struct channel_sender *sender, int fd,
		    const volatile uint32_t *is_stopping)
{
	*requester = (struct requester){
		.sender = sender,
		.fd = fd,
		.is_stopping = is_stopping,
		.timeout_ns = REQUEST_TIMEOUT_NS,
	};
	(void)pthread_mutex_init(&requester->lock, NULL); /* cannot fail without attributes */
}

void requester_use_freeze(struct requester *requester, struct freeze *freeze)
{
	requester->freeze = freeze && freeze->port ? freeze : NULL;
	if (requester->freeze)
		freeze_keep(freeze);
}

void requester_done(struct requester *requester)
{
	free(requester->in);
	requester->in = NULL;
}

static uint32_t next_id(uint32_t *last)
{
	if (++*last == 0)
		++*last;
	return *last;
}

static int break_off(struct requester *requester, int code, const char *why,
		     struct ktstr_error *err)
{
	(void)ktstr_fail(&requester->broken, code, "%s", why);
	*err = requester->broken;
	return code;
}

/* For @length bytes more. */
static int make_room(struct requester *requester, size_t length, struct ktstr_error *err)
{
	size_t size = requester->size + requester->size + 2 * length;
	uint8_t *in;

	if (requester->size - requester->length >= length)
		return 0;
	in = realloc(requester->in, size);
	if (!in)
		return ktstr_fail(err, -ENOMEM, "no memory for the host's reply");
	requester->in = in;
	requester->size = size;
	return 0;
}

/* Read what is there. */
static int read_some(struct requester *requester, struct ktstr_error *err)
{
	int rc = make_room(requester, READ_BYTES, err);
	ssize_t n;

	if (rc < 0)
		return rc;
	n = read(requester->fd, requester->in + requester->length, READ_BYTES);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0)
		return break_off(requester, -EIO, "the host does not answer requests any more",
				 err);
	requester->length += (size_t)n;
	return 0;
}

/* Take one frame off the front. 1: it was the awaited one; 0: it was not; -EAGAIN: it is not whole;
 * or what is wrong with it, for good. */
static int take_frame(struct requester *requester, struct awaited *awaited, struct ktstr_error *err)
{
	struct ktstr_frame_header header;
	const uint8_t *payload;
	bool is_it;

	if (requester->length < WIRE_HEADER_SIZE)
		return -EAGAIN;
	wire_header_decode(requester->in, &header);
	payload = requester->in + WIRE_HEADER_SIZE;
	if (header.length > WIRE_KERNEL_REPLY_MAX)
		return break_off(requester, -EBADMSG, "the host's reply is longer than any can be",
				 err);
	if (requester->length - WIRE_HEADER_SIZE < header.length)
		return -EAGAIN;
	if (wire_crc32(0, payload, header.length) != header.crc32)
		return break_off(requester, -EBADMSG, "the host's reply came damaged", err);
	is_it = header.msg_type == awaited->msg_type &&
		awaited->take(awaited, payload, header.length);
	requester->length -= WIRE_HEADER_SIZE + header.length;
	memmove(requester->in, payload + header.length, requester->length);
	return is_it;
}

static int wait_slice(struct requester *requester, unsigned int polls, uint64_t end_ns,
		      struct ktstr_error *err)
{
	struct pollfd poll_fd = { .fd = requester->fd, .events = POLLIN };
	struct timespec slice = { .tv_nsec = polls < QUICK_POLLS ? QUICK_POLL_NS : SLOW_POLL_NS };

	if (*requester->is_stopping)
		return ktstr_fail(err, -ECANCELED, "the run is to end early");
	if (clock_monotonic_ns() >= end_ns)
		return ktstr_fail(err, -ETIMEDOUT, "the host did not answer within %.1f s",
				  (double)requester->timeout_ns / NS_PER_S);
	return ppoll(&poll_fd, 1, &slice, NULL) > 0 ? read_some(requester, err) : 0;
}

/* Stand still once, and read what the host left meanwhile. */
static int stand_still(struct requester *requester, unsigned int rounds, struct ktstr_error *err)
{
	const void *frames = NULL;
	size_t length = 0;
	int rc;

	if (*requester->is_stopping)
		return ktstr_fail(err, -ECANCELED, "the run is to end early");
	if (rounds >= FREEZE_ROUNDS_MAX)
		return ktstr_fail(err, -ETIMEDOUT, "the host did not answer %u times", rounds);
	if (rounds == 0)
		channel_flush(requester->sender); /* it can only answer what it has */
	rc = requester->freeze->round(requester->freeze, err);
	if (rc == 0)
		rc = freeze_take(requester->freeze, &frames, &length, err);
	if (rc == 0)
		rc = make_room(requester, length, err);
	if (rc < 0 || length == 0)
		return rc;
	memcpy(requester->in + requester->length, frames, length);
	requester->length += length;
	return 0;
}

static int await(struct requester *requester, struct awaited *awaited, struct ktstr_error *err)
{
	uint64_t end_ns = clock_monotonic_ns() + requester->timeout_ns;
	int rc = 0;

	for (unsigned int polls = 0; rc == 0; polls++) {
		do
			rc = take_frame(requester, awaited, err);
		while (rc == 0);
		if (rc == -EAGAIN && requester->freeze)
			rc = stand_still(requester, polls, err);
		else if (rc == -EAGAIN)
			rc = wait_slice(requester, polls, end_ns, err);
	}
	return rc < 0 ? rc : 0;
}

/* The lock is held by whoever asks until the answer is there. */
static int begin(struct requester *requester, struct ktstr_error *err)
{
	(void)pthread_mutex_lock(&requester->lock); /* cannot fail: not recursive, not robust */
	if (requester->broken.code)
		*err = requester->broken;
	return requester->broken.code;
}

static int end(struct requester *requester, int rc)
{
	(void)pthread_mutex_unlock(&requester->lock);
	return rc;
}

static int sent(int rc, struct ktstr_error *err)
{
	return rc < 0 ? ktstr_fail(err, rc, "cannot ask the host: %s", strerror(-rc)) : 0;
}

static int refused(const char *reason, struct ktstr_error *err)
{
	return ktstr_fail(err, -EREMOTEIO, "%s", reason[0] ? reason : "the host refused");
}

static bool take_snapshot(struct awaited *awaited, const void *payload, size_t length)
{
	return wire_decode_snapshot_reply(payload, length, &awaited->snapshot) == 0 &&
	       awaited->snapshot.request_id == awaited->request_id;
}

static int send_snapshot(struct requester *requester, const struct ktstr_snapshot_request *request,
			 struct wire_ranges *ranges)
{
	uint8_t bytes[WIRE_RANGES_SIZE_MAX];
	int rc = 0;

	ranges->request_id = request->request_id;
	if (ranges->count > 0)
		rc = channel_send(requester->sender, KTSTR_MSG_SNAPSHOT_RANGES, bytes,
				  (uint32_t)wire_encode_ranges(ranges, bytes));
	if (rc == 0)
		rc = channel_send(requester->sender, KTSTR_MSG_SNAPSHOT_REQUEST, request,
				  sizeof(*request));
	return rc;
}

int request_snapshot(struct requester *requester, uint32_t kind, const char *tag,
		     struct wire_ranges *ranges, struct ktstr_error *err)
{
	struct awaited awaited = { .msg_type = KTSTR_MSG_SNAPSHOT_REPLY, .take = take_snapshot };
	struct ktstr_snapshot_request request = { .kind = kind };
	size_t length = strlen(tag);
	int rc;

	if (length == 0 || length > sizeof(request.tag))
		return ktstr_fail(err, -EINVAL, "'%s' is no tag, it must have 1 to %zu bytes", tag,
				  sizeof(request.tag));
	memcpy(request.tag, tag, length);
	rc = begin(requester, err);
	if (rc < 0)
		return end(requester, rc);
	request.request_id = awaited.request_id = next_id(&requester->last_snapshot_id);
	rc = sent(send_snapshot(requester, &request, ranges), err);
	if (rc == 0)
		rc = await(requester, &awaited, err);
	if (rc == 0 && awaited.snapshot.status != WIRE_SNAPSHOT_OK)
		rc = refused(awaited.snapshot.reason, err);
	return end(requester, rc);
}

/* A success has the values that were asked for, all of them, each of its length. */
static bool has_values(const struct awaited *awaited)
{
	const struct wire_kernel_reply *reply = &awaited->kernel;
	const struct wire_kernel_op *op = awaited->op;

	if (!reply->is_success)
		return true;
	if (reply->value_count != (op->direction == WIRE_KERNEL_READ ? op->entry_count : 0))
		return false;
	for (uint32_t i = 0; i < reply->value_count; i++)
		if (reply->values[i].length != op->entries[i].length)
			return false;
	return true;
}

static bool take_kernel(struct awaited *awaited, const void *payload, size_t length)
{
	const struct wire_kernel_reply *reply = &awaited->kernel;

	if (wire_decode_kernel_reply(payload, length, &awaited->kernel) < 0 ||
	    reply->request_id != awaited->request_id || !has_values(awaited))
		return false;
	for (uint32_t i = 0; reply->is_success && i < reply->value_count; i++)
		memcpy(awaited->data[i], reply->values[i].bytes, reply->values[i].length);
	return true;
}

static int send_kernel_op(struct requester *requester, const struct wire_kernel_op *op)
{
	_cleanup_free_ uint8_t *bytes = malloc(WIRE_KERNEL_REQUEST_MAX);

	if (!bytes)
		return -ENOMEM;
	return channel_send(requester->sender, KTSTR_MSG_KERNEL_OP_REQUEST, bytes,
			    (uint32_t)wire_encode_kernel_op(op, bytes));
}

int request_kernel_op(struct requester *requester, struct wire_kernel_op *op, void *const *data,
		      struct ktstr_error *err)
{
	struct awaited awaited = {
		.msg_type = KTSTR_MSG_KERNEL_OP_REPLY, .take = take_kernel, .op = op, .data = data
	};
	int rc = begin(requester, err);

	if (rc < 0)
		return end(requester, rc);
	op->request_id = awaited.request_id = next_id(&requester->last_kernel_op_id);
	rc = sent(send_kernel_op(requester, op), err);
	if (rc == 0)
		rc = await(requester, &awaited, err);
	if (rc == 0 && !awaited.kernel.is_success)
		rc = refused(awaited.kernel.reason, err);
	return end(requester, rc);
}
