/* SPDX-License-Identifier: GPL-2.0-only */
#include "coord/coord.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/clock.h"
#include "support/coord_fixture.h"
#include "wire/payload.h"
#include "wire/types.h"

TestSuite(coord, .init = coord_setup, .fini = coord_teardown, .timeout = 60);

/* The good way. */

static void play_waits_for_the_host(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_boot(&frames);
	add_scenario(&frames);
	frames_add_end(&frames);
	fake_frames(guest, &frames);
	wait_until_received(guest);
}

static void play_in_single_bytes(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_boot(&frames);
	add_scenario(&frames);
	frames_add_end(&frames);
	for (size_t i = 0; i < frames.length; i++)
		fake_send(guest->bulk, frames.bytes + i, 1);
	fake_event(guest, 1);
}

struct seen {
	char text[1024];
	int ticks;
};

static void see(struct seen *seen, const char *what, const char *text)
{
	size_t length = strlen(seen->text);

	(void)snprintf(seen->text + length, sizeof(seen->text) - length, "%s(%s) ", what, text);
}

static void see_phase(void *arg, uint8_t phase, const char *text)
{
	(void)text;
	see(arg, "phase", wire_phase_name(phase));
}

static void see_ready(void *arg)
{
	see(arg, "ready", "");
}

static void see_step(void *arg, const struct ktstr_step_info *step, const char *name)
{
	(void)step;
	see(arg, "step", name);
}

static void see_scenario(void *arg, bool has_started)
{
	see(arg, "scenario", has_started ? "start" : "end");
}

static void see_line(void *arg, const char *line)
{
	struct seen *seen = arg;

	see(seen + 1, "line", line);
}

static void see_output(void *arg, uint32_t msg_type, const void *bytes, uint32_t length)
{
	char text[32];

	(void)msg_type;
	(void)snprintf(text, sizeof(text), "%.*s", (int)length, (const char *)bytes);
	see(arg, "output", text);
}

static void see_warning(void *arg, const char *text)
{
	see(arg, "warning", text);
}

static void see_tick(void *arg, const struct dispatch_sinks *sinks, uint64_t frames)
{
	(void)sinks;
	(void)frames;
	((struct seen *)arg)->ticks++;
}

static struct coord_observer observer = {
	.phase = see_phase,
	.ready = see_ready,
	.step = see_step,
	.scenario = see_scenario,
	.console_line = see_line,
	.output = see_output,
	.warning = see_warning,
	.tick = see_tick,
};

Test(coord, records_a_good_run_whole)
{
	struct recorded recorded;

	run_vm(play_good);
	expect_end(COORD_END_STREAM, "the guest ended its stream");
	read_back(&recorded);
	cr_assert_eq(recorded.by_kind[RUNFILE_FRAME], 7, "all but SYS_RDY");
	cr_assert_eq(recorded.by_kind[RUNFILE_FRAME_HEADER], 1, "SYS_RDY");
	cr_assert_eq(recorded.summary.frames_received, 8);
	cr_assert_eq(recorded.summary.frames_bucketed, 7);
	cr_assert_eq(recorded.summary.has_end, 1);
	cr_assert_eq(recorded.summary.end_matches, 1);
	cr_assert_eq(recorded.summary.frames_dropped, 0);
	cr_assert_eq(recorded.summary.bytes_left, 0);
	cr_assert_eq(recorded.summary.exit_code, 0);
	cr_assert_eq(recorded.summary.last_phase, KTSTR_PHASE_INIT_STARTED);
	cr_assert_eq(recorded.summary.qemu_status, 0);
	cr_assert_str_eq(recorded.console, "[    0.0] Linux\r\n[    0.1] hello\x1b[31m\nlast");
}

Test(coord, tells_the_guest_that_its_stream_came)
{
	run_vm(play_waits_for_the_host);
	expect_end(COORD_END_STREAM, "ended its stream");
	cr_assert_eq(f.result.summary.qemu_status, 0);
}

Test(coord, stamps_the_milestones)
{
	run_vm(play_good);
	cr_assert_gt(f.result.ready_ns, 0);
	cr_assert_geq(f.result.scenario_start_ns, f.result.ready_ns);
	cr_assert_geq(f.result.scenario_end_ns, f.result.scenario_start_ns);
	cr_assert_geq(f.result.end_ns, f.result.scenario_end_ns);
	cr_assert_geq(f.result.gone_ns, f.result.end_ns);
	cr_assert_lt(f.result.gone_ns, 20 * NS_PER_S);
}

