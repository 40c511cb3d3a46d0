/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/channel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "wire/types.h"

#define READ_BYTES 65536

void channel_sender_init(struct channel_sender *sender, int fd)
{
	sender->fd = fd;
	(void)pthread_mutex_init(&sender->lock, NULL); /* cannot fail without attributes */
}

int channel_send_pair(struct channel_sender *sender, uint32_t msg_type, const void *head,
		      uint32_t head_length, const void *tail, uint32_t tail_length)
{
	_cleanup_free_ uint8_t *frame = NULL;
	uint64_t length = (uint64_t)head_length + tail_length;
	int rc;

	if (length > KTSTR_FRAME_PAYLOAD_MAX)
		return -EMSGSIZE;
	frame = malloc(WIRE_HEADER_SIZE + length);
	if (!frame)
		return -ENOMEM;
	if (head_length)
		memcpy(frame + WIRE_HEADER_SIZE, head, head_length);
	if (tail_length)
		memcpy(frame + WIRE_HEADER_SIZE + head_length, tail, tail_length);
	wire_header_encode(msg_type, frame + WIRE_HEADER_SIZE, (uint32_t)length, frame);
	(void)pthread_mutex_lock(&sender->lock); /* cannot fail: not recursive, not robust */
	rc = io_write_all(sender->fd, frame, WIRE_HEADER_SIZE + length);
	(void)pthread_mutex_unlock(&sender->lock);
	return rc;
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

void channel_receiver_init(struct channel_receiver *receiver, int fd)
{
	*receiver = (struct channel_receiver){ .fd = fd };
}

void channel_receiver_done(struct channel_receiver *receiver)
{
	if (!receiver)
		return;
	free(receiver->data);
	receiver->data = NULL;
}

/* How many bytes at the start of what was received are whole frames. */
static int whole_frames(const struct channel_receiver *receiver, size_t *ret_length,
			struct ktstr_error *err)
{
	size_t at = 0;

	while (receiver->length - at >= WIRE_HEADER_SIZE) {
		struct ktstr_frame_header header;
		const struct wire_type *type;
		char tag[5];

		wire_header_decode(receiver->data + at, &header);
		type = wire_type_find(header.msg_type);
		wire_tag_text(header.msg_type, tag);
		if (!type || type->direction != WIRE_TO_HOST || header.pad != 0 ||
		    header.length > KTSTR_FRAME_PAYLOAD_MAX)
			return ktstr_fail(err, -EBADMSG,
					  "the session wrote what is no frame: type '%s', %u bytes",
					  tag, header.length);
		if (receiver->length - at - WIRE_HEADER_SIZE < header.length)
			break;
		at += WIRE_HEADER_SIZE + header.length;
	}
	*ret_length = at;
	return 0;
}

static int pass_on(struct channel_receiver *receiver, struct port *port, struct ktstr_error *err)
{
	size_t whole = 0;
	int rc = whole_frames(receiver, &whole, err);

	if (rc < 0 || whole == 0)
		return rc;
	rc = port_forward(port, receiver->data, whole);
	if (rc < 0)
		return ktstr_fail(err, rc, "cannot write to the bulk port: %s", strerror(-rc));
	memmove(receiver->data, receiver->data + whole, receiver->length - whole);
	receiver->length -= whole;
	return 0;
}

static int make_room(struct channel_receiver *receiver, struct ktstr_error *err)
{
	size_t size = receiver->size ? receiver->size * 2 : 2 * READ_BYTES;
	uint8_t *data;

	if (receiver->size - receiver->length >= READ_BYTES)
		return 0;
	data = realloc(receiver->data, size);
	if (!data)
		return ktstr_fail(err, -ENOMEM, "no memory for the session's frames");
	receiver->data = data;
	receiver->size = size;
	return 0;
}

int channel_receive(struct channel_receiver *receiver, struct port *port, unsigned int max_reads,
		    struct ktstr_error *err)
{
	for (unsigned int reads = 0; max_reads == 0 || reads < max_reads;) {
		int rc = make_room(receiver, err);
		ssize_t n;

		if (rc < 0)
			return rc;
		n = read(receiver->fd, receiver->data + receiver->length, READ_BYTES);
		if (n == 0)
			return -ENODATA;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0)
			return ktstr_fail(err, -errno, "cannot read the session's frames: %s",
					  strerror(errno));
		receiver->length += (size_t)n;
		reads++;
		rc = pass_on(receiver, port, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}
