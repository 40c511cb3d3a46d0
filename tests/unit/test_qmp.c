/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/qmp.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/str.h"

#define GREETING "{\"QMP\": {\"version\": {}, \"capabilities\": [\"oob\"]}}\r\n"
#define NEGOTIATED "{\"return\": {}, \"id\": 1}\r\n"
#define CAPABILITIES "{\"execute\":\"qmp_capabilities\",\"id\":1}\n"
/* Long enough for any machine; only a failing test waits for it. */
#define LONG_NS (20 * NS_PER_S)

struct fixture {
	struct qmp *qmp;
	int peer;
	struct str events; /* "NAME reason;" each */
	struct ktstr_error err;
};

static void note_event(void *arg, const char *name, const json_t *data)
{
	const char *reason = json_string_value(json_object_get(data, "reason"));
	struct fixture *f = arg;

	cr_assert_eq(str_addf(&f->events, "%s %s;", name, reason ? reason : "-"), 0);
}

static void set_up(struct fixture *f)
{
	int ends[2];

	*f = (struct fixture){ 0 };
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	f->peer = ends[1];
	cr_assert_eq(qmp_new(ends[0], note_event, f, &f->qmp, &f->err), 0);
}

static void tear_down(struct fixture *f)
{
	qmp_free(f->qmp);
	if (f->peer >= 0)
		(void)close(f->peer);
	str_done(&f->events);
}

static void say(struct fixture *f, const char *text)
{
	cr_assert_eq(io_write_all(f->peer, text, strlen(text)), 0);
}

static void expect_heard(struct fixture *f, const char *text)
{
	char heard[1024] = "";
	ssize_t n = recv(f->peer, heard, sizeof(heard) - 1, MSG_DONTWAIT);

	cr_expect_eq(n, (ssize_t)strlen(text));
	cr_expect_str_eq(heard, text);
}

static void hang_up(struct fixture *f)
{
	(void)close(f->peer);
	f->peer = -1;
}

static uint64_t later(void)
{
	return clock_monotonic_ns() + LONG_NS;
}

Test(qmp, negotiates_without_waiting_for_the_greeting)
{
	struct fixture f;

	set_up(&f);
	expect_heard(&f, CAPABILITIES);
	tear_down(&f);
}

Test(qmp, handshake_takes_greeting_and_answer)
{
	struct fixture f;

	set_up(&f);
	say(&f, GREETING NEGOTIATED);
	cr_expect_eq(qmp_handshake(f.qmp, later(), &f.err), 0, "%s", f.err.text);
	cr_expect_eq(qmp_handshake(f.qmp, 0, &f.err), 0, "a second time costs nothing");
	tear_down(&f);
}

Test(qmp, handshake_ends_at_its_deadline)
{
	struct fixture f;

	set_up(&f);
	say(&f, GREETING);
	cr_expect_eq(qmp_handshake(f.qmp, clock_monotonic_ns() + NS_PER_MS, &f.err), -ETIMEDOUT);
	cr_expect_str_eq(f.err.text, "QEMU's monitor does not answer");
	tear_down(&f);
}

Test(qmp, handshake_tells_a_refusal)
{
	struct fixture f;

	set_up(&f);
	say(&f, GREETING "{\"error\": {\"class\": \"X\", \"desc\": \"no way\"}, \"id\": 1}\n");
	cr_expect_eq(qmp_handshake(f.qmp, later(), &f.err), -EREMOTEIO);
	cr_expect_str_eq(f.err.text, "QEMU refused 'qmp_capabilities': no way");
	tear_down(&f);
}

Test(qmp, handshake_tells_that_qemu_is_gone)
{
	struct fixture f;

	set_up(&f);
	hang_up(&f);
	cr_expect_eq(qmp_handshake(f.qmp, later(), &f.err), -EPIPE);
	cr_expect_str_eq(f.err.text, "QEMU's monitor is gone");
	tear_down(&f);
}

