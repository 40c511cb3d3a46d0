/* SPDX-License-Identifier: GPL-2.0-only */
/* Requests to the host from the session's side, and the way of their replies through PID 1. */
#include "guest/request.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "guest/freeze.h"
#include "guest/relay.h"
#include "guest/services_kernel.h"
#include "guest/supervisor.h"
#include "wire/frame.h"
#include "wire/job_area.h"
#include "wire/payload.h"

static struct channel channel;
static struct channel_sender sender;
static struct channel_receiver receiver;
static struct port port;
static struct requester requester;
static struct ktstr_error err;
static volatile uint32_t is_stopping;
static int sent_fd;  /* what the session sent, behind PID 1 */
static int reply_fd; /* where the host writes */

static void setup(void)
{
	int ends[2];

	cr_assert_eq(channel_init(&channel), 0);
	channel_sender_init(&sender, &channel);
	channel_receiver_init(&receiver, &channel);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	port_init(&port, ends[0]);
	sent_fd = ends[1];
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	requester_init(&requester, &sender, ends[0], &is_stopping);
	requester.timeout_ns = 100 * NS_PER_MS;
	reply_fd = ends[1];
}

static void teardown(void)
{
	(void)close(requester.fd);
	requester_done(&requester);
	port_done(&port);
	channel_done(&channel);
	(void)close(sent_fd);
	cleanup_close(&reply_fd);
}

TestSuite(request, .init = setup, .fini = teardown, .timeout = 60);

/* Replies are there before the request is made: ids are known. */

static void reply_frame(uint32_t msg_type, const void *payload, uint32_t length)
{
	uint8_t header[WIRE_HEADER_SIZE];

	wire_header_encode(msg_type, payload, length, header);
	cr_assert_eq(io_write_all(reply_fd, header, sizeof(header)), 0);
	cr_assert_eq(io_write_all(reply_fd, payload, length), 0);
}

static void reply_snapshot(uint32_t id, uint32_t status, const char *reason)
{
	struct wire_snapshot_reply reply;

	wire_snapshot_reply_init(&reply, id, status, reason);
	reply_frame(KTSTR_MSG_SNAPSHOT_REPLY, &reply, sizeof(reply));
}

static int ask(const char *tag)
{
	struct wire_ranges none = { 0 };

	err = (struct ktstr_error){ 0 };
	return request_snapshot(&requester, KTSTR_SNAPSHOT_CAPTURE, tag, &none, &err);
}

/* The next frame that the session sent. */
static struct {
	struct ktstr_frame_header header;
	uint8_t payload[2048];
} sent;

static void expect_sent(uint32_t msg_type)
{
	uint8_t bytes[WIRE_HEADER_SIZE];

	cr_assert_eq(channel_receive(&receiver, &port, &err), 0, "%s", err.text);
	cr_assert_eq(io_read_all(sent_fd, bytes, sizeof(bytes)), 0);
	wire_header_decode(bytes, &sent.header);
	cr_assert_leq(sent.header.length, sizeof(sent.payload));
	cr_assert_eq(io_read_all(sent_fd, sent.payload, sent.header.length), 0);
	cr_assert_eq(sent.header.msg_type, msg_type);
}

Test(request, a_snapshot_sends_its_ranges_and_then_itself)
{
	struct wire_ranges ranges = { .count = 1, .items = { { 0x1000, 8, WIRE_RANGE_KEEP } } };
	struct ktstr_snapshot_request request;
	struct wire_ranges got;

	reply_snapshot(1, WIRE_SNAPSHOT_OK, "");
	cr_assert_eq(request_snapshot(&requester, KTSTR_SNAPSHOT_CAPTURE, "tag", &ranges, &err), 0,
		     "%s", err.text);
	expect_sent(KTSTR_MSG_SNAPSHOT_RANGES);
	cr_assert_eq(wire_decode_ranges(sent.payload, sent.header.length, &got), 0);
	cr_expect_eq(got.request_id, 1);
	cr_expect_eq(got.items[0].address, 0x1000);
	expect_sent(KTSTR_MSG_SNAPSHOT_REQUEST);
	cr_assert_eq(wire_decode_snapshot_request(sent.payload, sent.header.length, &request), 0);
	cr_expect_eq(request.request_id, 1);
	cr_expect_str_eq(request.tag, "tag");
	cr_expect_eq(request.kind, KTSTR_SNAPSHOT_CAPTURE);
}

