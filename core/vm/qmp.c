/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/qmp.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/str.h"

#define READ_SIZE 16384
/* In one qmp_read(), so that a peer that never stops talking cannot hold the caller. */
#define READS_MAX 256
/* Commands that wait in us for a QEMU that does not read: many times what a run ever sends. */
#define OUTPUT_MAX (64U << 10)
#define NO_ID 0
#define CAPABILITIES_ID 1

struct qmp {
	int fd;
	qmp_event event;
	void *arg;
	struct str in;	/* the beginning of a line */
	struct str out; /* what the socket did not take yet */
	json_int_t last_id;
	json_int_t awaited_id; /* whose answer is to be kept; NO_ID: none */
	json_t *answer;
	bool has_greeting;
	int major;
	bool has_capabilities;
	int drained_fd;		   /* -1: none */
	struct ktstr_error broken; /* code != 0: nothing can be read any more, and why */
};

static int fail_as_before(const struct qmp *qmp, struct ktstr_error *err)
{
	return ktstr_fail(err, qmp->broken.code, "%s", qmp->broken.text);
}

/* Send what waits, as far as the socket takes it. */
static int flush(struct qmp *qmp, struct ktstr_error *err)
{
	while (qmp->out.length > 0) {
		ssize_t n =
			send(qmp->fd, qmp->out.data, qmp->out.length, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
			return ktstr_fail(err, -EPIPE, "QEMU's monitor is gone");
		if (n < 0)
			return ktstr_fail(err, -errno, "cannot write to QEMU's monitor: %s",
					  strerror(errno));
		memmove(qmp->out.data, qmp->out.data + n, qmp->out.length - (size_t)n);
		qmp->out.length -= (size_t)n;
	}
	return 0;
}

static int send_command(struct qmp *qmp, const char *command, json_t *arguments, json_int_t *ret_id,
			struct ktstr_error *err)
{
	_cleanup_free_ char *text = NULL;
	json_t *message;
	int rc;

	if (qmp->broken.code < 0) {
		json_decref(arguments);
		return fail_as_before(qmp, err);
	}
	message = json_pack("{s:s, s:I, s:o*}", "execute", command, "id", qmp->last_id + 1,
			    "arguments", arguments);
	if (message)
		text = json_dumps(message, JSON_COMPACT);
	json_decref(message);
	if (!text)
		return ktstr_fail(err, -ENOMEM, "cannot send '%s' to QEMU: out of memory", command);
	if (qmp->out.length + strlen(text) + 1 > OUTPUT_MAX)
		return ktstr_fail(err, -ENOBUFS, "cannot send '%s': QEMU does not read its monitor",
				  command);
	rc = str_addf(&qmp->out, "%s\n", text);
	if (rc < 0)
		return ktstr_fail(err, rc, "cannot send '%s' to QEMU: out of memory", command);
	qmp->last_id++;
	if (ret_id)
		*ret_id = qmp->last_id;
	return flush(qmp, err);
}

int qmp_new(int fd, qmp_event event, void *arg, struct qmp **ret, struct ktstr_error *err)
{
	struct qmp *qmp = calloc(1, sizeof(*qmp));
	int flags, rc;

	if (!qmp) {
		(void)close(fd); /* nothing was written */
		return ktstr_fail(err, -ENOMEM, "cannot talk to QEMU: out of memory");
	}
	qmp->fd = fd;
	qmp->drained_fd = -1;
	qmp->event = event;
	qmp->arg = arg;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		rc = ktstr_fail(err, -errno, "cannot talk to QEMU: %s", strerror(errno));
	else
		rc = send_command(qmp, "qmp_capabilities", NULL, NULL, err);
	/* A QEMU that is gone already may have left words, and reading tells both. */
	if (rc < 0 && rc != -EPIPE) {
		qmp_free(qmp);
		return rc;
	}
	*ret = qmp;
	return 0;
}

void qmp_free(struct qmp *qmp)
{
	if (!qmp)
		return;
	(void)close(qmp->fd); /* what QEMU did not take is of no interest */
	json_decref(qmp->answer);
	str_done(&qmp->in);
	str_done(&qmp->out);
	free(qmp);
}

int qmp_fd(const struct qmp *qmp)
{
	return qmp->fd;
}

/* What QEMU says about a command that it refused, made safe to print. */
static const char *refusal(const json_t *answer, char *text, size_t size)
{
	const json_t *error = json_object_get(answer, "error");
	const char *words = json_string_value(json_object_get(error, "desc"));

	if (!words)
		words = "it does not say why";
	return str_copy_safe(text, size, words, strlen(words));
}

/* An object with "return" or "error". */
static int take_answer(struct qmp *qmp, json_t *message, struct ktstr_error *err)
{
	json_int_t id = json_integer_value(json_object_get(message, "id"));
	char text[512];

	if (id == CAPABILITIES_ID) {
		if (!json_object_get(message, "return"))
			return ktstr_fail(err, -EREMOTEIO, "QEMU refused 'qmp_capabilities': %s",
					  refusal(message, text, sizeof(text)));
		qmp->has_capabilities = true;
	}
	/* QEMU answers without an id to what it could not read as a command. */
	if (qmp->awaited_id != NO_ID && (id == qmp->awaited_id || id == NO_ID)) {
		json_decref(qmp->answer);
		qmp->answer = json_incref(message);
	}
	return 0;
}

static void take_greeting(struct qmp *qmp, const json_t *greeting)
{
	const json_t *version = json_object_get(json_object_get(greeting, "version"), "qemu");
	json_int_t major = json_integer_value(json_object_get(version, "major"));

	qmp->has_greeting = true;
	qmp->major = major > 0 && major < INT_MAX ? (int)major : 0;
}

static int take_line(struct qmp *qmp, const char *line, size_t length, struct ktstr_error *err)
{
	json_error_t json_err;
	json_t *message = json_loadb(line, length, 0, &json_err);
	const char *event;
	char shown[80];
	int rc = 0;

	event = json_string_value(json_object_get(message, "event"));
	if (event)
		qmp->event(qmp->arg, event, json_object_get(message, "data"));
	else if (json_object_get(message, "QMP"))
		take_greeting(qmp, json_object_get(message, "QMP"));
	else if (json_object_get(message, "return") || json_object_get(message, "error"))
		rc = take_answer(qmp, message, err);
	else
		rc = ktstr_fail(err, -EPROTO, "QEMU's monitor said what is no QMP: '%s'",
				str_copy_safe(shown, sizeof(shown), line, length));
	json_decref(message);
	return rc;
}

/* Is there nothing but white space? */
static bool is_blank(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!strchr(" \t\r", text[i]))
			return false;
	return true;
}