Test(qmp, execute_returns_what_belongs_to_the_command)
{
	struct fixture f;
	json_t *answer = NULL;

	set_up(&f);
	say(&f, GREETING NEGOTIATED "{\"event\": \"STOP\"}\n"
				    "{\"return\": {\"a\": 1}, \"id\": 77}\n"
				    "{\"return\": {\"a\": 2}, \"id\": 2}\n"
				    "{\"event\": \"RESUME\"}\n");
	cr_assert_eq(qmp_execute(f.qmp, "query-status", NULL, later(), &answer, &f.err), 0, "%s",
		     f.err.text);
	cr_expect_eq(json_integer_value(json_object_get(answer, "a")), 2);
	json_decref(answer);
	cr_expect_str_eq(str_text(&f.events), "STOP -;RESUME -;");
	expect_heard(&f, CAPABILITIES "{\"execute\":\"query-status\",\"id\":2}\n");
	tear_down(&f);
}

Test(qmp, execute_sends_arguments)
{
	struct fixture f;

	set_up(&f);
	say(&f, GREETING NEGOTIATED "{\"return\": {}, \"id\": 2}\n");
	cr_expect_eq(qmp_execute(f.qmp, "x", json_pack("{s:i}", "n", 7), later(), NULL, &f.err), 0);
	expect_heard(&f, CAPABILITIES "{\"execute\":\"x\",\"id\":2,\"arguments\":{\"n\":7}}\n");
	tear_down(&f);
}

Test(qmp, execute_tells_a_refusal_in_qemus_words_made_safe)
{
	struct fixture f;
	json_t *answer = NULL;

	set_up(&f);
	say(&f, "{\"error\": {\"class\": \"X\", \"desc\": \"bad\\u001b[2J thing\"}, \"id\": 2}\n");
	cr_expect_eq(qmp_execute(f.qmp, "stop", NULL, later(), &answer, &f.err), -EREMOTEIO);
	cr_expect_str_eq(f.err.text, "QEMU refused 'stop': bad?[2J thing");
	cr_expect_null(answer);
	tear_down(&f);
}

Test(qmp, execute_tells_a_refusal_without_words)
{
	struct fixture f;

	set_up(&f);
	say(&f, "{\"error\": {}, \"id\": 2}\n");
	cr_expect_eq(qmp_execute(f.qmp, "stop", NULL, later(), NULL, &f.err), -EREMOTEIO);
	cr_expect_str_eq(f.err.text, "QEMU refused 'stop': it does not say why");
	tear_down(&f);
}

Test(qmp, execute_takes_an_error_without_id_as_its_answer)
{
	struct fixture f;

	set_up(&f);
	say(&f, "{\"error\": {\"desc\": \"not JSON\"}}\n");
	cr_expect_eq(qmp_execute(f.qmp, "stop", NULL, later(), NULL, &f.err), -EREMOTEIO);
	cr_expect_str_eq(f.err.text, "QEMU refused 'stop': not JSON");
	tear_down(&f);
}

Test(qmp, execute_ends_at_its_deadline_and_drops_the_late_answer)
{
	struct fixture f;
	json_t *answer = NULL;

	set_up(&f);
	cr_expect_eq(
		qmp_execute(f.qmp, "stop", NULL, clock_monotonic_ns() + NS_PER_MS, NULL, &f.err),
		-ETIMEDOUT);
	cr_expect_str_eq(f.err.text, "command 'stop': QEMU's monitor does not answer");
	say(&f, "{\"return\": {\"late\": 1}, \"id\": 2}\n{\"return\": {}, \"id\": 3}\n");
	cr_expect_eq(qmp_execute(f.qmp, "cont", NULL, later(), &answer, &f.err), 0);
	cr_expect_eq(json_object_size(answer), 0);
	json_decref(answer);
	tear_down(&f);
}

Test(qmp, execute_takes_an_answer_that_came_just_before_the_end)
{
	struct fixture f;

	set_up(&f);
	say(&f, GREETING NEGOTIATED "{\"return\": {}, \"id\": 2}\n");
	/* What the peer has not read goes with it. */
	cr_assert_eq(shutdown(f.peer, SHUT_WR), 0);
	cr_expect_eq(qmp_execute(f.qmp, "quit", NULL, later(), NULL, &f.err), 0, "%s", f.err.text);
	cr_expect_eq(qmp_read(f.qmp, &f.err), -EPIPE);
	tear_down(&f);
}

