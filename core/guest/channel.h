/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames from the session process to PID 1, through memory that both share. The session builds each
 * frame there and publishes it when it is whole; PID 1 writes from there to the port. So a payload
 * is copied once before the kernel takes it, and what a dying session left half-written was never
 * published.
 *
 * The memory is filled from its start until CHANNEL_FILL bytes are in it, or one larger frame is;
 * when PID 1 has passed on all of it the session begins at the start again.
 */
#ifndef GUEST_CHANNEL_H
#define GUEST_CHANNEL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/port.h"
#include "ktstr/error.h"
#include "ktstr/outcome.h"
#include "wire/frame.h"

/* A small part of the caches, and many frames of most kinds. */
#define CHANNEL_FILL ((size_t)2048 * 1024)
#define CHANNEL_BYTES ((size_t)WIRE_HEADER_SIZE + KTSTR_FRAME_PAYLOAD_MAX)

/* How far one side came: the number of the filling, and the end of the last whole frame in it. */
struct channel_mark {
	uint32_t round;
	uint32_t end;
};

/* The shared memory. Each side only ever writes its own mark. */
struct channel_area {
	_Atomic(struct channel_mark) published; /* by the session */
	_Atomic(struct channel_mark) passed;	/* by PID 1 */
	atomic_bool is_awaited;			/* the session waits until all is passed on */
	atomic_bool is_lingering;		/* PID 1 looks by itself soon: no need to ring */
	uint8_t frames[CHANNEL_BYTES] __attribute__((aligned(4096)));
};

/*
 * How long PID 1 waits with the next look once frames came, and from which length on a payload
 * waits for that. A session that sends much, one after the other, is not interrupted by each; what
 * says how the run goes is short, and passed on at once.
 */
#define CHANNEL_LINGER_NS UINT64_C(1000000)
#define CHANNEL_LINGER_LENGTH 1024u

/* Made before the session is forked; both sides have it. */
struct channel {
	struct channel_area *area;
	int frames_fd; /* eventfd; readable: frames were published */
	int room_fd;   /* eventfd; readable: all was passed on, and the session waits for that */
};

/* 0 or a negative errno. */
int channel_init(struct channel *channel);
/* Only for this process. */
void channel_done(struct channel *channel);

/* The session's end. Threads may share it. */
struct channel_sender {
	struct channel *channel;
	pthread_mutex_t lock;
	struct channel_mark published;
};

/* In the session; its children will not have the memory. */
void channel_sender_init(struct channel_sender *sender, struct channel *channel);

/* 0 or -EMSGSIZE. Waits while PID 1 is behind. */
int channel_send(struct channel_sender *sender, uint32_t msg_type, const void *payload,
		 uint32_t length);

/* Wait until PID 1 has passed on all that was sent. */
void channel_flush(struct channel_sender *sender);

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
	struct channel *channel;
	struct channel_mark passed;
	bool is_lingering; /* to look again after CHANNEL_LINGER_NS, bell or not */
};

void channel_receiver_init(struct channel_receiver *receiver, struct channel *channel);

/*
 * Pass all on to @port that was published so far. Returns 0; -EBADMSG for what cannot be frames of
 * the session, after the frames before it; else what the port said.
 */
int channel_receive(struct channel_receiver *receiver, struct port *port, struct ktstr_error *err);

#endif