/* Deliver every whole line of qmp->in, and keep the rest. */
static int take_lines(struct qmp *qmp, struct ktstr_error *err)
{
	size_t at = 0;
	int rc = 0;

	while (rc == 0) {
		const char *line = qmp->in.data + at;
		const char *end = memchr(line, '\n', qmp->in.length - at);
		size_t length;

		if (!end)
			break;
		length = (size_t)(end - line);
		if (!is_blank(line, length))
			rc = take_line(qmp, line, length, err);
		at += length + 1;
	}
	memmove(qmp->in.data, qmp->in.data + at, qmp->in.length - at);
	qmp->in.length -= at;
	if (rc == 0 && qmp->in.length > QMP_LINE_MAX)
		rc = ktstr_fail(err, -EPROTO, "QEMU's monitor sent a line of more than %u bytes",
				QMP_LINE_MAX);
	return rc;
}

/* One read. 1 when there was something, 0 when there is nothing. */
static int read_some(struct qmp *qmp, struct ktstr_error *err)
{
	char buffer[READ_SIZE];
	ssize_t n = recv(qmp->fd, buffer, sizeof(buffer), MSG_DONTWAIT);

	if (n < 0 && errno == EINTR)
		return 1;
	if (n < 0 && errno == EAGAIN)
		return 0;
	/* A peer that closes with our bytes unread shows as ECONNRESET, behind its last words. */
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return ktstr_fail(err, -EPIPE, "QEMU's monitor is gone");
	if (n < 0)
		return ktstr_fail(err, -errno, "cannot read QEMU's monitor: %s", strerror(errno));
	if (str_add_bytes(&qmp->in, buffer, (size_t)n) < 0)
		return ktstr_fail(err, -ENOMEM, "cannot read QEMU's monitor: out of memory");
	/* Looked at after every read: the line in hand never exceeds its limit by more than one. */
	return take_lines(qmp, err) < 0 ? err->code : 1;
}

int qmp_read(struct qmp *qmp, struct ktstr_error *err)
{
	int rc = 1;

	if (qmp->broken.code < 0)
		return fail_as_before(qmp, err);
	/* Whether the rest can be sent shows in reading, too, and the last words must be read. */
	(void)flush(qmp, &(struct ktstr_error){ 0 });
	for (int i = 0; i < READS_MAX && rc > 0; i++)
		rc = read_some(qmp, err);
	if (rc >= 0)
		return 0;
	qmp->broken = *err;
	return rc;
}

