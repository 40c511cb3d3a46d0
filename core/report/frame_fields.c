/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/frame_fields.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "ktstr/frame.h"
#include "report/frame_layout.h"
#include "runfile/format.h"
#include "wire/frame.h"
#include "wire/types.h"

/* Of a long text so much is shown, and so much of it lies before the place of interest. */
#define TEXT_SHOWN 120
#define TEXT_BEFORE 24
/* Of a long list so many entries are shown, from the one of interest on. */
#define ENTRIES_SHOWN 12

struct decoder {
	const uint8_t *payload;
	size_t length;
	size_t focus;
	struct frame_fields *fields;
};

/* The field to be filled; NULL when there are too many. */
static struct frame_field *new_field(struct decoder *d, size_t offset, size_t length)
{
	struct frame_field *field;

	if (d->fields->count == FRAME_FIELDS_MAX)
		return NULL;
	field = &d->fields->fields[d->fields->count++];
	*field = (struct frame_field){ .offset = offset, .length = length };
	return field;
}

static uint64_t number_at(const uint8_t *bytes, size_t length)
{
	uint64_t number = 0;

	memcpy(&number, bytes, length < sizeof(number) ? length : sizeof(number));
	return number;
}

static int64_t signed_at(const uint8_t *bytes, size_t length)
{
	uint64_t number = number_at(bytes, length);
	unsigned int unused = 64 - 8 * (unsigned int)(length < 8 ? length : 8);

	return (int64_t)(number << unused) >> unused;
}

/* "0-3,7", "none" */
static char *cpus_text(const uint8_t *bytes)
{
	struct ktstr_cpuset set;
	struct str text = { 0 };
	int rc = 0;

	memcpy(&set, bytes, sizeof(set));
	for (uint32_t cpu = 0; cpu < KTSTR_CPUS_MAX && rc == 0; cpu++) {
		uint32_t last = cpu;

		if (!ktstr_cpuset_has(&set, cpu))
			continue;
		while (ktstr_cpuset_has(&set, last + 1))
			last++;
		rc = str_addf(&text, last > cpu ? "%s%u-%u" : "%s%u", text.length ? "," : "", cpu,
			      last);
		cpu = last;
	}
	if (rc == 0 && text.length == 0)
		rc = str_add(&text, "none");
	if (rc < 0)
		str_done(&text);
	return text.data;
}

/* One line of a text, in quotes, from about byte @from of it on. */
static char *quoted(const uint8_t *bytes, size_t length, size_t from)
{
	char shown[TEXT_SHOWN + 1];
	size_t start = from > TEXT_BEFORE && length > TEXT_SHOWN ? from - TEXT_BEFORE : 0;
	size_t count = length - start < TEXT_SHOWN ? length - start : TEXT_SHOWN;

	str_copy_line(shown, sizeof(shown), (const char *)bytes + start, count);
	return str_format("%s\"%s\"%s", start > 0 ? ".." : "", shown,
			  start + count < length ? ".." : "");
}

static char *value_text(const struct frame_member *member, const uint8_t *bytes)
{
	switch (member->value) {
	case FRAME_NUMBER:
		return str_format("%" PRIu64, number_at(bytes, member->length));
	case FRAME_SIGNED:
		return str_format("%" PRId64, signed_at(bytes, member->length));
	case FRAME_HEX:
		return str_format("0x%" PRIx64, number_at(bytes, member->length));
	case FRAME_TEXT:
		return quoted(bytes, strnlen((const char *)bytes, member->length), 0);
	case FRAME_CPUS:
		return cpus_text(bytes);
	}
	return NULL;
}

/* The members of a struct at @start, of which @size bytes are there. */
static int add_members(struct decoder *d, const char *prefix, const struct frame_member *members,
		       size_t count, size_t start, size_t size)
{
	for (size_t i = 0; i < count; i++) {
		const struct frame_member *member = &members[i];
		struct frame_field *field;

		if ((size_t)member->offset + member->length > size)
			continue;
		field = new_field(d, start + member->offset, member->length);
		if (!field)
			return 0;
		(void)snprintf(field->name, sizeof(field->name), "%s%s", prefix, member->name);
		field->value = value_text(member, d->payload + field->offset);
		if (!field->value)
			return -ENOMEM;
	}
	return 0;
}

static int add_text(struct decoder *d, const char *name, size_t start, size_t length)
{
	bool is_of_interest = d->focus >= start && d->focus < start + length;
	struct frame_field *field = length > 0 ? new_field(d, start, length) : NULL;

	if (!field)
		return 0;
	str_copy(field->name, sizeof(field->name), name);
	field->value = quoted(d->payload + start, length, is_of_interest ? d->focus - start : 0);
	return field->value ? 0 : -ENOMEM;
}

static int add_texts(struct decoder *d, const struct frame_layout *layout, size_t start)
{
	int rc = 0;

	for (size_t i = 0; i < FRAME_TAIL_TEXTS_MAX && layout->texts[i].name && rc == 0; i++) {
		size_t length = number_at(d->payload + layout->texts[i].length_at, 4);

		if (length > d->length - start)
			length = d->length - start;
		rc = add_text(d, layout->texts[i].name, start, length);
		start += length;
	}
	return rc;
}

