/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A scenario that measures how fast frames leave the guest, beside the same bytes written to the
 * port by themselves: at once ("write"), and as cat(1) does, from a file ("cat"). Prints MB/s to
 * the console. Those bytes are not in the agent's account, so the run is an ERROR; only the figures
 * count.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ktstr/scenario.h"

#define HEADER_BYTES 16u
#define CAT_BYTES 131072u /* what cat(1) reads at once */
/* A frame that the agent has passed on before it takes the next. */
#define LARGE_BYTES (2u << 20)
#define REST_NS 50000000L

enum {
	P_MEGABYTES,
	P_ROUNDS,
};

static const struct ktstr_param params[] = {
	[P_MEGABYTES] = { .key = "megabytes",
			  .help = "sent each time",
			  .type = KTSTR_PARAM_INT,
			  .fallback = "32",
			  .min = 8,
			  .max = 512 },
	[P_ROUNDS] = { .key = "rounds",
		       .help = "the best of so many is shown",
		       .type = KTSTR_PARAM_INT,
		       .fallback = "2",
		       .min = 1,
		       .max = 100 },
	{ .key = NULL },
};

static const uint32_t payload_lengths[] = { 4096, 65536, 1u << 20 };

/* One measurement. */
struct probe {
	struct ktstr_guest *guest;
	struct ktstr_error *err;
	int port;	     /* the agent's own */
	int file;	     /* frames, for cat */
	uint8_t *frames;     /* whole ones, one after the other */
	size_t length;	     /* of them */
	uint32_t payload;    /* length of that of each frame */
	uint64_t byte_count; /* to be sent */
};

static uint32_t crc32(const uint8_t *data, size_t length)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < length; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

static int write_all(int fd, const uint8_t *data, size_t length)
{
	while (length > 0) {
		ssize_t n = write(fd, data, length);

		if (n < 0 && errno == EAGAIN) {
			struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };

			(void)poll(&poll_fd, 1, 5); /* as the agent does */
			continue;
		}
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		data += n;
		length -= (size_t)n;
	}
	return 0;
}

