/* SPDX-License-Identifier: GPL-2.0-only */
#include "coord/coord.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "runfile/reader.h"
#include "support/fake_vm.h"
#include "wire/payload.h"
#include "wire/types.h"

/* Every test has a folder of its own, a run file in it, and a VM that is a script. */
struct fixture {
	char folder[128];
	char runfile[160];
	struct fake_vm vm;
	struct coord_spec spec;
	struct coord_result result;
	struct ktstr_error err;
	int signal_ends[2];
};

static struct fixture f;

static void setup(void)
{
	const char *base = getenv("TMPDIR");

	memset(&f, 0, sizeof(f));
	(void)snprintf(f.folder, sizeof(f.folder), "%s/ktstr-coord-XXXXXX", base ? base : "/tmp");
	cr_assert_not_null(mkdtemp(f.folder));
	(void)snprintf(f.runfile, sizeof(f.runfile), "%s/run", f.folder);
	f.signal_ends[0] = f.signal_ends[1] = -1;
	f.spec = (struct coord_spec){
		.signal_fd = -1,
		.console_log_fd = -1,
		.boot_timeout_ns = 20 * NS_PER_S,
		.workload_duration_ns = 20 * NS_PER_S,
		.teardown_timeout_ns = 20 * NS_PER_S,
		.grace_divisor = 10,
	};
	cr_assert_eq(runfile_create(f.runfile, 1, 2, &f.spec.runfile, &f.err), 0, "%s", f.err.text);
}

static void teardown(void)
{
	(void)runfile_close(f.spec.runfile, &f.err);
	(void)unlink(f.runfile);
	(void)rmdir(f.folder);
}

TestSuite(coord, .init = setup, .fini = teardown, .timeout = 60);

static void run_vm(fake_script script)
{
	int rc;

	fake_vm_start(&f.vm, script, &f.spec);
	rc = coord_run(&f.spec, &f.result, &f.err);
	cr_assert_eq(rc, 0, "%s", f.err.text);
	cr_assert(f.vm.is_collected, "no VM is left running");
	fake_vm_done(&f.vm);
}

static void expect_end(enum coord_end end, const char *text)
{
	cr_assert_eq(f.result.end, end, "%s: %s", coord_end_name(f.result.end), f.result.text);
	cr_assert_not_null(strstr(f.result.text, text), "'%s' lacks '%s'", f.result.text, text);
	cr_assert_eq(f.result.summary.end_reason, end);
}

/* What the run file holds. */
struct recorded {
	uint64_t by_kind[RUNFILE_SUMMARY + 1];
	uint64_t by_timing[8];
	struct runfile_summary summary;
	uint32_t last_kind;
	char reason[900];
	char console[4096];
	size_t console_length;
	char warnings[4096];
};

static void note_event(struct recorded *ret, uint32_t tag, const char *payload, uint32_t length)
{
	if (tag == RUNFILE_EVENT_END_REASON)
		(void)snprintf(ret->reason, sizeof(ret->reason), "%.*s", (int)length, payload);
	if (tag == RUNFILE_EVENT_WARNING)
		(void)snprintf(ret->warnings + strlen(ret->warnings),
			       sizeof(ret->warnings) - strlen(ret->warnings), "%.*s\n", (int)length,
			       payload);
}