static int add_entries(struct decoder *d, const struct frame_layout *layout, size_t start)
{
	size_t count = (d->length - start) / layout->entry_size;
	size_t first = 0;
	int rc = 0;

	if (d->focus != FRAME_NO_FOCUS && d->focus > start && count > ENTRIES_SHOWN)
		first = (d->focus - start) / layout->entry_size;
	for (size_t i = first; i < count && i < first + ENTRIES_SHOWN && rc == 0; i++) {
		char prefix[32];

		(void)snprintf(prefix, sizeof(prefix), "%s[%zu].", layout->tail_name, i);
		rc = add_members(d, prefix, layout->entry_members, layout->entry_member_count,
				 start + i * layout->entry_size, layout->entry_size);
	}
	return rc;
}

/* How many bytes the struct has in this payload; more than there are: it makes no sense. */
static size_t struct_size(const struct decoder *d, const struct frame_layout *layout)
{
	if (!layout->has_size)
		return layout->struct_size;
	return d->length < sizeof(uint32_t) ? SIZE_MAX : number_at(d->payload, sizeof(uint32_t));
}

static void take_clock(struct decoder *d, const struct frame_layout *layout, size_t size)
{
	if (!layout->clock || (size_t)layout->clock_at + layout->clock_length > size)
		return;
	d->fields->has_guest_ns = true;
	d->fields->clock = layout->clock;
	d->fields->guest_ns = number_at(d->payload + layout->clock_at, layout->clock_length);
	if (__builtin_mul_overflow(d->fields->guest_ns, layout->clock_unit_ns,
				   &d->fields->guest_ns))
		d->fields->has_guest_ns = false;
}

static int decode(struct decoder *d, const struct frame_layout *layout)
{
	size_t size = struct_size(d, layout);
	int rc;

	/* What is no payload of that type is shown by its bytes. Those that may be shorter are. */
	if (layout->has_size ? size > d->length || size < sizeof(uint32_t) : size > d->length)
		size = layout->has_size ? 0 : d->length;
	rc = add_members(d, "", layout->members, layout->member_count, 0, size);
	take_clock(d, layout, size);
	if (rc < 0 || (layout->has_size && size == 0))
		return rc;
	switch (layout->tail) {
	case FRAME_TAIL_NONE:
		return 0;
	case FRAME_TAIL_TEXT:
		return add_text(d, layout->tail_name, size, d->length - size);
	case FRAME_TAIL_TEXTS:
		return size < layout->struct_size ? 0 : add_texts(d, layout, size);
	case FRAME_TAIL_ENTRIES:
		return add_entries(d, layout, size);
	}
	return 0;
}

static void name_type(uint32_t msg_type, struct frame_fields *fields)
{
	const struct wire_type *type = wire_type_find(msg_type);
	char tag[5];

	wire_tag_text(msg_type, tag);
	str_copy(fields->type, sizeof(fields->type), type ? type->name : tag);
}

/* A frame of which the file has the header alone. */
static int decode_header(const void *payload, uint32_t length, struct frame_fields *fields)
{
	struct ktstr_frame_header header = { 0 };
	struct frame_field *field = &fields->fields[0];

	if (length == WIRE_HEADER_SIZE)
		wire_header_decode(payload, &header);
	name_type(header.msg_type, fields);
	fields->length = header.length;
	fields->has_no_payload = true;
	*field = (struct frame_field){ .name = "crc32", .offset = 8, .length = 4 };
	field->value = str_format("0x%08" PRIx32, header.crc32);
	fields->count = 1;
	return field->value ? 0 : -ENOMEM;
}

int frame_fields_get(uint32_t kind, uint32_t tag, uint32_t flags, const void *payload,
		     uint32_t length, size_t focus, struct frame_fields *ret)
{
	const struct frame_layout *layout = frame_layout_find(tag);
	struct decoder d = { .payload = payload, .length = length, .focus = focus, .fields = ret };

	*ret = (struct frame_fields){ .length = length };
	if (kind == RUNFILE_FRAME_HEADER)
		return decode_header(payload, length, ret);
	name_type(tag, ret);
	if (!(flags & KTSTR_FRAME_CRC_OK)) {
		struct frame_field *field = new_field(&d, 0, 0);

		str_copy(field->name, sizeof(field->name), "crc");
		field->value = str_format("wrong");
		if (!field->value)
			return -ENOMEM;
	}
	return layout ? decode(&d, layout) : 0;
}

void frame_fields_done(struct frame_fields *fields)
{
	for (size_t i = 0; i < fields->count; i++)
		free(fields->fields[i].value);
	fields->count = 0;
}

int frame_fields_line(const struct frame_fields *fields, size_t max, struct str *out)
{
	int rc = str_add(out, fields->type);

	for (size_t i = 0; i < fields->count && i < max && rc == 0; i++)
		rc = str_addf(out, "%s %s %s", i > 0 ? "," : "", fields->fields[i].name,
			      fields->fields[i].value);
	if (rc == 0 && fields->count > max)
		rc = str_add(out, ", ..");
	return rc;
}