Test(request, ids_count_from_1_and_skip_0)
{
	reply_snapshot(1, WIRE_SNAPSHOT_OK, "");
	reply_snapshot(2, WIRE_SNAPSHOT_OK, "");
	cr_expect_eq(ask("a"), 0, "%s", err.text);
	cr_expect_eq(ask("b"), 0, "%s", err.text);
	requester.last_snapshot_id = UINT32_MAX;
	reply_snapshot(1, WIRE_SNAPSHOT_OK, "");
	cr_expect_eq(ask("c"), 0, "%s", err.text);
}

Test(request, a_refusal_brings_its_reason)
{
	reply_snapshot(1, WIRE_SNAPSHOT_ERROR, "no free slot");
	cr_expect_eq(ask("a"), -EREMOTEIO);
	cr_expect_str_eq(err.text, "no free slot");
	reply_snapshot(2, WIRE_SNAPSHOT_ERROR, "");
	cr_expect_eq(ask("a"), -EREMOTEIO);
	cr_expect_str_eq(err.text, "the host refused");
}

Test(request, replies_to_others_are_passed_over)
{
	struct wire_snapshot_reply whole;
	const struct wire_kernel_reply kernel = { .request_id = 1, .is_success = true };
	uint8_t bytes[100];

	wire_snapshot_reply_init(&whole, 1, WIRE_SNAPSHOT_ERROR, "not this one");
	wire_encode_kernel_reply(&kernel, bytes);
	reply_snapshot(99, WIRE_SNAPSHOT_ERROR, "stale");
	reply_frame(KTSTR_MSG_KERNEL_OP_REPLY, bytes, (uint32_t)wire_kernel_reply_size(&kernel));
	reply_frame(KTSTR_MSG_SNAPSHOT_REPLY, &whole, 519);
	reply_frame(KTSTR_TAG('W', 'H', 'A', 'T'), &whole, sizeof(whole));
	reply_frame(KTSTR_MSG_SNAPSHOT_REPLY, &whole, 0);
	reply_snapshot(1, WIRE_SNAPSHOT_OK, "");
	cr_expect_eq(ask("a"), 0, "%s", err.text);
}

Test(request, silence_is_a_timeout_and_a_late_reply_is_nobody_s)
{
	cr_expect_eq(ask("a"), -ETIMEDOUT);
	cr_expect_str_eq(err.text, "the host did not answer within 0.1 s");
	reply_snapshot(1, WIRE_SNAPSHOT_ERROR, "late");
	reply_snapshot(2, WIRE_SNAPSHOT_OK, "");
	cr_expect_eq(ask("b"), 0, "%s", err.text);
}

Test(request, half_a_reply_waits_for_its_other_half)
{
	struct wire_snapshot_reply reply;
	uint8_t header[WIRE_HEADER_SIZE];

	wire_snapshot_reply_init(&reply, 1, WIRE_SNAPSHOT_OK, "");
	wire_header_encode(KTSTR_MSG_SNAPSHOT_REPLY, &reply, sizeof(reply), header);
	cr_assert_eq(io_write_all(reply_fd, header, 10), 0);
	cr_expect_eq(ask("a"), -ETIMEDOUT);
	cr_assert_eq(io_write_all(reply_fd, header + 10, sizeof(header) - 10), 0);
	cr_assert_eq(io_write_all(reply_fd, &reply, 100), 0);
	cr_expect_eq(ask("a"), -ETIMEDOUT);
	cr_assert_eq(io_write_all(reply_fd, (const uint8_t *)&reply + 100, sizeof(reply) - 100), 0);
	reply_snapshot(3, WIRE_SNAPSHOT_OK, "");
	cr_expect_eq(ask("a"), 0, "%s", err.text);
}

Test(request, a_run_that_ends_early_waits_for_nothing)
{
	is_stopping = 1;
	requester.timeout_ns = REQUEST_TIMEOUT_NS;
	cr_expect_eq(ask("a"), -ECANCELED);
	cr_expect_str_eq(err.text, "the run is to end early");
	is_stopping = 0;
}

