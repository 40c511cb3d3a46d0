/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How fast frames of a guest get into the run file: bench_bulk [--smoke] [RUN...]
 *
 * Made-up streams, and those of recorded runs, go through the coordinator's own path: assembler,
 * CRC, dispatch, run file. Beside each stand two references over the same bytes: memcpy() alone,
 * and zlib's crc32() of the payloads alone. Times are CPU time of the thread, the best of some
 * passes, so that they hold on a busy machine too. --smoke: a little of everything, once, to see
 * that it works.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <zlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "coord/internal.h"
#include "runfile/reader.h"
#include "support/frames.h"

#define STREAM_BYTES ((size_t)64 * 1024 * 1024)
/* Reads of single bytes take long, and need no more to tell. */
#define SLOW_BYTES ((size_t)4 * 1024 * 1024)
#define SMOKE_BYTES ((size_t)2 * 1024 * 1024)
#define PASSES 7

enum sink {
	SINK_MEMORY, /* a file in memory, as on tmpfs */
	SINK_NULL,   /* nowhere: the coordinator's own cost */
	SINK_COUNT,
};
static const char *const sink_names[SINK_COUNT] = { "tmpfs", "null" };

/* How the stream comes. */
static const struct {
	const char *name;
	size_t size; /* of a read; 0: the whole loop reads a file */
} reads[] = { { "1 byte", 1 }, { "64 KiB", 65536 }, { "a file", 0 } };

struct bench {
	size_t bytes;
	int passes;
};

struct measure {
	uint64_t ns;
	uint64_t allocations;
};

static uint64_t allocations;

/* The linker sends the calls of the code under test here. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *data, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *data, size_t size);

void *__wrap_malloc(size_t size)
{
	allocations++;
	return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	allocations++;
	return __real_calloc(count, size);
}

void *__wrap_realloc(void *data, size_t size)
{
	allocations++;
	return __real_realloc(data, size);
}

__attribute__((noreturn)) static void die(const char *what, const char *why)
{
	(void)fprintf(stderr, "bench_bulk: %s: %s\n", what, why);
	exit(1);
}

static uint64_t cpu_ns(void)
{
	struct timespec at;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
	return (uint64_t)at.tv_sec * NS_PER_S + (uint64_t)at.tv_nsec;
}

/* Streams. */

static void fill(uint8_t *data, size_t length)
{
	uint32_t state = 1;

	for (size_t i = 0; i < length; i++) {
		state = state * 1664525 + 1013904223;
		data[i] = (uint8_t)(state >> 24);
	}
}

static struct frames make_stream(uint32_t payload_length, size_t bytes)
{
	size_t frame_length = WIRE_HEADER_SIZE + payload_length;
	size_t enough = bytes / frame_length + 1;
	/* More than a run may have would end it. */
	size_t count = enough < COORD_FRAMES_MAX ? enough : COORD_FRAMES_MAX;
	struct frames frames = { .bytes = malloc(count * frame_length) };

	if (!frames.bytes)
		die("a stream", "out of memory");
	for (size_t i = 0; i < count; i++) {
		uint8_t *at = frames.bytes + frames.length;

		fill(at + WIRE_HEADER_SIZE, payload_length);
		wire_header_encode(KTSTR_MSG_RAW_PAYLOAD_OUTPUT, at + WIRE_HEADER_SIZE,
				   payload_length, at);
		wire_account_add(&frames.account, at, payload_length);
		frames.length += frame_length;
	}
	return frames;
}

/* The frames of a recorded run but its last, over and over. */
static struct frames load_stream(const char *path, size_t bytes)
{
	struct frames once = { 0 }, frames = { 0 };
	struct runfile_reader *reader;
	struct runfile_record record;
	struct ktstr_error err;
	const void *payload;

	if (runfile_open(path, &reader, &err) < 0)
		die(path, err.text);
	while (runfile_next(reader, &record, &payload))
		if (record.kind == RUNFILE_FRAME && record.tag != KTSTR_MSG_END)
			frames_add(&once, record.tag, payload, record.length);
	runfile_reader_free(reader);
	if (once.length == 0)
		die(path, "it has no frames");
	frames.bytes = malloc(bytes + once.length);
	if (!frames.bytes)
		die(path, "out of memory");
	while (frames.length < bytes &&
	       frames.account.frame_count + once.account.frame_count <= COORD_FRAMES_MAX) {
		memcpy(frames.bytes + frames.length, once.bytes, once.length);
		frames.length += once.length;
		frames.account.frame_count += once.account.frame_count;
	}
	frames_done(&once);
	return frames;
}

/* As much of it as @bytes, in whole frames. */
static struct frames first_part(const struct frames *frames, size_t bytes)
{
	struct frames part = { .bytes = frames->bytes };
	struct ktstr_frame_header header;

