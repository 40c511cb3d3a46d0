/* SPDX-License-Identifier: GPL-2.0-only */
#include "coord/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "wire/payload.h"
#include "wire/types.h"

#define BULK_READ_SIZE ((size_t)256 * 1024)
#define TEXT_MAX 256
#define DROP_STEP (UINT64_C(4) << 20)

/* What was read of a file that only grows takes no more memory. */
static void drop_read(struct coord *c, enum source source, uint64_t length)
{
	uint64_t *read = &c->followed_bytes[source];

	*read += length;
	if (*read / DROP_STEP > (*read - length) / DROP_STEP)
		(void)fallocate(c->fds[source], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
				(off_t)(*read / DROP_STEP * DROP_STEP));
}

/* read() that says: > 0 bytes; 0: nothing for the moment. The source is closed at its end. */
static size_t read_source(struct coord *c, enum source source, void *buffer, size_t size)
{
	ssize_t n;

	if (c->fds[source] < 0)
		return 0;
	n = read(c->fds[source], buffer, size);
	if (n > 0 && coord_is_followed(c, source))
		drop_read(c, source, (uint64_t)n);
	if (n > 0)
		return (size_t)n;
	if (n == 0 && coord_is_followed(c, source)) {
		c->is_always_ready[source] = false; /* until there are news */
		return 0;
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		coord_close_source(c, source);
	return 0;
}

static void show_step(struct coord *c, const struct bulk_message *message)
{
	const struct coord_observer *observer = c->observer;
	struct ktstr_step_info step;
	char name[TEXT_MAX];

	if (observer->step &&
	    wire_decode_step(message->payload, message->length, &step, name, sizeof(name)) == 0)
		observer->step(observer->arg, &step, name);
}

static void show_phase(struct coord *c, const struct bulk_message *message)
{
	const struct coord_observer *observer = c->observer;
	char text[TEXT_MAX];

	if (!observer->phase || message->length == 0)
		return;
	str_copy_line(text, sizeof(text), (const char *)message->payload + 1, message->length - 1);
	observer->phase(observer->arg, message->payload[0], text);
}

/* Tell the observer of a frame with a right CRC. */
static void show(struct coord *c, const struct bulk_message *message)
{
	const struct coord_observer *observer = c->observer;

	if (!observer)
		return;
	switch (message->msg_type) {
	case KTSTR_MSG_LIFECYCLE:
		show_phase(c, message);
		break;
	case KTSTR_MSG_STEP:
		show_step(c, message);
		break;
	case KTSTR_MSG_STDOUT:
	case KTSTR_MSG_STDERR:
	case KTSTR_MSG_SCHED_LOG:
		if (observer->output)
			observer->output(observer->arg, message->msg_type, message->payload,
					 message->length);
		break;
	}
}

static void note_ready(struct coord *c, uint64_t now_ns)
{
	if (!c->sinks->is_ready || c->result->ready_ns != 0)
		return;
	c->result->ready_ns = now_ns;
	c->result->cpu_wait_ns = 0;
	c->ready_cpu_wait_ns = coord_cpu_wait(c);
	record_milestone(c, COORD_TIMING_READY, now_ns);
	if (c->observer && c->observer->ready)
		c->observer->ready(c->observer->arg);
}

/* To a guest in virtual time it is nothing. */
static uint32_t look_at_threads(const struct coord *c, struct coord_thread *ret)
{
	const struct coord_vm_ops *ops = c->spec->vm_ops;

	if (!ops || !ops->threads || c->spec->are_files)
		return 0;
	return ops->threads(c->spec->vm, ret, COORD_THREADS_MAX);
}

/* How long this one waited since the scenario started, or it did itself. */
static uint64_t thread_wait(const struct coord *c, const struct coord_thread *now)
{
	for (uint32_t i = 0; i < c->thread_count; i++)
		if (c->threads[i].id == now->id)
			return now->cpu_wait_ns > c->threads[i].cpu_wait_ns
				       ? now->cpu_wait_ns - c->threads[i].cpu_wait_ns
				       : 0;
	return now->cpu_wait_ns;
}

static uint64_t scenario_host_wait(const struct coord *c)
{
	uint64_t elapsed_ns = c->result->scenario_end_ns - c->result->scenario_start_ns;
	struct coord_thread now[COORD_THREADS_MAX];
	uint32_t count = look_at_threads(c, now);
	uint64_t longest_ns = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint64_t wait_ns = thread_wait(c, &now[i]);

		longest_ns = wait_ns > longest_ns ? wait_ns : longest_ns;
	}
	return longest_ns < elapsed_ns ? longest_ns : elapsed_ns;
}

