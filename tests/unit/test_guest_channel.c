/* SPDX-License-Identifier: GPL-2.0-only */
/* The channel from the session to PID 1. */
#include "guest/channel.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "support/port_host.h"
#include "wire/payload.h"

struct line {
	struct channel channel;
	struct channel_sender sender;
	struct channel_receiver receiver;
	struct port port;
	struct host host;
};

static struct line *line_open(void)
{
	struct line *line = calloc(1, sizeof(*line));

	cr_assert_not_null(line);
	cr_assert_eq(channel_init(&line->channel), 0);
	channel_sender_init(&line->sender, &line->channel);
	channel_receiver_init(&line->receiver, &line->channel);
	connect_port(&line->port, &line->host);
	return line;
}

static void line_close(struct line *line)
{
	channel_done(&line->channel);
	disconnect_port(&line->port, &line->host);
	free(line);
}

/* As a session would that has lost its mind. */
static void publish(struct line *line, uint32_t round, uint32_t end)
{
	const struct channel_mark mark = { .round = round, .end = end };

	atomic_store(&line->channel.area->published, mark);
}

static int receive(struct line *line, struct ktstr_error *err)
{
	return channel_receive(&line->receiver, &line->port, err);
}

Test(channel, passes_frames_on)
{
	struct line *line = line_open();
	struct ktstr_error err = { 0 };

	cr_assert_eq(channel_send(&line->sender, KTSTR_MSG_SCENARIO_START, NULL, 0), 0);
	cr_assert_eq(channel_send_pair(&line->sender, KTSTR_MSG_STDERR, "ab", 2, "cde", 3), 0);
	cr_assert_eq(receive(line, &err), 0);
	host_read(&line->host);
	cr_expect_eq(line->host.header.msg_type, KTSTR_MSG_SCENARIO_START);
	host_read(&line->host);
	cr_expect_eq(line->host.header.length, 5);
	cr_expect_eq(memcmp(line->host.payload, "abcde", 5), 0);
	cr_expect_eq(line->port.account.frame_count, 2);
	cr_expect_eq(line->port.account.headers_crc32, line->host.account.headers_crc32);
	cr_assert_eq(receive(line, &err), 0);
	cr_expect_eq(line->port.account.frame_count, 2, "nothing comes twice");
	line_close(line);
}

Test(channel, half_a_frame_stays_behind)
{
	struct line *line = line_open();
	struct ktstr_error err = { 0 };
	uint8_t *frames = line->channel.area->frames;

	cr_assert_eq(channel_send(&line->sender, KTSTR_MSG_STDOUT, "whole", 5), 0);
	/* What a session leaves that dies while it builds the next one. */
	wire_header_encode(KTSTR_MSG_STDOUT, "torn off", 8, frames + WIRE_HEADER_SIZE + 5);
	cr_expect_eq(receive(line, &err), 0);
	cr_expect_eq(line->port.account.frame_count, 1);
	host_read(&line->host);
	cr_expect_eq(memcmp(line->host.payload, "whole", 5), 0);
	line_close(line);
}

static const struct {
	struct ktstr_frame_header header;
	const char *expected;
} nonsense[] = {
	{ { 0x01020304, 4, 0, 0 }, "the session wrote what is no frame: type '\?\?\?\?', 4 bytes" },
	{ { KTSTR_MSG_STDOUT, KTSTR_FRAME_PAYLOAD_MAX + 1, 0, 0 },
	  "the session wrote what is no frame: type 'SOUT', 16777217 bytes" },
	{ { KTSTR_MSG_STDOUT, 5, 0, 0 },
	  "the session wrote what is no frame: type 'SOUT', 5 bytes" },
	{ { KTSTR_MSG_STDOUT, 4, 0, 1 },
	  "the session wrote what is no frame: type 'SOUT', 4 bytes" },
	{ { KTSTR_MSG_SNAPSHOT_REPLY, 4, 0, 0 },
	  "the session wrote what is no frame: type 'SNRP', 4 bytes" },
	/* Of PID 1 alone. */
	{ { KTSTR_MSG_SYS_RDY, 0, 0, 0 },
	  "the session wrote what is no frame: type 'SRDY', 0 bytes" },
	{ { KTSTR_MSG_KERN_ADDRS, 4, 0, 0 },
	  "the session wrote what is no frame: type 'KADR', 4 bytes" },
	{ { KTSTR_MSG_EXIT, 4, 0, 0 }, "the session wrote what is no frame: type 'EXIT', 4 bytes" },
	{ { KTSTR_MSG_END, 4, 0, 0 }, "the session wrote what is no frame: type 'ENDS', 4 bytes" },
};

