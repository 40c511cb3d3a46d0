/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/difference.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "report/meta.h"
#include "report/table.h"

#define ROW 16u
/* Fields of a frame that stands alone on its line. */
#define LINE_FIELDS 10

static const struct frame_field *find_field(const struct frame_fields *fields, const char *name)
{
	for (size_t i = 0; i < fields->count; i++)
		if (strcmp(fields->fields[i].name, name) == 0)
			return &fields->fields[i];
	return NULL;
}

/* One row; true when the two differ as far as they are shown. */
static bool add_row(struct table *table, const char *name, const char *a, const char *b, int *rc)
{
	bool differs = strcmp(a, b) != 0;

	if (*rc == 0)
		*rc = table_cell(table, "%s", differs ? "*" : "");
	if (*rc == 0)
		*rc = table_cell(table, "%s", name);
	if (*rc == 0)
		*rc = table_cell(table, "%s", a);
	if (*rc == 0)
		*rc = table_cell(table, "%s", b);
	return differs;
}

static bool add_number(struct table *table, const char *name, uint64_t a, uint64_t b, int *rc)
{
	char texts[2][24];

	(void)snprintf(texts[0], sizeof(texts[0]), "%" PRIu64, a);
	(void)snprintf(texts[1], sizeof(texts[1]), "%" PRIu64, b);
	return add_row(table, name, texts[0], texts[1], rc);
}

/* Both frames, which are of one type, field by field. *ret_differs: some field shows it. */
static int add_fields(const struct difference *d, const char *const labels[2], bool *ret_differs,
		      struct str *out)
{
	const struct frame_fields *a = &d->sides[0].frame, *b = &d->sides[1].frame;
	const struct table_column columns[] = {
		{ "", true }, { a->type, true }, { labels[0], true }, { labels[1], true }
	};
	struct table table;
	int rc = 0;

	*ret_differs = false;
	table_init(&table, columns, ARRAY_SIZE(columns));
	(void)add_number(&table, "bytes", a->length, b->length, &rc);
	for (size_t i = 0; i < a->count; i++) {
		const struct frame_field *other = find_field(b, a->fields[i].name);

		*ret_differs |= add_row(&table, a->fields[i].name, a->fields[i].value,
					other ? other->value : "-", &rc);
	}
	for (size_t i = 0; i < b->count; i++)
		if (!find_field(a, b->fields[i].name))
			*ret_differs |=
				add_row(&table, b->fields[i].name, "-", b->fields[i].value, &rc);
	if (rc == 0)
		rc = table_render(&table, "  ", out);
	table_done(&table);
	return rc;
}

/* "00000010  41 42 ..  |AB..|" */
static int add_hex_row(const struct difference_side *side, size_t from, size_t at,
		       const char *label, int width, struct str *out)
{
	char shown[ROW + 1] = "";
	int rc = str_addf(out, "    %-*s  %08zx ", width, label, from + at);

	for (size_t i = 0; i < ROW && rc == 0; i++) {
		if (at + i >= side->window_length) {
			rc = str_add(out, "   ");
			continue;
		}
		rc = str_addf(out, " %02x", side->window[at + i]);
		shown[i] = isprint(side->window[at + i]) ? (char)side->window[at + i] : '.';
	}
	return rc == 0 ? str_addf(out, "  |%s|\n", shown) : rc;
}

static int add_hex(const struct difference *d, const char *const labels[2], struct str *out)
{
	int width = (int)(strlen(labels[0]) > strlen(labels[1]) ? strlen(labels[0])
								: strlen(labels[1]));
	int rc = str_addf(out, "  byte %" PRIu64 " of the payload is the first that differs:\n",
			  d->offset);

	for (size_t at = 0; at < DIFFERENCE_WINDOW && rc == 0; at += ROW)
		for (int i = 0; i < 2 && rc == 0; i++)
			if (at < d->sides[i].window_length)
				rc = add_hex_row(&d->sides[i], d->window_from, at, labels[i], width,
						 out);
	return rc;
}

/* A frame that has no like on the other side. */
static int add_alone(const struct difference_side *side, const char *label, struct str *out)
{
	int rc = str_addf(out, "  %s: ", label);

	if (rc == 0 && !side->is_there)
		rc = str_addf(out, "nothing more after %" PRIu64 " frames", side->frames);
	else if (rc == 0)
		rc = frame_fields_line(&side->frame, LINE_FIELDS, out);
	return rc == 0 ? str_add(out, "\n") : rc;
}

static int add_frames(const struct difference *d, const char *const labels[2], struct str *out)
{
	const struct difference_side *a = &d->sides[0], *b = &d->sides[1];
	bool differs = false;
	int rc;

	if (!a->is_there || !b->is_there || strcmp(a->frame.type, b->frame.type) != 0) {
		rc = add_alone(a, labels[0], out);
		return rc == 0 ? add_alone(b, labels[1], out) : rc;
	}
	rc = add_fields(d, labels, &differs, out);
	if (rc == 0 && !differs && !a->frame.has_no_payload)
		rc = add_hex(d, labels, out);
	return rc;
}

static int add_frame_difference(const struct difference *d, const char *const labels[2],
				struct str *out)
{
	const struct difference_side *a = &d->sides[0], *b = &d->sides[1];
	const struct difference_side *longer = a->is_there ? a : b;
	int rc;

