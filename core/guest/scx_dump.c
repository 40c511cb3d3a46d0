/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/scx_dump.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ktstr/frame.h"

#define INSTANCE "instances/ktstr"
/* The dump is written by one CPU, all at once; which one cannot be known. */
#define BUFFER_KIB_ALL (16u * 1024u)
#define BUFFER_KIB_MAX 1024u
#define BUFFER_KIB_MIN 64u
/* Reads of one drain: no writer keeps it here for ever. */
#define READS_MAX 4096
#define LINE_MAX_BYTES 4096

uint32_t scx_dump_buffer_kib(uint32_t cpus)
{
	uint32_t kib = BUFFER_KIB_ALL / (cpus ? cpus : 1);

	if (kib < BUFFER_KIB_MIN)
		return BUFFER_KIB_MIN;
	return kib < BUFFER_KIB_MAX ? kib : BUFFER_KIB_MAX;
}

static bool write_text(const char *folder, const char *name, const char *text)
{
	_cleanup_free_ char *path = str_format("%s/" INSTANCE "/%s", folder, name);
	_cleanup_close_ int fd = path ? open(path, O_WRONLY | O_CLOEXEC) : -1;

	return fd >= 0 && write(fd, text, strlen(text)) > 0;
}

void scx_dump_open(struct scx_dump *dump, const char *tracing, uint32_t cpus)
{
	_cleanup_free_ char *event = str_format("%s/events/sched_ext/sched_ext_dump", tracing);
	_cleanup_free_ char *instance = str_format("%s/" INSTANCE, tracing);
	_cleanup_free_ char *pipe_path = str_format("%s/" INSTANCE "/trace_pipe", tracing);
	char size[16];

	*dump = (struct scx_dump){ .fd = -1 };
	if (!event || !instance || !pipe_path || access(event, F_OK) < 0)
		return;
	if (mkdir(instance, 0700) < 0 && errno != EEXIST)
		return;
	(void)snprintf(size, sizeof(size), "%u", scx_dump_buffer_kib(cpus));
	(void)write_text(tracing, "buffer_size_kb", size); /* or what it is by default */
	if (!write_text(tracing, "events/sched_ext/sched_ext_dump/enable", "1"))
		return;
	dump->fd = open(pipe_path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

void scx_dump_done(struct scx_dump *dump)
{
	if (dump->fd >= 0)
		(void)close(dump->fd);
	dump->fd = -1;
	str_done(&dump->chunk);
}

const char *scx_dump_line(const char *line)
{
	static const char marker[] = ": sched_ext_dump: ";
	/* What comes before is the name of a task, too short for this. */
	const char *found = strstr(line, marker);

	return found ? found + strlen(marker) : line;
}

static void send_chunk(struct scx_dump *dump, struct channel_sender *sender)
{
	if (dump->chunk.length > 0)
		(void)channel_send(sender, KTSTR_MSG_SCX_DUMP, dump->chunk.data,
				   (uint32_t)dump->chunk.length);
	str_clear(&dump->chunk);
}

static void take_line(struct scx_dump *dump, const char *line, struct channel_sender *sender)
{
	const char *text = scx_dump_line(line);
	size_t length = strlen(text) + 1;

	if (dump->is_cut)
		return;
	if (dump->kept + length > SCX_DUMP_MAX) {
		dump->is_cut = true;
		text = "(ktstr: dumps of more than 1 MiB, the rest is cut)";
		length = strlen(text) + 1;
	}
	if (dump->chunk.length + length > SCX_DUMP_CHUNK_MAX)
		send_chunk(dump, sender);
	dump->kept += length;
	(void)str_addf(&dump->chunk, "%s\n", text); /* or there is no memory for a dump */
}

void scx_dump_drain(struct scx_dump *dump, struct channel_sender *sender)
{
	char bytes[LINE_MAX_BYTES + 1];
	size_t have = 0;

	for (int i = 0; dump->fd >= 0 && i < READS_MAX; i++) {
		ssize_t n = read(dump->fd, bytes + have, LINE_MAX_BYTES - have);
		char *line = bytes, *end;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		have += (size_t)n;
		bytes[have] = '\0';
		while ((end = memchr(line, '\n', have - (size_t)(line - bytes)))) {
			*end = '\0';
			take_line(dump, line, sender);
			line = end + 1;
		}
		have -= (size_t)(line - bytes);
		memmove(bytes, line, have);
		if (have == LINE_MAX_BYTES)
			have = 0; /* no line is so long */
	}
	send_chunk(dump, sender);
}