	while (part.length < frames->length && part.length < bytes) {
		wire_header_decode(frames->bytes + part.length, &header);
		part.length += WIRE_HEADER_SIZE + header.length;
		part.account.frame_count++;
	}
	return part;
}

/* The path. */

static struct runfile_writer *open_sink(enum sink sink)
{
	int fd = sink == SINK_NULL ? open("/dev/null", O_WRONLY | O_CLOEXEC)
				   : memfd_create("run", MFD_CLOEXEC);
	struct runfile_writer *writer;
	struct ktstr_error err;

	if (fd < 0)
		die("the run file", strerror(errno));
	if (runfile_create_fd(fd, "run", 1, 2, &writer, &err) < 0)
		die("the run file", err.text);
	return writer;
}

static struct coord_spec make_spec(struct runfile_writer *runfile, int bulk_fd)
{
	return (struct coord_spec){
		.start_ns = clock_monotonic_ns(),
		.bulk_fd = bulk_fd,
		.com1_fd = -1,
		.com2_fd = -1,
		.monitor_fd = -1,
		.pid_fd = -1,
		.stderr_fd = -1,
		.kill_evt = -1,
		.sys_rdy_evt = -1,
		.signal_fd = -1,
		.console_fd = -1,
		.console_log_fd = -1,
		.runfile = runfile,
	};
}

static void check(const struct frames *frames, uint64_t bucketed, uint64_t torn)
{
	if (bucketed != frames->account.frame_count || torn != 0)
		die("the path", "not every frame came through");
}

/* The part of the loop that follows a read, with memcpy() for the read. */
static struct measure pass_pieces(const struct frames *frames, size_t piece, enum sink sink)
{
	struct runfile_writer *runfile = open_sink(sink);
	struct coord_spec spec = make_spec(runfile, -1);
	static struct coord_result result;
	struct measure measure = { 0 };
	struct ktstr_error err;
	static struct coord c;
	uint64_t start_ns;

	result = (struct coord_result){ 0 };
	c = (struct coord){ .spec = &spec, .result = &result, .sinks = &result.sinks };
	c.assembler = assembler_new();
	for (int i = 0; i < SOURCE_COUNT; i++)
		c.fds[i] = -1;
	dispatch_init(c.sinks);
	allocations = 0;
	start_ns = cpu_ns();
	for (size_t at = 0; at < frames->length;) {
		size_t left = frames->length - at, size;
		size_t length = piece < left ? piece : left;
		void *space = assembler_space(c.assembler, length, &size);

		memcpy(space, frames->bytes + at, length);
		stream_take(&c, length);
		at += length;
	}
	measure.ns = cpu_ns() - start_ns;
	measure.allocations = allocations;
	check(frames, c.frames_recorded, assembler_counters(c.assembler)->torn);
	assembler_free(c.assembler);
	if (runfile_close(runfile, &err) < 0)
		die("the run file", err.text);
	return measure;
}

/* The whole loop over a file. */
static struct measure pass_loop(const struct frames *frames, int fd, enum sink sink)
{
	struct runfile_writer *runfile = open_sink(sink);
	struct coord_spec spec = make_spec(runfile, fd);
	static struct coord_result result;
	struct measure measure = { 0 };
	struct ktstr_error err;
	uint64_t start_ns;

	if (lseek(fd, 0, SEEK_SET) < 0)
		die("the stream", strerror(errno));
	allocations = 0;
	start_ns = cpu_ns();
	if (coord_run(&spec, &result, &err) < 0)
		die("the loop", err.text);
	measure.ns = cpu_ns() - start_ns;
	measure.allocations = allocations;
	check(frames, result.summary.frames_bucketed, result.summary.frames_torn);
	if (runfile_close(runfile, &err) < 0)
		die("the run file", err.text);
	return measure;
}

/* References. */

static uint64_t pass_memcpy(const struct frames *frames, uint8_t *to)
{
	uint64_t start_ns = cpu_ns();

	for (size_t at = 0; at < frames->length; at += 65536) {
		size_t left = frames->length - at;

		memcpy(to + at, frames->bytes + at, left < 65536 ? left : 65536);
	}
	return cpu_ns() - start_ns;
}

static uint64_t pass_crc32(const struct frames *frames)
{
	uint64_t start_ns = cpu_ns();
	uint32_t sum = 0;

	for (size_t at = 0; at < frames->length;) {
		struct ktstr_frame_header header;

		wire_header_decode(frames->bytes + at, &header);
		sum ^= (uint32_t)crc32(0, frames->bytes + at + WIRE_HEADER_SIZE, header.length);
		at += WIRE_HEADER_SIZE + header.length;
	}
	start_ns = cpu_ns() - start_ns;
	__asm__ volatile("" : : "r"(sum)); /* somebody wants to know it */
	return start_ns;
}