/* Each behind a good frame, with four bytes of payload behind it. */
Test(channel, refuses_what_is_no_frame)
{
	for (size_t i = 0; i < ARRAY_SIZE(nonsense); i++) {
		struct line *line = line_open();
		struct ktstr_error err = { 0 };

		cr_assert_eq(channel_send(&line->sender, KTSTR_MSG_STDOUT, "good", 4), 0);
		memcpy(line->channel.area->frames + WIRE_HEADER_SIZE + 4, &nonsense[i].header,
		       sizeof(nonsense[i].header));
		publish(line, 0, 2 * (WIRE_HEADER_SIZE + 4));
		cr_expect_eq(receive(line, &err), -EBADMSG);
		cr_expect_str_eq(err.text, nonsense[i].expected);
		cr_expect_eq(line->port.account.frame_count, 1, "the good one is passed on");
		line_close(line);
	}
}

static const struct {
	uint32_t round, end;
	const char *expected; /* NULL: nothing is wrong */
} marks[] = {
	{ 0, 20, NULL },
	{ 0, 19, "the session published 19 bytes after 20, at most 16777232 fit" },
	{ 0, UINT32_MAX, "the session published 4294967295 bytes after 20, at most 16777232 fit" },
	{ 0, 16777233, "the session published 16777233 bytes after 20, at most 16777232 fit" },
	{ 1, 16777233, "the session published 16777233 bytes after 0, at most 16777232 fit" },
	{ 0, 25, "the session wrote what is no frame: type '\?\?\?\?', 0 bytes" },
	{ 7, 0, NULL },
	{ 7, 20, NULL }, /* the same frame again is one */
};

Test(channel, believes_no_mark_that_cannot_be)
{
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		struct line *line = line_open();
		struct ktstr_error err = { 0 };

		cr_assert_eq(channel_send(&line->sender, KTSTR_MSG_STDOUT, "good", 4), 0);
		cr_assert_eq(receive(line, &err), 0);
		publish(line, marks[i].round, marks[i].end);
		cr_expect_eq(receive(line, &err), marks[i].expected ? -EBADMSG : 0, "mark %zu", i);
		cr_expect_str_eq(err.text, marks[i].expected ? marks[i].expected : "");
		line_close(line);
	}
}

Test(channel, errors_carry_their_text)
{
	struct line *line = line_open();
	struct ktstr_error err = { 0 }, ignored;
	struct ktstr_error_info info;
	char text[64];

	(void)ktstr_fail(&err, -EIO, "the moon is full");
	cr_assert_eq(channel_send_error(&line->sender, KTSTR_STAGE_SCENARIO, &err), 0);
	cr_assert_eq(receive(line, &ignored), 0);
	host_read(&line->host);
	cr_assert_eq(wire_decode_error(line->host.payload, line->host.header.length, &info, text,
				       sizeof(text)),
		     0);
	cr_expect_eq(info.stage, KTSTR_STAGE_SCENARIO);
	cr_expect_eq(info.code, -EIO);
	cr_expect_str_eq(text, "the moon is full");
	line_close(line);
}

Test(channel, refuses_what_is_too_large)
{
	struct line *line = line_open();

	cr_expect_eq(channel_send_pair(&line->sender, KTSTR_MSG_STDOUT, "", 0, "",
				       KTSTR_FRAME_PAYLOAD_MAX + 1),
		     -EMSGSIZE);
	line_close(line);
}

/* A session of its own, as in the guest. */

#define MANY 3000u

/* Small ones, some that fill the memory, and the largest there are. */
static uint32_t many_length(uint32_t number)
{
	if (number % 1000 == 999)
		return KTSTR_FRAME_PAYLOAD_MAX;
	return number % 10 == 9 ? (uint32_t)CHANNEL_FILL - WIRE_HEADER_SIZE - number % 3
				: number % 500;
}

__attribute__((noreturn)) static void play_session(struct channel *channel, uint32_t count)
{
	uint8_t *payload = calloc(1, KTSTR_FRAME_PAYLOAD_MAX);
	struct channel_sender sender;

	channel_sender_init(&sender, channel);
	for (uint32_t i = 0; payload && i < count; i++) {
		memcpy(payload, &i, sizeof(i));
		if (channel_send(&sender, KTSTR_MSG_STDOUT, payload, many_length(i)) < 0)
			_exit(1);
	}
	_exit(payload ? 0 : 1);
}

/* The host, in a thread: how many frames came as they were sent, until END. */
struct check {
	int fd;
	uint64_t good;
	bool is_ended;
	struct ktstr_stream_end end;
};

