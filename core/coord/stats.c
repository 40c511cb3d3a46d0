/* SPDX-License-Identifier: GPL-2.0-only */
#include "coord/stats.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/str.h"

/* Who asked: a client's number, or: */
#define NOBODY (-1)
#define GONE (-2) /* a client that hung up: its reply is nobody's */
#define OURSELVES (-3)

/* In the order of the poll set, clients behind them. */
enum {
	FD_STOP,
	FD_PORT,
	FD_LISTEN,
	FD_CLIENTS,
	FD_COUNT = FD_CLIENTS + STATS_CLIENTS_MAX,
};

struct client {
	int fd;		    /* -1: free */
	bool has_ended;	    /* it will ask no more, but waits for what it asked */
	struct str request; /* bytes that it sent, from its first request that is not passed on */
	struct str reply;   /* what it does not have yet */
};

struct stats {
	const struct stats_spec *spec;
	struct client clients[STATS_CLIENTS_MAX];
	int asker;	    /* of the request that is on its way */
	int last;	    /* client that was served last */
	struct str request; /* what the port does not have yet of it */
	struct str reply;   /* what came of its reply */
	bool is_too_long;   /* the reply: only its end is waited for */
	bool has_replied;   /* the guest is up */
	uint64_t due_ns;    /* our own next request, since the start; UINT64_MAX: none */
	uint64_t logged;
	bool has_failed; /* out of memory, or the port is closed */
};

static uint64_t now_ns(const struct stats *stats)
{
	uint64_t now = clock_monotonic_ns();

	return now > stats->spec->start_ns ? now - stats->spec->start_ns : 0;
}

/* Take the first @length bytes away. */
static void str_drop(struct str *str, size_t length)
{
	str->length -= length;
	memmove(str->data, str->data + length, str->length + 1);
}

/* The length of the first line with its newline; 0: none is whole. */
static size_t line_length(const struct str *str)
{
	const char *end = str->length > 0 ? memchr(str->data, '\n', str->length) : NULL;

	return end ? (size_t)(end - str->data) + 1 : 0;
}

static void add(struct stats *stats, struct str *to, const char *bytes, size_t length)
{
	if (str_add_bytes(to, bytes, length) < 0)
		stats->has_failed = true;
}

/* One line of the log: @value, which is taken, as @key. */
static void log_line(struct stats *stats, const char *key, json_t *value)
{
	json_t *line = json_pack("{s:I, s:o}", "at_ns", (json_int_t)now_ns(stats), key, value);
	_cleanup_free_ char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
	size_t length = text ? strlen(text) : 0;

	json_decref(line);
	if (!text || stats->logged + length + 1 > STATS_LOG_MAX)
		return;
	text[length] = '\n';
	/* A full disk is told by those whose records are evidence. */
	(void)io_write_all(stats->spec->log_fd, text, length + 1);
	stats->logged += length + 1;
}

static void log_reply(struct stats *stats, const char *text, size_t length)
{
	json_t *reply = stats->is_too_long ? NULL : json_loadb(text, length, 0, NULL);

	if (reply)
		log_line(stats, "reply", reply);
	else
		log_line(stats, "error",
			 json_string(stats->is_too_long ? "the reply is too long"
							: "the reply is no JSON"));
}

static void hang_up(struct stats *stats, int number)
{
	struct client *client = &stats->clients[number];

	(void)close(client->fd); /* it does not listen any more */
	client->fd = -1;
	client->has_ended = false;
	str_done(&client->request);
	str_done(&client->reply);
	if (stats->asker == number)
		stats->asker = GONE;
}

static void send_reply(struct stats *stats, int number)
{
	struct client *client = &stats->clients[number];
	ssize_t n = send(client->fd, client->reply.data, client->reply.length,
			 MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n > 0)
		str_drop(&client->reply, (size_t)n);
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		hang_up(stats, number);
}

static void take_reply(struct stats *stats, const char *text, size_t length)
{
	static const char too_long[] = "{\"ktstr_relay_error\":\"the reply is too long\"}\n";
	int asker = stats->asker;

	stats->has_replied = true;
	stats->asker = NOBODY;
	if (asker == OURSELVES)
		log_reply(stats, text, length);
	else if (asker >= 0 && stats->is_too_long)
		add(stats, &stats->clients[asker].reply, too_long, sizeof(too_long) - 1);
	else if (asker >= 0)
		add(stats, &stats->clients[asker].reply, text, length);
	stats->is_too_long = false;
}

/* Whole lines of the port to whom they are due. */
static void take_replies(struct stats *stats)
{
	size_t length;

	while ((length = line_length(&stats->reply)) > 0) {
		stats->is_too_long = stats->is_too_long || length > STATS_REPLY_MAX;
		take_reply(stats, stats->reply.data, length);
		str_drop(&stats->reply, length);
	}
	if (stats->reply.length >= STATS_REPLY_MAX || stats->is_too_long) {
		stats->is_too_long = true;
		str_clear(&stats->reply);
	}
}

/* The next request goes on its way: those of clients in turn, then our own. */
static void next_request(struct stats *stats)
{
	for (int i = 1; i <= STATS_CLIENTS_MAX && stats->asker == NOBODY; i++) {
		int number = (stats->last + i) % STATS_CLIENTS_MAX;
		struct client *client = &stats->clients[number];
		size_t length = client->fd >= 0 ? line_length(&client->request) : 0;

		if (length == 0)
			continue;
		add(stats, &stats->request, client->request.data, length);
		str_drop(&client->request, length);
		stats->asker = stats->last = number;
	}
}

