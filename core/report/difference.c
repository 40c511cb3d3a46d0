/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/difference.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "ktstr/frame.h"
#include "report/stream.h"
#include "runfile/reader.h"
#include "wire/payload.h"

/* Fields of the frame that came before. */
#define BEFORE_FIELDS 8
#define ROW 16

/* One record of a stream, while it is there. */
struct item {
	bool is_there;
	struct runfile_record record;
	const uint8_t *payload;
};

static struct item next_item(struct runfile_reader *reader,
			     bool (*is_wanted)(const struct runfile_record *record))
{
	struct item item = { 0 };
	const void *payload;

	while (!item.is_there && runfile_next(reader, &item.record, &payload) == 1)
		item.is_there = is_wanted(&item.record);
	item.payload = item.is_there ? payload : NULL;
	return item;
}

static bool is_capture(const struct runfile_record *record)
{
	return record->kind == RUNFILE_CAPTURE;
}

/* The first byte that two payloads do not share: at the end of the shorter one, if not before. */
static size_t first_difference(const struct item items[2])
{
	size_t a = items[0].record.length, b = items[1].record.length;
	size_t shorter = a < b ? a : b, i = 0;

	while (i < shorter && items[0].payload[i] == items[1].payload[i])
		i++;
	return i;
}

static bool is_same_item(const struct item items[2])
{
	const struct runfile_record *a = &items[0].record, *b = &items[1].record;

	return a->kind == b->kind && a->tag == b->tag && a->flags == b->flags &&
	       a->length == b->length &&
	       (a->length == 0 || memcmp(items[0].payload, items[1].payload, a->length) == 0);
}

static void keep_windows(struct difference *d, const struct item items[2])
{
	d->window_from = (size_t)d->offset / ROW * ROW;
	if (d->window_from >= ROW)
		d->window_from -= ROW;
	for (int i = 0; i < 2; i++) {
		struct difference_side *side = &d->sides[i];
		size_t length = items[i].is_there ? items[i].record.length : 0;

		if (length <= d->window_from)
			continue;
		side->window_length = length - d->window_from;
		if (side->window_length > DIFFERENCE_WINDOW)
			side->window_length = DIFFERENCE_WINDOW;
		memcpy(side->window, items[i].payload + d->window_from, side->window_length);
	}
}

static int keep_frames(struct difference *d, const struct item items[2])
{
	bool are_both = items[0].is_there && items[1].is_there;
	bool is_of_one_type = are_both && items[0].record.kind == items[1].record.kind &&
			      items[0].record.tag == items[1].record.tag;
	int rc = 0;

	d->kind = are_both ? DIFFERENCE_FRAME : DIFFERENCE_END;
	d->offset = are_both ? first_difference(items) : 0;
	keep_windows(d, items);
	for (int i = 0; i < 2 && rc == 0; i++) {
		const struct runfile_record *r = &items[i].record;

		d->sides[i].is_there = items[i].is_there;
		if (items[i].is_there)
			rc = frame_fields_get(r->kind, r->tag, r->flags, items[i].payload,
					      r->length,
					      is_of_one_type ? (size_t)d->offset : FRAME_NO_FOCUS,
					      &d->sides[i].frame);
	}
	return rc;
}

/* Compare all frames. */
static int compare_frames(struct runfile_reader *const readers[2], struct difference *d)
{
	struct item items[2];
	int rc = 0;

	for (uint64_t index = 0;; index++) {
		for (int i = 0; i < 2; i++) {
			items[i] = next_item(readers[i], stream_is_frame);
			d->sides[i].frames += items[i].is_there;
		}
		if (!items[0].is_there && !items[1].is_there)
			return rc;
		if (d->kind != DIFFERENCE_NONE ||
		    (items[0].is_there && items[1].is_there && is_same_item(items)))
			continue; /* the rest is only counted */
		d->index = index;
		rc = keep_frames(d, items);
		if (rc < 0)
			return rc;
	}
}

/* Where in the scenario the frames so far have led. */
struct place {
	bool has_started, has_ended;
	struct ktstr_step_info step;
	char step_name[64];
	bool has_step;
};

