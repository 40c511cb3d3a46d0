/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "wire/types.h"

static void ring(int fd)
{
	const uint64_t one = 1;

	(void)!write(fd, &one, sizeof(one)); /* fails only when it has rung enough */
}

static bool is_same(struct channel_mark a, struct channel_mark b)
{
	return a.round == b.round && a.end == b.end;
}

int channel_init(struct channel *channel)
{
	void *area = mmap(NULL, sizeof(struct channel_area), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int rc = area == MAP_FAILED ? -errno : 0;

	*channel = (struct channel){ .area = rc < 0 ? NULL : area, .frames_fd = -1, .room_fd = -1 };
	if (rc == 0)
		channel->frames_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (rc == 0 && channel->frames_fd >= 0)
		channel->room_fd = eventfd(0, EFD_CLOEXEC);
	if (rc == 0 && channel->room_fd < 0)
		rc = -errno;
	if (rc < 0)
		channel_done(channel);
	return rc;
}

void channel_done(struct channel *channel)
{
	if (!channel)
		return;
	if (channel->area)
		(void)munmap(channel->area, sizeof(*channel->area));
	if (channel->frames_fd >= 0)
		(void)close(channel->frames_fd);
	if (channel->room_fd >= 0)
		(void)close(channel->room_fd);
	*channel = (struct channel){ .frames_fd = -1, .room_fd = -1 };
}

void channel_sender_init(struct channel_sender *sender, struct channel *channel)
{
	*sender = (struct channel_sender){ .channel = channel };
	(void)pthread_mutex_init(&sender->lock, NULL); /* cannot fail without attributes */
	/* A worker that writes where it should not must not write there. */
	(void)madvise(channel->area, sizeof(*channel->area), MADV_DONTFORK);
}

static void wait_until_passed(const struct channel_sender *sender)
{
	struct channel_area *area = sender->channel->area;
	uint64_t rings;

	ring(sender->channel->frames_fd); /* now, even if it lingers */
	for (;;) {
		/* In this order, or PID 1 may pass all on and see nobody wait. */
		atomic_store(&area->is_awaited, true);
		if (is_same(atomic_load(&area->passed), sender->published))
			break;
		(void)!read(sender->channel->room_fd, &rings, sizeof(rings)); /* or ask again */
	}
	atomic_store(&area->is_awaited, false);
}

void channel_flush(struct channel_sender *sender)
{
	(void)pthread_mutex_lock(&sender->lock); /* cannot fail: not recursive, not robust */
	wait_until_passed(sender);
	(void)pthread_mutex_unlock(&sender->lock);
}

/* Begin at the start again, and give back what a large frame took. */
static void start_round(struct channel_sender *sender)
{
	struct channel_mark *mark = &sender->published;

	wait_until_passed(sender);
	if (mark->end > CHANNEL_FILL)
		(void)madvise(sender->channel->area->frames + CHANNEL_FILL,
			      CHANNEL_BYTES - CHANNEL_FILL, MADV_REMOVE);
	mark->round++;
	mark->end = 0;
}

int channel_send_pair(struct channel_sender *sender, uint32_t msg_type, const void *head,
		      uint32_t head_length, const void *tail, uint32_t tail_length)
{
	struct channel_mark *mark = &sender->published;
	uint64_t length = (uint64_t)head_length + tail_length;
	uint8_t *frame;
	uint32_t crc;

	if (length > KTSTR_FRAME_PAYLOAD_MAX)
		return -EMSGSIZE;
	(void)pthread_mutex_lock(&sender->lock); /* cannot fail: not recursive, not robust */
	if (mark->end > 0 && mark->end + WIRE_HEADER_SIZE + length > CHANNEL_FILL)
		start_round(sender);
	frame = sender->channel->area->frames + mark->end;
	crc = wire_crc32_copy(0, frame + WIRE_HEADER_SIZE, head, head_length);
	crc = wire_crc32_copy(crc, frame + WIRE_HEADER_SIZE + head_length, tail, tail_length);
	wire_header_put(msg_type, (uint32_t)length, crc, frame);
	mark->end += WIRE_HEADER_SIZE + (uint32_t)length;
	atomic_store(&sender->channel->area->published, *mark);
	if (length < CHANNEL_LINGER_LENGTH || !atomic_load(&sender->channel->area->is_lingering))
		ring(sender->channel->frames_fd);
	(void)pthread_mutex_unlock(&sender->lock);
	return 0;
}

int channel_send(struct channel_sender *sender, uint32_t msg_type, const void *payload,
		 uint32_t length)
{
	return channel_send_pair(sender, msg_type, payload, length, NULL, 0);
}

int channel_send_error(struct channel_sender *sender, uint32_t stage,
		       const struct ktstr_error *error)
{
	struct ktstr_error_info info = {
		.size = sizeof(info),
		.stage = stage,
		.code = error->code,
		.text_length = (uint32_t)strnlen(error->text, sizeof(error->text)),
	};

	return channel_send_pair(sender, KTSTR_MSG_ERROR, &info, sizeof(info), error->text,
				 info.text_length);
}

int channel_send_phase(struct channel_sender *sender, uint8_t phase, const char *text)
{
	return channel_send_pair(sender, KTSTR_MSG_LIFECYCLE, &phase, sizeof(phase), text,
				 (uint32_t)strlen(text));
}

int channel_send_result(struct channel_sender *sender, uint32_t outcome,
			const struct ktstr_error *error)
{
	struct ktstr_test_result result = {
		.size = sizeof(result),
		.outcome = outcome,
		.code = error->code,
		.text_length = (uint32_t)strnlen(error->text, sizeof(error->text)),
	};

	return channel_send_pair(sender, KTSTR_MSG_TEST_RESULT, &result, sizeof(result),
				 error->text, result.text_length);
}

void channel_receiver_init(struct channel_receiver *receiver, struct channel *channel)
{
	*receiver = (struct channel_receiver){ .channel = channel };
}

/* Only PID 1 knows of these. */
static const uint32_t inits_own[] = { KTSTR_MSG_KERN_ADDRS, KTSTR_MSG_SYS_RDY, KTSTR_MSG_EXIT,
				      KTSTR_MSG_END };

static bool may_send(uint32_t msg_type)
{
	const struct wire_type *type = wire_type_find(msg_type);

	for (size_t i = 0; i < ARRAY_SIZE(inits_own); i++)
		if (msg_type == inits_own[i])
			return false;
	return type && type->direction == WIRE_TO_HOST;
}

/* How many of the @length bytes are whole frames of the session, and what the next is if it is
 * none. */
static int whole_frames(const uint8_t *bytes, size_t length, size_t *ret_whole,
			struct ktstr_error *err)
{
	struct ktstr_frame_header header = { 0 };
	size_t at = 0;
	char tag[5];

	while (length - at >= WIRE_HEADER_SIZE) {
		wire_header_decode(bytes + at, &header);
		if (!may_send(header.msg_type) || header.pad != 0 ||
		    header.length > length - at - WIRE_HEADER_SIZE)
			break;
		at += WIRE_HEADER_SIZE + header.length;
	}
	*ret_whole = at;
	if (at == length)
		return 0;
	wire_tag_text(header.msg_type, tag);
	return ktstr_fail(err, -EBADMSG, "the session wrote what is no frame: type '%s', %u bytes",
			  tag, header.length);
}

/* The session may have written anything there. */
static int check_mark(const struct channel_receiver *receiver, struct channel_mark published,
		      struct ktstr_error *err)
{
	if (published.end >= receiver->passed.end && published.end <= CHANNEL_BYTES)
		return 0;
	return ktstr_fail(err, -EBADMSG, "the session published %u bytes after %u, at most %zu fit",
			  published.end, receiver->passed.end, CHANNEL_BYTES);
}

static void tell_passed(const struct channel_receiver *receiver)
{
	struct channel_area *area = receiver->channel->area;

	atomic_store(&area->passed, receiver->passed);
	if (atomic_exchange(&area->is_awaited, false))
		ring(receiver->channel->room_fd);
}

/* Stay awake a little after frames came, and go to sleep only when none came since. */
static void linger(struct channel_receiver *receiver, bool has_news)
{
	receiver->is_lingering = has_news;
	atomic_store(&receiver->channel->area->is_lingering, has_news);
}

int channel_receive(struct channel_receiver *receiver, struct port *port, struct ktstr_error *err)
{
	struct channel_area *area = receiver->channel->area;
	struct channel_mark published, *passed = &receiver->passed;
	size_t whole = 0;
	uint64_t rings;
	int rc, port_rc = 0;

	(void)!read(receiver->channel->frames_fd, &rings, sizeof(rings)); /* before the mark */
	published = atomic_load(&area->published);
	if (is_same(published, *passed)) {
		/* In this order: who published before it saw the flag go did not ring. */
		linger(receiver, false);
		published = atomic_load(&area->published);
		if (is_same(published, *passed))
			return 0;
	}
	linger(receiver, true);
	if (published.round != passed->round)
		*passed = (struct channel_mark){ .round = published.round };
	rc = check_mark(receiver, published, err);
	if (rc < 0)
		return rc;
	rc = whole_frames(area->frames + passed->end, published.end - passed->end, &whole, err);
	if (whole > 0)
		port_rc = port_forward(port, area->frames + passed->end, whole);
	if (port_rc < 0)
		return ktstr_fail(err, port_rc, "cannot write to the bulk port: %s",
				  strerror(-port_rc));
	passed->end += (uint32_t)whole;
	tell_passed(receiver);
	return rc;
}
