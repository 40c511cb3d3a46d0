/* SPDX-License-Identifier: GPL-2.0-only */
#include "coord/stats.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "run/stats.h"

static char folder[64];
static int guest_fd; /* the guest's end of the port */
static int port_fd;
static struct run_stats stats;
static struct ktstr_error err;

static void setup(void)
{
	int ends[2];

	(void)snprintf(folder, sizeof(folder), "/tmp/ktstr-stats-XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	guest_fd = ends[0];
	port_fd = ends[1];
	cr_assert_eq(fcntl(port_fd, F_SETFL, O_NONBLOCK), 0);
}

static const char *path_of(const char *name)
{
	static char path[100];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void teardown(void)
{
	run_stats_stop(&stats);
	(void)close(guest_fd);
	(void)close(port_fd);
	(void)unlink(path_of(RUN_STATS_LOG));
	(void)unlink(path_of(RUN_STATS_SOCKET));
	(void)rmdir(folder);
}

TestSuite(stats, .init = setup, .fini = teardown, .timeout = 60);

static void begin(uint64_t interval_ns)
{
	cr_assert_eq(run_stats_start(&stats, folder, port_fd, interval_ns, 1, &err), 0, "%s",
		     err.text);
}

static int client(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path_of(RUN_STATS_SOCKET));
	cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
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

static void expect_end(int fd)
{
	char byte;

	cr_expect_leq(read(fd, &byte, 1), 0);
	(void)close(fd);
}

/* The @number-th line of the log, once it is there; to be freed by json_decref(). */
static json_t *logged(size_t number)
{
	char line[4096];
	json_t *json = NULL;

	while (!json) {
		FILE *file = fopen(path_of(RUN_STATS_LOG), "r");

		cr_assert_not_null(file);
		for (size_t i = 0; i <= number && fgets(line, sizeof(line), file); i++)
			if (i == number && strchr(line, '\n'))
				json = json_loads(line, 0, NULL);
		(void)fclose(file);
		(void)usleep(1000); /* between two looks */
	}
	return json;
}

Test(stats, brings_each_reply_to_its_asker)
{
	int one, two;

	begin(0);
	one = client();
	two = client();
	say(one, "a\n");
	hear(guest_fd, "a\n");
	/* The second waits until the first has its reply. */
	say(two, "b\nc\n");
	say(guest_fd, "A\n");
	hear(one, "A\n");
	hear(guest_fd, "b\n");
	say(guest_fd, "B");
	say(guest_fd, "B\n");
	hear(two, "BB\n");
	hear(guest_fd, "c\n");
	say(guest_fd, "C\n");
	hear(two, "C\n");
	(void)close(one);
	(void)close(two);
}

Test(stats, lets_nobody_have_the_reply_of_who_hung_up)
{
	int one, two;

	begin(0);
	one = client();
	say(one, "a\n");
	hear(guest_fd, "a\n");
	(void)close(one);
	two = client();
	say(two, "b\n");
	say(guest_fd, "A\n");
	hear(guest_fd, "b\n");
	say(guest_fd, "B\n");
	hear(two, "B\n");
	(void)close(two);
}

Test(stats, serves_who_has_said_all)
{
	int fd;

	begin(0);
	fd = client();
	say(fd, "a\n");
	cr_assert_eq(shutdown(fd, SHUT_WR), 0);
	hear(guest_fd, "a\n");
	say(guest_fd, "A\n");
	hear(fd, "A\n");
	expect_end(fd);
}

Test(stats, hangs_up_on_endless_requests)
{
	static char text[STATS_REQUEST_MAX + 8192];
	int fd;

	begin(0);
	fd = client();
	memset(text, 'x', sizeof(text));
	for (size_t at = 0; at < sizeof(text);) {
		ssize_t n = send(fd, text + at, sizeof(text) - at, MSG_NOSIGNAL);

		if (n <= 0)
			break;
		at += (size_t)n;
	}
	expect_end(fd);
}

Test(stats, passes_on_no_endless_reply)
{
	static char text[STATS_REPLY_MAX + 100];
	int fd;

	begin(0);
	fd = client();
	say(fd, "a\n");
	hear(guest_fd, "a\n");
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\n';
	for (size_t at = 0; at < sizeof(text);) {
		ssize_t n = write(guest_fd, text + at, sizeof(text) - at);

		cr_assert_gt(n, 0);
		at += (size_t)n;
	}
	hear(fd, "{\"ktstr_relay_error\":\"the reply is too long\"}\n");
	say(fd, "b\n");
	hear(guest_fd, "b\n");
	say(guest_fd, "B\n");
	hear(fd, "B\n");
	(void)close(fd);
}

Test(stats, keeps_replies_to_our_own_requests)
{
	json_t *line;

	begin(20000000);
	hear(guest_fd, STATS_REQUEST);
	say(guest_fd, "{\"errno\":0,\"args\":{\"resp\":{\"x\":1}}}\n");
	line = logged(0);
	cr_expect_gt(json_integer_value(json_object_get(line, "at_ns")), 0);
	cr_expect_not_null(json_object_get(json_object_get(line, "reply"), "args"));
	json_decref(line);
	hear(guest_fd, STATS_REQUEST);
	say(guest_fd, "no json\n");
	line = logged(1);
	cr_expect_str_eq(json_string_value(json_object_get(line, "error")), "the reply is no JSON");
	json_decref(line);
}

Test(stats, says_when_no_reply_comes)
{
	json_t *line;

	begin(10000000);
	hear(guest_fd, STATS_REQUEST);
	say(guest_fd, "{}\n");
	hear(guest_fd, STATS_REQUEST);
	/* Nothing but the clock. */
	line = logged(1);
	cr_expect_str_eq(json_string_value(json_object_get(line, "error")), "no reply yet");
	json_decref(line);
}

Test(stats, leaves_no_socket)
{
	begin(0);
	cr_expect_eq(access(path_of(RUN_STATS_SOCKET), F_OK), 0);
	cr_expect_eq(access(path_of(RUN_STATS_LOG), F_OK), -1);
	run_stats_stop(&stats);
	cr_expect_eq(access(path_of(RUN_STATS_SOCKET), F_OK), -1);
	run_stats_stop(&stats);
}

Test(stats, ends_when_the_guest_does)
{
	int fd;

	begin(0);
	fd = client();
	(void)shutdown(guest_fd, SHUT_RDWR);
	expect_end(fd);
}

Test(stats, can_do_without_a_socket)
{
	FILE *file = fopen(path_of(RUN_STATS_SOCKET), "w");

	cr_assert_not_null(file);
	(void)fclose(file);
	begin(0);
	cr_expect_null(stats.socket_path);
	cr_expect_not(stats.has_thread);
}

Test(stats, a_log_that_cannot_be_made_is_told)
{
	char text[200];

	(void)snprintf(text, sizeof(text),
		       "cannot create '%s/nowhere/stats.jsonl': No such file or "
		       "directory",
		       folder);
	cr_expect_eq(run_stats_start(&stats, path_of("nowhere"), port_fd, 1, 1, &err), -ENOENT);
	cr_expect_str_eq(err.text, text);
}
