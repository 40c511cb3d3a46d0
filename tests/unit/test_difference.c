/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/difference.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "ktstr/frame.h"
#include "ktstr/sched_ext.h"
#include "runfile/writer.h"
#include "support/scratch.h"
#include "wire/frame.h"

static struct scratch scratch;
static struct runfile_writer *writers[2];
static const char *paths[2];
static const char *const labels[2] = { "recorded", "again" };
static struct str text;

static void setup(void)
{
	static const char *const names[2] = { "a", "b" };
	struct ktstr_error err;

	scratch_init(&scratch);
	for (int i = 0; i < 2; i++) {
		paths[i] = scratch_path(&scratch, names[i]);
		cr_assert_eq(runfile_create(paths[i], 1, 2, &writers[i], &err), 0);
	}
}

static void teardown(void)
{
	str_done(&text);
	scratch_done(&scratch);
}

TestSuite(difference, .init = setup, .fini = teardown);

static void add_record(int side, uint32_t kind, uint32_t tag, const void *payload, size_t length)
{
	struct ktstr_error err;

	cr_assert_eq(runfile_append(writers[side], kind, tag, KTSTR_FRAME_CRC_OK, 3, payload,
				    (uint32_t)length, &err),
		     0);
}

static void add_frame(int side, uint32_t tag, const void *payload, size_t length)
{
	add_record(side, RUNFILE_FRAME, tag, payload, length);
}

static void add_both(uint32_t tag, const void *payload, size_t length)
{
	add_frame(0, tag, payload, length);
	add_frame(1, tag, payload, length);
}

static void add_console(int side, const char *bytes)
{
	add_record(side, RUNFILE_CONSOLE, 0, bytes, strlen(bytes));
}

static void add_step(uint16_t index, const char *name)
{
	uint8_t payload[64];
	struct ktstr_step_info step = { .size = sizeof(step),
					.index = index,
					.count = 3,
					.name_length = (uint32_t)strlen(name) };

	memcpy(payload, &step, sizeof(step));
	memcpy(payload + sizeof(step), name, strlen(name));
	add_both(KTSTR_MSG_STEP, payload, sizeof(step) + strlen(name));
}

/* The difference; its words are in text. */
static struct difference *find(void)
{
	struct difference_input inputs[2];
	struct difference *difference = NULL;
	struct ktstr_error err = { 0 };

	for (int i = 0; i < 2; i++) {
		cr_assert_eq(runfile_close(writers[i], &err), 0);
		inputs[i] =
			(struct difference_input){ open(paths[i], O_RDONLY | O_CLOEXEC), paths[i] };
	}
	cr_assert_eq(difference_find(inputs, &difference, &err), 0, "%s", err.text);
	for (int i = 0; i < 2; i++)
		(void)close(inputs[i].runfile_fd);
	cr_assert_eq(difference_text(difference, labels, &text), 0);
	return difference;
}

static void expect_says(const char *part)
{
	cr_expect_neq(strstr(str_text(&text), part), NULL, "no '%s' in:\n%s", part,
		      str_text(&text));
}

static void expect_says_not(const char *part)
{
	cr_expect_eq(strstr(str_text(&text), part), NULL, "'%s' in:\n%s", part, str_text(&text));
}

Test(difference, finds_none_where_only_the_host_differs)
{
	struct difference *d;

	add_both(KTSTR_MSG_STDOUT, "one", 3);
	add_console(0, "hello");
	add_record(0, RUNFILE_EVENT, RUNFILE_EVENT_TIMING, "qemu", 4);
	add_console(1, "he");
	add_console(1, "llo");
	d = find();
	cr_assert_eq(d->kind, DIFFERENCE_NONE);
	expect_says("the streams are the same");
	difference_free(d);
}

Test(difference, decodes_both_frames_and_marks_the_fields)
{
	struct ktstr_worker_report worker = { .size = sizeof(worker), .tid = 77, .iterations = 5 };
	struct ktstr_stimulus stimulus = { .elapsed_ms = 1203, .step_index = 2 };
	struct difference *d;

	add_both(KTSTR_MSG_SCENARIO_START, "", 0);
	add_step(2, "hog");
	add_both(KTSTR_MSG_STIMULUS, &stimulus, sizeof(stimulus));
	add_frame(0, KTSTR_MSG_WORKER, &worker, sizeof(worker));
	worker.iterations = 6;
	add_frame(1, KTSTR_MSG_WORKER, &worker, sizeof(worker));
	add_frame(1, KTSTR_MSG_STDOUT, "x", 1);
	d = find();
	cr_expect_eq(d->kind, DIFFERENCE_FRAME);
	cr_expect_eq(d->index, 3);
	cr_expect_eq(d->offset, offsetof(struct ktstr_worker_report, iterations));
	expect_says("from frame 3 on (of 4 and 5), in step 2 of 3 'hog'");
	expect_says("frame 2, the same in both: STIMULUS elapsed_ms 1203, step_index 2");
	expect_says("1.203000 s since the scenario's start");
	expect_says("*  iterations");
	expect_says_not("*  tid");
	expect_says_not("is the first that differs"); /* the field says it better */
	difference_free(d);
}

