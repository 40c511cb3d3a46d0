/* SPDX-License-Identifier: GPL-2.0-only */
#include "support/agent_stream.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"
#include "wire/payload.h"

static void take_output(struct stream *stream, int which, const void *bytes, uint32_t length)
{
	if (stream->output_length[which] + length > sizeof(stream->output[which])) {
		stream->is_bad = true;
		return;
	}
	memcpy(stream->output[which] + stream->output_length[which], bytes, length);
	stream->output_length[which] += length;
}

static void take_log(struct stream *stream, const void *bytes, uint32_t length)
{
	stream->log_bytes += length;
	if (length > stream->log_frame_max)
		stream->log_frame_max = length;
	memset(stream->log_end, 0, sizeof(stream->log_end));
	memcpy(stream->log_end, bytes,
	       length < sizeof(stream->log_end) ? length : sizeof(stream->log_end) - 1);
}

static void take_frame(struct stream *stream, const struct ktstr_frame_header *header,
		       const void *payload)
{
	uint32_t length = header->length;
	int rc = 0;

	if (header->msg_type == KTSTR_MSG_STDOUT)
		take_output(stream, 0, payload, length);
	else if (header->msg_type == KTSTR_MSG_STDERR)
		take_output(stream, 1, payload, length);
	else if (header->msg_type == KTSTR_MSG_SCHED_LOG)
		take_log(stream, payload, length);
	else if (stream->count < STREAM_FRAMES_MAX)
		stream->types[stream->count++] = header->msg_type;
	if (header->msg_type == KTSTR_MSG_EXIT)
		rc = wire_decode_i32(payload, length, &stream->exit_code);
	if (header->msg_type == KTSTR_MSG_ERROR)
		rc = wire_decode_error(payload, length, &stream->error, stream->error_text,
				       sizeof(stream->error_text));
	if (header->msg_type == KTSTR_MSG_LIFECYCLE)
		str_copy_line(stream->phase, sizeof(stream->phase), payload, length);
	if (header->msg_type == KTSTR_MSG_END) {
		rc = wire_decode_stream_end(payload, length, &stream->end);
		stream->has_end = true;
	}
	stream->is_bad |= rc < 0;
}

void *read_stream(void *arg)
{
	struct stream *stream = arg;
	uint8_t bytes[WIRE_HEADER_SIZE];

	while (io_read_all(stream->fd, bytes, sizeof(bytes)) == 0) {
		struct ktstr_frame_header header;
		_cleanup_free_ char *payload = NULL;

		wire_header_decode(bytes, &header);
		payload = malloc(header.length + 1);
		if (!payload || stream->has_end ||
		    io_read_all(stream->fd, payload, header.length) < 0 ||
		    wire_crc32(0, payload, header.length) != header.crc32) {
			stream->is_bad = true;
			return NULL;
		}
		if (header.msg_type != KTSTR_MSG_END)
			wire_account_add(&stream->account, bytes, header.length);
		take_frame(stream, &header, payload);
	}
	return NULL;
}
