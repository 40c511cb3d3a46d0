/* SPDX-License-Identifier: GPL-2.0-only */
/* More than anybody can want. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "ktstr/outcome.h"
#include "villain/villain.h"
#include "wire/types.h"

/* Tell what is flooded apart by one number in each frame. */
static void flood_numbered(struct villain *v, struct frame *frame, size_t offset, uint32_t count)
{
	for (uint32_t i = 1; i <= count; i++) {
		memcpy(frame->payload + offset, &i, sizeof(i));
		villain_send(v, frame);
	}
}

static void tiny_frames(struct villain *v, const struct frame *frame)
{
	const int32_t code = 0;
	struct frame tiny;

	(void)frame;
	frame_make(&tiny, KTSTR_MSG_EXEC_EXIT, &code, sizeof(code), NULL, 0);
	villain_flood(v, &tiny, 0);
}

static void output(struct villain *v, const struct frame *frame)
{
	struct frame text;

	(void)frame;
	text.msg_type = KTSTR_MSG_STDOUT;
	text.length = sizeof(text.payload);
	memset(text.payload, 'x', sizeof(text.payload));
	villain_flood(v, &text, 0);
}

static void empty_lines(struct villain *v, const struct frame *frame)
{
	struct frame text;

	(void)frame;
	text.msg_type = KTSTR_MSG_STDERR;
	text.length = sizeof(text.payload);
	memset(text.payload, '\n', sizeof(text.payload));
	villain_flood(v, &text, 0);
}

static void addresses(struct villain *v, const struct frame *frame)
{
	villain_flood(v, frame, 0);
}

static void steps(struct villain *v, const struct frame *frame)
{
	villain_flood(v, frame, 0);
}

static void workers(struct villain *v, const struct frame *frame)
{
	villain_flood(v, frame, 70000);
}

static void cgroups(struct villain *v, const struct frame *frame)
{
	struct frame cgroup = *frame;

	flood_numbered(v, &cgroup, offsetof(struct ktstr_cgroup_info, id), 5000);
}

static void deaths(struct villain *v, const struct frame *frame)
{
	const uint8_t phase = KTSTR_PHASE_SCHEDULER_DIED;
	struct frame death;

	(void)frame;
	frame_make(&death, KTSTR_MSG_LIFECYCLE, &phase, sizeof(phase), "again", 5);
	villain_flood(v, &death, 100000);
}

static void unknown_types(struct villain *v, const struct frame *frame)
{
	struct frame unknown;

	(void)frame;
	for (uint32_t i = 0; i < 20000; i++) {
		frame_make(&unknown, 0x5a000000u + i, &i, sizeof(i), NULL, 0);
		villain_send(v, &unknown);
	}
}

static void torn_frames(struct villain *v, const struct frame *frame)
{
	struct ktstr_frame_header header;

	frame_header(frame, &header);
	header.crc32 ^= 1;
	for (uint32_t i = 0; i < 20000; i++)
		villain_send_as(v, &header, frame->payload, frame->length);
}

/* Answers are asked for and never fetched. */
static void snapshots(struct villain *v, const struct frame *frame)
{
	const struct ktstr_snapshot_request request = { .request_id = 1,
							.kind = KTSTR_SNAPSHOT_CAPTURE,
							.tag = "flood" };
	struct frame ask;

	(void)frame;
	frame_make(&ask, KTSTR_MSG_SNAPSHOT_REQUEST, &request, sizeof(request), NULL, 0);
	villain_flood(v, &ask, 20000);
}

static void kernel_ops(struct villain *v, const struct frame *frame)
{
	struct frame ask;

	(void)frame;
	ask.msg_type = KTSTR_MSG_KERNEL_OP_REQUEST;
	ask.length = 300;
	memset(ask.payload, 0xa5, ask.length);
	villain_flood(v, &ask, 20000);
}

__attribute__((noreturn)) static void flood_device(const char *path, const char *text)
{
	static char block[64 * 1024];
	size_t length = strlen(text), filled = 0;
	int fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		villain_die("cannot open '%s'", path);
	for (; filled + length <= sizeof(block); filled += length)
		memcpy(block + filled, text, length);
	for (;;)
		if (write(fd, block, filled) < 0)
			villain_die("cannot write to '%s'", path);
}

static void com1(struct villain *v, const struct frame *frame)
{
	(void)v;
	(void)frame;
	flood_device("/dev/ttyS0", "no newline ");
}

static void com1_alarms(struct villain *v, const struct frame *frame)
{
	(void)v;
	(void)frame;
	flood_device("/dev/ttyS0", "BUG: x\n");
}

static void com2(struct villain *v, const struct frame *frame)
{
	(void)v;
	(void)frame;
	flood_device("/dev/ttyS1", "no newline ");
}

static void console(struct villain *v, const struct frame *frame)
{
	(void)v;
	(void)frame;
	flood_device("/dev/hvc0", "no newline ");
}

static void stats_port(struct villain *v, const struct frame *frame)
{
	static const char block[64 * 1024];
	struct ktstr_error err = { 0 };
	int fd = port_open("/sys/class/virtio-ports", "/dev", WIRE_PORT_STATS, NS_PER_S, &err);

	(void)v;
	(void)frame;
	if (fd < 0)
		villain_die("%s", err.text);
	while (write(fd, block, sizeof(block)) >= 0)
		;
	villain_die("the port of the statistics was closed");
}

const struct trick tricks_of_floods[] = {
	{ "flood_tiny_frames", BEAT_OUTPUT, AFTER, tiny_frames },
	{ "flood_addresses", BEAT_KERN_ADDRS, AFTER, addresses },
	{ "flood_output", BEAT_OUTPUT, AFTER, output },
	{ "flood_empty_lines", BEAT_OUTPUT, AFTER, empty_lines },
	{ "flood_steps", BEAT_STEP, AFTER, steps },
	{ "flood_workers", BEAT_WORKER, AFTER, workers },
	{ "flood_cgroups", BEAT_CGROUP, AFTER, cgroups },
	{ "flood_deaths", BEAT_PAYLOAD_STARTING, BEFORE, deaths },
	{ "flood_unknown_types", BEAT_OUTPUT, AFTER, unknown_types },
	{ "flood_torn_frames", BEAT_WORKER, AFTER, torn_frames },
	{ "flood_snapshots", BEAT_OUTPUT, AFTER, snapshots },
	{ "flood_kernel_ops", BEAT_OUTPUT, AFTER, kernel_ops },
	{ "flood_com1", BEAT_OUTPUT, AFTER, com1 },
	{ "flood_com1_alarms", BEAT_OUTPUT, AFTER, com1_alarms },
	{ "flood_com2", BEAT_OUTPUT, AFTER, com2 },
	{ "flood_console", BEAT_OUTPUT, AFTER, console },
	{ "flood_stats_port", BEAT_OUTPUT, AFTER, stats_port },
	{ 0 },
};