static void take_place(struct place *place, const struct item *item)
{
	char name[64];

	if (item->record.kind != RUNFILE_FRAME)
		return;
	if (item->record.tag == KTSTR_MSG_SCENARIO_START)
		place->has_started = true;
	if (item->record.tag == KTSTR_MSG_SCENARIO_END)
		place->has_ended = true;
	if (item->record.tag == KTSTR_MSG_STEP &&
	    wire_decode_step(item->payload, item->record.length, &place->step, name,
			     sizeof(name)) == 0) {
		str_copy_line(place->step_name, sizeof(place->step_name), name, strlen(name));
		place->has_step = true;
	}
}

static char *place_text(const struct place *place)
{
	char count[24] = "", name[80] = "";

	if (!place->has_started)
		return str_format("before the scenario began");
	if (place->has_ended)
		return str_format("after the scenario's end");
	if (!place->has_step)
		return str_format("before the first step");
	if (place->step.count > 0)
		(void)snprintf(count, sizeof(count), " of %u", place->step.count);
	if (place->step_name[0])
		(void)snprintf(name, sizeof(name), " '%s'", place->step_name);
	return str_format("in step %u%s%s", place->step.index, count, name);
}

static int keep_guest_time(struct difference *d, const struct frame_fields *fields)
{
	if (!fields->has_guest_ns)
		return 0;
	free(d->guest_time);
	d->guest_time =
		str_format("%.6f s %s", (double)fields->guest_ns / (double)NS_PER_S, fields->clock);
	return d->guest_time ? 0 : -ENOMEM;
}

static int keep_before(struct difference *d, const struct frame_fields *fields)
{
	struct str line = { 0 };
	int rc = frame_fields_line(fields, BEFORE_FIELDS, &line);

	if (rc < 0)
		str_done(&line);
	else
		d->before = line.data;
	return rc;
}

/* What the frames before the difference say, which are the same in both. */
static int keep_context(struct runfile_reader *reader, struct difference *d)
{
	struct place place = { 0 };
	int rc = 0;

	runfile_rewind(reader);
	for (uint64_t index = 0; index < d->index && rc == 0; index++) {
		struct item item = next_item(reader, stream_is_frame);
		const struct runfile_record *r = &item.record;
		struct frame_fields *fields;

		if (!item.is_there)
			break;
		take_place(&place, &item);
		fields = calloc(1, sizeof(*fields));
		if (!fields)
			return -ENOMEM;
		rc = frame_fields_get(r->kind, r->tag, r->flags, item.payload, r->length,
				      FRAME_NO_FOCUS, fields);
		if (rc == 0)
			rc = keep_guest_time(d, fields);
		if (rc == 0 && index + 1 == d->index)
			rc = keep_before(d, fields);
		frame_fields_done(fields);
		free(fields);
	}
	d->place = rc == 0 ? place_text(&place) : NULL;
	return rc == 0 && !d->place ? -ENOMEM : rc;
}

/* The bytes of a console, one after the other. */
struct text {
	struct runfile_reader *reader;
	uint32_t kind;
	const uint8_t *at;
	size_t left;
	char line[DIFFERENCE_LINE_MAX]; /* what came of the line so far */
	size_t line_length;
};

static bool refill(struct text *text)
{
	struct runfile_record record;
	const void *payload;

	while (text->left == 0 && runfile_next(text->reader, &record, &payload) == 1) {
		if (record.kind != text->kind)
			continue;
		text->at = payload;
		text->left = record.length;
	}
	return text->left > 0;
}

static void keep_byte(struct text *text, uint8_t byte)
{
	if (byte == '\n')
		text->line_length = 0;
	else if (text->line_length < sizeof(text->line))
		text->line[text->line_length++] = (char)byte;
}

static void take_byte(struct text *text)
{
	keep_byte(text, *text->at);
	text->at++;
	text->left--;
}

/* The rest of the line in which the texts part. */
static void keep_line(struct text *text, struct difference_side *side)
{
	side->is_there = refill(text);
	while (refill(text) && *text->at != '\n' && text->line_length < sizeof(text->line))
		take_byte(text);
	str_copy_line(side->line, sizeof(side->line), text->line, text->line_length);
}

static void compare_texts(struct runfile_reader *const readers[2], uint32_t kind,
			  enum difference_kind outcome, struct difference *d)
{
	struct text texts[2] = { { .reader = readers[0], .kind = kind },
				 { .reader = readers[1], .kind = kind } };