Test(coord, tells_the_observer_in_order)
{
	struct seen seen[2] = { 0 };

	observer.arg = seen;
	f.spec.observer = &observer;
	run_vm(play_good);
	cr_assert_str_eq(seen[0].text, "phase(InitStarted) ready() scenario(start) step(spin) "
				       "output(out) scenario(end) ");
	cr_assert_str_eq(seen[1].text,
			 "line([    0.0] Linux) line([    0.1] hello?[31m) line(last) ");
}

Test(coord, ticks_while_nothing_happens)
{
	struct seen seen[2] = { 0 };

	observer.arg = seen;
	f.spec.observer = &observer;
	f.spec.boot_timeout_ns = 280 * NS_PER_MS;
	run_vm(play_silent);
	cr_assert_geq(seen[0].ticks, 2);
	cr_assert_leq(seen[0].ticks, 8);
}

Test(coord, copies_the_console)
{
	char path[200], text[100] = "";
	int fd;

	(void)snprintf(path, sizeof(path), "%s/console", f.folder);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	f.spec.console_log_fd = fd;
	run_vm(play_good);
	cr_assert_gt(pread(fd, text, sizeof(text) - 1, 0), 0);
	cr_assert_str_eq(text, "[    0.0] Linux\r\n[    0.1] hello\x1b[31m\nlast");
	(void)close(fd);
	(void)unlink(path);
}

Test(coord, reads_a_stream_of_single_bytes)
{
	run_vm(play_in_single_bytes);
	expect_end(COORD_END_STREAM, "");
	cr_assert_eq(f.result.summary.end_matches, 1);
	cr_assert_eq(f.result.summary.frames_received, 8);
}

static size_t prefix_length;

/* What came after the first bytes of a good run. */
static void play_rest(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_boot(&frames);
	add_scenario(&frames);
	frames_add_end(&frames);
	fake_send(guest->bulk, frames.bytes + prefix_length, frames.length - prefix_length);
	wait_until_received(guest);
}

/* A VM that was saved in the middle of its stream, wherever that was. */
Test(coord, takes_first_what_came_before_the_vm_was_saved)
{
	struct frames frames = { 0 };
	const size_t cuts[] = { 1, WIRE_HEADER_SIZE, 0, 5 };
	struct recorded recorded;

	add_boot(&frames);
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		prefix_length = cuts[i] ? cuts[i] : frames.length;
		f.spec.prefix = frames.bytes;
		f.spec.prefix_length = prefix_length;
		run_vm(play_rest);
		expect_end(COORD_END_STREAM, "the guest ended its stream");
		read_back(&recorded);
		cr_assert_eq(recorded.summary.frames_received, 8);
		cr_assert_eq(recorded.summary.end_matches, 1);
		cr_assert_eq(recorded.summary.bytes_left, 0);
		cr_assert_gt(f.result.ready_ns, 0);
		coord_teardown();
		coord_setup();
	}
	frames_done(&frames);
}

Test(coord, reads_a_recorded_stream_from_a_file)
{
	char path[200];
	struct frames frames = { 0 };
	int fd;

	(void)snprintf(path, sizeof(path), "%s/stream", f.folder);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	add_boot(&frames);
	add_scenario(&frames);
	frames_add_end(&frames);
	cr_assert_eq(pwrite(fd, frames.bytes, frames.length, 0), (ssize_t)frames.length);
	f.spec.start_ns = clock_monotonic_ns();
	f.spec.bulk_fd = fd;
	f.spec.com1_fd = f.spec.com2_fd = f.spec.stderr_fd = f.spec.console_fd = -1;
	f.spec.monitor_fd = f.spec.pid_fd = -1;
	cr_assert_eq(coord_run(&f.spec, &f.result, &f.err), 0, "%s", f.err.text);
	expect_end(COORD_END_STREAM, "");
	cr_assert_eq(f.result.summary.end_matches, 1);
	frames_done(&frames);
	(void)close(fd);
	(void)unlink(path);
}

/* Broken streams that end all the same. */

static void play_torn(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_boot(&frames);
	frames_add_torn(&frames, KTSTR_MSG_STDOUT, "x", 1);
	frames_add_torn(&frames, KTSTR_MSG_SCHED_EXIT, "\1\0\0\0", 4);
	frames_add_end(&frames);
	fake_frames(guest, &frames);
}

