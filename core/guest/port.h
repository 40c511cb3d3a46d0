/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The bulk port: the one way from the guest to the host for frames. PID 1 is its only writer, so a
 * process that is killed in the middle of a frame cannot tear the stream.
 */
#ifndef GUEST_PORT_H
#define GUEST_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ktstr/error.h"
#include "ktstr/frame.h"
#include "wire/frame.h"
#include "wire/job_area.h"

struct port {
	int fd;
	struct wire_account account;
	/* Once so many frames are sent, @stop is called, which does not return. The host says how
	 * many, before the run. */
	const volatile uint64_t *stop_after;
	void (*stop)(void);
};

/* Take @fd. Nothing stops it. */
void port_init(struct port *port, int fd);
void port_done(struct port *port);

/*
 * Open the virtio-serial port that is called @name, by the names in @sysfs
 * ("/sys/class/virtio-ports"), as a node of @dev ("/dev"). Waits at most @timeout_ns for it to
 * appear. A port can be opened once, so it is opened for reading and writing. Returns the fd.
 */
int port_open(const char *sysfs, const char *dev, const char *name, uint64_t timeout_ns,
	      struct ktstr_error *err);

/* Bytes as they are, outside of the account. 0, or a negative errno. */
int port_write(int fd, const void *bytes, size_t length);

/* Send one frame. 0, -EMSGSIZE, or what the write said; after that the stream is broken. */
int port_send(struct port *port, uint32_t msg_type, const void *payload, uint32_t length);

/* Send @length bytes at @frames: whole frames, header and payload, one after the other; -EBADMSG
 * and nothing sent when they are not. */
int port_forward(struct port *port, const void *frames, size_t length);

/* Send the last frame: the account of those before it. */
int port_end(struct port *port);

/*
 * May some of what was sent still wait for the host? A write to a port is done once the bytes are
 * in its queue, and they are lost when the machine goes before the host made room for them. A short
 * stream fits into the host's buffers whatever the host does.
 */
bool port_may_lag(const struct port *port);

#endif
