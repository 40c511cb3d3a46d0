/* SPDX-License-Identifier: GPL-2.0-only */
#include "coord/internal.h"

#include <inttypes.h>
#include <string.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"

static void record_failed(struct coord *c, const char *text)
{
	if (c->is_record_broken)
		return;
	c->is_record_broken = true;
	str_copy(c->record_error, sizeof(c->record_error), text);
	coord_decide(c, COORD_END_RECORD_FAILED, "the run could not be recorded: %s", text);
}

static bool can_record(struct coord *c, uint32_t length)
{
	uint64_t max = c->spec->runfile_max ? c->spec->runfile_max : COORD_RUNFILE_MAX;
	char text[128];

	if (c->is_record_broken || !c->spec->runfile)
		return false;
	if (runfile_size(c->spec->runfile) + length <= max)
		return true;
	(void)snprintf(text, sizeof(text),
		       "the run file has reached its limit of %" PRIu64
		       " MiB; let the scenario send less",
		       max >> 20);
	record_failed(c, text);
	return false;
}

static bool is_output(uint32_t msg_type)
{
	static const uint32_t types[] = { KTSTR_MSG_STDOUT, KTSTR_MSG_STDERR, KTSTR_MSG_SCHED_LOG,
					  KTSTR_MSG_DMESG, KTSTR_MSG_PROBE_OUTPUT };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (types[i] == msg_type)
			return true;
	return false;
}

/* May one frame more, or one header, be recorded? */
static bool can_record_frame(struct coord *c, uint32_t length)
{
	if (!can_record(c, length))
		return false;
	if (c->frames_recorded + c->headers_recorded >= COORD_FRAMES_MAX)
		record_failed(c, "the guest sent more than 1048576 frames; let the scenario send "
				 "fewer");
	return !c->is_record_broken;
}

static bool can_record_output(struct coord *c, const struct bulk_message *message)
{
	if (is_output(message->msg_type))
		c->output_bytes += message->length;
	if (c->output_bytes > COORD_OUTPUT_MAX)
		record_failed(c, "the guest printed more than 64 MiB; let the scenario, or the "
				 "scheduler, print less");
	return !c->is_record_broken;
}

/* @rc is what became of a write. What was gathered and not written whole are frames; @count: of
 * records before it. */
static bool check_written(struct coord *c, int rc, uint64_t count, const struct ktstr_error *err)
{
	if (rc == 0)
		return true;
	c->frames_recorded -= count - runfile_count(c->spec->runfile);
	record_failed(c, err->text);
	return false;
}

static bool append(struct coord *c, uint32_t kind, uint32_t tag, uint64_t now_ns,
		   const void *payload, uint32_t length)
{
	struct ktstr_error err = { 0 };
	uint64_t count;
	int rc;

	if (!can_record(c, length))
		return false;
	count = runfile_count(c->spec->runfile);
	rc = runfile_append(c->spec->runfile, kind, tag, 0, now_ns, payload, length, &err);
	return check_written(c, rc, count, &err);
}

void record_frame(struct coord *c, const struct bulk_message *message, uint64_t now_ns)
{
	struct ktstr_error err = { 0 };
	uint64_t count;
	int rc;

	if (!can_record_frame(c, message->length) || !can_record_output(c, message))
		return;
	count = runfile_count(c->spec->runfile);
	rc = runfile_gather(c->spec->runfile, RUNFILE_FRAME, message->msg_type,
			    message->crc_ok ? KTSTR_FRAME_CRC_OK : 0, now_ns, message->payload,
			    message->length, message->crc32, &err);
	if (check_written(c, rc, count, &err))
		c->frames_recorded++;
}

void record_frames_end(struct coord *c)
{
	struct ktstr_error err = { 0 };
	uint64_t count;

	if (!c->spec->runfile)
		return;
	count = runfile_count(c->spec->runfile);
	(void)check_written(c, runfile_flush(c->spec->runfile, &err), count, &err);
}

void record_frame_header(struct coord *c, const struct bulk_message *message, uint64_t now_ns)
{
	const struct dispatch_sinks *sinks = c->sinks;

	/* A run with dropped frames is no PASS: nobody will add up what it says that it sent. */
	if (sinks->dropped_unknown + sinks->dropped_malformed + sinks->dropped_internal +
		    sinks->dropped_torn >
	    COORD_DROPPED_HEADERS_MAX)
		return;
	if (can_record_frame(c, WIRE_HEADER_SIZE) &&
	    append(c, RUNFILE_FRAME_HEADER, 0, now_ns, message->header, WIRE_HEADER_SIZE))
		c->headers_recorded++;
}

void record_milestone(struct coord *c, const char *name, uint64_t now_ns)
{
	(void)append(c, RUNFILE_EVENT, RUNFILE_EVENT_TIMING, now_ns, name,
		     (uint32_t)strlen(name)); /* a failure has decided the run */
}

void record_warning(struct coord *c, const char *text)
{
	(void)append(c, RUNFILE_EVENT, RUNFILE_EVENT_WARNING, coord_now(c), text,
		     (uint32_t)strlen(text)); /* as above */
	if (c->observer && c->observer->warning)
		c->observer->warning(c->observer->arg, text);
}

