/* SPDX-License-Identifier: GPL-2.0-only */
#include "coord/console.h"

#include <string.h>

#include "base/str.h"

static void end_line(struct console *console)
{
	char safe[CONSOLE_LINE_MAX];

	if (console->length > 0 && console->text[console->length - 1] == '\r')
		console->length--;
	str_copy_safe(safe, sizeof(safe), console->text, console->length);
	console->length = 0;
	if (console->is_latched && !console->has_latched_line) {
		console->has_latched_line = true;
		str_copy(console->latched_line, sizeof(console->latched_line), safe);
	}
	if (console->line)
		console->line(console->arg, safe);
}

static void look_for_word(struct console *console, char byte)
{
	const char *word = console->word;

	if (!word || console->is_latched)
		return;
	if (byte == word[console->matched])
		console->matched++;
	else
		console->matched = byte == word[0];
	console->is_latched = word[console->matched] == '\0';
}

void console_feed(struct console *console, const void *bytes, size_t length)
{
	const char *text = bytes;

	for (size_t i = 0; i < length; i++) {
		look_for_word(console, text[i]);
		if (text[i] == '\n')
			end_line(console);
		else if (console->length < sizeof(console->text) - 1)
			console->text[console->length++] = text[i];
	}
}

void console_finish(struct console *console)
{
	if (console->length > 0)
		end_line(console);
}