	d->offset = 0;
	d->line = 1;
	for (int i = 0; i < 2; i++)
		runfile_rewind(readers[i]);
	for (;;) {
		bool has[2] = { refill(&texts[0]), refill(&texts[1]) };

		if (!has[0] && !has[1])
			return;
		if (!has[0] || !has[1] || *texts[0].at != *texts[1].at)
			break;
		d->line += *texts[0].at == '\n';
		take_byte(&texts[0]);
		take_byte(&texts[1]);
		d->offset++;
	}
	d->kind = outcome;
	keep_line(&texts[0], &d->sides[0]);
	keep_line(&texts[1], &d->sides[1]);
}

/* Two captures without what is the host's. */
static bool is_same_capture(struct item items[2], uint8_t heads[2][sizeof(struct runfile_capture)],
			    size_t *ret_offset)
{
	size_t lengths[2];

	for (int i = 0; i < 2; i++)
		lengths[i] =
			stream_capture_head(items[i].payload, items[i].record.length, heads[i]);
	for (size_t i = 0; i < lengths[0] && i < lengths[1]; i++) {
		*ret_offset = i;
		if (heads[0][i] != heads[1][i])
			return false;
	}
	for (int i = 0; i < 2; i++) {
		items[i].payload += lengths[i];
		items[i].record.length -= (uint32_t)lengths[i];
	}
	*ret_offset = lengths[0] + first_difference(items);
	return lengths[0] == lengths[1] && is_same_item(items);
}

static void compare_captures(struct runfile_reader *const readers[2], struct difference *d)
{
	uint8_t heads[2][sizeof(struct runfile_capture)];

	for (int i = 0; i < 2; i++)
		runfile_rewind(readers[i]);
	for (uint64_t index = 0;; index++) {
		struct item items[2] = { next_item(readers[0], is_capture),
					 next_item(readers[1], is_capture) };
		struct item whole[2] = { items[0], items[1] };
		bool are_both = items[0].is_there && items[1].is_there;
		size_t offset = 0;

		if (!items[0].is_there && !items[1].is_there)
			return;
		if (are_both && is_same_capture(items, heads, &offset))
			continue;
		d->kind = DIFFERENCE_CAPTURE;
		d->index = index;
		d->offset = offset;
		for (int i = 0; i < 2; i++)
			d->sides[i].is_there = whole[i].is_there;
		keep_windows(d, whole);
		return;
	}
}

static int find(struct runfile_reader *const readers[2], struct difference *d)
{
	int rc = compare_frames(readers, d);

	if (rc < 0)
		return rc;
	if (d->kind != DIFFERENCE_NONE)
		return keep_context(readers[0], d);
	compare_texts(readers, RUNFILE_CONSOLE, DIFFERENCE_COM1, d);
	if (d->kind == DIFFERENCE_NONE)
		compare_texts(readers, RUNFILE_CRASH, DIFFERENCE_COM2, d);
	if (d->kind == DIFFERENCE_NONE)
		compare_captures(readers, d);
	return 0;
}

int difference_find(const struct difference_input inputs[2], struct difference **ret,
		    struct ktstr_error *err)
{
	struct runfile_reader *readers[2] = { NULL, NULL };
	struct difference *difference = calloc(1, sizeof(*difference));
	int rc = 0;

	for (int i = 0; i < 2 && difference && rc == 0; i++)
		rc = runfile_open_fd(inputs[i].runfile_fd, inputs[i].name, &readers[i], err);
	if (rc == 0 && (!difference || find(readers, difference) < 0))
		rc = ktstr_fail(err, -ENOMEM, "cannot compare '%s' with '%s': out of memory",
				inputs[0].name, inputs[1].name);
	runfile_reader_free(readers[0]);
	runfile_reader_free(readers[1]);
	if (rc < 0) {
		difference_free(difference);
		return rc;
	}
	*ret = difference;
	return 0;
}

void difference_free(struct difference *difference)
{
	if (!difference)
		return;
	for (int i = 0; i < 2; i++)
		frame_fields_done(&difference->sides[i].frame);
	free(difference->before);
	free(difference->place);
	free(difference->guest_time);
	free(difference);
}
