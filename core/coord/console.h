/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Lines out of a byte stream that a person is to read, and a latch on one word in it. Time is
 * linear in the bytes and memory is fixed, whatever the guest writes.
 */
#ifndef COORD_CONSOLE_H
#define COORD_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>

/* Longer lines are cut. */
#define CONSOLE_LINE_MAX 1024

/* Zero-initialise, then set the first three. */
struct console {
	/* The word; its first letter occurs in it only once. NULL: none is looked for. */
	const char *word;
	/* One whole line, made safe, without its newline; may be NULL. */
	void (*line)(void *arg, const char *line);
	void *arg;
	size_t matched;
	bool is_latched; /* the word was seen, split over reads or not */
	bool has_latched_line;
	char latched_line[CONSOLE_LINE_MAX]; /* the line that it stands in, made safe */
	char text[CONSOLE_LINE_MAX];
	size_t length;
};

void console_feed(struct console *console, const void *bytes, size_t length);
/* The stream is over: what is left is a line too. */
void console_finish(struct console *console);

#endif