Test(request, a_damaged_reply_breaks_the_way_for_good)
{
	struct wire_snapshot_reply reply;
	uint8_t header[WIRE_HEADER_SIZE];

	wire_snapshot_reply_init(&reply, 1, WIRE_SNAPSHOT_OK, "");
	wire_header_encode(KTSTR_MSG_SNAPSHOT_REPLY, &reply, sizeof(reply), header);
	reply.reason[5] = 'x';
	cr_assert_eq(io_write_all(reply_fd, header, sizeof(header)), 0);
	cr_assert_eq(io_write_all(reply_fd, &reply, sizeof(reply)), 0);
	cr_expect_eq(ask("a"), -EBADMSG);
	cr_expect_str_eq(err.text, "the host's reply came damaged");
	reply_snapshot(2, WIRE_SNAPSHOT_OK, "");
	cr_expect_eq(ask("b"), -EBADMSG, "what comes after it cannot be trusted");
	cr_expect_str_eq(err.text, "the host's reply came damaged");
}

Test(request, nothing_is_allocated_for_a_length_that_cannot_be)
{
	const uint32_t header[4] = { KTSTR_MSG_SNAPSHOT_REPLY, UINT32_MAX, 0, 0 };

	cr_assert_eq(io_write_all(reply_fd, header, sizeof(header)), 0);
	cr_expect_eq(ask("a"), -EBADMSG);
	cr_expect_str_eq(err.text, "the host's reply is longer than any can be");
	cr_expect_leq(requester.size, 8192);
}

Test(request, a_host_that_is_gone_is_told)
{
	(void)close(steal_fd(&reply_fd));
	cr_expect_eq(ask("a"), -EIO);
	cr_expect_str_eq(err.text, "the host does not answer requests any more");
	cr_expect_eq(ask("a"), -EIO);
}

Test(request, a_tag_has_1_to_64_bytes)
{
	char tag[66];

	memset(tag, 't', sizeof(tag));
	tag[65] = '\0';
	cr_expect_eq(ask(""), -EINVAL);
	cr_expect_str_eq(err.text, "'' is no tag, it must have 1 to 64 bytes");
	cr_expect_eq(ask(tag), -EINVAL);
	tag[64] = '\0';
	reply_snapshot(1, WIRE_SNAPSHOT_OK, "");
	cr_expect_eq(ask(tag), 0, "%s", err.text);
}

/* Kernel operations. */

static void reply_kernel(uint32_t id, const char *reason, const char *value, uint32_t length)
{
	const struct wire_kernel_reply *from;
	struct wire_kernel_reply reply = { .request_id = id, .is_success = !reason[0] };
	uint8_t bytes[1000];

	strcpy(reply.reason, reason);
	reply.value_count = value ? 1 : 0;
	reply.values[0].bytes = (const uint8_t *)value;
	reply.values[0].length = length;
	from = &reply;
	wire_encode_kernel_reply(from, bytes);
	reply_frame(KTSTR_MSG_KERNEL_OP_REPLY, bytes, (uint32_t)wire_kernel_reply_size(from));
}

static int read_kernel(void *data, uint32_t length)
{
	const struct ktstr_kernel_range range = { .address = UINT64_C(0xffffffff81000000),
						  .data = data,
						  .length = length };

	err = (struct ktstr_error){ 0 };
	return services_kernel_read(&requester, "look", KTSTR_KERNEL_COLD, &range, 1, &err);
}

Test(request, a_read_brings_its_bytes)
{
	char data[8] = "";
	struct wire_kernel_op *op = calloc(1, sizeof(*op));

	reply_kernel(1, "", "hello", 5);
	cr_expect_eq(read_kernel(data, 5), 0, "%s", err.text);
	cr_expect_str_eq(data, "hello");
	expect_sent(KTSTR_MSG_KERNEL_OP_REQUEST);
	cr_assert_eq(wire_decode_kernel_op(sent.payload, sent.header.length, op), 0);
	cr_expect_eq(op->request_id, 1);
	cr_expect_eq(op->mode, WIRE_KERNEL_COLD);
	cr_expect_eq(op->direction, WIRE_KERNEL_READ);
	cr_expect_eq(op->entries[0].address, 0xffffffff81000000);
	cr_expect_eq(op->entries[0].value, WIRE_VALUE_BYTES);
	free(op);
}

Test(request, a_reply_with_other_values_is_not_the_reply)
{
	char data[8] = "old";

	reply_kernel(1, "", "hello", 4);
	reply_kernel(1, "", NULL, 0);
	cr_expect_eq(read_kernel(data, 5), -ETIMEDOUT);
	cr_expect_str_eq(data, "old", "nothing was written there");
}

Test(request, a_failed_read_brings_nothing)
{
	char data[8] = "old";

	reply_kernel(1, "entry[0]: nothing is mapped there", "hello", 5);
	cr_expect_eq(read_kernel(data, 5), -EREMOTEIO);
	cr_expect_str_eq(err.text, "entry[0]: nothing is mapped there");
	cr_expect_str_eq(data, "old");
}

