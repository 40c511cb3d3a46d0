/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The villain: a program that boots as the agent does and plays an honest run, but for one trick.
 * Without a trick its run is a PASS, so whatever verdict a trick gets is the trick's own.
 */
#ifndef VILLAIN_VILLAIN_H
#define VILLAIN_VILLAIN_H

#include <stddef.h>
#include <stdint.h>

#include "guest/port.h"
#include "ktstr/frame.h"
#include "plugin/job.h"

/* The parts of an honest run, in their order. Each but the last is one frame. */
enum beat {
	BEAT_KERN_ADDRS,
	BEAT_SYS_RDY,
	BEAT_INIT_STARTED,
	BEAT_HELLO,
	BEAT_ATTACHED,
	BEAT_PAYLOAD_STARTING,
	BEAT_START,
	BEAT_CGROUP,
	BEAT_STEP,
	BEAT_STIMULUS,
	BEAT_OUTPUT,
	BEAT_WORKER,
	BEAT_STEP_END,
	BEAT_SCENARIO_END,
	BEAT_RESULT,
	BEAT_EXIT,
	BEAT_END,
	BEAT_POWER_OFF,
};

struct villain {
	struct port port; /* its account is of what an honest agent would have counted */
	int wake_fd;
	struct job *job;
};

#define FRAME_PAYLOAD_MAX 2048
struct frame {
	uint32_t msg_type;
	uint32_t length;
	uint8_t payload[FRAME_PAYLOAD_MAX];
};

enum when {
	BEFORE,
	INSTEAD,
	AFTER,
};

/* What is done at one beat of the run. @frame: that of the beat; at BEAT_POWER_OFF it is empty. */
struct trick {
	const char *name;
	enum beat at;
	enum when when;
	void (*play)(struct villain *v, const struct frame *frame);
};

/* The tables of tricks, each ended by a name of NULL. */
extern const struct trick tricks_of_frames[];
extern const struct trick tricks_of_order[];
extern const struct trick tricks_of_content[];
extern const struct trick tricks_of_floods[];
extern const struct trick tricks_of_the_machine[];
extern const struct trick tricks_of_the_freeze[];

/* The honest frame of a beat. */
void story_frame(const struct villain *v, enum beat beat, struct frame *ret);
/* Send the honest frames of @first to @last. */
void story_tell(struct villain *v, enum beat first, enum beat last);

/* A frame with a payload of @head and then @tail, either may be empty. */
void frame_make(struct frame *frame, uint32_t msg_type, const void *head, size_t head_length,
		const void *tail, size_t tail_length);

/* Send a frame as it should be, and count it. */
void villain_send(struct villain *v, const struct frame *frame);
/* Send @header and the payload as they are, and count them by that header. */
void villain_send_as(struct villain *v, const struct ktstr_frame_header *header,
		     const void *payload, size_t length);
/* Bytes that nobody counts. */
void villain_write(struct villain *v, const void *bytes, size_t length);
/* Send the same frame again and again, many to a write, and count each; @count 0: for ever. */
void villain_flood(struct villain *v, const struct frame *frame, uint64_t count);
/* The header of @frame with the right CRC. */
void frame_header(const struct frame *frame, struct ktstr_frame_header *ret);
/* The header in wire order. */
void header_bytes(const struct ktstr_frame_header *header, uint8_t ret[WIRE_HEADER_SIZE]);

/* Wait until the host has what was sent, as the agent does, and switch the machine off. */
__attribute__((noreturn)) void villain_leave(struct villain *v);
/* Do nothing more until the host ends the machine. */
__attribute__((noreturn)) void villain_hang(void);
/* Say on the console what went wrong with the villain itself, and hang. */
__attribute__((noreturn, format(printf, 1, 2))) void villain_die(const char *format, ...);

#endif
