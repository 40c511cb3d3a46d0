/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/stats.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "guest/port.h"
#include "wire/types.h"

#define PORTS "/sys/class/virtio-ports"
#define DEV "/dev"
#define PORT_TIMEOUT_NS (60 * NS_PER_S)
#define REPLY_BYTES ((size_t)64 * 1024)
/* As the session: its work must not be the scheduler's that is under test. */
#define PRIORITY 1

struct stats {
	int port_fd;
	const char *socket_path;
	int socket_fd; /* -1: nobody serves */
	/* Towards the server: lines that came from the port. */
	size_t request_length; /* bytes in `request` */
	size_t request_sent;   /* of its first line */
	bool is_retry;	       /* of its first line, after a server that was gone */
	bool is_skipping;      /* a request that was too long, up to its newline */
	/* Towards the port. */
	size_t reply_start;
	size_t reply_end;
	bool is_mid_line;     /* the port has a part of a line */
	uint32_t outstanding; /* requests that the server did not reply to yet */
	uint32_t owed;	      /* replies that we give in its place */
	char request[STATS_REQUEST_MAX];
	char reply[REPLY_BYTES];
};

/* The length of the first line with its newline; 0: it is not whole yet. */
static size_t first_line(const struct stats *stats)
{
	const char *end = memchr(stats->request, '\n', stats->request_length);

	return end ? (size_t)(end - stats->request) + 1 : 0;
}

static void drop_request(struct stats *stats, size_t length)
{
	stats->request_length -= length;
	memmove(stats->request, stats->request + length, stats->request_length);
	stats->request_sent = 0;
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)str_copy(address.sun_path, sizeof(address.sun_path), path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -1;
	return steal_fd(&fd);
}

/* Whatever it did not reply to, we do. */
static void lose_server(struct stats *stats)
{
	(void)close(stats->socket_fd); /* it is gone */
	stats->socket_fd = -1;
	stats->owed += stats->outstanding;
	stats->outstanding = 0;
	stats->request_sent = 0; /* half a request is none */
}

static void send_request(struct stats *stats, size_t length)
{
	ssize_t n = send(stats->socket_fd, stats->request + stats->request_sent,
			 length - stats->request_sent, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		/* It may have been gone for long, and another one be there. */
		lose_server(stats);
		if (stats->is_retry) {
			stats->owed++;
			drop_request(stats, length);
		}
		stats->is_retry = !stats->is_retry;
		return;
	}
	stats->request_sent += (size_t)n;
	if (stats->request_sent == length) {
		stats->outstanding++;
		stats->is_retry = false;
		drop_request(stats, length);
	}
}

/* One line of the port to the server, as far as it takes it. */
static void serve_request(struct stats *stats)
{
	size_t length = first_line(stats);

	if (length == 0)
		return;
	if (stats->socket_fd < 0)
		stats->socket_fd = connect_to(stats->socket_path);
	if (stats->socket_fd >= 0) {
		send_request(stats, length);
		return;
	}
	stats->owed++;
	drop_request(stats, length);
}

/* Of a line that is longer than the room for it nothing is kept. */
static void bound_request(struct stats *stats)
{
	size_t length;

	if (!stats->is_skipping && stats->request_length < STATS_REQUEST_MAX)
		return;
	length = first_line(stats);
	if (!stats->is_skipping && length > 0)
		return;
	stats->is_skipping = length == 0;
	drop_request(stats, length > 0 ? length : stats->request_length);
	if (!stats->is_skipping)
		stats->owed++;
}

/* 0, or -ENODATA when nothing will come any more. */
static int read_port(struct stats *stats)
{
	ssize_t n = read(stats->port_fd, stats->request + stats->request_length,
			 STATS_REQUEST_MAX - stats->request_length);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -ENODATA;
	stats->request_length += (size_t)n;
	bound_request(stats);
	return n == 0 ? -ENODATA : 0;
}

static void read_server(struct stats *stats)
{
	ssize_t n = recv(stats->socket_fd, stats->reply, REPLY_BYTES, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		lose_server(stats);
		return;
	}
	stats->reply_start = 0;
	stats->reply_end = (size_t)n;
	for (ssize_t i = 0; i < n; i++)
		if (stats->reply[i] == '\n' && stats->outstanding > 0)
			stats->outstanding--;
	stats->is_mid_line = stats->reply[n - 1] != '\n';
}

