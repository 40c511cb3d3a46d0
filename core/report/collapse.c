/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/collapse.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* Loops may lie in loops: each pass takes the ones inside. */
#define PASSES_MAX 5
/* Lengths of a block that a pass tries. */
#define CANDIDATES_MAX 8
#define MARK_MAX 64

/* A line of the log, or a mark: a line of ours. */
struct line {
	const char *text;
	uint32_t length;
	bool is_mark; /* the text is ours, and to be freed */
	uint64_t key; /* the same for lines that say the same */
};

struct lines {
	struct line *items;
	size_t count;
	size_t size;
};

struct place {
	uint64_t key;
	uint32_t index;
};

struct candidate {
	uint32_t block;
	uint32_t votes;
};

static uint64_t hash(uint64_t seed, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		seed = (seed ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
	return seed ^ seed >> 29;
}

static const char *skip_digits(const char *at, const char *end)
{
	while (at < end && isdigit((unsigned char)*at))
		at++;
	return at;
}

static bool starts_with(const char *at, const char *end, const char *word)
{
	size_t length = strlen(word);

	return (size_t)(end - at) >= length && memcmp(at, word, length) == 0;
}

/* "R1=...", "R10_w=...", "frame1: R6=...": what is known of registers here. */
static bool is_registers(const char *at, const char *end)
{
	const char *digits;

	if (starts_with(at, end, "frame")) {
		at = skip_digits(at + 5, end);
		return starts_with(at, end, ":");
	}
	if (at == end || *at != 'R')
		return false;
	digits = skip_digits(at + 1, end);
	return digits > at + 1 && digits < end && (*digits == '=' || *digits == '_');
}

/* Where the part of an instruction ends that is the same each time round. */
static const char *stable_end(const char *at, const char *end)
{
	for (const char *c = at; c < end; c++) {
		const char *next = c + 1;

		while (*c == ';' && next < end && *next == ' ')
			next++;
		if (*c == ';' && is_registers(next, end))
			return c;
		if (starts_with(c, end, "goto pc+") || starts_with(c, end, "goto pc-"))
			return skip_digits(c + 8, end);
	}
	return end;
}

/* A line without what changes from one time to the next: the address, and the registers. */
static uint64_t key_of(const char *text, size_t length)
{
	const uint64_t seed = UINT64_C(0xcbf29ce484222325);
	const char *end = text + length;
	const char *at = text, *digits;

	while (end > at && isspace((unsigned char)end[-1]))
		end--;
	/* Lines of the source stay as they are. */
	if (at < end && *at == ';' && !is_registers(at + 1 + (at + 1 < end && at[1] == ' '), end))
		return hash(seed, at, (size_t)(end - at));
	if (starts_with(at, end, "from "))
		return hash(seed, "from", 4);
	digits = skip_digits(at, end);
	if (digits > at && digits < end && *digits == ':')
		at = digits + 1;
	while (at < end && *at == ' ')
		at++;
	if (is_registers(at, end))
		return hash(seed, "registers", 9);
	end = stable_end(at, end);
	while (end > at && isspace((unsigned char)end[-1]))
		end--;
	return hash(seed, at, (size_t)(end - at));
}

static int line_add(struct lines *lines, const struct line *line)
{
	if (lines->count == lines->size) {
		size_t size = lines->size ? lines->size * 2 : 256;
		struct line *more = realloc(lines->items, size * sizeof(*more));

		if (!more)
			return -ENOMEM;
		lines->items = more;
		lines->size = size;
	}
	lines->items[lines->count++] = *line;
	return 0;
}

__attribute__((format(printf, 2, 3))) static int mark_add(struct lines *lines, const char *format,
							  ...)
{
	struct line line = { .is_mark = true };
	char *text = malloc(MARK_MAX);
	va_list args;
	int rc;

	if (!text)
		return -ENOMEM;
	va_start(args, format);
	(void)vsnprintf(text, MARK_MAX, format, args);
	va_end(args);
	line.text = text;
	line.length = (uint32_t)strlen(text);
	line.key = hash(1, text, line.length);
	rc = line_add(lines, &line);
	if (rc < 0)
		free(text);
	return rc;
}

static void line_done(struct line *line)
{
	if (line->is_mark)
		free((char *)line->text);
}

static void lines_done(struct lines *lines)
{
	for (size_t i = 0; i < lines->count; i++)
		line_done(&lines->items[i]);
	free(lines->items);
	*lines = (struct lines){ 0 };
}

/* The last COLLAPSE_LINES_MAX lines of the text. */
static int split(const char *text, size_t length, struct lines *lines)
{
	const char *end = text + length, *at = end;
	size_t count = 0;

	if (at > text && at[-1] == '\n')
		at--;
	while (at > text && count < COLLAPSE_LINES_MAX)
		count += *--at == '\n';
	if (at > text || (at < end && *at == '\n' && count == COLLAPSE_LINES_MAX))
		at++;
	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *stop = newline ? newline : end;
		const struct line line = { .text = at,
					   .length = (uint32_t)(stop - at),
					   .key = key_of(at, (size_t)(stop - at)) };

		if (line_add(lines, &line) < 0)
			return -ENOMEM;
		at = stop + 1;
	}
	return 0;
}

