/* SPDX-License-Identifier: GPL-2.0-only */
/* Tricks with the port at which a guest in virtual time stands still. */
#include <string.h>
#include <sys/io.h>

#include "villain/villain.h"
#include "wire/freeze.h"

#define BYTES_MANY 20000
#define BYTES_SOME 500

static void open_port(void)
{
	if (ioperm(WIRE_FREEZE_PORT, 1, 1) < 0)
		villain_die("cannot use the port");
}

static void write_bytes(int byte, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		outb((uint8_t)byte, WIRE_FREEZE_PORT);
}

static void ask(struct villain *v)
{
	struct ktstr_snapshot_request request = { .request_id = 1,
						  .kind = KTSTR_SNAPSHOT_CAPTURE,
						  .tag = "a trick" };
	struct frame frame;

	frame_make(&frame, KTSTR_MSG_SNAPSHOT_REQUEST, &request, sizeof(request), NULL, 0);
	villain_send(v, &frame);
}

/* Every byte there is, and nothing is asked for. */
static void flood(struct villain *v, const struct frame *frame)
{
	(void)v;
	(void)frame;
	open_port();
	for (unsigned int i = 0; i < BYTES_MANY; i++)
		write_bytes((int)(i % 256), 1);
}

/* Windows without end. */
static void no_commit(struct villain *v, const struct frame *frame)
{
	(void)frame;
	open_port();
	ask(v);
	write_bytes(WIRE_FREEZE_START, 1);
	write_bytes(WIRE_FREEZE_WINDOW, BYTES_SOME);
}

/* One start after the other. */
static void only_starts(struct villain *v, const struct frame *frame)
{
	(void)frame;
	open_port();
	ask(v);
	write_bytes(WIRE_FREEZE_START, BYTES_SOME);
}

/* It commits itself, and does not stand still. */
static void no_standstill(struct villain *v, const struct frame *frame)
{
	(void)frame;
	open_port();
	ask(v);
	write_bytes(WIRE_FREEZE_START, 1);
	write_bytes(WIRE_FREEZE_WINDOW, WIRE_FREEZE_WINDOWS);
	write_bytes(WIRE_FREEZE_COMMIT, 1);
}

const struct trick tricks_of_the_freeze[] = {
	{ "freeze_flood", BEAT_OUTPUT, AFTER, flood },
	{ "freeze_no_commit", BEAT_OUTPUT, AFTER, no_commit },
	{ "freeze_only_starts", BEAT_OUTPUT, AFTER, only_starts },
	{ "freeze_no_standstill", BEAT_OUTPUT, AFTER, no_standstill },
	{ 0 },
};