Test(difference, shows_frames_of_two_types_one_by_one)
{
	struct difference *d;
	int32_t code = -5;

	add_frame(0, KTSTR_MSG_EXIT, &code, sizeof(code));
	add_frame(1, KTSTR_MSG_STDOUT, "hi\n\x1b[1m", 7);
	d = find();
	expect_says("frame 0 on");
	expect_says("before the scenario began");
	expect_says("recorded: EXIT code -5");
	expect_says("again: STDOUT text \"hi ?[1m\"");
	difference_free(d);
}

Test(difference, shows_the_bytes_of_what_has_no_layout)
{
	struct difference *d;
	char bytes[100];

	memset(bytes, 'a', sizeof(bytes));
	add_frame(0, KTSTR_TAG('W', 'H', 'A', 'T'), bytes, sizeof(bytes));
	bytes[70] = 'B';
	add_frame(1, KTSTR_TAG('W', 'H', 'A', 'T'), bytes, sizeof(bytes));
	d = find();
	cr_expect_eq(d->offset, 70);
	expect_says("byte 70 of the payload is the first that differs");
	expect_says("again     00000040  61 61 61 61 61 61 42 61");
	expect_says("|aaaaaaBaaaaaaaaa|");
	expect_says("WHAT");
	difference_free(d);
}

Test(difference, shows_a_text_from_where_it_differs)
{
	char bytes[1000];
	struct difference *d;

	memset(bytes, '.', sizeof(bytes));
	add_frame(0, KTSTR_MSG_STDOUT, bytes, sizeof(bytes));
	memcpy(bytes + 900, "HERE", 4);
	add_frame(1, KTSTR_MSG_STDOUT, bytes, sizeof(bytes));
	d = find();
	cr_expect_eq(d->offset, 900);
	expect_says("HERE");
	difference_free(d);
}

Test(difference, shows_the_entries_from_where_they_differ)
{
	struct ktstr_scx_event events[40] = { 0 };
	struct ktstr_scx_state state = { .size = sizeof(state),
					 .guest_ns = 5000000000,
					 .event_count = 40 };
	uint8_t payload[sizeof(state) + sizeof(events)];
	struct difference *d;

	memcpy(payload, &state, sizeof(state));
	memcpy(payload + sizeof(state), events, sizeof(events));
	add_frame(0, KTSTR_MSG_SCX_STATE, payload, sizeof(payload));
	events[33].value = 9;
	memcpy(payload + sizeof(state), events, sizeof(events));
	add_frame(1, KTSTR_MSG_SCX_STATE, payload, sizeof(payload));
	d = find();
	expect_says("*  event[33].value");
	difference_free(d);
}

Test(difference, knows_a_frame_of_which_there_is_only_the_header)
{
	uint8_t header[WIRE_HEADER_SIZE];
	struct difference *d;

	wire_header_encode(KTSTR_MSG_KERN_ADDRS, "x", 1, header);
	add_record(0, RUNFILE_FRAME_HEADER, 0, header, sizeof(header));
	wire_header_encode(KTSTR_MSG_KERN_ADDRS, "y", 1, header);
	add_record(1, RUNFILE_FRAME_HEADER, 0, header, sizeof(header));
	d = find();
	expect_says("KERN_ADDRS");
	expect_says("*  crc32");
	difference_free(d);
}

Test(difference, says_which_stream_ends_early)
{
	struct difference *d;

	add_both(KTSTR_MSG_STDOUT, "one", 3);
	add_frame(0, KTSTR_MSG_STDOUT, "two", 3);
	add_frame(0, KTSTR_MSG_STDOUT, "three", 5);
	d = find();
	cr_expect_eq(d->kind, DIFFERENCE_END);
	cr_expect(d->sides[0].is_there && !d->sides[1].is_there);
	expect_says("one stream ends after 1 frames, where the other has 3");
	expect_says("recorded: STDOUT text \"two\"");
	expect_says("again: nothing more after 1 frames");
	difference_free(d);
}

