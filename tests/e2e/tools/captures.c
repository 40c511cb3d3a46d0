/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * usage: captures RUN_FILE
 * Prints the captures of a run as a JSON array, for tests: what a capture holds is no checker's
 * business, so nothing else shows it.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "runfile/reader.h"

/* What is left of a payload. */
struct rest {
	const uint8_t *at;
	size_t length;
};

/* Copy the next struct; false when it is not there. */
static bool take(struct rest *rest, void *ret, size_t size)
{
	if (rest->length < size)
		return false;
	memcpy(ret, rest->at, size);
	rest->at += size;
	rest->length -= size;
	return true;
}

static json_t *hex(uint64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "0x%" PRIx64, value);
	return json_string(text);
}

static json_t *cpu_json(const struct runfile_cpu *cpu)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:i}", "rip", hex(cpu->rip), "rsp",
			 hex(cpu->rsp), "rflags", hex(cpu->rflags), "cr3", hex(cpu->cr3), "cr4",
			 hex(cpu->cr4), "gs_base", hex(cpu->gs_base), "cpl", (int)cpu->cpl,
			 "halted", (int)cpu->is_halted);
}

/* The bytes as text up to the first NUL, and, where there are 4, as a number. */
static json_t *range_json(const struct runfile_range *range, const uint8_t *bytes)
{
	uint32_t number = 0;
	char text[1024];
	size_t length = strnlen((const char *)bytes, range->length);

	if (range->length == sizeof(number))
		memcpy(&number, bytes, sizeof(number));
	(void)snprintf(text, sizeof(text), "%.*s", (int)length, (const char *)bytes);
	for (char *at = text; *at; at++)
		if ((unsigned char)*at >= 0x7f)
			*at = '?';
	return json_pack("{s:o, s:i, s:s, s:I}", "address", hex(range->address), "length",
			 (int)range->length, "text", text, "number", (json_int_t)number);
}

/* NULL when the payload is not what its head says. */
static json_t *capture_json(const struct runfile_record *record, const void *payload)
{
	struct rest rest = { .at = payload, .length = record->length };
	json_t *cpus = json_array(), *ranges = json_array();
	struct runfile_range infos[64];
	struct runfile_capture head;

	if (!take(&rest, &head, sizeof(head)) || head.size != sizeof(head) ||
	    head.cpu_size != sizeof(struct runfile_cpu) ||
	    head.range_size != sizeof(struct runfile_range) || head.range_count > 64)
		return NULL;
	for (uint32_t i = 0; i < head.cpu_count; i++) {
		struct runfile_cpu cpu;

		if (!take(&rest, &cpu, sizeof(cpu)))
			return NULL;
		json_array_append_new(cpus, cpu_json(&cpu));
	}
	if (!take(&rest, infos, head.range_count * sizeof(infos[0])))
		return NULL;
	for (uint32_t i = 0; i < head.range_count; i++) {
		if (rest.length < infos[i].length)
			return NULL;
		json_array_append_new(ranges, range_json(&infos[i], rest.at));
		rest.at += infos[i].length;
		rest.length -= infos[i].length;
	}
	if (rest.length != 0)
		return NULL;
	return json_pack("{s:s, s:s, s:i, s:i, s:i, s:I, s:I, s:o, s:o}", "tag", head.tag, "cause",
			 record->tag == RUNFILE_CAPTURE_WATCH ? "watch" : "request", "request_id",
			 (int)head.request_id, "hit", (int)head.hit_number, "hit_cpu",
			 (int)head.hit_cpu, "host_ns", (json_int_t)record->host_ns, "frozen_ns",
			 (json_int_t)head.frozen_ns, "cpus", cpus, "ranges", ranges);
}

int main(int argc, char **argv)
{
	struct runfile_reader *reader = NULL;
	struct ktstr_error err = { 0 };
	struct runfile_record record;
	json_t *all = json_array();
	const void *payload;

	if (argc != 2 || runfile_open(argv[1], &reader, &err) < 0) {
		(void)fprintf(stderr, "captures: %s\n", argc == 2 ? err.text : "RUN_FILE wanted");
		return 2;
	}
	while (runfile_next(reader, &record, &payload) == 1) {
		json_t *capture;

		if (record.kind != RUNFILE_CAPTURE)
			continue;
		capture = capture_json(&record, payload);
		if (!capture) {
			(void)fprintf(stderr, "captures: record %" PRIu64 " is no capture\n",
				      record.index);
			return 1;
		}
		json_array_append_new(all, capture);
	}
	(void)json_dumpf(all, stdout, JSON_INDENT(1));
	runfile_reader_free(reader);
	json_decref(all);
	return 0;
}