/* Our own request, when it is due. One that is not replied to is not made again. */
static void ask_ourselves(struct stats *stats)
{
	if (now_ns(stats) < stats->due_ns)
		return;
	stats->due_ns = now_ns(stats) + stats->spec->interval_ns;
	if (stats->asker == NOBODY) {
		add(stats, &stats->request, STATS_REQUEST, strlen(STATS_REQUEST));
		stats->asker = OURSELVES;
	} else if (stats->asker == OURSELVES && stats->has_replied) {
		log_line(stats, "error", json_string("no reply yet"));
	}
}

static void read_port(struct stats *stats)
{
	char bytes[16 * 1024];
	ssize_t n = read(stats->spec->port_fd, bytes, sizeof(bytes));

	if (n > 0) {
		add(stats, &stats->reply, bytes, (size_t)n);
		take_replies(stats);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		stats->has_failed = true;
	}
}

static void write_port(struct stats *stats)
{
	ssize_t n = send(stats->spec->port_fd, stats->request.data, stats->request.length,
			 MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n > 0)
		str_drop(&stats->request, (size_t)n);
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		stats->has_failed = true;
}

static void read_client(struct stats *stats, int number)
{
	struct client *client = &stats->clients[number];
	char bytes[4096];
	ssize_t n = recv(client->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n > 0)
		add(stats, &client->request, bytes, (size_t)n);
	client->has_ended = n == 0;
	if ((n < 0 && errno != EAGAIN && errno != EINTR) ||
	    (client->request.length >= STATS_REQUEST_MAX && line_length(&client->request) == 0))
		hang_up(stats, number);
}

static void serve_client(struct stats *stats, int number, short events)
{
	struct client *client = &stats->clients[number];

	if (events & (POLLHUP | POLLERR | POLLNVAL))
		hang_up(stats, number);
	else if (events & POLLOUT)
		send_reply(stats, number);
	else if (events & POLLIN)
		read_client(stats, number);
	if (client->fd >= 0 && client->has_ended && stats->asker != number &&
	    client->reply.length == 0 && line_length(&client->request) == 0)
		hang_up(stats, number);
}

static void take_client(struct stats *stats)
{
	int fd = accept4(stats->spec->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	for (int i = 0; i < STATS_CLIENTS_MAX && fd >= 0; i++)
		if (stats->clients[i].fd < 0)
			stats->clients[i].fd = steal_fd(&fd);
	if (fd >= 0)
		(void)close(fd); /* too many */
}

static void fill_poll_set(const struct stats *stats, struct pollfd fds[FD_COUNT])
{
	const struct stats_spec *spec = stats->spec;

	fds[FD_STOP] = (struct pollfd){ .fd = spec->stop_fd, .events = POLLIN };
	fds[FD_PORT] = (struct pollfd){ .fd = spec->port_fd, .events = POLLIN };
	if (stats->request.length > 0)
		fds[FD_PORT].events |= POLLOUT;
	fds[FD_LISTEN] = (struct pollfd){ .fd = spec->listen_fd, .events = POLLIN };
	for (int i = 0; i < STATS_CLIENTS_MAX; i++) {
		const struct client *client = &stats->clients[i];
		struct pollfd *poll_fd = &fds[FD_CLIENTS + i];

		/* Who does not read what he asked for cannot ask for more. */
		*poll_fd = (struct pollfd){ .fd = client->fd };
		if (client->reply.length > 0)
			poll_fd->events = POLLOUT;
		else if (!client->has_ended && client->request.length < STATS_REQUEST_MAX)
			poll_fd->events = POLLIN;
	}
}

static int wait_ms(const struct stats *stats)
{
	uint64_t now = now_ns(stats);

	if (stats->due_ns == UINT64_MAX)
		return -1;
	return stats->due_ns > now ? (int)((stats->due_ns - now) / NS_PER_MS) + 1 : 0;
}

/* False when it is over. */
static bool serve(struct stats *stats)
{
	struct pollfd fds[FD_COUNT];

	fill_poll_set(stats, fds);
	if (poll(fds, FD_COUNT, wait_ms(stats)) < 0)
		return errno == EINTR;
	if (fds[FD_STOP].revents)
		return false;
	if (fds[FD_PORT].revents & ~POLLOUT)
		read_port(stats);
	if (fds[FD_PORT].revents & POLLOUT)
		write_port(stats);
	for (int i = 0; i < STATS_CLIENTS_MAX; i++)
		if (stats->clients[i].fd >= 0)
			serve_client(stats, i, fds[FD_CLIENTS + i].revents);
	if (fds[FD_LISTEN].revents)
		take_client(stats);
	next_request(stats);
	ask_ourselves(stats);
	return !stats->has_failed;
}

void stats_run(const struct stats_spec *spec)
{
	_cleanup_free_ struct stats *stats = calloc(1, sizeof(*stats));

	if (!stats)
		return;
	stats->spec = spec;
	stats->asker = NOBODY;
	stats->due_ns = spec->log_fd >= 0 ? now_ns(stats) : UINT64_MAX;
	for (int i = 0; i < STATS_CLIENTS_MAX; i++)
		stats->clients[i].fd = -1;
	while (serve(stats))
		;
	for (int i = 0; i < STATS_CLIENTS_MAX; i++)
		if (stats->clients[i].fd >= 0)
			hang_up(stats, i);
	str_done(&stats->request);
	str_done(&stats->reply);
}
