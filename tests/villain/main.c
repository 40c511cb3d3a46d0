/* SPDX-License-Identifier: GPL-2.0-only */
/* Boots as guest/agent.c does, then plays the trick that the scenario's parameters name. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "guest/job_area.h"
#include "guest/boot.h"
#include "guest/wake.h"
#include "param/node.h"
#include "villain/villain.h"
#include "wire/types.h"

#define FLOOD_BYTES ((size_t)128 * 1024)
#define JOB_BYTES_MAX (2u * NODE_BYTES_MAX)
#define PORT_TIMEOUT_NS (10 * NS_PER_S)
#define RECEIVED_TIMEOUT_NS (1 * NS_PER_S)

void villain_hang(void)
{
	for (;;)
		(void)pause();
}

void villain_leave(struct villain *v)
{
	if (port_may_lag(&v->port))
		wake_wait_received(v->wake_fd, RECEIVED_TIMEOUT_NS);
	boot_power_off();
}

void villain_die(const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	(void)fprintf(stderr, "the villain itself failed: %s\n", line);
	villain_hang();
}

void frame_make(struct frame *frame, uint32_t msg_type, const void *head, size_t head_length,
		const void *tail, size_t tail_length)
{
	if (head_length + tail_length > sizeof(frame->payload))
		villain_die("a frame of %zu bytes is too large", head_length + tail_length);
	frame->msg_type = msg_type;
	frame->length = (uint32_t)(head_length + tail_length);
	if (head_length)
		memcpy(frame->payload, head, head_length);
	if (tail_length)
		memcpy(frame->payload + head_length, tail, tail_length);
}

void frame_header(const struct frame *frame, struct ktstr_frame_header *ret)
{
	*ret = (struct ktstr_frame_header){
		.msg_type = frame->msg_type,
		.length = frame->length,
		.crc32 = wire_crc32(0, frame->payload, frame->length),
	};
}

void header_bytes(const struct ktstr_frame_header *header, uint8_t ret[WIRE_HEADER_SIZE])
{
	memcpy(ret, header, WIRE_HEADER_SIZE); /* both are little-endian */
}

void villain_write(struct villain *v, const void *bytes, size_t length)
{
	int rc = port_write(v->port.fd, bytes, length);

	if (rc < 0)
		villain_die("cannot write to the port: %s", strerror(-rc));
}

void villain_send_as(struct villain *v, const struct ktstr_frame_header *header,
		     const void *payload, size_t length)
{
	uint8_t bytes[WIRE_HEADER_SIZE];

	header_bytes(header, bytes);
	villain_write(v, bytes, sizeof(bytes));
	if (length > 0)
		villain_write(v, payload, length);
	wire_account_add(&v->port.account, bytes, header->length);
}

void villain_send(struct villain *v, const struct frame *frame)
{
	struct ktstr_frame_header header;

	frame_header(frame, &header);
	villain_send_as(v, &header, frame->payload, frame->length);
}

void villain_flood(struct villain *v, const struct frame *frame, uint64_t count)
{
	static uint8_t block[FLOOD_BYTES];
	size_t size = WIRE_HEADER_SIZE + frame->length, in_block = sizeof(block) / size;
	struct ktstr_frame_header header;
	uint64_t sent = 0;

	frame_header(frame, &header);
	for (size_t i = 0; i < in_block; i++) {
		header_bytes(&header, block + i * size);
		memcpy(block + i * size + WIRE_HEADER_SIZE, frame->payload, frame->length);
	}
	while (count == 0 || sent < count) {
		size_t now = count == 0 || count - sent > in_block ? in_block : count - sent;

		villain_write(v, block, now * size);
		for (size_t i = 0; i < now; i++)
			wire_account_add(&v->port.account, block, frame->length);
		sent += now;
	}
}

static const struct trick *find_trick(const char *name)
{
	static const struct trick *const tables[] = {
		tricks_of_frames, tricks_of_order,	 tricks_of_content,
		tricks_of_floods, tricks_of_the_machine, tricks_of_the_freeze,
	};

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		for (const struct trick *trick = tables[i]; trick->name; trick++)
			if (strcmp(trick->name, name) == 0)
				return trick;
	return NULL;
}

static void play(struct villain *v, const struct trick *trick)
{
	for (enum beat beat = BEAT_KERN_ADDRS; beat <= BEAT_POWER_OFF; beat++) {
		bool is_now = trick && trick->at == beat;
		struct frame frame = { 0 };

		if (beat != BEAT_POWER_OFF)
			story_frame(v, beat, &frame);
		if (is_now && trick->when != AFTER && trick->play)
			trick->play(v, &frame);
		if (beat != BEAT_POWER_OFF && !(is_now && trick->when == INSTEAD))
			villain_send(v, &frame);
		if (is_now && trick->when == AFTER && trick->play)
			trick->play(v, &frame);
	}
}

static void read_job(struct villain *v, struct ktstr_error *err)
{
	_cleanup_free_ char *bytes = NULL;
	size_t length = 0;

	if (io_read_file("/ktstr/job", JOB_BYTES_MAX, &bytes, &length, err) < 0 ||
	    job_decode(bytes, length, &v->job, err) < 0)
		villain_die("%s", err->text);
}

int main(void)
{
	struct villain v = { .port = { .fd = -1 } };
	const struct trick *trick = NULL;
	struct ktstr_error err = { 0 };
	const char *name;
	uint8_t *area = NULL;
	struct job_area_taken taken;
	int fd;

	if (getpid() != 1)
		return 2;
	if (boot_mount(&err) < 0 || job_area_map(JOB_AREA_PCI, &area, &err) < 0 ||
	    job_area_take(area, "", &taken, &err) < 0 ||
	    boot_check_sentinel(BOOT_SENTINEL, &err) < 0)
		villain_die("%s", err.text);
	read_job(&v, &err);
	fd = port_open("/sys/class/virtio-ports", "/dev", WIRE_PORT_BULK, PORT_TIMEOUT_NS, &err);
	if (fd < 0)
		villain_die("%s", err.text);
	port_init(&v.port, fd);
	v.wake_fd = wake_open("/dev/hvc0");
	name = node_get_text(v.job->scenario_params, "trick");
	if (name && strcmp(name, "none") != 0) {
		trick = find_trick(name);
		if (!trick)
			villain_die("there is no trick '%s'", name);
	}
	play(&v, trick);
	villain_leave(&v);
}
