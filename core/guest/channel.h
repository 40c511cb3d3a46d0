/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames from the session process to PID 1, over a pipe. PID 1 passes on whole frames only: what a
 * dying session left half-written stays behind.
 */
#ifndef GUEST_CHANNEL_H
#define GUEST_CHANNEL_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/port.h"
#include "ktstr/error.h"
#include "ktstr/outcome.h"

/* The session's end. Threads may share it. */
struct channel_sender {
	int fd;
	pthread_mutex_t lock;
};

void channel_sender_init(struct channel_sender *sender, int fd);

/* 0, -EMSGSIZE, or what the write said. */
int channel_send(struct channel_sender *sender, uint32_t msg_type, const void *payload,
		 uint32_t length);

/* One payload made of a struct and the bytes that follow it. */
int channel_send_pair(struct channel_sender *sender, uint32_t msg_type, const void *head,
		      uint32_t head_length, const void *tail, uint32_t tail_length);

/* KTSTR_MSG_ERROR, KTSTR_MSG_LIFECYCLE and KTSTR_MSG_TEST_RESULT with their text. */
int channel_send_error(struct channel_sender *sender, uint32_t stage,
		       const struct ktstr_error *error);
int channel_send_phase(struct channel_sender *sender, uint8_t phase, const char *text);
int channel_send_result(struct channel_sender *sender, uint32_t outcome,
			const struct ktstr_error *error);

/* PID 1's end. */
struct channel_receiver {
	int fd; /* non-blocking */
	uint8_t *data;
	size_t length;
	size_t size;
};

void channel_receiver_init(struct channel_receiver *receiver, int fd);
void channel_receiver_done(struct channel_receiver *receiver);

/*
 * Read what is there, in at most @max_reads reads (0: all), and pass whole frames on to @port.
 * Returns 0; -ENODATA at the end of the pipe; -EBADMSG for what cannot be a frame of the session;
 * else what the port said.
 */
int channel_receive(struct channel_receiver *receiver, struct port *port, unsigned int max_reads,
		    struct ktstr_error *err);

#endif
