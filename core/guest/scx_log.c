/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/scx_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"

/* The longest record that the kernel hands out, and how many are read at a time. */
#define RECORD_MAX 8192
#define RECORDS_MAX 4096
#define LEVEL_ERROR 3

static const struct {
	const char *reason;
	uint32_t kind;
} reasons[] = {
	{ "unregistered from user space", KTSTR_SCX_EXIT_UNREG },
	{ "unregistered from BPF", KTSTR_SCX_EXIT_UNREG_BPF },
	{ "unregistered from the main kernel", KTSTR_SCX_EXIT_UNREG_KERN },
	{ "disabled by sysrq-S", KTSTR_SCX_EXIT_SYSRQ },
	{ "parent exiting", KTSTR_SCX_EXIT_PARENT },
	{ "runtime error", KTSTR_SCX_EXIT_ERROR },
	{ "scx_bpf_error", KTSTR_SCX_EXIT_ERROR_BPF },
	{ "runnable task stall", KTSTR_SCX_EXIT_ERROR_STALL },
};

uint32_t scx_exit_kind(const char *reason)
{
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if (strcmp(reasons[i].reason, reason) == 0)
			return reasons[i].kind;
	return KTSTR_SCX_EXIT_NONE;
}

void scx_log_open(struct scx_log *log, const char *path)
{
	*log = (struct scx_log){ .fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) };
	if (log->fd >= 0)
		(void)lseek(log->fd, 0, SEEK_END); /* else old lines come, too */
}

void scx_log_done(struct scx_log *log)
{
	if (log->fd >= 0)
		(void)close(log->fd);
	log->fd = -1;
}

void scx_log_forget(struct scx_log *log)
{
	log->has_record = false;
	log->is_open = false;
}

static bool copy_part(char *target, size_t size, const char *from, const char *to)
{
	size_t length = (size_t)(to - from);

	if (length >= size)
		length = size - 1;
	memcpy(target, from, length);
	target[length] = '\0';
	return length > 0;
}

/* sched_ext: BPF scheduler "NAME" disabled (REASON) */
static bool parse_disabled(const char *text, struct scx_exit_record *ret)
{
	static const char head[] = "sched_ext: BPF scheduler \"", middle[] = "\" disabled (";
	const char *name = str_starts(text, head) ? text + strlen(head) : NULL;
	const char *name_end = name ? strstr(name, middle) : NULL;
	const char *reason = name_end ? name_end + strlen(middle) : NULL;
	const char *reason_end = reason ? strrchr(reason, ')') : NULL;

	if (!reason_end)
		return false;
	*ret = (struct scx_exit_record){ 0 };
	(void)copy_part(ret->name, sizeof(ret->name), name, name_end);
	(void)copy_part(ret->reason, sizeof(ret->reason), reason, reason_end);
	ret->kind = scx_exit_kind(ret->reason);
	return true;
}

static void add_frame(struct scx_exit_record *record, const char *frame)
{
	size_t have = strlen(record->backtrace);

	frame += strspn(frame, " ");
	if (have + strlen(frame) + 2 <= sizeof(record->backtrace))
		(void)snprintf(record->backtrace + have, sizeof(record->backtrace) - have, "%s\n",
			       frame);
}

static void take_line(struct scx_log *log, const char *text, bool is_error)
{
	struct scx_exit_record *record = &log->record;
	char head[160];

	if (!log->has_record) {
		log->has_record = log->is_open = parse_disabled(text, record);
		/* Words that a newer kernel has for it. */
		if (log->has_record && !record->kind && is_error)
			record->kind = KTSTR_SCX_EXIT_ERROR;
		return;
	}
	if (!log->is_open)
		return;
	(void)snprintf(head, sizeof(head), "sched_ext: %s: ", record->name);
	if (!record->message[0] && !record->backtrace[0] && str_starts(text, head))
		(void)str_copy(record->message, sizeof(record->message), text + strlen(head));
	else if (text[0] == ' ')
		add_frame(record, text);
	else if (str_starts(text, "sched_ext:"))
		log->is_open = false;
	/* Else somebody else's line came between. */
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The kernel writes "\x0a" for what is not printable. */
static void unescape(char *text)
{
	char *to = text;

	while (*text) {
		int high = -1, low = -1;

		if (text[0] == '\\' && text[1] == 'x' && (high = hex_digit(text[2])) >= 0)
			low = hex_digit(text[3]);
		if (low >= 0 && high * 16 + low > 0) {
			*to++ = (char)(high * 16 + low);
			text += 4;
		} else {
			*to++ = *text++;
		}
	}
	*to = '\0';
}

void scx_log_record(struct scx_log *log, const char *record)
{
	const char *start = strchr(record, ';');
	char text[RECORD_MAX];

	if (!start)
		return;
	start++;
	/* What follows the first line says which device it is about. */
	(void)copy_part(text, sizeof(text), start, start + strcspn(start, "\n"));
	unescape(text);
	/* The level of the message is in the lowest bits. */
	take_line(log, text, (strtoul(record, NULL, 10) & 7) <= LEVEL_ERROR);
}

void scx_log_drain(struct scx_log *log)
{
	char record[RECORD_MAX + 1];

	for (int i = 0; log->fd >= 0 && i < RECORDS_MAX; i++) {
		ssize_t n = read(log->fd, record, RECORD_MAX);

		if (n > 0) {
			record[n] = '\0';
			scx_log_record(log, record);
		} else if (n == 0 || (errno != EPIPE && errno != EINTR)) {
			return; /* EPIPE: some were overwritten before */
		}
	}
}
