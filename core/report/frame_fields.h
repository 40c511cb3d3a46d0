/* SPDX-License-Identifier: GPL-2.0-only */
/* A frame as names and values, for a person who looks at one. */
#ifndef REPORT_FRAME_FIELDS_H
#define REPORT_FRAME_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* More of one frame are left out. */
#define FRAME_FIELDS_MAX 96
/* No place in the payload is of more interest than another. */
#define FRAME_NO_FOCUS SIZE_MAX

struct frame_field {
	char name[40];
	char *value;   /* safe for a line of a terminal */
	size_t offset; /* of its bytes in the payload */
	size_t length;
};

struct frame_fields {
	char type[32];	     /* "STIMULUS"; the tag's letters where it is not known */
	uint32_t length;     /* of the payload */
	bool has_no_payload; /* of a frame for the coordinator alone the file has the header */
	bool has_guest_ns;
	uint64_t guest_ns; /* a time of the guest that the frame tells */
	const char *clock; /* since when: "since the scenario's start" */
	struct frame_field fields[FRAME_FIELDS_MAX];
	size_t count;
};

/*
 * Decode a record that is a frame (report/stream.h). What is known of its type has names; the rest
 * has none and no field. Long lists and texts are shown from about byte @focus of the payload on.
 * Nothing in it is trusted. 0 or -ENOMEM; frame_fields_done() is due whatever comes back.
 */
int frame_fields_get(uint32_t kind, uint32_t tag, uint32_t flags, const void *payload,
		     uint32_t length, size_t focus, struct frame_fields *ret);
void frame_fields_done(struct frame_fields *fields);

/* Append "TYPE name value, name value"; at most @max fields. 0 or -ENOMEM. */
int frame_fields_line(const struct frame_fields *fields, size_t max, struct str *out);

#endif