static void *check_frames(void *arg)
{
	_cleanup_free_ uint8_t *payload = malloc(KTSTR_FRAME_PAYLOAD_MAX);
	struct check *check = arg;

	for (uint32_t i = 0; payload; i++) {
		uint8_t bytes[WIRE_HEADER_SIZE];
		struct ktstr_frame_header header;

		if (io_read_all(check->fd, bytes, sizeof(bytes)) < 0)
			break;
		wire_header_decode(bytes, &header);
		if (header.length > KTSTR_FRAME_PAYLOAD_MAX ||
		    io_read_all(check->fd, payload, header.length) < 0 ||
		    wire_crc32(0, payload, header.length) != header.crc32)
			break;
		check->is_ended = header.msg_type == KTSTR_MSG_END;
		if (check->is_ended)
			(void)wire_decode_stream_end(payload, header.length, &check->end);
		if (check->is_ended || header.length != many_length(i) ||
		    (header.length >= sizeof(i) && memcmp(payload, &i, sizeof(i)) != 0))
			break;
		check->good++;
	}
	return NULL;
}

/* What PID 1 does while a session sends @count frames; it is killed once @kill_after have come. */
static void supervise(uint32_t count, uint64_t kill_after, struct check *ret_check, int *ret_status)
{
	static struct host host;
	struct channel channel;
	struct channel_receiver receiver;
	struct port port;
	struct ktstr_error err = { 0 };
	bool is_killed = false;
	pthread_t thread;
	pid_t session;

	cr_assert_eq(channel_init(&channel), 0);
	channel_receiver_init(&receiver, &channel);
	connect_port(&port, &host);
	session = fork();
	cr_assert_geq(session, 0);
	if (session == 0)
		play_session(&channel, count);
	*ret_check = (struct check){ .fd = host.fd };
	cr_assert_eq(pthread_create(&thread, NULL, check_frames, ret_check), 0);
	while (waitpid(session, ret_status, WNOHANG) == 0) {
		struct pollfd poll_fd = { .fd = channel.frames_fd, .events = POLLIN };

		(void)poll(&poll_fd, 1, 10);
		cr_assert_eq(channel_receive(&receiver, &port, &err), 0, "%s", err.text);
		if (!is_killed && port.account.frame_count >= kill_after)
			is_killed = kill(session, SIGKILL) == 0;
	}
	cr_assert_eq(channel_receive(&receiver, &port, &err), 0, "%s", err.text);
	cr_assert_eq(port_end(&port), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_expect_eq(ret_check->end.frame_count, port.account.frame_count - 1);
	channel_done(&channel);
	disconnect_port(&port, &host);
}

Test(channel, passes_everything_on_while_it_comes, .timeout = 100)
{
	struct check check;
	int status;

	supervise(MANY, UINT64_MAX, &check, &status);
	cr_expect_eq(status, 0);
	cr_expect_eq(check.good, MANY);
	cr_expect(check.is_ended);
}

Test(channel, a_killed_session_tears_nothing, .timeout = 100)
{
	struct check check;
	int status;

	for (uint64_t after = 1; after < 500; after += 37) {
		supervise(UINT32_MAX, after, &check, &status);
		cr_expect_eq(status, SIGKILL);
		cr_expect_geq(check.good, after);
		cr_expect(check.is_ended);
		cr_expect_eq(check.end.frame_count, check.good);
	}
}

Test(channel, children_of_the_session_do_not_have_the_memory)
{
	struct line *line = line_open();
	int status;
	pid_t child;

	(void)fflush(NULL);
	child = fork();
	cr_assert_geq(child, 0);
	if (child == 0) {
		(void)signal(SIGSEGV, SIG_DFL);
		line->channel.area->frames[0] = 1;
		_exit(0);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect_neq(status, 0);
	line_close(line);
}

/* A large frame takes memory that the next round gives back. */
Test(channel, large_frames_leave_no_memory_behind)
{
	static uint8_t payload[2 << 20];
	struct line *line = line_open();
	struct ktstr_error err = { 0 };
	unsigned char pages[8];
	uint8_t *beyond = line->channel.area->frames + CHANNEL_FILL;
	pthread_t thread;
	struct check check = { .fd = line->host.fd };

	cr_assert_eq(pthread_create(&thread, NULL, check_frames, &check), 0);
	cr_assert_eq(channel_send(&line->sender, KTSTR_MSG_STDOUT, payload, sizeof(payload)), 0);
	cr_assert_eq(mincore(beyond, sizeof(pages) * 4096, pages), 0);
	cr_expect_eq(pages[0] & 1, 1);
	cr_assert_eq(receive(line, &err), 0);
	cr_assert_eq(channel_send(&line->sender, KTSTR_MSG_STDOUT, "x", 1), 0);
	cr_assert_eq(mincore(beyond, sizeof(pages) * 4096, pages), 0);
	cr_expect_eq(pages[0] & 1, 0);
	(void)shutdown(line->host.fd, SHUT_RDWR);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	line_close(line);
}