Test(qmp, execute_tells_that_qemu_is_gone)
{
	struct fixture f;

	set_up(&f);
	hang_up(&f);
	cr_expect_eq(qmp_execute(f.qmp, "stop", NULL, later(), NULL, &f.err), -EPIPE);
	cr_expect_str_eq(f.err.text, "command 'stop': QEMU's monitor is gone");
	tear_down(&f);
}

Test(qmp, read_delivers_a_line_in_pieces)
{
	struct fixture f;

	set_up(&f);
	say(&f, "{\"event\": \"SHUT");
	cr_expect_eq(qmp_read(f.qmp, &f.err), 0);
	cr_expect_str_eq(str_text(&f.events), "");
	say(&f, "DOWN\", \"data\": {\"reason\": \"guest-reset\"}}\r");
	cr_expect_eq(qmp_read(f.qmp, &f.err), 0);
	cr_expect_str_eq(str_text(&f.events), "");
	say(&f, "\n");
	cr_expect_eq(qmp_read(f.qmp, &f.err), 0);
	cr_expect_str_eq(str_text(&f.events), "SHUTDOWN guest-reset;");
	tear_down(&f);
}

Test(qmp, read_delivers_the_last_words_before_the_end)
{
	struct fixture f;

	set_up(&f);
	say(&f, "{\"event\": \"SHUTDOWN\", \"data\": {\"reason\": \"guest-shutdown\"}}\n");
	hang_up(&f);
	cr_expect_eq(qmp_read(f.qmp, &f.err), -EPIPE);
	cr_expect_str_eq(str_text(&f.events), "SHUTDOWN guest-shutdown;");
	cr_expect_str_eq(f.err.text, "QEMU's monitor is gone");
	tear_down(&f);
}

Test(qmp, read_drops_answers_to_what_was_sent)
{
	struct fixture f;

	set_up(&f);
	cr_expect_eq(qmp_send(f.qmp, "quit", NULL, &f.err), 0);
	expect_heard(&f, CAPABILITIES "{\"execute\":\"quit\",\"id\":2}\n");
	say(&f, "{\"return\": {}, \"id\": 2}\n\n{\"event\": \"A\"}\n");
	cr_expect_eq(qmp_read(f.qmp, &f.err), 0);
	cr_expect_str_eq(str_text(&f.events), "A -;");
	tear_down(&f);
}