static void read_back(struct recorded *ret)
{
	struct runfile_reader *reader;
	struct runfile_record record;
	const void *payload;

	memset(ret, 0, sizeof(*ret));
	cr_assert_eq(runfile_open(f.runfile, &reader, &f.err), 0, "%s", f.err.text);
	while (runfile_next(reader, &record, &payload)) {
		cr_assert_leq(record.kind, RUNFILE_SUMMARY);
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

/* Scripts. */

static void add_boot(struct frames *frames)
{
	frames_add(frames, KTSTR_MSG_LIFECYCLE, "\1", 1);
	frames_add(frames, KTSTR_MSG_SYS_RDY, NULL, 0);
}

static void add_scenario(struct frames *frames)
{
	struct ktstr_step_info step = { .size = sizeof(step), .index = 1, .name_length = 4 };
	struct ktstr_scenario_end end = { .elapsed_ms = 5 };

	frames_add(frames, KTSTR_MSG_SCENARIO_START, NULL, 0);
	frames_add_with_text(frames, KTSTR_MSG_STEP, &step, sizeof(step), "spin");
	frames_add(frames, KTSTR_MSG_STDOUT, "out", 3);
	frames_add(frames, KTSTR_MSG_SCENARIO_END, &end, sizeof(end));
	frames_add(frames, KTSTR_MSG_EXIT, "\0\0\0\0", 4);
}

static void play_good(struct fake_guest *guest)
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

static void play_dies(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_boot(&frames);
	frames_add(&frames, KTSTR_MSG_STDOUT, "0123456789", 10);
	fake_send(guest->bulk, frames.bytes, frames.length - 4);
	fake_text(guest->stderr_fd, "qemu: could not\nqemu: no memory\n");
	_exit(3);
}

static void play_killed(struct fake_guest *guest)
{
	(void)guest;
	(void)raise(SIGKILL);
}

static void play_panics(struct fake_guest *guest)
{
	fake_text(guest->com1, "fine\n[ 1.0] Kernel pa");
	fake_text(guest->com1, "nic - not syncing: Attempted to kill init!\n");
	fake_hang();
}

static void play_reset(struct fake_guest *guest)
{
	fake_event(guest, 2);
	fake_hang();
}

static void play_vm_error(struct fake_guest *guest)
{
	fake_event(guest, 3);
	fake_hang();
}

static void play_agent_crash(struct fake_guest *guest)
{
	fake_text(guest->com2, "PANIC: SIGSEGV at 0x10\n frame 1\n");
	fake_hang();
}

static void play_shutdown(struct fake_guest *guest)
{
	fake_event(guest, 1);
}

static void play_silent(struct fake_guest *guest)
{
	(void)guest;
	fake_hang();
}

static void play_boots_only(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_boot(&frames);
	fake_frames(guest, &frames);
	fake_hang();
}

static void start_scenario(struct fake_guest *guest, struct frames *frames)
{
	add_boot(frames);
	frames_add(frames, KTSTR_MSG_SCENARIO_START, NULL, 0);
	fake_frames(guest, frames);
}

static void play_hangs_in_scenario(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	start_scenario(guest, &frames);
	fake_hang();
}

/* A guest powers off only when it knows that nothing is lost. */
static void wait_until_received(struct fake_guest *guest)
{
	if (fake_wait_byte(guest->console) != WIRE_WAKE_STREAM_RECEIVED)
		_exit(8);
}

static void play_waits_for_the_host(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_boot(&frames);
	add_scenario(&frames);
	frames_add_end(&frames);
	fake_frames(guest, &frames);
	wait_until_received(guest);
}

/* Ends its stream when it is asked to. */
static void play_obeys(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	start_scenario(guest, &frames);
	if (fake_wait_byte(guest->console) != WIRE_WAKE_SHUTDOWN)
		_exit(7);
	frames_add_end(&frames);
	fake_frames(guest, &frames);
	wait_until_received(guest);
}

static void play_floods(struct fake_guest *guest)
{
	static const char payload[4096];
	struct frames frames = { 0 };

	start_scenario(guest, &frames);
	for (;;) {
		frames_add(&frames, KTSTR_MSG_STDOUT, payload, sizeof(payload));
		fake_frames(guest, &frames);
	}
}

static void play_teardown_hangs(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_boot(&frames);
	add_scenario(&frames);
	fake_frames(guest, &frames);
	fake_hang();
}

static void play_ends_and_stays(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_boot(&frames);
	frames_add_end(&frames);
	fake_frames(guest, &frames);
	fake_hang();
}

static void play_quits_when_asked(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_boot(&frames);
	frames_add_end(&frames);
	fake_frames(guest, &frames);
	(void)fake_wait_byte(guest->monitor);
}

static void play_scheduler_dies(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	start_scenario(guest, &frames);
	frames_add(&frames, KTSTR_MSG_SCHED_EXIT, "\1\0\0\0runnable task stall", 23);
	frames_add_end(&frames);
	fake_frames(guest, &frames);
}

static void play_closes(struct fake_guest *guest)
{
	(void)close(guest->bulk);
	fake_hang();
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

static void fill_console(struct fake_guest *guest)
{
	static char line[65536];

	memset(line, '.', sizeof(line));
	for (int i = 0; i < 65 * 16; i++)
		fake_send(guest->com1, line, sizeof(line));
}

static void play_console_flood(struct fake_guest *guest)
{
	struct frames frames = { 0 };

	add_boot(&frames);
	fake_frames(guest, &frames);
	fill_console(guest);
	frames_add_end(&frames);
	fake_frames(guest, &frames);
}

/* The good way. */

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

Test(coord, refuses_a_snapshot_to_the_guest_that_asks)
{
	run_vm(play_asks_for_a_snapshot);
	expect_end(COORD_END_STREAM, "");
	cr_assert_eq(f.result.qemu_status, 0);
}

/* Every other end. */

struct end_case {
	fake_script script;
	enum coord_end end;
	const char *text;
};

static const struct end_case end_cases[] = {
	{ play_dies, COORD_END_VM_GONE, "QEMU ended with status 3" },
	{ play_dies, COORD_END_VM_GONE, ": qemu: no memory" },
	{ play_killed, COORD_END_VM_GONE, "QEMU was killed by SIGKILL" },
	{ play_panics, COORD_END_PANIC,
	  ": [ 1.0] Kernel panic - not syncing: Attempted to kill init!" },
	{ play_reset, COORD_END_PANIC, "panicked or reset itself" },
	{ play_vm_error, COORD_END_VM_ERROR, "internal error" },
	{ play_agent_crash, COORD_END_AGENT_CRASH, ": PANIC: SIGSEGV at 0x10" },
	{ play_shutdown, COORD_END_GUEST_SHUTDOWN, "powered off without ending its stream" },
	{ play_scheduler_dies, COORD_END_SCHED_EXIT, ": runnable task stall" },
	{ play_closes, COORD_END_VM_GONE, "QEMU closed its channels" },
	{ play_ends_and_stays, COORD_END_STREAM, "ended its stream" },
};

/* Parameters cross into another process, so they are numbers, not pointers. */
ParameterizedTestParameters(coord_ends, by_script)
{
	static size_t numbers[ARRAY_SIZE(end_cases)];

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		numbers[i] = i;
	return cr_make_param_array(size_t, numbers, ARRAY_SIZE(numbers));
}

ParameterizedTest(size_t *number, coord_ends, by_script, .init = setup, .fini = teardown)
{
	const struct end_case *c = &end_cases[*number];
	struct recorded recorded;

	run_vm(c->script);
	expect_end(c->end, c->text);
	read_back(&recorded);
}

Test(coord, keeps_what_a_dying_vm_left)
{
	run_vm(play_dies);
	cr_assert_eq(f.result.summary.frames_received, 2);
	cr_assert_eq(f.result.summary.bytes_left, WIRE_HEADER_SIZE + 6);
	cr_assert_eq(f.result.summary.has_end, 0);
	cr_assert_eq(f.result.summary.qemu_status, 3 << 8);
}

Test(coord, flags_panic_crash_and_scheduler_in_the_summary)
{
	run_vm(play_panics);
	cr_assert_eq(f.result.summary.is_panicked, 1);
	cr_assert_eq(f.result.summary.is_crashed, 0);
}

Test(coord, flags_a_crash_in_the_summary)
{
	struct recorded recorded;

	run_vm(play_agent_crash);
	read_back(&recorded);
	cr_assert_eq(recorded.summary.is_crashed, 1);
	cr_assert_eq(recorded.by_kind[RUNFILE_CRASH], 1);
}

Test(coord, lets_the_guest_end_its_stream_after_the_scheduler_died)
{
	run_vm(play_scheduler_dies);
	cr_assert_eq(f.result.summary.is_sched_exit, 1);
	cr_assert_eq(f.result.summary.end_matches, 1);
	cr_assert_eq(f.vm.kills, 1, "only by the test itself");
}

Test(coord, asks_a_vm_to_quit_that_stays_and_then_kills_it)
{
	run_vm(play_ends_and_stays);
	cr_assert_eq(f.vm.quits, 1);
	cr_assert_eq(f.vm.kills, 2);
	cr_assert_eq(f.result.summary.qemu_status, SIGKILL);
}

Test(coord, does_not_kill_a_vm_that_quits_when_asked)
{
	run_vm(play_quits_when_asked);
	cr_assert_eq(f.vm.quits, 1);
	cr_assert_eq(f.vm.kills, 1, "only by the test itself");
	cr_assert_eq(f.result.summary.qemu_status, 0);
}

Test(coord, gives_up_on_a_silent_vm)
{
	f.spec.boot_timeout_ns = 50 * NS_PER_MS;
	run_vm(play_silent);
	expect_end(COORD_END_BOOT_TIMEOUT, "the guest did not boot");
	cr_assert_geq(f.result.gone_ns, 50 * NS_PER_MS);
	cr_assert_lt(f.result.gone_ns, NS_PER_S);
}

Test(coord, gives_up_on_a_guest_that_starts_no_scenario)
{
	f.spec.boot_timeout_ns = 100 * NS_PER_MS;
	run_vm(play_boots_only);
	expect_end(COORD_END_BOOT_TIMEOUT, "started no scenario");
}

Test(coord, ends_a_scenario_that_outlives_its_budget)
{
	f.spec.workload_duration_ns = 50 * NS_PER_MS;
	run_vm(play_hangs_in_scenario);
	expect_end(COORD_END_WATCHDOG, "the scenario did not end in its time");
	cr_assert_eq(f.vm.quits, 1);
}

Test(coord, asks_the_guest_first_when_the_watchdog_expires)
{
	f.spec.workload_duration_ns = 50 * NS_PER_MS;
	run_vm(play_obeys);
	expect_end(COORD_END_WATCHDOG, "");
	cr_assert_eq(f.result.summary.end_matches, 1, "and takes what it still sends");
	cr_assert_eq(f.result.summary.qemu_status, 0);
	cr_assert_eq(f.vm.quits, 0);
}

Test(coord, serves_its_deadlines_during_a_flood)
{
	f.spec.workload_duration_ns = 100 * NS_PER_MS;
	run_vm(play_floods);
	expect_end(COORD_END_WATCHDOG, "");
	cr_assert_lt(f.result.gone_ns, 5 * NS_PER_S);
}

Test(coord, serves_signals_during_a_flood)
{
	struct signalfd_siginfo info = { .ssi_signo = SIGTERM };

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, f.signal_ends), 0);
	f.spec.signal_fd = f.signal_ends[0];
	cr_assert_eq(write(f.signal_ends[1], &info, sizeof(info)), (ssize_t)sizeof(info));
	run_vm(play_floods);
	expect_end(COORD_END_INTERRUPTED, "interrupted by SIGTERM");
}

Test(coord, ends_a_teardown_that_takes_too_long)
{
	f.spec.teardown_timeout_ns = 50 * NS_PER_MS;
	run_vm(play_teardown_hangs);
	expect_end(COORD_END_TEARDOWN_TIMEOUT, "did not end its stream after the scenario");
}

Test(coord, ends_in_order_on_the_first_signal)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	cr_assert_eq(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	f.spec.signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	(void)raise(SIGINT);
	run_vm(play_obeys);
	expect_end(COORD_END_INTERRUPTED, "interrupted by SIGINT");
	cr_assert_eq(f.result.signal, SIGINT);
	cr_assert_eq(f.result.summary.has_end, 1);
	cr_assert_eq(f.vm.quits, 0);
	(void)close(f.spec.signal_fd);
}

Test(coord, kills_at_once_on_the_second_signal)
{
	struct signalfd_siginfo info[2] = { { .ssi_signo = SIGINT }, { .ssi_signo = SIGHUP } };

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, f.signal_ends), 0);
	f.spec.signal_fd = f.signal_ends[0];
	f.spec.grace_divisor = 1;
	cr_assert_eq(write(f.signal_ends[1], info, sizeof(info)), (ssize_t)sizeof(info));
	run_vm(play_silent);
	expect_end(COORD_END_INTERRUPTED, "interrupted by SIGINT");
	cr_assert_eq(f.vm.quits, 0);
	cr_assert_lt(f.result.gone_ns, NS_PER_S);
}

