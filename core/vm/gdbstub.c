/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/gdbstub.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"

/* No answer to what is asked here is nearly as long. */
#define PACKET_MAX 4096
/* Stops that nobody has fetched yet. A guest that stands still cannot stop again. */
#define STOPS_MAX 8

struct gdbstub {
	int fd;
	char in[PACKET_MAX + 8];
	size_t length;
	bool is_confirmed;	 /* our last command was */
	char answer[PACKET_MAX]; /* to our last command */
	bool has_answer;
	bool is_awaiting;  /* the next packet that is no stop is the answer */
	bool expects_stop; /* the answer itself is one */
	struct gdbstub_stop stops[STOPS_MAX];
	size_t stop_count;
	int drained_fd;		   /* -1: none */
	struct ktstr_error broken; /* code != 0: nothing can be read any more, and why */
};

struct gdbstub *gdbstub_new(int fd)
{
	struct gdbstub *stub = calloc(1, sizeof(*stub));

	if (stub) {
		stub->fd = fd;
		stub->drained_fd = -1;
	}
	return stub;
}

void gdbstub_drain(struct gdbstub *stub, int fd)
{
	stub->drained_fd = fd;
}

void gdbstub_free(struct gdbstub *stub)
{
	free(stub);
}

static uint8_t sum(const char *text, size_t length)
{
	uint8_t total = 0;

	for (size_t i = 0; i < length; i++)
		total = (uint8_t)(total + (uint8_t)text[i]);
	return total;
}

/* So little is ever under way that the socket has room for it. */
static int send_bytes(const struct gdbstub *stub, const char *bytes, size_t length,
		      struct ktstr_error *err)
{
	ssize_t n = send(stub->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n == (ssize_t)length)
		return 0;
	if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
		return ktstr_fail(err, -EPIPE, "QEMU's debugger port is gone");
	return ktstr_fail(err, n < 0 ? -errno : -EIO, "cannot write to QEMU's debugger port: %s",
			  n < 0 ? strerror(errno) : "it does not read");
}

static int send_packet(const struct gdbstub *stub, const char *text, struct ktstr_error *err)
{
	char packet[128];
	int length = snprintf(packet, sizeof(packet), "$%s#%02x", text, sum(text, strlen(text)));

	return send_bytes(stub, packet, (size_t)length, err);
}

static const char *read_hex(const char *at, uint64_t *ret)
{
	char *end = NULL;

	if (!isxdigit((unsigned char)*at))
		return NULL;
	*ret = strtoull(at, &end, 16);
	return end;
}

/* "T05thread:01;watch:ffffffff820079c0;", behind the number. Words that are not known are passed
 * over. */
static void read_stop(const char *at, struct gdbstub_stop *ret)
{
	*ret = (struct gdbstub_stop){ .cpu = UINT32_MAX };
	while (*at) {
		uint64_t value = 0;

		if (strncmp(at, "thread:", 7) == 0) {
			const char *dot = strchr(at, '.');
			const char *end = strchr(at, ';');

			/* "p01.02": a process and a thread of it */
			at = dot && end && dot < end ? dot + 1 : at + 7;
			if (read_hex(at, &value) && value > 0 && value <= UINT32_MAX)
				ret->cpu = (uint32_t)(value - 1);
		} else if (strncmp(at, "watch:", 6) == 0 && read_hex(at + 6, &value)) {
			ret->is_watch = true;
			ret->address = value;
		}
		at += strcspn(at, ";");
		at += *at == ';';
	}
}

static bool is_stop(const char *text)
{
	return text[0] == 'T' && isxdigit((unsigned char)text[1]) &&
	       isxdigit((unsigned char)text[2]);
}

static int take_packet(struct gdbstub *stub, const char *text, struct ktstr_error *err)
{
	if (is_stop(text) && !stub->expects_stop) {
		if (stub->stop_count == STOPS_MAX)
			return ktstr_fail(err, -EPROTO,
					  "QEMU's debugger port tells of too many stops");
		read_stop(text + 3, &stub->stops[stub->stop_count++]);
	} else if (stub->is_awaiting) {
		(void)snprintf(stub->answer, sizeof(stub->answer), "%s", text);
		stub->has_answer = true;
		stub->is_awaiting = false;
		stub->expects_stop = false;
	}
	/* What else there is, such as the farewell of a QEMU that ends, asks for nothing. */
	return 0;
}

/* Take one packet or confirmation off the front. Its length; 0: not whole yet; or an error. */
static int take_one(struct gdbstub *stub, struct ktstr_error *err)
{
	char *end;
	uint64_t expected = 0;
	size_t length;
	char digits[3] = "";
	int rc;

	if (stub->length == 0)
		return 0;
	if (stub->in[0] == '+') {
		stub->is_confirmed = true;
		return 1;
	}
	if (stub->in[0] != '$')
		return ktstr_fail(err, -EPROTO, "QEMU's debugger port says what is no packet");
	end = memchr(stub->in, '#', stub->length);
	length = end ? (size_t)(end - stub->in) : stub->length;
	if (length > PACKET_MAX)
		return ktstr_fail(err, -EPROTO,
				  "QEMU's debugger port sent a packet of more than %d "
				  "bytes",
				  PACKET_MAX);
	if (!end || stub->length < length + 3)
		return 0;
	memcpy(digits, end + 1, 2);
	if (!read_hex(digits, &expected) || expected != sum(stub->in + 1, length - 1))
		return ktstr_fail(err, -EPROTO, "QEMU's debugger port sent a damaged packet");
	*end = '\0';
	rc = send_bytes(stub, "+", 1, err);
	if (rc == 0)
		rc = take_packet(stub, stub->in + 1, err);
	return rc < 0 ? rc : (int)length + 3;
}

