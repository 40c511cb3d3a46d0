/* SPDX-License-Identifier: GPL-2.0-only */
/* What the payload of each type of frame consists of, as data: for those who show it. */
#ifndef REPORT_FRAME_LAYOUT_H
#define REPORT_FRAME_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum frame_value {
	FRAME_NUMBER, /* unsigned, of 1, 2, 4 or 8 bytes */
	FRAME_SIGNED,
	FRAME_HEX,
	FRAME_TEXT, /* an array of char, ended by NUL where it is shorter */
	FRAME_CPUS, /* struct ktstr_cpuset */
};

struct frame_member {
	const char *name;
	uint16_t offset;
	uint16_t length;
	enum frame_value value;
};

/* What follows the struct. */
enum frame_tail {
	FRAME_TAIL_NONE,
	FRAME_TAIL_TEXT,    /* all of it */
	FRAME_TAIL_TEXTS,   /* one after the other; their lengths are members of the struct */
	FRAME_TAIL_ENTRIES, /* structs of one kind */
};

#define FRAME_TAIL_TEXTS_MAX 4

struct frame_layout {
	uint32_t msg_type;
	bool has_size; /* the struct starts with its size */
	uint16_t struct_size;
	const struct frame_member *members;
	size_t member_count;
	enum frame_tail tail;
	const char *tail_name; /* of the text, or of an entry */
	struct {
		const char *name;
		uint16_t length_at; /* where the struct has its length, a u32 */
	} texts[FRAME_TAIL_TEXTS_MAX];
	const struct frame_member *entry_members;
	size_t entry_member_count;
	uint16_t entry_size;
	/* The member that is a time of the guest: its unit in nanoseconds, and since when. */
	const char *clock; /* NULL: there is none */
	uint16_t clock_at;
	uint16_t clock_length;
	uint64_t clock_unit_ns;
};

/* NULL: nothing is known of it. */
const struct frame_layout *frame_layout_find(uint32_t msg_type);

#endif
