/* SPDX-License-Identifier: GPL-2.0-only */
#include "support/coord_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/clock.h"
#include "runfile/reader.h"
#include "wire/types.h"

struct coord_fixture f;

void coord_setup(void)
{
	const char *base = getenv("TMPDIR");

	memset(&f, 0, sizeof(f));
	(void)snprintf(f.folder, sizeof(f.folder), "%s/ktstr-coord-XXXXXX", base ? base : "/tmp");
	cr_assert_not_null(mkdtemp(f.folder));
	(void)snprintf(f.runfile, sizeof(f.runfile), "%s/run", f.folder);
	f.spec = (struct coord_spec){
		.kill_evt = -1,
		.sys_rdy_evt = -1,
		.signal_fd = -1,
		.console_log_fd = -1,
		.boot_timeout_ns = 20 * NS_PER_S,
		.workload_duration_ns = 20 * NS_PER_S,
		.teardown_timeout_ns = 20 * NS_PER_S,
		.grace_divisor = 10,
	};
	cr_assert_eq(runfile_create(f.runfile, 1, 2, &f.spec.runfile, &f.err), 0, "%s", f.err.text);
}

void coord_teardown(void)
{
	(void)runfile_close(f.spec.runfile, &f.err);
	(void)unlink(f.runfile);
	(void)rmdir(f.folder);
}

void run_vm(fake_script script)
{
	int rc;

	fake_vm_start(&f.vm, script, &f.spec);
	rc = coord_run(&f.spec, &f.result, &f.err);
	cr_assert_eq(rc, 0, "%s", f.err.text);
	cr_assert(f.vm.is_collected, "no VM is left running");
	fake_vm_done(&f.vm);
}

void expect_end(enum coord_end end, const char *text)
{
	cr_assert_eq(f.result.end, end, "%s: %s", coord_end_name(f.result.end), f.result.text);
	cr_assert_not_null(strstr(f.result.text, text), "'%s' lacks '%s'", f.result.text, text);
	cr_assert_eq(f.result.summary.end_reason, end);
}

static void note_event(struct recorded *ret, uint32_t tag, const char *payload, uint32_t length)
{
	if (tag == RUNFILE_EVENT_END_REASON)
		(void)snprintf(ret->reason, sizeof(ret->reason), "%.*s", (int)length, payload);
	if (tag == RUNFILE_EVENT_WARNING)
		(void)snprintf(ret->warnings + strlen(ret->warnings),
			       sizeof(ret->warnings) - strlen(ret->warnings), "%.*s\n", (int)length,
			       payload);
}

void read_back(struct recorded *ret)
{
	struct runfile_reader *reader;
	struct runfile_record record;
	const void *payload;

	memset(ret, 0, sizeof(*ret));
	cr_assert_eq(runfile_open(f.runfile, &reader, &f.err), 0, "%s", f.err.text);
	while (runfile_next(reader, &record, &payload)) {
		cr_assert_leq(record.kind, RUNFILE_FRAME_HEADER);
		ret->by_kind[record.kind]++;
		ret->last_kind = record.kind;
		if (record.kind == RUNFILE_EVENT)
			note_event(ret, record.tag, payload, record.length);
		if (record.kind == RUNFILE_SUMMARY)
			memcpy(&ret->summary, payload, sizeof(ret->summary));
		if (record.kind == RUNFILE_CONSOLE &&
		    ret->console_length + record.length < sizeof(ret->console)) {
			memcpy(ret->console + ret->console_length, payload, record.length);
			ret->console_length += record.length;
		}
	}
	cr_assert_not(runfile_is_torn(reader));
	runfile_reader_free(reader);
	cr_assert_eq(ret->last_kind, RUNFILE_SUMMARY, "the summary is the last record");
	cr_assert_eq(ret->by_kind[RUNFILE_SUMMARY], 1);
	cr_assert_eq(memcmp(&ret->summary, &f.result.summary, sizeof(ret->summary)), 0);
	cr_assert_not_null(strstr(ret->reason, coord_end_name(f.result.end)), "%s", ret->reason);
}

void add_boot(struct frames *frames)
{
	frames_add(frames, KTSTR_MSG_LIFECYCLE, "\1", 1);
	frames_add(frames, KTSTR_MSG_SYS_RDY, NULL, 0);
}

void add_scenario(struct frames *frames)
{
	struct ktstr_step_info step = { .size = sizeof(step), .index = 1, .name_length = 4 };
	struct ktstr_scenario_end end = { .elapsed_ms = 5 };

	frames_add(frames, KTSTR_MSG_SCENARIO_START, NULL, 0);
	frames_add_with_text(frames, KTSTR_MSG_STEP, &step, sizeof(step), "spin");
	frames_add(frames, KTSTR_MSG_STDOUT, "out", 3);
	frames_add(frames, KTSTR_MSG_SCENARIO_END, &end, sizeof(end));
	frames_add(frames, KTSTR_MSG_EXIT, "\0\0\0\0", 4);
}

void start_scenario(struct fake_guest *guest, struct frames *frames)
{
	add_boot(frames);
	frames_add(frames, KTSTR_MSG_SCENARIO_START, NULL, 0);
	fake_frames(guest, frames);
}

void wait_until_received(struct fake_guest *guest)
{
	if (fake_wait_byte(guest->console) != WIRE_WAKE_STREAM_RECEIVED)
		_exit(8);
}

void play_good(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	fake_text(guest->com1, "[    0.0] Linux\r\n[    0.1] hel");
	add_boot(&frames);
	add_scenario(&frames);
	frames_add_end(&frames);
	fake_frames(guest, &frames);
	fake_text(guest->com1, "lo\x1b[31m\nlast");
	fake_event(guest, 1);
}

void play_silent(struct fake_guest *guest)
{
	(void)guest;
	fake_hang();
}

void play_floods(struct fake_guest *guest)
{
	static const char payload[4096];
	struct frames frames = { 0 };

	start_scenario(guest, &frames);
	for (;;) {
		frames_add(&frames, KTSTR_MSG_RAW_PAYLOAD_OUTPUT, payload, sizeof(payload));
		fake_frames(guest, &frames);
	}
}