/* Whole frames, as many as one read of cat has, or one. */
static int make_frames(struct probe *probe)
{
	size_t frame = HEADER_BYTES + probe->payload;
	size_t count = frame < CAT_BYTES ? CAT_BYTES / frame : 1;
	uint32_t header[4] = { KTSTR_MSG_RAW_PAYLOAD_OUTPUT, probe->payload, 0, 0 };
	uint8_t *payload;

	probe->length = count * frame;
	probe->frames = malloc(probe->length);
	if (!probe->frames)
		return -ENOMEM;
	payload = probe->frames + HEADER_BYTES;
	for (uint32_t i = 0; i < probe->payload; i++)
		payload[i] = (uint8_t)(i * 2654435761u >> 24);
	header[2] = crc32(payload, probe->payload);
	memcpy(probe->frames, header, sizeof(header));
	for (size_t i = 1; i < count; i++)
		memcpy(probe->frames + i * frame, probe->frames, frame);
	probe->file = memfd_create("frames", MFD_CLOEXEC);
	if (probe->file < 0)
		return -errno;
	for (uint64_t sent = 0; sent < probe->byte_count; sent += probe->length) {
		int rc = write_all(probe->file, probe->frames, probe->length);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static void free_frames(struct probe *probe)
{
	free(probe->frames);
	if (probe->file >= 0)
		(void)close(probe->file);
}

static int send_by_write(struct probe *probe)
{
	for (uint64_t sent = 0; sent < probe->byte_count; sent += probe->length) {
		int rc = write_all(probe->port, probe->frames, probe->length);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int send_by_cat(struct probe *probe)
{
	static uint8_t buffer[CAT_BYTES];

	if (lseek(probe->file, 0, SEEK_SET) < 0)
		return -errno;
	for (;;) {
		ssize_t n = read(probe->file, buffer, sizeof(buffer));
		int rc;

		if (n <= 0)
			return n < 0 ? -errno : 0;
		rc = write_all(probe->port, buffer, (size_t)n);
		if (rc < 0)
			return rc;
	}
}

static int emit(struct probe *probe, uint32_t length)
{
	static uint8_t zeros[LARGE_BYTES];

	return ktstr_emit(probe->guest, KTSTR_MSG_RAW_PAYLOAD_OUTPUT,
			  length == probe->payload ? probe->frames + HEADER_BYTES : zeros, length,
			  probe->err);
}

/* Until the agent has passed on what came before. */
static int settle(struct probe *probe)
{
	int rc = emit(probe, LARGE_BYTES);

	return rc < 0 ? rc : emit(probe, 1);
}

/* Let it pass on the last one, too: nobody else may write to the port meanwhile. */
static int rest(struct probe *probe)
{
	const struct timespec pause = { .tv_nsec = REST_NS };
	int rc = settle(probe);

	(void)nanosleep(&pause, NULL);
	return rc;
}

static int send_by_frames(struct probe *probe)
{
	uint64_t frame = HEADER_BYTES + probe->payload;
	int rc = 0;

	for (uint64_t sent = LARGE_BYTES; rc == 0 && sent < probe->byte_count; sent += frame)
		rc = emit(probe, probe->payload);
	return rc < 0 ? rc : settle(probe);
}

static const struct {
	const char *name;
	int (*send)(struct probe *probe);
} ways[] = {
	{ "write", send_by_write },
	{ "cat", send_by_cat },
	{ "frames", send_by_frames },
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

/* MB/s of each way, the best of @rounds. */
static int measure(struct probe *probe, int64_t rounds, double best[WAYS])
{
	int rc = make_frames(probe);

	for (int64_t round = 0; rc == 0 && round < rounds; round++)
		for (size_t i = 0; rc == 0 && i < WAYS; i++) {
			uint64_t took_ns;
			double rate;

			rc = rest(probe);
			if (rc < 0)
				break;
			took_ns = ktstr_now_ns(probe->guest);
			rc = ways[i].send(probe);
			took_ns = ktstr_now_ns(probe->guest) - took_ns;
			rate = (double)probe->byte_count * 1e3 / (double)took_ns;
			if (rate > best[i])
				best[i] = rate;
		}
	free_frames(probe);
	return rc;
}

/* The agent's port cannot be opened a second time, so its descriptor is taken over. */
static int find_port(void)
{
	DIR *fds = opendir("/proc/1/fd");
	int agent = (int)syscall(SYS_pidfd_open, 1, 0), port = -ENOENT;
	struct dirent *entry;

	while (fds && port < 0 && (entry = readdir(fds))) {
		char path[280], target[64] = "";

		(void)snprintf(path, sizeof(path), "/proc/1/fd/%s", entry->d_name);
		if (readlink(path, target, sizeof(target) - 1) > 0 &&
		    strncmp(target, "/dev/vport", 10) == 0)
			port = (int)syscall(SYS_pidfd_getfd, agent, atoi(entry->d_name), 0);
	}
	if (fds)
		(void)closedir(fds);
	if (agent >= 0)
		(void)close(agent);
	return port < 0 ? -ENOENT : port;
}

static int needs(const struct ktstr_value *values, struct ktstr_needs *needs,
		 struct ktstr_error *err)
{
	(void)values;
	(void)err;
	needs->duration_ns = UINT64_C(600000000000);
	return 0;
}

static int run(struct ktstr_guest *g, const struct ktstr_value *values, void *state,
	       struct ktstr_error *err)
{
	FILE *console = fopen("/dev/console", "we");
	int port = find_port(), rc = 0;

	(void)state;
	if (!console || port < 0)
		return ktstr_fail(err, -ENOENT, "cannot find the %s",
				  console ? "port of the agent" : "console");
	(void)fprintf(console, "\nMB/s through the port, payloads of\n");
	for (size_t i = 0; rc == 0 && i < sizeof(payload_lengths) / sizeof(uint32_t); i++) {
		double best[WAYS] = { 0 };
		struct probe probe = {
			.guest = g,
			.err = err,
			.port = port,
			.file = -1,
			.payload = payload_lengths[i],
			.byte_count = (uint64_t)values[P_MEGABYTES].i * 1000000,
		};

		rc = measure(&probe, values[P_ROUNDS].i, best);
		(void)fprintf(console, "%8u bytes:", payload_lengths[i]);
		for (size_t way = 0; way < WAYS; way++)
			(void)fprintf(console, "  %s %6.1f", ways[way].name, best[way]);
		(void)fprintf(console, "  frames are %.0f %% of cat, %.0f %% of write\n",
			      100 * best[2] / best[1], 100 * best[2] / best[0]);
	}
	(void)fclose(console);
	(void)close(port);
	return rc < 0 && !err->text[0] ? ktstr_fail(err, rc, "%s", strerror(-rc)) : rc;
}

static const struct ktstr_scenario_ops ops = { .size = sizeof(ops), .needs = needs, .run = run };

KTSTR_PLUGIN_DEFINE(KTSTR_KIND_SCENARIO, .name = "vm_bulk", .version = "1.0",
		    .summary = "measure how fast frames leave the guest", .params = params,
		    .scenario = &ops, .license = "GPL-2.0-only");
