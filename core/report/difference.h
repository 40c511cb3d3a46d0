/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the streams (report/stream.h) of two run files part, for a person to look at. */
#ifndef REPORT_DIFFERENCE_H
#define REPORT_DIFFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/str.h"
#include "ktstr/error.h"
#include "report/frame_fields.h"

enum difference_kind {
	DIFFERENCE_NONE,
	DIFFERENCE_FRAME,   /* frame number @index */
	DIFFERENCE_END,	    /* one stream has no frame number @index, the other has */
	DIFFERENCE_COM1,    /* all frames are the same; the console is not */
	DIFFERENCE_COM2,    /* nor that for crashes */
	DIFFERENCE_CAPTURE, /* capture number @index, when all else is the same */
};

/* Bytes that are kept from around the first one that differs. */
#define DIFFERENCE_WINDOW 48
#define DIFFERENCE_LINE_MAX 200

struct difference_side {
	uint64_t frames; /* in all */
	bool is_there;	 /* what is compared: a frame, a capture, more of a console */
	struct frame_fields frame;
	char line[DIFFERENCE_LINE_MAX]; /* of a console; safe for a terminal */
	uint8_t window[DIFFERENCE_WINDOW];
	size_t window_length;
};

struct difference {
	enum difference_kind kind;
	uint64_t index;	    /* from 0 */
	uint64_t offset;    /* the first byte that differs, of the payload or of the console */
	uint64_t line;	    /* the line of the console, from 1 */
	size_t window_from; /* where the windows begin; a multiple of 16 */
	char *before;	    /* the last frame that is the same, on one line; NULL: none */
	char *place;	    /* "in step 2 of 3 'hog'" */
	char *guest_time;   /* the last that was told before, in words; NULL: none */
	struct difference_side sides[2];
};

/* A run file, borrowed; @name is for messages. */
struct difference_input {
	int runfile_fd;
	const char *name;
};

/* Find it. difference_free() is due on success. */
int difference_find(const struct difference_input inputs[2], struct difference **ret,
		    struct ktstr_error *err);
void difference_free(struct difference *difference);

/* Append it in words, some lines; @labels name the two sides. 0 or -ENOMEM. */
int difference_text(const struct difference *difference, const char *const labels[2],
		    struct str *out);

/*
 * {kind, index, offset, line, place, guest_time, before, sides: [{label, frames, is_there, type,
 * bytes, fields, text, hex}]}: kind "none", "frame", "end", "com1", "com2" or "capture"; fields
 * {NAME: text}; what does not apply is null. NULL when out of memory.
 */
json_t *difference_json(const struct difference *difference, const char *const labels[2]);

#endif
