/* SPDX-License-Identifier: GPL-2.0-only */
/* The table of message types: one row each, for the coordinator's rules. */
#ifndef WIRE_TYPES_H
#define WIRE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ktstr/frame.h"

/* Single bytes that the host writes to ktstr-console (/dev/hvc0). */
#define WIRE_WAKE_SHUTDOWN 0xD3u	/* end the run early, in order */
#define WIRE_WAKE_STREAM_RECEIVED 0xAEu /* the END frame came: nothing is lost when the VM goes */

/* The kernel command line word that tells a guest that it is one. */
#define WIRE_GUEST_TOKEN "KTSTR_GUEST=1"

/* Names of the virtio-serial ports; in the guest /dev/virtio-ports/NAME or by
 * /sys/class/virtio-ports. */
#define WIRE_PORT_CONSOLE "ktstr-console"
#define WIRE_PORT_BULK "ktstr-bulk"
#define WIRE_PORT_STATS "ktstr-stats"

/* What the agent writes to COM2 before the text of its own crash. */
#define WIRE_CRASH_PREFIX "PANIC:"

enum wire_direction {
	WIRE_TO_HOST,
	WIRE_TO_GUEST,
};

struct wire_type {
	uint32_t msg_type;
	const char *name; /* "SCHED_EXIT" */
	enum wire_direction direction;
	/* Coordinator-internal: never in the verdict bucket. */
	bool is_internal;
	/* Bounds of a well-formed payload, inclusive. */
	uint32_t min_length;
	uint32_t max_length;
};

/* The row of a type, or NULL when it is unknown. */
const struct wire_type *wire_type_find(uint32_t msg_type);
/* All rows. */
const struct wire_type *wire_types(size_t *ret_count);

/* The tag as text ("EXIT"; unprintable letters become '?'). */
void wire_tag_text(uint32_t msg_type, char ret_text[5]);

#endif