static void note_attached(struct coord *c, const struct bulk_message *message, uint64_t now_ns)
{
	if (message->msg_type == KTSTR_MSG_LIFECYCLE && message->crc_ok && message->length > 0 &&
	    message->payload[0] == KTSTR_PHASE_SCHEDULER_ATTACHED && c->result->attached_ns == 0)
		c->result->attached_ns = now_ns;
}

static void note_scenario(struct coord *c, uint64_t now_ns)
{
	struct coord_result *result = c->result;

	if (c->sinks->scenario_start_ns != 0 && result->scenario_start_ns == 0) {
		result->scenario_start_ns = now_ns;
		c->thread_count = look_at_threads(c, c->threads);
		record_milestone(c, COORD_TIMING_SCENARIO_START, now_ns);
		if (c->observer && c->observer->scenario)
			c->observer->scenario(c->observer->arg, true);
	}
	if (c->sinks->is_scenario_ended && result->scenario_end_ns == 0) {
		result->scenario_end_ns = now_ns;
		result->host_wait_ns = scenario_host_wait(c);
		record_milestone(c, COORD_TIMING_SCENARIO_END, now_ns);
		if (c->observer && c->observer->scenario)
			c->observer->scenario(c->observer->arg, false);
	}
}

static void note_sched_exit(struct coord *c, const struct bulk_message *message, uint64_t now_ns)
{
	char text[TEXT_MAX] = "";
	int32_t code;

	if (message->msg_type != KTSTR_MSG_SCHED_EXIT || !message->crc_ok)
		return;
	if (wire_decode_i32(message->payload, message->length, &code) == 0)
		str_copy_line(text, sizeof(text), (const char *)message->payload + sizeof(code),
			      message->length - sizeof(code));
	coord_decide(c, COORD_END_SCHED_EXIT, "the scheduler died %.1f s after the start%s%s",
		     (double)now_ns / NS_PER_S, text[0] ? ": " : "", text);
}

/* Which limit it was, as the coordinator's own watchdog sees it; the words are the guest's. */
static void note_overdue(struct coord *c, const struct bulk_message *message)
{
	const struct dispatch_sinks *sinks = c->sinks;
	enum coord_end end = COORD_END_WATCHDOG;
	char text[TEXT_MAX];

	if (message->msg_type != KTSTR_MSG_LIFECYCLE || !message->crc_ok || message->length == 0 ||
	    message->payload[0] != KTSTR_PHASE_OVERDUE)
		return;
	str_copy_line(text, sizeof(text), (const char *)message->payload + 1, message->length - 1);
	if (sinks->is_scenario_ended)
		end = COORD_END_TEARDOWN_TIMEOUT;
	else if (sinks->scenario_start_ns == 0)
		end = COORD_END_BOOT_TIMEOUT;
	coord_note_overdue(c, end, "%s", text);
}

static void note_end(struct coord *c, uint64_t now_ns)
{
	c->result->end_ns = now_ns;
	record_milestone(c, COORD_TIMING_END, now_ns);
	coord_decide(c, COORD_END_STREAM, "the guest ended its stream %.1f s after the start",
		     (double)now_ns / NS_PER_S);
}

static void warn_unknown(struct coord *c, uint32_t msg_type)
{
	char tag[5], text[TEXT_MAX];

	wire_tag_text(msg_type, tag);
	(void)snprintf(text, sizeof(text), "the guest sent a frame of an unknown type '%s' (%#x)",
		       tag, msg_type);
	record_warning(c, text);
}

static void warn_padded(struct coord *c, const struct bulk_message *message)
{
	struct ktstr_frame_header header;
	char text[TEXT_MAX];

	wire_header_decode(message->header, &header);
	if (header.pad == 0 || c->has_warned_of_pad)
		return;
	c->has_warned_of_pad = true;
	(void)snprintf(text, sizeof(text), "the guest sent a frame with %#x in the pad word",
		       header.pad);
	record_warning(c, text);
}