static void *write_much(void *arg)
{
	static uint8_t payload[KTSTR_KERNEL_READ_MAX + 100];
	struct wire_kernel_reply reply = { .request_id = 1, .is_success = true, .value_count = 1 };

	reply.values[0].bytes = arg;
	reply.values[0].length = KTSTR_KERNEL_READ_MAX;
	wire_encode_kernel_reply(&reply, payload);
	reply_frame(KTSTR_MSG_KERNEL_OP_REPLY, payload, (uint32_t)wire_kernel_reply_size(&reply));
	return NULL;
}

Test(request, the_largest_read_comes_in_pieces)
{
	static uint8_t data[KTSTR_KERNEL_READ_MAX], got[KTSTR_KERNEL_READ_MAX];
	pthread_t writer;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + i / 256);
	requester.timeout_ns = 20 * NS_PER_S;
	cr_assert_eq(pthread_create(&writer, NULL, write_much, data), 0);
	cr_expect_eq(read_kernel(got, sizeof(got)), 0, "%s", err.text);
	cr_assert_eq(pthread_join(writer, NULL), 0);
	cr_expect_eq(memcmp(data, got, sizeof(data)), 0);
}

static uint32_t word;
static const struct {
	uint32_t mode;
	bool is_write;
	struct ktstr_kernel_range range;
	uint32_t count;
	int code;
	const char *sentence;
} bad_ops[] = {
	{ 0, false, { .data = &word, .length = 4 }, 0, -EINVAL, "there is no range" },
	{ 2, false, { .data = &word, .length = 4 }, 1, -EINVAL, "there is no mode 2" },
	{ 0, false, { .data = &word }, 1, -EINVAL, "range 0 has no bytes" },
	{ 0, false, { .length = 4 }, 1, -EINVAL, "range 0 has no data" },
	{ 0,
	  false,
	  { .data = &word, .length = 4, .flags = 8 },
	  1,
	  -EINVAL,
	  "range 0 has unknown flags 0x8" },
	{ 0,
	  false,
	  { .data = &word, .length = 4, .flags = KTSTR_KERNEL_OR },
	  1,
	  -EINVAL,
	  "range 0: only a write of 4 bytes can set bits and keep the others" },
	{ 1,
	  true,
	  { .data = &word, .length = 8, .flags = KTSTR_KERNEL_OR },
	  1,
	  -EINVAL,
	  "range 0: only a write of 4 bytes can set bits and keep the others" },
	{ 0,
	  false,
	  { .data = &word, .length = 4 },
	  65,
	  -E2BIG,
	  "65 ranges are too many, at most 64 go into one call" },
	{ 0,
	  true,
	  { .data = &word, .length = 65537 },
	  1,
	  -E2BIG,
	  "65537 bytes are too many, at most 65536 go into one call" },
	{ 0,
	  false,
	  { .data = &word, .length = 1024001 },
	  1,
	  -E2BIG,
	  "1024001 bytes are too many, at most 1024000 go into one call" },
	{ 0,
	  false,
	  { .symbol = "no_kernel_has_this", .data = &word, .length = 4 },
	  1,
	  -ENOENT,
	  "symbol 'no_kernel_has_this' not found" },
};

Test(request, what_cannot_be_is_not_even_asked)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad_ops); i++) {
		struct ktstr_kernel_range ranges[65];
		int rc;

		for (size_t j = 0; j < ARRAY_SIZE(ranges); j++)
			ranges[j] = bad_ops[i].range;
		rc = bad_ops[i].is_write ? services_kernel_write(&requester, "t", bad_ops[i].mode,
								 ranges, bad_ops[i].count, &err)
					 : services_kernel_read(&requester, "t", bad_ops[i].mode,
								ranges, bad_ops[i].count, &err);
		cr_expect_eq(rc, bad_ops[i].code, "row %zu", i);
		cr_expect_str_eq(err.text, bad_ops[i].sentence);
	}
	cr_expect_eq(requester.last_kernel_op_id, 0);
}

Test(request, a_long_tag_of_an_operation_is_refused)
{
	const struct ktstr_kernel_range range = { .data = &word, .length = 4 };
	char tag[258];

	memset(tag, 't', sizeof(tag));
	tag[257] = '\0';
	cr_expect_eq(services_kernel_read(&requester, tag, 0, &range, 1, &err), -EINVAL);
	cr_expect_str_eq(err.text, "a tag has at most 256 bytes");
}