static int by_key(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static int by_votes(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->votes != y->votes)
		return x->votes > y->votes ? -1 : 1;
	return x->block < y->block ? -1 : x->block > y->block;
}

/* Lines that come again sooner than a block is long make a block several times. */
static uint32_t shortest_block(uint32_t distance)
{
	return distance < COLLAPSE_BLOCK_MIN
		       ? (COLLAPSE_BLOCK_MIN + distance - 1) / distance * distance
		       : distance;
}

/* The distances at which most lines come again. Returns how many; -ENOMEM. */
static int find_candidates(const struct lines *lines, struct candidate ret[CANDIDATES_MAX + 1])
{
	_cleanup_free_ struct place *places = calloc(lines->count + 1, sizeof(*places));
	_cleanup_free_ uint32_t *votes = calloc(lines->count + 1, sizeof(*votes));
	int count = 0;

	if (!places || !votes)
		return -ENOMEM;
	for (size_t i = 0; i < lines->count; i++)
		places[i] = (struct place){ lines->items[i].key, (uint32_t)i };
	qsort(places, lines->count, sizeof(*places), by_key);
	for (size_t i = 1; i < lines->count; i++) {
		uint32_t block;

		if (places[i].key != places[i - 1].key)
			continue;
		block = shortest_block(places[i].index - places[i - 1].index);
		if (block < lines->count)
			votes[block]++;
	}
	for (uint32_t block = COLLAPSE_BLOCK_MIN; block < lines->count; block++) {
		if (votes[block] == 0)
			continue;
		ret[count++] = (struct candidate){ block, votes[block] };
		qsort(ret, (size_t)count, sizeof(*ret), by_votes);
		if (count > CANDIDATES_MAX)
			count = CANDIDATES_MAX;
	}
	return count;
}

/* How many lines from @first on are the same as those @block lines later. */
static size_t same_length(const struct lines *lines, size_t first, size_t block)
{
	size_t length = 0;

	while (first + length + block < lines->count &&
	       lines->items[first + length].key == lines->items[first + length + block].key)
		length++;
	return length;
}

static int copy(const struct lines *from, size_t first, size_t count, struct lines *to)
{
	for (size_t i = 0; i < count; i++) {
		if (line_add(to, &from->items[first + i]) < 0)
			return -ENOMEM;
		from->items[first + i].is_mark = false; /* it has another owner now */
	}
	return 0;
}

static int add_repetition(const struct lines *from, size_t first, size_t block, size_t times,
			  struct lines *to)
{
	int rc = mark_add(to, "--- the next %zu lines come %zu times ---", block, times);

	if (rc == 0)
		rc = copy(from, first, block, to);
	if (rc == 0)
		rc = mark_add(to, "--- left out: %zu more of the same ---", times - 2);
	if (rc == 0)
		rc = copy(from, first + (times - 1) * block, block, to);
	if (rc == 0)
		rc = mark_add(to, "--- end of what comes %zu times ---", times);
	return rc;
}

/* Collapse what repeats with this length of a block. */
static int collapse_block(const struct lines *from, size_t block, struct lines *to)
{
	size_t at = 0;
	int rc = 0;

	while (at < from->count && rc == 0) {
		size_t length = same_length(from, at, block);
		size_t times = length / block + 1;

		if (times >= COLLAPSE_TIMES_MIN) {
			rc = add_repetition(from, at, block, times, to);
			at += times * block;
			continue;
		}
		/* No repetition begins before the line that differs, either. */
		length++;
		if (length > from->count - at)
			length = from->count - at;
		rc = copy(from, at, length, to);
		at += length;
	}
	return rc;
}

/* Is there anything to collapse with this length of a block? */
static bool has_repetition(const struct lines *lines, size_t block)
{
	for (size_t at = 0; at < lines->count;) {
		size_t length = same_length(lines, at, block);

		if (length / block + 1 >= COLLAPSE_TIMES_MIN)
			return true;
		at += length + 1;
	}
	return false;
}

/* 1: something was collapsed; 0: nothing is left to collapse; -ENOMEM. */
static int pass(struct lines *lines)
{
	struct candidate candidates[CANDIDATES_MAX + 1];
	int count = find_candidates(lines, candidates);

	for (int i = 0; i < count; i++) {
		struct lines shorter = { 0 };
		int rc;

		if (!has_repetition(lines, candidates[i].block))
			continue;
		rc = collapse_block(lines, candidates[i].block, &shorter);
		lines_done(lines);
		*lines = shorter;
		return rc < 0 ? rc : 1;
	}
	return count < 0 ? count : 0;
}

int collapse_add(const char *text, size_t length, struct str *out)
{
	struct lines lines = { 0 };
	int rc = split(text, length, &lines);
	int more = 1;

	for (int i = 0; i < PASSES_MAX && rc == 0 && more == 1; i++)
		more = pass(&lines);
	if (more < 0)
		rc = more;
	for (size_t i = 0; i < lines.count && rc == 0; i++) {
		rc = str_add_bytes(out, lines.items[i].text, lines.items[i].length);
		if (rc == 0)
			rc = str_add(out, "\n");
	}
	lines_done(&lines);
	return rc;
}
