/* SPDX-License-Identifier: GPL-2.0-only */
/* What an agent says, read from the other end of its port. */
#ifndef SUPPORT_AGENT_STREAM_H
#define SUPPORT_AGENT_STREAM_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ktstr/frame.h"
#include "wire/frame.h"

#define STREAM_FRAMES_MAX 64

/* Everything that came out of the port. */
struct stream {
	int fd;
	pthread_t reader;
	uint32_t types[STREAM_FRAMES_MAX];
	size_t count;
	struct wire_account account;
	struct ktstr_stream_end end;
	bool has_end;
	bool is_bad;
	int32_t exit_code;
	struct ktstr_error_info error;
	char error_text[1024];
	char phase[200]; /* of the last LIFECYCLE, with its text */
	char output[2][70000];
	size_t output_length[2];
	uint64_t log_bytes;
	uint32_t log_frame_max;
	char log_end[256]; /* the last frame of it */
};

/* A thread: everything, until the port is closed. @arg: a struct stream whose fd is set. */
void *read_stream(void *arg);

#endif