Test(request, a_symbol_that_is_not_there_cannot_be_watched)
{
	cr_expect_eq(services_watch(&requester, "no_kernel_has_this", &err), -ENOENT);
	cr_expect_str_eq(err.text, "symbol 'no_kernel_has_this' not found");
}

/* PID 1 in between. */

static void pump(struct relay *relay)
{
	struct pollfd poll_fd;

	relay_poll(relay, &poll_fd);
	while (poll(&poll_fd, 1, 0) > 0) {
		relay_pump(relay, &poll_fd);
		relay_poll(relay, &poll_fd);
	}
}

Test(relay, passes_bytes_on_and_waits_for_a_slow_session)
{
	static struct relay relay;
	static uint8_t bytes[1 << 20], got[sizeof(bytes)];
	size_t written = 0, at = 0;
	int ends[2];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i ^ i >> 8);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	cr_assert_eq(relay_init(&relay, ends[0]), 0);
	/* Nobody reads: at some point nothing moves any more. */
	for (;;) {
		ssize_t n = write(ends[1], bytes + written, sizeof(bytes) - written);

		if (n <= 0)
			break;
		written += (size_t)n;
		pump(&relay);
	}
	cr_assert_lt(written, sizeof(bytes));
	cr_assert_geq(relay.from_fd, 0, "it waits");
	while (at < written) {
		ssize_t n = recv(relay.session_fd, got + at, sizeof(got) - at, MSG_DONTWAIT);

		cr_assert_gt(n, 0);
		at += (size_t)n;
		pump(&relay);
	}
	cr_expect_eq(memcmp(bytes, got, written), 0);
	relay_done(&relay);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