Test(qmp, read_refuses_what_is_no_qmp_and_stays_so)
{
	static const struct {
		const char *said, *shown;
	} cases[] = {
		{ "hello\x1b\n", "hello?" },
		{ "{}\n", "{}" },
		{ "[1]\n", "[1]" },
		{ "{\"event\": 3}\n", "{\"event\": 3}" },
		{ "{\"event\": \"A\"\n", "{\"event\": \"A\"" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char expected[200];
		struct fixture f;

		set_up(&f);
		(void)snprintf(expected, sizeof(expected),
			       "QEMU's monitor said what is no QMP: '%s'", cases[i].shown);
		say(&f, cases[i].said);
		cr_expect_eq(qmp_read(f.qmp, &f.err), -EPROTO);
		cr_expect_str_eq(f.err.text, expected);
		f.err = (struct ktstr_error){ 0 };
		say(&f, "{\"event\": \"A\"}\n");
		cr_expect_eq(qmp_read(f.qmp, &f.err), -EPROTO);
		cr_expect_str_eq(f.err.text, expected);
		cr_expect_eq(qmp_send(f.qmp, "quit", NULL, &f.err), -EPROTO);
		cr_expect_eq(qmp_execute(f.qmp, "quit", json_object(), later(), NULL, &f.err),
			     -EPROTO);
		cr_expect_str_eq(str_text(&f.events), "");
		tear_down(&f);
	}
}

/* More than a socket holds, so that it must be said from beside. */
static void *say_a_long_line(void *arg)
{
	static const char block[65536] = { [0 ... 65535] = 'x' };
	const int *peer = arg;
	int rc = 0;

	for (size_t sent = 0; sent < 2 * (size_t)QMP_LINE_MAX && rc == 0; sent += sizeof(block))
		rc = (int)send(*peer, block, sizeof(block), MSG_NOSIGNAL) < 0 ? -1 : 0;
	return NULL;
}

Test(qmp, read_bounds_the_length_of_a_line)
{
	struct fixture f;
	pthread_t speaker;
	int rc = 0;

	set_up(&f);
	cr_assert_eq(pthread_create(&speaker, NULL, say_a_long_line, &f.peer), 0);
	while (rc == 0) {
		struct pollfd poll_fd = { .fd = qmp_fd(f.qmp), .events = POLLIN };

		cr_assert_eq(poll(&poll_fd, 1, 20000), 1);
		rc = qmp_read(f.qmp, &f.err);
	}
	cr_expect_eq(rc, -EPROTO);
	cr_expect_str_eq(f.err.text, "QEMU's monitor sent a line of more than 1048576 bytes");
	(void)shutdown(f.peer, SHUT_RDWR);
	cr_assert_eq(pthread_join(speaker, NULL), 0);
	tear_down(&f);
}

Test(qmp, send_is_bounded_when_qemu_does_not_read)
{
	const int small = 1;
	struct fixture f;
	int rc = 0;

	set_up(&f);
	cr_assert_eq(setsockopt(qmp_fd(f.qmp), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	for (int i = 0; i < 100000 && rc == 0; i++)
		rc = qmp_send(f.qmp, "query-status", NULL, &f.err);
	cr_expect_eq(rc, -ENOBUFS);
	cr_expect_str_eq(f.err.text, "cannot send 'query-status': QEMU does not read its monitor");
	tear_down(&f);
}

Test(qmp, what_the_socket_did_not_take_is_sent_later)
{
	static char heard[1 << 20];
	const int small = 1;
	struct fixture f;
	size_t length = 0;
	int sent = 0;

	set_up(&f);
	cr_assert_eq(setsockopt(qmp_fd(f.qmp), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	while (qmp_send(f.qmp, "x", NULL, &f.err) == 0)
		sent++;
	for (ssize_t n = 1; n > 0; length += n > 0 ? (size_t)n : 0) {
		n = recv(f.peer, heard + length, sizeof(heard) - 1 - length, MSG_DONTWAIT);
		cr_assert_eq(qmp_read(f.qmp, &f.err), 0);
	}
	for (const char *at = heard; (at = strstr(at, "\"x\"")); at++)
		sent--;
	cr_expect_eq(sent, 0);
	cr_expect_eq(heard[length - 1], '\n');
	tear_down(&f);
}

Test(qmp, send_tells_that_qemu_is_gone)
{
	struct fixture f;

	set_up(&f);
	hang_up(&f);
	cr_expect_eq(qmp_send(f.qmp, "quit", NULL, &f.err), -EPIPE);
	cr_expect_str_eq(f.err.text, "QEMU's monitor is gone");
	tear_down(&f);
}

Test(qmp, new_reads_what_a_qemu_left_that_is_gone)
{
	struct fixture f = { .peer = -1 };
	int ends[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	cr_assert_eq(io_write_all(ends[1], "{\"event\": \"A\"}\n", 15), 0);
	(void)close(ends[1]);
	cr_assert_eq(qmp_new(ends[0], note_event, &f, &f.qmp, &f.err), 0);
	cr_expect_eq(qmp_read(f.qmp, &f.err), -EPIPE);
	cr_expect_str_eq(str_text(&f.events), "A -;");
	tear_down(&f);
}

Test(qmp, new_fails_on_a_dead_descriptor)
{
	struct ktstr_error err = { 0 };
	struct qmp *qmp = NULL;

	cr_expect_eq(qmp_new(-1, note_event, NULL, &qmp, &err), -EBADF);
	cr_expect_str_eq(err.text, "cannot talk to QEMU: Bad file descriptor");
	cr_expect_null(qmp);
}

Test(qmp, free_accepts_null)
{
	qmp_free(NULL);
}