void record_kernel_write(struct coord *c, const char *tag)
{
	(void)append(c, RUNFILE_EVENT, RUNFILE_EVENT_KERNEL_WRITE, coord_now(c), tag,
		     (uint32_t)strlen(tag)); /* as above */
}

bool record_capture(struct coord *c, uint32_t cause, uint64_t at_ns, const void *payload,
		    size_t length)
{
	return append(c, RUNFILE_CAPTURE, cause, at_ns, payload, (uint32_t)length);
}

void record_flush(struct coord *c, struct console_buffer *buffer)
{
	uint32_t length = buffer->length;

	buffer->length = 0;
	if (length > 0)
		(void)append(c, buffer->kind, 0, coord_now(c), buffer->bytes, length);
}

static void log_console(struct coord *c, const void *bytes, size_t length)
{
	int rc;

	if (c->log_fd < 0)
		return;
	rc = io_write_all(c->log_fd, bytes, length);
	if (rc == 0)
		return;
	c->log_fd = -1;
	record_warning(c, "the copy of the console could not be written and is incomplete");
}

void record_text(struct coord *c, struct console_buffer *buffer, const void *bytes, size_t length)
{
	const char *at = bytes;

	if (buffer->kept + length > buffer->max) {
		length = (size_t)(buffer->max - buffer->kept);
		if (!buffer->is_full)
			record_warning(c, "the guest writes without end to its console; the rest "
					  "is not kept");
		buffer->is_full = true;
	}
	buffer->kept += length;
	if (buffer->kind == RUNFILE_CONSOLE)
		log_console(c, bytes, length);
	while (length > 0) {
		size_t room = sizeof(buffer->bytes) - buffer->length;
		size_t part = length < room ? length : room;

		memcpy(buffer->bytes + buffer->length, at, part);
		buffer->length += (uint32_t)part;
		at += part;
		length -= part;
		if (buffer->length == sizeof(buffer->bytes))
			record_flush(c, buffer);
	}
}

static void fill_summary(struct coord *c)
{
	const struct assembler_counters *counters = assembler_counters(c->assembler);
	const struct dispatch_sinks *sinks = c->sinks;

	c->result->summary = (struct runfile_summary){
		.size = sizeof(struct runfile_summary),
		.end_reason = c->result->end,
		.frames_received = counters->frames,
		.frames_bucketed = c->frames_recorded,
		.frames_torn = counters->torn,
		.frames_dropped =
			sinks->dropped_internal + sinks->dropped_unknown + sinks->dropped_malformed,
		.frames_oversize = counters->oversize,
		.bytes_received = counters->bytes,
		.bytes_left = assembler_residual(c->assembler),
		.headers_crc32 = c->account.headers_crc32,
		.has_end = sinks->has_end,
		.end_matches = dispatch_end_matches(sinks, &c->account),
		.frames_after_end = c->frames_after_end,
		.exit_code = sinks->has_exit ? sinks->exit_code : -1,
		.last_phase = sinks->last_phase,
		/* Without its PID 1 the guest resets itself: that is the agent's end, no panic. */
		.is_panicked = c->com1.is_latched || (c->is_reset && !c->com2.is_latched),
		.is_crashed = c->com2.is_latched,
		.qemu_status = c->result->qemu_status,
		.is_sched_exit = sinks->is_sched_exit,
		.host_wait_ns = c->result->host_wait_ns,
	};
}

/* The record of why the run ended; NULL when out of memory. */
static char *end_reason_json(const struct coord_result *result)
{
	json_t *root = json_pack("{s:s, s:s}", "reason", coord_end_name(result->end), "text",
				 result->text);
	char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;

	json_decref(root);
	return text;
}

static int append_end(struct coord *c, struct ktstr_error *err)
{
	_cleanup_free_ char *reason = end_reason_json(c->result);
	struct runfile_writer *runfile = c->spec->runfile;
	uint64_t now_ns = coord_now(c);
	int rc;

	if (!reason)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	rc = runfile_append(runfile, RUNFILE_EVENT, RUNFILE_EVENT_END_REASON, 0, now_ns, reason,
			    (uint32_t)strlen(reason), err);
	if (rc < 0)
		return rc;
	fill_summary(c);
	return runfile_append(runfile, RUNFILE_SUMMARY, 0, 0, now_ns, &c->result->summary,
			      sizeof(c->result->summary), err);
}

/* A stream that ended well is of no use when it could not be kept; other ends stay the first cause.
 */
static void spoil(struct coord *c, const char *text)
{
	if (c->result->end != COORD_END_STREAM)
		return;
	c->result->end = COORD_END_RECORD_FAILED;
	(void)snprintf(c->result->text, sizeof(c->result->text),
		       "the run could not be recorded: %.500s", text);
}

void record_end(struct coord *c)
{
	struct ktstr_error err = { 0 };

	if (c->is_record_broken)
		spoil(c, c->record_error);
	if (c->spec->runfile && append_end(c, &err) < 0)
		spoil(c, err.text);
	fill_summary(c);
}