/* Wait until there is something to read, or to send what waits. */
static int wait_for_peer(struct qmp *qmp, uint64_t deadline_ns, struct ktstr_error *err)
{
	struct pollfd poll_fds[] = {
		{ .fd = qmp->fd, .events = (short)(POLLIN | (qmp->out.length ? POLLOUT : 0)) },
		{ .fd = qmp->drained_fd, .events = POLLIN },
	};
	uint64_t now_ns = clock_monotonic_ns();
	struct timespec left;

	if (now_ns >= deadline_ns)
		return ktstr_fail(err, -ETIMEDOUT, "QEMU's monitor does not answer");
	left.tv_sec = (time_t)((deadline_ns - now_ns) / NS_PER_S);
	left.tv_nsec = (long)((deadline_ns - now_ns) % NS_PER_S);
	if (ppoll(poll_fds, ARRAY_SIZE(poll_fds), &left, NULL) < 0 && errno != EINTR)
		return ktstr_fail(err, -errno, "cannot wait for QEMU's monitor: %s",
				  strerror(errno));
	if (poll_fds[1].revents)
		io_drain(qmp->drained_fd);
	return 0;
}

/* The answer to the command with @id; qmp->answer then holds it. */
static int await_answer(struct qmp *qmp, json_int_t id, uint64_t deadline_ns,
			struct ktstr_error *err)
{
	int rc = 0;

	qmp->awaited_id = id;
	while (!qmp->answer && rc == 0) {
		rc = qmp_read(qmp, err);
		if (rc == 0 && !qmp->answer)
			rc = wait_for_peer(qmp, deadline_ns, err);
	}
	qmp->awaited_id = NO_ID;
	/* An answer that came just before the end counts. */
	return qmp->answer ? 0 : rc;
}

int qmp_handshake(struct qmp *qmp, uint64_t deadline_ns, struct ktstr_error *err)
{
	int rc = 0;

	while (rc == 0 && !(qmp->has_greeting && qmp->has_capabilities)) {
		rc = qmp_read(qmp, err);
		if (rc == 0 && !(qmp->has_greeting && qmp->has_capabilities))
			rc = wait_for_peer(qmp, deadline_ns, err);
	}
	return rc;
}

int qmp_major(const struct qmp *qmp)
{
	return qmp->major;
}

int qmp_send(struct qmp *qmp, const char *command, json_t *arguments, struct ktstr_error *err)
{
	return send_command(qmp, command, arguments, NULL, err);
}

/* What QEMU said to @command, which is in qmp->answer. */
static int take_result(struct qmp *qmp, const char *command, json_t **ret, struct ktstr_error *err)
{
	json_t *answer = steal_ptr(qmp->answer);
	char text[512];
	int rc = 0;

	if (!json_object_get(answer, "return"))
		rc = ktstr_fail(err, -EREMOTEIO, "QEMU refused '%s': %s", command,
				refusal(answer, text, sizeof(text)));
	else if (ret)
		*ret = json_incref(json_object_get(answer, "return"));
	json_decref(answer);
	return rc;
}

int qmp_execute(struct qmp *qmp, const char *command, json_t *arguments, uint64_t deadline_ns,
		json_t **ret, struct ktstr_error *err)
{
	json_int_t id;
	int rc = send_command(qmp, command, arguments, &id, err);

	if (rc == 0)
		rc = await_answer(qmp, id, deadline_ns, err);
	if (rc < 0)
		return ktstr_prefix(err, "command '%s'", command);
	return take_result(qmp, command, ret, err);
}

int qmp_ask(struct qmp *qmp, const char *command, json_t *arguments, struct ktstr_error *err)
{
	json_int_t id = NO_ID;
	int rc = send_command(qmp, command, arguments, &id, err);

	if (rc == 0)
		qmp->awaited_id = id;
	return rc;
}

int qmp_take(struct qmp *qmp, json_t **ret, struct ktstr_error *err)
{
	int rc = qmp->answer ? 0 : qmp_read(qmp, err);

	if (!qmp->answer)
		return rc;
	qmp->awaited_id = NO_ID;
	rc = take_result(qmp, "what was asked", ret, err);
	return rc < 0 ? rc : 1;
}

void qmp_forget(struct qmp *qmp)
{
	qmp->awaited_id = NO_ID;
	json_decref(steal_ptr(qmp->answer));
}

void qmp_drain(struct qmp *qmp, int fd)
{
	qmp->drained_fd = fd;
}