Test(difference, looks_at_the_console_when_all_frames_are_the_same)
{
	struct difference *d;

	add_both(KTSTR_MSG_STDOUT, "one", 3);
	add_console(0, "first\nsecond li");
	add_console(0, "ne\nthird\n");
	add_console(1, "first\nsec");
	add_console(1, "ond LINE\nthird\n");
	d = find();
	cr_expect_eq(d->kind, DIFFERENCE_COM1);
	cr_expect_eq(d->offset, strlen("first\nsecond "));
	cr_expect_eq(d->line, 2);
	expect_says("all 1 frames are the same");
	expect_says("recorded: \"second line\"");
	expect_says("again: \"second LINE\"");
	difference_free(d);
}

Test(difference, sees_a_console_that_ends_early_and_com2)
{
	struct difference *d;

	add_console(0, "same");
	add_console(1, "same");
	add_record(1, RUNFILE_CRASH, 0, "PANIC: x", 8);
	d = find();
	cr_expect_eq(d->kind, DIFFERENCE_COM2);
	expect_says("recorded: nothing more");
	expect_says("again: \"PANIC: x\"");
	difference_free(d);
}

Test(difference, compares_captures_without_the_hosts_time)
{
	struct runfile_capture capture = { .size = sizeof(capture), .frozen_ns = 1 };
	struct difference *d;

	add_record(0, RUNFILE_CAPTURE, 1, &capture, sizeof(capture));
	capture.frozen_ns = 2;
	add_record(1, RUNFILE_CAPTURE, 1, &capture, sizeof(capture));
	add_record(0, RUNFILE_CAPTURE, 1, &capture, sizeof(capture));
	capture.hit_number = 7;
	add_record(1, RUNFILE_CAPTURE, 1, &capture, sizeof(capture));
	d = find();
	cr_expect_eq(d->kind, DIFFERENCE_CAPTURE);
	cr_expect_eq(d->index, 1);
	cr_expect_eq(d->offset, offsetof(struct runfile_capture, hit_number));
	expect_says("capture 1 is not");
	difference_free(d);
}

/* Whatever a guest sends: every length of every type, cut anywhere. */
Test(difference, decodes_payloads_that_make_no_sense)
{
	static const uint32_t types[] = { KTSTR_MSG_WORKER,   KTSTR_MSG_SCX_EXIT, KTSTR_MSG_HELLO,
					  KTSTR_MSG_STEP,     KTSTR_MSG_END,	  KTSTR_MSG_CGROUP,
					  KTSTR_MSG_STIMULUS, KTSTR_MSG_SCX_STATE };
	static const uint32_t sizes[] = { 0, 1, 4, 40, 192, 400, UINT32_MAX };
	struct frame_fields *fields = calloc(1, sizeof(*fields));
	uint8_t payload[512];

	for (size_t t = 0; t < ARRAY_SIZE(types); t++) {
		for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
			for (uint32_t length = 0; length <= sizeof(payload); length += 3) {
				/* Of exactly that length, for the sanitizers. */
				_cleanup_free_ uint8_t *exact = malloc(length ? length : 1);

				memset(payload, 0xff, sizeof(payload));
				memcpy(payload, &sizes[s], sizeof(sizes[s]));
				memcpy(exact, payload, length);
				cr_assert_eq(frame_fields_get(RUNFILE_FRAME, types[t], 0, exact,
							      length, length / 2, fields),
					     0);
				cr_assert_leq(fields->count, FRAME_FIELDS_MAX);
				frame_fields_done(fields);
			}
		}
	}
	free(fields);
}

Test(difference, is_a_document_too)
{
	struct difference *d;
	json_t *json;

	add_both(KTSTR_MSG_STDOUT, "one", 3);
	add_frame(0, KTSTR_MSG_STDOUT, "two", 3);
	add_frame(1, KTSTR_MSG_STDOUT, "tWo", 3);
	d = find();
	json = difference_json(d, labels);
	cr_assert_neq(json, NULL);
	cr_expect_str_eq(json_string_value(json_object_get(json, "kind")), "frame");
	cr_expect_eq(json_integer_value(json_object_get(json, "index")), 1);
	cr_expect_eq(json_integer_value(json_object_get(json, "offset")), 1);
	cr_expect_eq(json_array_size(json_object_get(json, "sides")), 2);
	json_decref(json);
	difference_free(d);
}