Test(relay, the_end_of_either_side_is_an_end)
{
	static struct relay relay;
	struct pollfd poll_fd;
	int ends[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	cr_assert_eq(relay_init(&relay, ends[0]), 0);
	(void)close(ends[1]);
	pump(&relay);
	relay_poll(&relay, &poll_fd);
	cr_expect_eq(poll_fd.fd, -1, "a port without a host is not asked again");
	cr_expect_eq(read(relay.session_fd, &poll_fd, 1), 0, "and the session sees its end");
	relay_done(&relay);
	(void)close(ends[0]);

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	cr_assert_eq(relay_init(&relay, ends[0]), 0);
	relay_close_session_fd(&relay);
	cr_assert_eq(write(ends[1], "x", 1), 1);
	pump(&relay);
	relay_poll(&relay, &poll_fd);
	cr_expect_eq(poll_fd.fd, -1, "nobody is there to pass it on to");
	relay_done(&relay);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

/* A session that asks twice; its exit code tells how that went. */
static int asking_session(void *arg, struct session_link *link)
{
	struct wire_ranges none = { 0 };
	struct requester own;
	int rc;

	(void)arg;
	requester_init(&own, &link->sender, link->reply_fd, &link->status->is_stopping);
	rc = request_snapshot(&own, KTSTR_SNAPSHOT_CAPTURE, "one", &none, &err);
	if (rc != 0)
		return 10;
	rc = request_snapshot(&own, KTSTR_SNAPSHOT_CAPTURE, "two", &none, &err);
	return rc == -EREMOTEIO && strcmp(err.text, "enough") == 0 ? 42 : 11;
}

/* The host: answers the first request, refuses the second, and reads until the end. */
static void *answer(void *arg)
{
	int fd = *(const int *)arg;
	uint8_t bytes[WIRE_HEADER_SIZE], payload[4096];
	struct ktstr_frame_header header;
	uint32_t count = 0;

	reply_fd = fd;
	while (io_read_all(fd, bytes, sizeof(bytes)) == 0) {
		wire_header_decode(bytes, &header);
		if (header.length > sizeof(payload) || io_read_all(fd, payload, header.length) < 0)
			break;
		if (header.msg_type != KTSTR_MSG_SNAPSHOT_REQUEST)
			continue;
		count++;
		reply_snapshot(count, count == 1 ? WIRE_SNAPSHOT_OK : WIRE_SNAPSHOT_ERROR,
			       count == 1 ? "" : "enough");
	}
	return NULL;
}

Test(relay, a_session_hears_the_host_through_pid_1)
{
	struct supervisor_spec spec = { .port = &port,
					.wake_fd = -1,
					.stop_grace_ns = NS_PER_S,
					.wind_up_ns = NS_PER_S,
					.session = asking_session };
	pthread_t host;
	int ends[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	port_init(&port, ends[0]);
	cr_assert_eq(pthread_create(&host, NULL, answer, &ends[1]), 0);
	cr_expect_eq(supervisor_run(&spec, &err), 42, "%s", err.text);
	port_done(&port);
	cr_assert_eq(pthread_join(host, NULL), 0);
	(void)close(ends[1]);
}

/* In virtual time. PID 1 is a thread, and the host is what a round calls. */

static struct {
	struct freeze freeze;
	pthread_t init;
	_Atomic(bool) is_over;
	struct {
		struct job_replies head;
		uint8_t frames[JOB_REPLIES_MAX];
	} * area;
	unsigned int rounds;
	unsigned int answered_round; /* 0: never */
	uint32_t length;	     /* to lie with; 0: the truth */
} still;

static void *play_init(void *arg)
{
	struct ktstr_error ignored = { 0 };

	while (!still.is_over) {
		struct pollfd poll_fd = { .fd = channel.frames_fd, .events = POLLIN };

		(void)poll(&poll_fd, 1, 1);
		(void)channel_receive(&receiver, &port, &ignored);
	}
	return arg;
}

static int play_round(struct freeze *freeze, struct ktstr_error *round_err)
{
	struct wire_snapshot_reply reply;
	uint8_t first;

	(void)freeze;
	(void)round_err;
	/* The host has what it is to answer. */
	cr_assert_eq(recv(sent_fd, &first, 1, MSG_PEEK | MSG_DONTWAIT), 1);
	if (++still.rounds != still.answered_round)
		return 0;
	wire_snapshot_reply_init(&reply, 1, WIRE_SNAPSHOT_OK, "");
	wire_header_encode(KTSTR_MSG_SNAPSHOT_REPLY, &reply, sizeof(reply), still.area->frames);
	memcpy(still.area->frames + WIRE_HEADER_SIZE, &reply, sizeof(reply));
	still.area->head.number++;
	still.area->head.length =
		still.length ? still.length : (uint32_t)(WIRE_HEADER_SIZE + sizeof(reply));
	return 0;
}

static void setup_still(void)
{
	setup();
	memset(&still, 0, sizeof(still));
	still.area = calloc(1, sizeof(*still.area));
	freeze_init(&still.freeze, 1, &still.area->head);
	still.freeze.round = play_round;
	requester_use_freeze(&requester, &still.freeze);
	cr_assert_eq(pthread_create(&still.init, NULL, play_init, NULL), 0);
}

static void teardown_still(void)
{
	still.is_over = true;
	(void)pthread_join(still.init, NULL);
	free(still.area);
	is_stopping = 0;
	teardown();
}

TestSuite(request_still, .init = setup_still, .fini = teardown_still, .timeout = 60);

Test(request_still, the_answer_is_there_when_the_guest_goes_on)
{
	still.answered_round = 1;
	cr_expect_eq(ask("t"), 0, "%s", err.text);
	cr_expect_eq(still.rounds, 1);
}

Test(request_still, who_is_not_answered_stands_still_again)
{
	still.answered_round = 3;
	cr_expect_eq(ask("t"), 0, "%s", err.text);
	cr_expect_eq(still.rounds, 3);
}

Test(request_still, an_answer_is_taken_once)
{
	still.answered_round = 1;
	cr_expect_eq(ask("t"), 0, "%s", err.text);
	cr_expect_eq(ask("u"), -ETIMEDOUT);
	cr_expect_str_eq(err.text, "the host did not answer 2000 times");
	cr_expect_eq(still.rounds, 1 + FREEZE_ROUNDS_MAX);
}

Test(request_still, an_answer_of_impossible_length_is_none)
{
	still.answered_round = 1;
	still.length = JOB_REPLIES_MAX + 1;
	cr_expect_eq(ask("t"), -EBADMSG);
	cr_expect_str_eq(err.text, "the host's answer is longer than any can be");
}

Test(request_still, who_is_to_stop_asks_no_more)
{
	is_stopping = 1;
	cr_expect_eq(ask("t"), -ECANCELED);
	cr_expect_eq(still.rounds, 0);
}

Test(request_still, without_a_port_replies_come_as_ever)
{
	still.freeze.port = 0;
	requester_use_freeze(&requester, &still.freeze);
	reply_snapshot(1, WIRE_SNAPSHOT_OK, "");
	cr_expect_eq(ask("t"), 0, "%s", err.text);
	cr_expect_eq(still.rounds, 0);
}