/* @spent_ns: by the clock of limits. */
static void take_frame(struct coord *c, const struct bulk_message *message, uint64_t now_ns,
		       uint64_t spent_ns)
{
	struct dispatch_sinks *sinks = c->sinks;
	size_t unknown_count = sinks->unknown_count;
	bool had_end = sinks->has_end;

	if (dispatch_bulk_message(message, spent_ns, sinks))
		record_frame(c, message, now_ns);
	else if (!had_end)
		record_frame_header(c, message, now_ns);
	if (had_end)
		c->frames_after_end++;
	else if (sinks->has_end)
		note_end(c, now_ns);
	else
		wire_account_add(&c->account, message->header, message->length);
	requests_refuse(c);
	if (sinks->unknown_count > unknown_count)
		warn_unknown(c, message->msg_type);
	warn_padded(c, message);
	note_ready(c, now_ns);
	note_attached(c, message, now_ns);
	note_scenario(c, now_ns);
	note_overdue(c, message);
	note_sched_exit(c, message, now_ns);
	if (message->crc_ok)
		show(c, message);
}

void stream_take(struct coord *c, size_t length)
{
	struct bulk_message message;
	uint64_t now_ns = 0, spent_ns = 0;

	assembler_commit(c->assembler, length);
	while (assembler_next(c->assembler, &message)) {
		if (now_ns == 0) {
			now_ns = coord_now(c);
			spent_ns = coord_is_virtual(c) ? coord_spent(c) : now_ns;
		}
		take_frame(c, &message, now_ns, spent_ns);
	}
	if (now_ns == 0)
		return;
	record_frames_end(c);
}

int stream_prefix(struct coord *c)
{
	size_t size, length = c->spec->prefix_length;
	void *space = length > 0 ? assembler_space(c->assembler, length, &size) : NULL;

	if (length == 0)
		return 0;
	if (!space)
		return -ENOMEM;
	memcpy(space, c->spec->prefix, length);
	record_milestone(c, COORD_TIMING_FIRST_BYTE, coord_now(c));
	c->has_first_byte = true;
	stream_take(c, length);
	return 0;
}

bool stream_bulk(struct coord *c, size_t max)
{
	size_t size, n;
	void *space = assembler_space(c->assembler, BULK_READ_SIZE, &size);

	if (!space) {
		coord_decide(c, COORD_END_INTERNAL, "out of memory for the frames of the guest");
		return false;
	}
	n = read_source(c, SOURCE_BULK, space, size < max ? size : max);
	if (n == 0)
		return false;
	if (!c->has_first_byte)
		record_milestone(c, COORD_TIMING_FIRST_BYTE, coord_now(c));
	c->has_first_byte = true;
	stream_take(c, n);
	return true;
}

void stream_catch_up(struct coord *c)
{
	for (size_t taken = 0; taken < COORD_DRAIN_MAX && stream_bulk(c, BULK_READ_SIZE);
	     taken += BULK_READ_SIZE)
		;
}

bool stream_com1(struct coord *c, size_t max)
{
	char bytes[16 * 1024];
	size_t n = read_source(c, SOURCE_COM1, bytes, max < sizeof(bytes) ? max : sizeof(bytes));

	if (n == 0)
		return false;
	console_feed(&c->com1, bytes, n);
	record_text(c, &c->com1_buffer, bytes, n);
	if (c->com1.is_latched)
		coord_decide(c, COORD_END_PANIC, "kernel panic %.1f s after the start",
			     (double)coord_now(c) / NS_PER_S);
	return true;
}

bool stream_com2(struct coord *c, size_t max)
{
	char bytes[4 * 1024];
	size_t n = read_source(c, SOURCE_COM2, bytes, max < sizeof(bytes) ? max : sizeof(bytes));

	if (n == 0)
		return false;
	console_feed(&c->com2, bytes, n);
	record_text(c, &c->com2_buffer, bytes, n);
	if (c->com2.is_latched)
		coord_decide(c, COORD_END_AGENT_CRASH,
			     "the agent in the guest crashed %.1f s after the start",
			     (double)coord_now(c) / NS_PER_S);
	return true;
}

bool stream_stderr(struct coord *c, size_t max)
{
	char bytes[4 * 1024];
	size_t n = read_source(c, SOURCE_STDERR, bytes, max < sizeof(bytes) ? max : sizeof(bytes));

	console_feed(&c->qemu, bytes, n);
	return n > 0;
}

bool stream_discard(struct coord *c, size_t max)
{
	char bytes[4 * 1024];

	return read_source(c, SOURCE_CONSOLE, bytes, max < sizeof(bytes) ? max : sizeof(bytes)) > 0;
}
