/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/live.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "report/table.h"

#define DETAIL_MAX 256
#define WIDTH_DEFAULT 80
#define WIDTH_MIN 8 /* what the word before a line that stays takes, and one column */
#define WIDTH_MAX 1000

struct live {
	FILE *out;
	struct live_style style;
	char phase[32]; /* "" when none is open */
	char detail[DETAIL_MAX];
	uint64_t start_ns;
	struct str shown; /* what stands on the terminal's current line */
};

struct live *live_new(FILE *out, const struct live_style *style)
{
	struct live *live = calloc(1, sizeof(*live));

	if (!live)
		return NULL;
	live->out = out;
	live->style = *style;
	if (live->style.width == 0)
		live->style.width = WIDTH_DEFAULT;
	if (live->style.width < WIDTH_MIN)
		live->style.width = WIDTH_MIN;
	if (live->style.width > WIDTH_MAX)
		live->style.width = WIDTH_MAX;
	return live;
}

static void flatten(char *target, size_t size, const char *text)
{
	str_copy_safe(target, size, text, strlen(text));
	for (char *c = target; *c; c++)
		if (*c == '\n' || *c == '\t')
			*c = ' ';
}

/* "phase      detail", without blanks at the end. */
static void describe(const struct live *live, struct str *line)
{
	if (live->detail[0])
		(void)str_addf(line, "%-10s %s", live->phase, live->detail);
	else
		(void)str_add(line, live->phase);
}

/* Cut @line to what fits into the terminal with one column to spare: some wrap at the last. */
static void cut_to_width(struct str *line, size_t width)
{
	size_t columns = 0;

	for (size_t i = 0; i < line->length; i++) {
		if (((unsigned char)line->data[i] & 0xc0) == 0x80)
			continue;
		if (columns++ == width - 1) {
			line->data[i] = '\0';
			line->length = i;
			return;
		}
	}
}

/* Nothing here may stop a run: what cannot be shown for want of memory or a closed stderr is not.
 */
static void show(struct live *live)
{
	struct str line = { 0 };

	if (!live->style.is_terminal || live->style.is_quiet || !live->phase[0])
		return;
	describe(live, &line);
	cut_to_width(&line, live->style.width);
	if (strcmp(str_text(&line), str_text(&live->shown)) != 0) {
		(void)fprintf(live->out, "\r%s\033[K", str_text(&line));
		(void)fflush(live->out);
	}
	str_done(&live->shown);
	live->shown = line;
}

/* Take the live line away, so that another line can be written there. */
static void hide(struct live *live)
{
	if (live->shown.length > 0)
		(void)fputs("\r\033[K", live->out);
	str_clear(&live->shown);
}

/* The line that stays when a phase is over. */
static void close_phase(struct live *live, bool is_good)
{
	const char *colour = is_good ? "\033[32m" : "\033[31m";
	const char *word = is_good ? "done" : "failed";
	struct str line = { 0 };

	if (!live->phase[0])
		return;
	hide(live);
	if (!live->style.is_quiet && live->style.is_terminal) {
		describe(live, &line);
		if (live->style.now_ns)
			(void)str_addf(&line, "  %.1f s",
				       (double)(live->style.now_ns() - live->start_ns) / NS_PER_S);
		cut_to_width(&line, live->style.width - 7);
		if (live->style.has_colour)
			(void)fprintf(live->out, "%s%-6s\033[0m %s\n", colour, word,
				      str_text(&line));
		else
			(void)fprintf(live->out, "%-6s %s\n", word, str_text(&line));
	} else if (!live->style.is_quiet && !is_good) {
		(void)fprintf(live->out, "ktstr: %s failed\n", live->phase);
	}
	(void)fflush(live->out);
	str_done(&line);
	live->phase[0] = '\0';
}

void live_phase(struct live *live, const char *phase, const char *detail)
{
	bool is_same;

	if (!live)
		return;
	is_same = strcmp(live->phase, phase) == 0;
	if (!is_same)
		close_phase(live, true);
	flatten(live->phase, sizeof(live->phase), phase);
	flatten(live->detail, sizeof(live->detail), detail ? detail : "");
	if (live->style.now_ns && !is_same)
		live->start_ns = live->style.now_ns();
	if (live->style.is_terminal) {
		show(live);
	} else if (!live->style.is_quiet) {
		(void)fprintf(live->out, "ktstr: %s%s%s\n", live->phase,
			      live->detail[0] ? ": " : "", live->detail);
		(void)fflush(live->out);
	}
}

void live_update(struct live *live, const char *detail)
{
	if (!live)
		return;
	flatten(live->detail, sizeof(live->detail), detail);
	show(live);
}

void live_warning(struct live *live, const char *text)
{
	char safe[2048];

	if (!live)
		return;
	str_copy_safe(safe, sizeof(safe), text, strlen(text));
	hide(live);
	(void)fprintf(live->out, "%s\n", safe);
	(void)fflush(live->out);
	show(live);
}

void live_done(struct live *live, bool is_good)
{
	if (live)
		close_phase(live, is_good);
}

void live_free(struct live *live)
{
	if (!live)
		return;
	hide(live);
	(void)fflush(live->out);
	str_done(&live->shown);
	free(live);
}