static int take_all(struct gdbstub *stub, struct ktstr_error *err)
{
	int taken;

	do {
		taken = take_one(stub, err);
		if (taken > 0) {
			stub->length -= (size_t)taken;
			memmove(stub->in, stub->in + taken, stub->length);
		}
	} while (taken > 0);
	return taken;
}

/* Read and take what is there. */
static int receive(struct gdbstub *stub, struct ktstr_error *err)
{
	for (;;) {
		ssize_t n = recv(stub->fd, stub->in + stub->length, sizeof(stub->in) - stub->length,
				 MSG_DONTWAIT);
		int rc;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return ktstr_fail(err, -EPIPE, "QEMU's debugger port is gone");
		if (n < 0)
			return ktstr_fail(err, -errno, "cannot read QEMU's debugger port: %s",
					  strerror(errno));
		stub->length += (size_t)n;
		rc = take_all(stub, err);
		if (rc < 0)
			return rc;
	}
}

static int read_more(struct gdbstub *stub, struct ktstr_error *err)
{
	int rc;

	if (stub->broken.code < 0)
		return ktstr_fail(err, stub->broken.code, "%s", stub->broken.text);
	rc = receive(stub, err);
	if (rc < 0)
		stub->broken = *err;
	return rc;
}

static int wait_for_peer(const struct gdbstub *stub, uint64_t deadline_ns, struct ktstr_error *err)
{
	struct pollfd poll_fds[] = { { .fd = stub->fd, .events = POLLIN },
				     { .fd = stub->drained_fd, .events = POLLIN } };
	uint64_t now_ns = clock_monotonic_ns();
	struct timespec left;

	if (now_ns >= deadline_ns)
		return ktstr_fail(err, -ETIMEDOUT, "QEMU's debugger port does not answer");
	left.tv_sec = (time_t)((deadline_ns - now_ns) / NS_PER_S);
	left.tv_nsec = (long)((deadline_ns - now_ns) % NS_PER_S);
	if (ppoll(poll_fds, ARRAY_SIZE(poll_fds), &left, NULL) < 0 && errno != EINTR)
		return ktstr_fail(err, -errno, "cannot wait for QEMU's debugger port: %s",
				  strerror(errno));
	if (poll_fds[1].revents)
		io_drain(stub->drained_fd);
	return 0;
}

/* Send @command, and wait until *done is set. */
static int converse(struct gdbstub *stub, const char *command, const bool *done,
		    uint64_t deadline_ns, struct ktstr_error *err)
{
	int rc = send_packet(stub, command, err);

	while (rc == 0 && !*done) {
		rc = read_more(stub, err);
		if (rc == 0 && !*done)
			rc = wait_for_peer(stub, deadline_ns, err);
	}
	/* An answer that came just before the end counts. */
	return *done ? 0 : rc;
}

static int ask(struct gdbstub *stub, const char *command, uint64_t deadline_ns,
	       struct ktstr_error *err)
{
	int rc = read_more(stub, err);

	if (rc < 0)
		return rc;
	stub->has_answer = false;
	stub->is_awaiting = true;
	rc = converse(stub, command, &stub->has_answer, deadline_ns, err);
	stub->is_awaiting = false;
	return rc;
}

int gdbstub_greet(struct gdbstub *stub, uint64_t deadline_ns, struct ktstr_error *err)
{
	int rc;

	stub->expects_stop = true;
	rc = ask(stub, "?", deadline_ns, err);
	stub->expects_stop = false;
	if (rc == 0 && !is_stop(stub->answer))
		rc = ktstr_fail(err, -EPROTO, "QEMU's debugger port does not say hello");
	return rc;
}

int gdbstub_watch(struct gdbstub *stub, bool is_on, uint64_t address, uint32_t length,
		  uint64_t deadline_ns, struct ktstr_error *err)
{
	char command[64];
	int rc;

	(void)snprintf(command, sizeof(command), "%c2,%" PRIx64 ",%" PRIx32, is_on ? 'Z' : 'z',
		       address, length);
	rc = ask(stub, command, deadline_ns, err);
	if (rc == 0 && strcmp(stub->answer, "OK") != 0)
		rc = ktstr_fail(err, -EREMOTEIO, "QEMU refuses to %s address 0x%" PRIx64,
				is_on ? "watch" : "stop watching", address);
	return rc;
}

int gdbstub_continue(struct gdbstub *stub, uint64_t deadline_ns, struct ktstr_error *err)
{
	int rc = read_more(stub, err);

	if (rc < 0)
		return rc;
	stub->is_confirmed = false;
	return converse(stub, "c", &stub->is_confirmed, deadline_ns, err);
}

int gdbstub_read(struct gdbstub *stub, struct gdbstub_stop *ret, struct ktstr_error *err)
{
	int rc = stub->stop_count > 0 ? 0 : read_more(stub, err);

	if (stub->stop_count == 0)
		return rc;
	*ret = stub->stops[0];
	stub->stop_count--;
	memmove(stub->stops, stub->stops + 1, stub->stop_count * sizeof(*ret));
	return 1;
}