	if (d->kind == DIFFERENCE_FRAME)
		rc = str_addf(out,
			      "the streams differ from frame %" PRIu64 " on (of %" PRIu64
			      " and %" PRIu64 "), %s\n",
			      d->index, a->frames, b->frames, d->place);
	else
		rc = str_addf(out,
			      "one stream ends after %" PRIu64 " frames, where the other has "
			      "%" PRIu64 ", %s\n",
			      d->index, longer->frames, d->place);
	if (rc == 0 && d->before)
		rc = str_addf(out, "  frame %" PRIu64 ", the same in both: %s\n", d->index - 1,
			      d->before);
	if (rc == 0 && d->guest_time)
		rc = str_addf(out, "  last time that the guest told: %s\n", d->guest_time);
	return rc == 0 ? add_frames(d, labels, out) : rc;
}

static int add_line(const struct difference_side *side, const char *label, struct str *out)
{
	return side->is_there || side->line[0] ? str_addf(out, "  %s: \"%s\"\n", label, side->line)
					       : str_addf(out, "  %s: nothing more\n", label);
}

static int add_text_difference(const struct difference *d, const char *const labels[2],
			       const char *what, struct str *out)
{
	int rc = str_addf(out,
			  "all %" PRIu64 " frames are the same, but what the guest wrote to %s "
			  "differs from byte %" PRIu64 " on, in line %" PRIu64 "\n",
			  d->sides[0].frames, what, d->offset, d->line);

	for (int i = 0; i < 2 && rc == 0; i++)
		rc = add_line(&d->sides[i], labels[i], out);
	return rc;
}

static int add_capture_difference(const struct difference *d, const char *const labels[2],
				  struct str *out)
{
	int rc = str_addf(out, "frames and consoles are the same, but capture %" PRIu64, d->index);

	if (!d->sides[0].is_there || !d->sides[1].is_there)
		return rc == 0 ? str_addf(out, " is there in one alone: %s\n",
					  labels[d->sides[0].is_there ? 0 : 1])
			       : rc;
	if (rc == 0)
		rc = str_add(out, " is not\n");
	return rc == 0 ? add_hex(d, labels, out) : rc;
}

int difference_text(const struct difference *d, const char *const labels[2], struct str *out)
{
	switch (d->kind) {
	case DIFFERENCE_NONE:
		return str_add(out, "the streams are the same\n");
	case DIFFERENCE_FRAME:
	case DIFFERENCE_END:
		return add_frame_difference(d, labels, out);
	case DIFFERENCE_COM1:
		return add_text_difference(d, labels, "its console (COM1)", out);
	case DIFFERENCE_COM2:
		return add_text_difference(d, labels, "COM2", out);
	case DIFFERENCE_CAPTURE:
		return add_capture_difference(d, labels, out);
	}
	return 0;
}

static json_t *fields_json(const struct frame_fields *frame)
{
	json_t *json = json_object();

	for (size_t i = 0; i < frame->count; i++)
		json_put(&json, frame->fields[i].name, json_text(frame->fields[i].value));
	return json;
}

static json_t *hex_json(const struct difference_side *side)
{
	char text[2 * DIFFERENCE_WINDOW + 1] = "";

	for (size_t i = 0; i < side->window_length; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", side->window[i]);
	return json_string(text);
}

static json_t *side_json(const struct difference *d, int number, const char *label)
{
	const struct difference_side *side = &d->sides[number];
	bool is_of_frames = d->kind == DIFFERENCE_FRAME || d->kind == DIFFERENCE_END;
	bool has_frame = is_of_frames && side->is_there;
	bool has_bytes = has_frame || (d->kind == DIFFERENCE_CAPTURE && side->is_there);
	bool is_text = d->kind == DIFFERENCE_COM1 || d->kind == DIFFERENCE_COM2;

	return json_pack("{so sI sb so so so so so}", "label", json_text(label), "frames",
			 (json_int_t)side->frames, "is_there", side->is_there, "type",
			 has_frame ? json_text(side->frame.type) : json_null(), "bytes",
			 has_frame ? json_integer(side->frame.length) : json_null(), "fields",
			 has_frame ? fields_json(&side->frame) : json_null(), "text",
			 is_text ? json_text(side->line) : json_null(), "hex",
			 has_bytes ? hex_json(side) : json_null());
}

json_t *difference_json(const struct difference *d, const char *const labels[2])
{
	static const char *const kinds[] = {
		[DIFFERENCE_NONE] = "none", [DIFFERENCE_FRAME] = "frame",
		[DIFFERENCE_END] = "end",   [DIFFERENCE_COM1] = "com1",
		[DIFFERENCE_COM2] = "com2", [DIFFERENCE_CAPTURE] = "capture",
	};
	bool is_text = d->kind == DIFFERENCE_COM1 || d->kind == DIFFERENCE_COM2;
	json_t *sides = json_array();

	for (int i = 0; i < 2; i++)
		json_add(&sides, side_json(d, i, labels[i]));
	return json_pack("{ss sI sI so so so so so}", "kind", kinds[d->kind], "index",
			 (json_int_t)d->index, "offset", (json_int_t)d->offset, "line",
			 is_text ? json_integer((json_int_t)d->line) : json_null(), "place",
			 json_text(d->place), "guest_time", json_text(d->guest_time), "before",
			 json_text(d->before), "sides", sides);
}