static void play_missing_frame(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_boot(&frames);
	frames.account.frame_count++;
	frames_add_end(&frames);
	fake_frames(guest, &frames);
}

static void play_after_end(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_boot(&frames);
	frames_add_end(&frames);
	frames_add(&frames, KTSTR_MSG_STDOUT, "late", 4);
	frames_add_end(&frames);
	fake_frames(guest, &frames);
}

static void play_strange_frames(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_boot(&frames);
	frames_add(&frames, KTSTR_TAG('W', 'H', 'A', 'T'), "x", 1);
	frames_add(&frames, KTSTR_MSG_SNAPSHOT_REPLY, "x", 1);
	frames_add(&frames, KTSTR_MSG_KERN_ADDRS, "x", 1);
	frames_add_end(&frames);
	fake_frames(guest, &frames);
}

static void play_asks_for_a_snapshot(struct fake_guest *guest)
{
	struct ktstr_snapshot_request request = { .request_id = 77, .kind = 1 };
	struct frames frames = { 0 };
	uint8_t reply[WIRE_HEADER_SIZE + 520];
	struct ktstr_frame_header header;

	add_boot(&frames);
	frames_add(&frames, KTSTR_MSG_SNAPSHOT_REQUEST, &request, sizeof(request));
	fake_frames(guest, &frames);
	if (recv(guest->bulk, reply, sizeof(reply), MSG_WAITALL) != sizeof(reply))
		_exit(1);
	wire_header_decode(reply, &header);
	if (header.msg_type != KTSTR_MSG_SNAPSHOT_REPLY || header.length != 520 ||
	    header.crc32 != wire_crc32(0, reply + WIRE_HEADER_SIZE, 520) ||
	    memcmp(reply + WIRE_HEADER_SIZE, "\x4d\0\0\0\2\0\0\0", 8) != 0)
		_exit(2);
	frames_add_end(&frames);
	fake_frames(guest, &frames);
}

Test(coord, counts_torn_frames_and_goes_on)
{
	struct recorded recorded;

	run_vm(play_torn);
	expect_end(COORD_END_STREAM, "");
	read_back(&recorded);
	cr_assert_eq(recorded.summary.frames_torn, 2);
	cr_assert_eq(recorded.summary.is_sched_exit, 0);
	cr_assert_eq(recorded.summary.frames_bucketed, 3, "not the torn SCHED_EXIT");
}

Test(coord, notices_that_a_frame_is_missing)
{
	run_vm(play_missing_frame);
	expect_end(COORD_END_STREAM, "");
	cr_assert_eq(f.result.summary.has_end, 1);
	cr_assert_eq(f.result.summary.end_matches, 0);
}

Test(coord, counts_frames_after_the_end)
{
	run_vm(play_after_end);
	expect_end(COORD_END_STREAM, "");
	cr_assert_eq(f.result.summary.frames_after_end, 2);
	cr_assert_eq(f.result.summary.end_matches, 1);
}

Test(coord, counts_and_names_frames_that_it_drops)
{
	struct recorded recorded;

	run_vm(play_strange_frames);
	read_back(&recorded);
	cr_assert_eq(recorded.summary.frames_dropped, 3);
	cr_assert_not_null(strstr(recorded.warnings, "unknown type 'WHAT' (0x57484154)"), "%s",
			   recorded.warnings);
}

static void play_padded(struct fake_guest *guest)
{
	struct frames frames = { 0 };
	uint32_t pad = 0xabcd;

	for (int i = 0; i < 2; i++) {
		size_t at = frames.length;

		frames_add(&frames, KTSTR_MSG_STDOUT, "x", 1);
		memcpy(frames.bytes + at + 12, &pad, sizeof(pad));
	}
	fake_frames(guest, &frames);
}

Test(coord, warns_once_of_padded_frames_and_takes_them)
{
	struct recorded recorded;

	run_vm(play_padded);
	read_back(&recorded);
	cr_assert_eq(recorded.summary.frames_bucketed, 2);
	cr_assert_str_eq(recorded.warnings, "the guest sent a frame with 0xabcd in the pad word\n");
}

Test(coord, refuses_a_snapshot_to_the_guest_that_asks)
{
	run_vm(play_asks_for_a_snapshot);
	expect_end(COORD_END_STREAM, "");
	cr_assert_eq(f.result.qemu_status, 0);
}