/* Something of our own to the port, once nothing of the server's is in the way. */
static void make_reply(struct stats *stats)
{
	static const char text[] = STATS_NOBODY;

	if (stats->reply_start < stats->reply_end || (stats->is_mid_line && stats->socket_fd >= 0))
		return;
	stats->reply_start = stats->reply_end = 0;
	if (stats->is_mid_line) {
		/* What was cut off stands for its reply. */
		stats->reply[stats->reply_end++] = '\n';
		stats->is_mid_line = false;
	} else if (stats->owed > 0) {
		memcpy(stats->reply, text, sizeof(text) - 1);
		stats->reply_end = sizeof(text) - 1;
	}
	if (stats->owed > 0)
		stats->owed--;
}

static int write_port(struct stats *stats)
{
	ssize_t n = write(stats->port_fd, stats->reply + stats->reply_start,
			  stats->reply_end - stats->reply_start);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -ENODATA;
	stats->reply_start += (size_t)n;
	return 0;
}

static int serve(struct stats *stats)
{
	bool has_reply, wants_server;
	struct pollfd fds[2];
	int rc = 0;

	make_reply(stats);
	has_reply = stats->reply_start < stats->reply_end;
	wants_server = stats->socket_fd >= 0 && first_line(stats) > 0;
	fds[0] = (struct pollfd){ .fd = stats->port_fd };
	if (stats->request_length < STATS_REQUEST_MAX)
		fds[0].events |= POLLIN;
	if (has_reply)
		fds[0].events |= POLLOUT;
	/* A server that has gone would be news all the time while its last words cannot be passed
	 * on. */
	fds[1] = (struct pollfd){ .fd = has_reply && !wants_server ? -1 : stats->socket_fd };
	if (!has_reply)
		fds[1].events |= POLLIN;
	if (wants_server)
		fds[1].events |= POLLOUT;
	/* What waits for a server looks for one at once. */
	if (poll(fds, 2, stats->socket_fd < 0 && first_line(stats) > 0 ? 0 : -1) < 0)
		return errno == EINTR ? 0 : -errno;
	if (fds[0].revents & POLLIN)
		rc = read_port(stats);
	else if (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL))
		return -ENODATA;
	if (rc == 0 && (fds[0].revents & POLLOUT))
		rc = write_port(stats);
	if (stats->socket_fd >= 0 && !has_reply && fds[1].revents & (POLLIN | POLLHUP | POLLERR))
		read_server(stats);
	if (rc == 0)
		serve_request(stats);
	return rc;
}

void stats_relay(int port_fd, const char *socket_path)
{
	_cleanup_free_ struct stats *stats = calloc(1, sizeof(*stats));
	int flags = fcntl(port_fd, F_GETFL);

	if (!stats || flags < 0 || fcntl(port_fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return;
	stats->port_fd = port_fd;
	stats->socket_path = socket_path;
	stats->socket_fd = -1;
	while (serve(stats) == 0)
		;
	if (stats->socket_fd >= 0)
		(void)close(stats->socket_fd); /* nobody waits for what is left */
}

__attribute__((noreturn)) static void stats_main(void)
{
	static const int crashes[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
	struct sched_param priority = { .sched_priority = PRIORITY };
	struct ktstr_error err;
	int fd;

	/* What PID 1 says when it crashes is not ours to say. */
	for (size_t i = 0; i < ARRAY_SIZE(crashes); i++)
		(void)signal(crashes[i], SIG_DFL);
	(void)prctl(PR_SET_NAME, "ktstr-stats");
	(void)close_range(STDERR_FILENO + 1, ~0U, 0); /* the bulk port has one writer */
	(void)sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &priority); /* or without */
	fd = port_open(PORTS, DEV, WIRE_PORT_STATS, PORT_TIMEOUT_NS, &err);
	if (fd >= 0)
		stats_relay(fd, STATS_SOCKET);
	_exit(0);
}

void stats_start(void)
{
	if (fork() == 0)
		stats_main();
}