/* What cannot be kept. */

static void limit_file_size(rlim_t size)
{
	const struct rlimit limit = { size, size };

	(void)signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

Test(coord, ends_the_run_when_the_disk_is_full)
{
	limit_file_size(100 * 1024);
	run_vm(play_floods);
	expect_end(COORD_END_RECORD_FAILED, "the run could not be recorded: cannot append to");
	cr_assert_eq(f.vm.quits, 0, "it is killed");
}

Test(coord, calls_no_run_good_that_was_not_kept)
{
	limit_file_size(700);
	run_vm(play_good);
	expect_end(COORD_END_RECORD_FAILED, "the run could not be recorded: cannot append to");
}

Test(coord, keeps_a_bounded_part_of_a_console_without_end)
{
	struct recorded recorded;
	struct stat st;

	run_vm(play_console_flood);
	expect_end(COORD_END_STREAM, "");
	read_back(&recorded);
	cr_assert_not_null(strstr(recorded.warnings, "writes without end to its console"));
	cr_assert_eq(stat(f.runfile, &st), 0);
	cr_assert_lt(st.st_size, 65 * 1024 * 1024);
	cr_assert_gt(st.st_size, 64 * 1024 * 1024);
}

Test(coord_names, every_end_has_a_name)
{
	for (int end = 0; end <= COORD_END_INTERNAL; end++) {
		cr_assert_not_null(coord_end_name(end));
		cr_assert_str_neq(coord_end_name(end), "unknown");
	}
	cr_assert_str_eq(coord_end_name(COORD_END_INTERNAL + 1), "unknown");
}