static uint64_t pass_write(const struct frames *frames)
{
	int fd = memfd_create("copy", MFD_CLOEXEC);
	uint64_t start_ns = cpu_ns();
	int rc = fd < 0 ? -errno : 0;

	for (size_t at = 0; rc == 0 && at < frames->length; at += 65536) {
		size_t left = frames->length - at;

		rc = io_write_all(fd, frames->bytes + at, left < 65536 ? left : 65536);
	}
	start_ns = cpu_ns() - start_ns;
	if (rc < 0)
		die("a file in memory", strerror(-rc));
	(void)close(fd);
	return start_ns;
}

/* GB/s. */
static double rate(const struct frames *frames, uint64_t ns)
{
	return (double)frames->length / (double)(ns > 0 ? ns : 1);
}

static void less(uint64_t *best, uint64_t value)
{
	if (*best == 0 || value < *best)
		*best = value;
}

static void print_references(const struct bench *bench, const struct frames *frames,
			     const char *name, double *ret_crc32)
{
	_cleanup_free_ uint8_t *to = malloc(frames->length);
	uint64_t memcpy_ns = 0, crc32_ns = 0, write_ns = 0;

	if (!to)
		die("a copy", "out of memory");
	memset(to, 1, frames->length); /* or the first pass pays for the pages */
	for (int pass = 0; pass < bench->passes; pass++) {
		less(&memcpy_ns, pass_memcpy(frames, to));
		less(&crc32_ns, pass_crc32(frames));
		less(&write_ns, pass_write(frames));
	}
	*ret_crc32 = rate(frames, crc32_ns);
	(void)printf("%s\n", name);
	(void)printf("  memcpy alone            %8.2f GB/s\n", rate(frames, memcpy_ns));
	(void)printf("  zlib's crc32 alone      %8.2f GB/s\n", *ret_crc32);
	(void)printf("  writes to tmpfs alone   %8.2f GB/s\n", rate(frames, write_ns));
}

static int make_file(const struct frames *frames)
{
	int fd = memfd_create("stream", MFD_CLOEXEC);

	if (fd < 0 || io_write_all(fd, frames->bytes, frames->length) < 0)
		die("the stream", "cannot be put into memory");
	return fd;
}

static void measure_path(const struct bench *bench, const struct frames *frames, size_t piece,
			 enum sink sink, struct measure *ret)
{
	int fd = piece ? -1 : make_file(frames);

	*ret = (struct measure){ 0 };
	for (int pass = 0; pass < bench->passes; pass++) {
		struct measure measure =
			piece ? pass_pieces(frames, piece, sink) : pass_loop(frames, fd, sink);

		less(&ret->ns, measure.ns);
		ret->allocations = measure.allocations;
	}
	if (fd >= 0)
		(void)close(fd);
}

static void run(const struct bench *bench, const struct frames *frames, const char *name)
{
	double crc32_rate;

	print_references(bench, frames, name, &crc32_rate);
	for (size_t i = 0; i < ARRAY_SIZE(reads); i++) {
		struct frames part =
			first_part(frames, reads[i].size == 1 ? SLOW_BYTES : frames->length);

		for (int sink = 0; sink < SINK_COUNT; sink++) {
			struct measure measure;

			measure_path(bench, &part, reads[i].size, sink, &measure);
			(void)printf(
				"  reads of %-6s to %-5s %8.2f GB/s %8.3f Mframes/s %5.0f %% of "
				"crc32 %3lu allocations\n",
				reads[i].name, sink_names[sink], rate(&part, measure.ns),
				(double)part.account.frame_count * 1e3 / (double)measure.ns,
				100 * rate(&part, measure.ns) / crc32_rate, measure.allocations);
		}
	}
	(void)printf("\n");
	(void)fflush(stdout);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		uint32_t length;
	} payloads[] = { { "payloads of 24 bytes", 24 },
			 { "payloads of 4 KiB", 4096 },
			 { "payloads of 64 KiB", 65536 },
			 { "payloads of 1 MiB", 1 << 20 } };
	struct bench bench = { .bytes = STREAM_BYTES, .passes = PASSES };
	int first = 1;

	if (argc > 1 && strcmp(argv[1], "--smoke") == 0) {
		bench = (struct bench){ .bytes = SMOKE_BYTES, .passes = 1 };
		first = 2;
	}
	for (size_t i = 0; i < ARRAY_SIZE(payloads); i++) {
		struct frames frames = make_stream(payloads[i].length, bench.bytes);

		run(&bench, &frames, payloads[i].name);
		frames_done(&frames);
	}
	for (int i = first; i < argc; i++) {
		struct frames frames = load_stream(argv[i], bench.bytes);
		const char *slash = strrchr(argv[i], '/');

		run(&bench, &frames, slash ? slash + 1 : argv[i]);
		frames_done(&frames);
	}
	return 0;
}
