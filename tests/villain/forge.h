/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames that a plugin forges, and the memory in which its session hands frames to PID 1. */
#ifndef VILLAIN_FORGE_H
#define VILLAIN_FORGE_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "guest/channel.h"
#include "ktstr/frame.h"

#define FORGE_FRAME_MAX 512

static inline uint32_t forge_crc32(const uint8_t *bytes, size_t length)
{
	uint32_t crc = 0xffffffffu;

	for (size_t i = 0; i < length; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

/* One whole frame in @bytes; its length. */
static inline size_t forge_frame(uint8_t bytes[FORGE_FRAME_MAX], uint32_t msg_type,
				 const void *payload, uint32_t length)
{
	const struct ktstr_frame_header header = {
		.msg_type = msg_type,
		.length = length,
		.crc32 = length > 0 ? forge_crc32(payload, length) : 0,
	};

	memcpy(bytes, &header, sizeof(header));
	if (length > 0)
		memcpy(bytes + sizeof(header), payload, length);
	return sizeof(header) + length;
}

static inline size_t forge_sched_exit(uint8_t bytes[FORGE_FRAME_MAX])
{
	static const char payload[] = "\1\0\0\0forged by a plugin";

	return forge_frame(bytes, KTSTR_MSG_SCHED_EXIT, payload, sizeof(payload) - 1);
}

/* Where the shared memory lies in the session @pid; 0: it cannot be seen. */
static inline unsigned long forge_find_area(pid_t pid)
{
	unsigned long start, end;
	char path[64], line[512];
	FILE *maps;

	(void)snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	while (maps && fgets(line, sizeof(line), maps)) {
		if (!strstr(line, "rw-s") || sscanf(line, "%lx-%lx", &start, &end) != 2 ||
		    end - start < sizeof(struct channel_area))
			continue;
		(void)fclose(maps);
		return start;
	}
	if (maps)
		(void)fclose(maps);
	return 0;
}

/* Ring every bell of this process, among them that of PID 1. */
static inline void forge_ring(void)
{
	const uint64_t one = 1;
	char path[PATH_MAX], target[64] = "";

	for (int fd = 3; fd < 64; fd++) {
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		memset(target, 0, sizeof(target));
		if (readlink(path, target, sizeof(target) - 1) > 0 && strstr(target, "[eventfd]"))
			(void)!write(fd, &one, sizeof(one));
	}
}

/*
 * Put bytes behind what the session @pid published, and publish them too: @more bytes more than
 * there are, for a lie. 0 or a negative errno.
 */
static inline int forge_publish(pid_t pid, const void *bytes, size_t length, uint32_t more)
{
	const unsigned long area = forge_find_area(pid);
	struct channel_mark mark;
	char path[64];
	int memory, rc = 0;

	if (!area)
		return -EACCES;
	(void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	memory = open(path, O_RDWR | O_CLOEXEC);
	if (memory < 0)
		return -errno;
	if (pread(memory, &mark, sizeof(mark), (off_t)area) != sizeof(mark) ||
	    pwrite(memory, bytes, length,
		   (off_t)(area + offsetof(struct channel_area, frames) + mark.end)) < 0)
		rc = -EIO;
	mark.end += (uint32_t)length + more;
	if (rc == 0 && pwrite(memory, &mark, sizeof(mark), (off_t)area) < 0)
		rc = -EIO;
	(void)close(memory);
	forge_ring();
	return rc;
}

/* A line to a serial port, as one who runs as root can. */
static inline int forge_line(const char *port, const char *line)
{
	int fd = open(port, O_WRONLY | O_NOCTTY | O_CLOEXEC);
	ssize_t written;

	if (fd < 0)
		return -errno;
	written = write(fd, line, strlen(line));
	(void)close(fd);
	return written < 0 ? -EIO : 0;
}

#endif
