/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/stats.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static char folder[64];
static char path[100];
static int host_fd;  /* our end of the port */
static int guest_fd; /* the relay's */
static pthread_t relay;

static void *run_relay(void *arg)
{
	(void)arg;
	stats_relay(guest_fd, path);
	return NULL;
}

static void setup(void)
{
	int ends[2];

	(void)snprintf(folder, sizeof(folder), "/tmp/ktstr-stats-XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/stats", folder);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	host_fd = ends[0];
	guest_fd = ends[1];
	cr_assert_eq(pthread_create(&relay, NULL, run_relay, NULL), 0);
}

/* The relay ends with the port. */
static void teardown(void)
{
	(void)close(host_fd);
	(void)pthread_join(relay, NULL);
	(void)close(guest_fd);
	(void)unlink(path);
	(void)rmdir(folder);
}

TestSuite(guest_stats, .init = setup, .fini = teardown, .timeout = 60);

static int listen_there(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(fd, 1), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	cr_assert_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* The next bytes are @text. */
static void hear(int fd, const char *text)
{
	char heard[256] = "";
	size_t length = strlen(text), at = 0;

	while (at < length) {
		ssize_t n = read(fd, heard + at, length - at);

		cr_assert_gt(n, 0, "'%s' after '%s'", text, heard);
		at += (size_t)n;
	}
	cr_expect_str_eq(heard, text);
}

Test(guest_stats, says_that_nobody_serves)
{
	say(host_fd, "{\"req\":\"stats\"}\n");
	hear(host_fd, STATS_NOBODY);
	say(host_fd, "a\nb\n");
	hear(host_fd, STATS_NOBODY STATS_NOBODY);
}

Test(guest_stats, passes_both_ways)
{
	int listener = listen_there(), server;

	say(host_fd, "one\n");
	server = accept(listener, NULL, NULL);
	hear(server, "one\n");
	say(server, "{\"errno\":0}\n");
	hear(host_fd, "{\"errno\":0}\n");
	say(host_fd, "two\nthr");
	hear(server, "two\n");
	say(host_fd, "ee\n");
	hear(server, "three\n");
	say(server, "2\n3\n");
	hear(host_fd, "2\n3\n");
	(void)close(server);
	(void)close(listener);
}

Test(guest_stats, finds_a_server_that_comes_later_and_again)
{
	int listener, server;

	say(host_fd, "early\n");
	hear(host_fd, STATS_NOBODY);
	listener = listen_there();
	for (int i = 0; i < 2; i++) {
		say(host_fd, "late\n");
		server = accept(listener, NULL, NULL);
		hear(server, "late\n");
		say(server, "yes\n");
		hear(host_fd, "yes\n");
		/* The relay sees the end, and connects anew for the next request. */
		(void)close(server);
		say(host_fd, "gone?\n");
		server = accept(listener, NULL, NULL);
		hear(server, "gone?\n");
		say(server, "no\n");
		hear(host_fd, "no\n");
		(void)close(server);
	}
	(void)close(listener);
}

Test(guest_stats, replies_for_a_server_that_went_away)
{
	int listener = listen_there(), server;

	say(host_fd, "one\ntwo\n");
	server = accept(listener, NULL, NULL);
	hear(server, "one\ntwo\n");
	say(server, "1\n");
	hear(host_fd, "1\n");
	(void)close(server);
	hear(host_fd, STATS_NOBODY);
	(void)close(listener);
}

static uint64_t relay_cpu_ns(void)
{
	struct timespec used;
	clockid_t clock;

	cr_assert_eq(pthread_getcpuclockid(relay, &clock), 0);
	cr_assert_eq(clock_gettime(clock, &used), 0);
	return (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}

/* It is a real-time task: it must not spin. */
Test(guest_stats, rests_while_nobody_reads_the_last_words_of_a_server)
{
	static const struct timespec window = { .tv_nsec = 300000000 };
	static char text[1 << 16];
	int listener = listen_there(), server;
	uint64_t before_ns;

	memset(text, 'x', sizeof(text));
	say(host_fd, "one\n");
	server = accept(listener, NULL, NULL);
	hear(server, "one\n");
	/* Until neither the port nor the relay takes any more. */
	for (struct pollfd room = { .fd = server, .events = POLLOUT }; poll(&room, 1, 200) > 0;)
		cr_assert_gt(send(server, text, sizeof(text), MSG_NOSIGNAL | MSG_DONTWAIT), 0);
	(void)close(server);
	before_ns = relay_cpu_ns();
	(void)nanosleep(&window, NULL); /* what is measured, not what is waited for */
	cr_expect_lt(relay_cpu_ns() - before_ns, 50000000);
	(void)close(listener);
}

Test(guest_stats, ends_a_line_that_was_cut_off)
{
	int listener = listen_there(), server;

	say(host_fd, "one\n");
	server = accept(listener, NULL, NULL);
	hear(server, "one\n");
	say(server, "{\"half");
	hear(host_fd, "{\"half");
	(void)close(server);
	hear(host_fd, "\n");
	(void)close(listener);
	(void)unlink(path);
	say(host_fd, "two\n");
	hear(host_fd, STATS_NOBODY);
}

Test(guest_stats, a_request_without_an_end_is_not_kept)
{
	static char text[3 * STATS_REQUEST_MAX];
	int listener = listen_there(), server;

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\n';
	for (size_t at = 0; at < sizeof(text);) {
		ssize_t n = write(host_fd, text + at, sizeof(text) - at);

		cr_assert_gt(n, 0);
		at += (size_t)n;
	}
	hear(host_fd, STATS_NOBODY);
	say(host_fd, "short\n");
	server = accept(listener, NULL, NULL);
	hear(server, "short\n");
	(void)close(server);
	hear(host_fd, STATS_NOBODY);
	(void)close(listener);
}

Test(guest_stats, a_server_that_does_not_accept_is_none)
{
	int listener = listen_there();
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fds[8];

	/* Fill its queue. */
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	for (size_t i = 0; i < 8; i++) {
		fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)connect(fds[i], (struct sockaddr *)&address, sizeof(address));
	}
	say(host_fd, "one\n");
	hear(host_fd, STATS_NOBODY);
	for (size_t i = 0; i < 8; i++)
		(void)close(fds[i]);
	(void)close(listener);
}
