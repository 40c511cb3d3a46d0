/* SPDX-License-Identifier: GPL-2.0-only */
/* PID 1's part, played by this process, with sessions that end in every way. */
#include "guest/supervisor.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"
#include "guest/forward.h"
#include "support/agent_stream.h"
#include "wire/types.h"

static struct stream stream;
/* What the kernel would have. */
static const char *sched_ext, *sysrq;

/* Run @session, and read what the host would. Returns what supervisor_run() did. */
static int supervise(int (*session)(void *arg, struct session_link *link), void *arg, int wake_fd)
{
	struct ktstr_error err = { 0 };
	struct port port;
	struct supervisor_spec spec = {
		.port = &port,
		.wake_fd = wake_fd,
		.stop_grace_ns = 50 * NS_PER_MS,
		.wind_up_ns = 10 * NS_PER_S,
		.sched_ext = sched_ext,
		.sysrq = sysrq,
		.session = session,
		.arg = arg,
	};
	int fds[2], rc;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	memset(&stream, 0, sizeof(stream));
	stream.fd = fds[1];
	port_init(&port, fds[0]);
	cr_assert_eq(pthread_create(&stream.reader, NULL, read_stream, &stream), 0);
	rc = supervisor_run(&spec, &err);
	cr_expect_geq(rc, 0, "%s", err.text);
	port_done(&port);
	cr_assert_eq(pthread_join(stream.reader, NULL), 0);
	(void)close(fds[1]);
	return rc;
}

static void expect_whole(int32_t exit_code)
{
	cr_expect_not(stream.is_bad);
	cr_assert(stream.has_end);
	cr_expect_eq(stream.end.frame_count, stream.account.frame_count);
	cr_expect_eq(stream.end.byte_count, stream.account.byte_count);
	cr_expect_eq(stream.end.headers_crc32, stream.account.headers_crc32);
	cr_assert_geq(stream.count, 2);
	cr_expect_eq(stream.types[stream.count - 2], KTSTR_MSG_EXIT, "EXIT comes before END");
	cr_expect_eq(stream.exit_code, exit_code);
}

static void enter(struct session_link *link, uint32_t stage, const char *subject)
{
	link->status->stage = stage;
	(void)str_copy(link->status->subject, sizeof(link->status->subject), subject);
}

TestSuite(supervisor, .timeout = 60);

static int session_good(void *arg, struct session_link *link)
{
	(void)arg;
	(void)channel_send(&link->sender, KTSTR_MSG_SCENARIO_START, NULL, 0);
	(void)printf("to stdout");
	(void)fprintf(stderr, "to stderr");
	(void)channel_send(&link->sender, KTSTR_MSG_SCENARIO_PAUSE, NULL, 0);
	return 0;
}

Test(supervisor, passes_a_good_session_on)
{
	cr_expect_eq(supervise(session_good, NULL, -1), 0);
	expect_whole(0);
	cr_expect_eq(stream.count, 4);
	cr_expect_eq(stream.types[0], KTSTR_MSG_SCENARIO_START);
	cr_expect_eq(stream.types[1], KTSTR_MSG_SCENARIO_PAUSE);
	cr_expect_eq(stream.output_length[0], 9);
	cr_expect_eq(memcmp(stream.output[0], "to stdout", 9), 0);
	cr_expect_eq(stream.output_length[1], 9);
}

static int session_with_log(void *arg, struct session_link *link)
{
	(void)arg;
	return io_write_all(link->log_fd, "a scheduler says", 16) < 0;
}

Test(supervisor, passes_a_schedulers_log_on)
{
	cr_expect_eq(supervise(session_with_log, NULL, -1), 0);
	expect_whole(0);
	cr_expect_eq(stream.log_bytes, 16);
	cr_expect_str_eq(stream.log_end, "a scheduler says");
}

#define FLOOD (UINT64_C(40) << 20)

static int session_flood(void *arg, struct session_link *link)
{
	static char bytes[1 << 20];

	(void)arg;
	memset(bytes, 'x', sizeof(bytes));
	for (uint64_t i = 0; i < FLOOD; i += sizeof(bytes))
		if (io_write_all(link->log_fd, bytes, sizeof(bytes)) < 0)
			return 1;
	return 0;
}

Test(supervisor, a_flood_of_log_is_cut_and_the_run_goes_on)
{
	uint64_t lines;

	cr_expect_eq(supervise(session_flood, NULL, -1), 0);
	expect_whole(0);
	cr_assert_gt(stream.log_bytes, FORWARD_LOG_MAX);
	lines = stream.log_bytes - FORWARD_LOG_MAX;
	cr_expect_lt(lines, 200, "%llu", (unsigned long long)lines);
	cr_expect_eq(stream.log_frame_max, FORWARD_LOG_CHUNK_MAX);
	cr_expect_str_eq(stream.log_end, "ktstr: 25165824 bytes of log were dropped\n");
}

/* The scenario has so long; what comes after that is in vain. */
static void start_scenario(struct session_link *link, uint64_t scenario_ns)
{
	enter(link, KTSTR_STAGE_SCENARIO, "scenario 'x'");
	link->status->limits.job.scenario_ns = scenario_ns;
	limits_enter(&link->status->limits, LIMITS_OF_SCENARIO, clock_monotonic_ns());
}

static int session_overdue(void *arg, struct session_link *link)
{
	(void)arg;
	start_scenario(link, 100 * NS_PER_MS);
	(void)channel_send(&link->sender, KTSTR_MSG_SCENARIO_START, NULL, 0);
	while (!link->status->is_done)
		(void)pause();
	return 0;
}

Test(supervisor, ends_a_session_whose_time_is_over)
{
	cr_expect_eq(supervise(session_overdue, NULL, -1), 1);
	expect_whole(1);
	cr_expect_eq(stream.count, 5);
	cr_expect_eq(stream.types[0], KTSTR_MSG_SCENARIO_START);
	cr_expect_eq(stream.types[1], KTSTR_MSG_LIFECYCLE);
	cr_expect_str_eq(stream.phase, "?the scenario did not end in its time (0.1 s)");
	cr_expect_eq(stream.error.stage, KTSTR_STAGE_SCENARIO);
	cr_expect_str_eq(stream.error_text, "scenario 'x' did not stop when its time was over");
}

static int session_obeys(void *arg, struct session_link *link)
{
	struct pollfd poll_fd = { .fd = link->stop_fd, .events = POLLIN };

	(void)arg;
	start_scenario(link, 100 * NS_PER_MS);
	(void)poll(&poll_fd, 1, -1);
	return link->status->is_stopping == SESSION_STOP_OVERDUE ? 0 : 2;
}

Test(supervisor, says_once_that_time_is_over_and_lets_the_session_end)
{
	cr_expect_eq(supervise(session_obeys, NULL, -1), 0);
	expect_whole(0);
	cr_expect_eq(stream.count, 3);
	cr_expect_eq(stream.types[0], KTSTR_MSG_LIFECYCLE);
}

static int session_in_time(void *arg, struct session_link *link)
{
	(void)arg;
	start_scenario(link, 20 * NS_PER_S);
	return 0;
}

Test(supervisor, says_nothing_of_a_session_in_its_time)
{
	cr_expect_eq(supervise(session_in_time, NULL, -1), 0);
	expect_whole(0);
	cr_expect_eq(stream.count, 2);
}

static int session_one(void *arg, struct session_link *link)
{
	(void)arg;
	(void)link;
	return 1;
}

Test(supervisor, the_sessions_code_is_the_agents)
{
	cr_expect_eq(supervise(session_one, NULL, -1), 1);
	expect_whole(1);
	cr_expect_eq(stream.count, 2);
}

static int session_chatty(void *arg, struct session_link *link)
{
	(void)arg;
	(void)link;
	for (int i = 0; i < 10000; i++)
		(void)printf("%06d", i);
	return 0;
}

Test(supervisor, loses_no_output)
{
	cr_expect_eq(supervise(session_chatty, NULL, -1), 0);
	expect_whole(0);
	cr_assert_eq(stream.output_length[0], 60000);
	for (int i = 0; i < 10000; i++) {
		char expected[7];

		(void)snprintf(expected, sizeof(expected), "%06d", i);
		cr_assert_eq(memcmp(stream.output[0] + 6 * (size_t)i, expected, 6), 0);
	}
}

static int session_large(void *arg, struct session_link *link)
{
	_cleanup_free_ char *payload = calloc(1, 1 << 20);

	(void)arg;
	for (int i = 0; i < 5; i++)
		if (!payload ||
		    channel_send(&link->sender, KTSTR_MSG_PROFRAW, payload, 1 << 20) < 0)
			return 1;
	return 0;
}

Test(supervisor, passes_large_frames_on)
{
	cr_expect_eq(supervise(session_large, NULL, -1), 0);
	expect_whole(0);
	cr_expect_eq(stream.account.frame_count, 6);
}

static int session_killed(void *arg, struct session_link *link)
{
	enter(link, KTSTR_STAGE_SCENARIO, "scenario 'x'");
	(void)printf("last words");
	(void)raise(*(int *)arg);
	return 0;
}

static const struct {
	int signal;
	const char *text;
} signals[] = {
	{ SIGKILL, "scenario 'x' was killed by SIGKILL" },
	{ SIGTERM, "scenario 'x' was killed by SIGTERM" },
	/* Sent, not suffered: there is no address. */
	{ SIGSEGV, "scenario 'x' was killed by SIGSEGV" },
	{ SIGABRT, "scenario 'x' was killed by SIGABRT" },
};

Test(supervisor, tells_the_signal_that_killed_the_session)
{
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		int signal = signals[i].signal;

		cr_expect_eq(supervise(session_killed, &signal, -1), 1);
		expect_whole(1);
		cr_expect_eq(stream.error.stage, KTSTR_STAGE_SCENARIO);
		cr_expect_str_eq(stream.error_text, signals[i].text);
		cr_expect_eq(memcmp(stream.output[0], "last words", 10), 0);
	}
}

/* What a fault in the plugin's code does, without one that a sanitizer would stop first. */
static int session_faults(void *arg, struct session_link *link)
{
	siginfo_t info = { .si_signo = SIGSEGV, .si_code = SEGV_MAPERR };
	struct sigaction action;

	(void)arg;
	enter(link, KTSTR_STAGE_SCHEDULER, "scheduler 'y'");
	info.si_addr = (void *)(uintptr_t)0x1234;
	(void)sigaction(SIGSEGV, NULL, &action);
	(void)signal(SIGSEGV, SIG_DFL);
	action.sa_sigaction(SIGSEGV, &info, NULL);
	return 0;
}

Test(supervisor, tells_the_address_of_a_crash_and_its_backtrace)
{
	cr_expect_eq(supervise(session_faults, NULL, -1), 1);
	expect_whole(1);
	cr_expect_eq(stream.error.stage, KTSTR_STAGE_SCHEDULER);
	cr_expect_str_eq(stream.error_text, "scheduler 'y' was killed by SIGSEGV (address 0x1234)");
	stream.output[1][stream.output_length[1]] = '\0';
	cr_expect(strstr(stream.output[1], "the session was killed by SIGSEGV (address 0x1234)\n"));
	cr_expect(strstr(stream.output[1], "  #1 "), "%s", stream.output[1]);
}

static int session_exits(void *arg, struct session_link *link)
{
	(void)arg;
	enter(link, KTSTR_STAGE_SCENARIO, "scenario 'x'");
	_exit(0);
}

Test(supervisor, a_plugin_that_exits_is_no_good_end)
{
	cr_expect_eq(supervise(session_exits, NULL, -1), 1);
	expect_whole(1);
	cr_expect_str_eq(stream.error_text, "scenario 'x' ended the session with exit code 0");
}

static int session_scribbles(void *arg, struct session_link *link)
{
	(void)arg;
	memset(link->status, 0xff, sizeof(*link->status));
	_exit(0);
}

Test(supervisor, believes_the_kernel_more_than_shared_memory)
{
	cr_expect_eq(supervise(session_scribbles, NULL, -1), 0);
	expect_whole(0);
}

static int session_scribbles_and_dies(void *arg, struct session_link *link)
{
	(void)arg;
	memset(link->status, 0xff, sizeof(*link->status));
	(void)raise(SIGKILL);
	return 0;
}

Test(supervisor, reads_the_name_of_a_subject_that_never_ends)
{
	cr_expect_eq(supervise(session_scribbles_and_dies, NULL, -1), 1);
	expect_whole(1);
	cr_expect_not_null(strstr(stream.error_text, "was killed by SIGKILL"));
}

static int session_tears(void *arg, struct session_link *link)
{
	uint8_t *next = link->sender.channel->area->frames + WIRE_HEADER_SIZE;

	(void)arg;
	enter(link, KTSTR_STAGE_SCENARIO, "scenario 'x'");
	(void)channel_send(&link->sender, KTSTR_MSG_SCENARIO_START, NULL, 0);
	wire_header_encode(KTSTR_MSG_STDOUT, "0123456789", 10, next);
	memcpy(next + WIRE_HEADER_SIZE, "01234", 5);
	(void)raise(SIGKILL);
	return 0;
}

Test(supervisor, a_frame_torn_by_death_stays_out_of_the_stream)
{
	cr_expect_eq(supervise(session_tears, NULL, -1), 1);
	expect_whole(1);
	cr_expect_eq(stream.types[0], KTSTR_MSG_SCENARIO_START);
	cr_expect_eq(stream.types[1], KTSTR_MSG_ERROR);
	cr_expect_eq(stream.output_length[0], 0);
}

/* As if the session had come further before the signal reached it. */
static void pretend_to_go_on(struct session_link *link)
{
	pid_t session = getpid();

	if (fork() != 0)
		return;
	(void)setpgid(0, 0);
	while (getppid() == session)
		;
	link->status->stage = KTSTR_STAGE_SCHEDULER;
	_exit(0);
}

static int session_lies(void *arg, struct session_link *link)
{
	struct channel_area *area = link->sender.channel->area;

	(void)arg;
	enter(link, KTSTR_STAGE_SCENARIO, "scenario 'x'");
	pretend_to_go_on(link);
	memcpy(area->frames, "this is no frame at all", 23);
	atomic_store(&area->published, ((struct channel_mark){ .end = 23 }));
	(void)!write(link->sender.channel->frames_fd, &(uint64_t){ 1 }, sizeof(uint64_t));
	(void)poll(NULL, 0, -1);
	return 0;
}

Test(supervisor, a_session_that_writes_nonsense_is_ended)
{
	cr_expect_eq(supervise(session_lies, NULL, -1), 1);
	expect_whole(1);
	cr_expect(strstr(stream.error_text, "the session wrote what is no frame"), "%s",
		  stream.error_text);
	cr_expect_eq(stream.error.stage, KTSTR_STAGE_SCENARIO, "where it was then");
}

static int wake_with(const char *bytes, int ret_fds[2])
{
	cr_assert_eq(pipe2(ret_fds, O_CLOEXEC | O_NONBLOCK), 0);
	cr_assert_eq(io_write_all(ret_fds[1], bytes, strlen(bytes)), 0);
	return ret_fds[0];
}

static int session_waits(void *arg, struct session_link *link)
{
	struct pollfd poll_fd = { .fd = link->stop_fd, .events = POLLIN };

	(void)arg;
	while (!link->status->is_stopping)
		(void)poll(&poll_fd, 1, -1);
	link->status->is_winding_up = 1;
	(void)poll(NULL, 0, 100); /* longer than a plugin may take */
	return 0;
}

Test(supervisor, lets_a_session_that_listens_wind_up)
{
	int fds[2];

	cr_expect_eq(supervise(session_waits, NULL, wake_with("\xd3", fds)), 0);
	expect_whole(0);
	cr_expect_eq(stream.count, 2);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static int session_hangs(void *arg, struct session_link *link)
{
	(void)arg;
	enter(link, KTSTR_STAGE_SCENARIO, "scenario 'x'");
	for (;;)
		(void)poll(NULL, 0, -1);
	return 0;
}

Test(supervisor, ends_a_session_that_does_not_listen)
{
	int fds[2];

	cr_expect_eq(supervise(session_hangs, NULL, wake_with("\xd3", fds)), 1);
	expect_whole(1);
	cr_expect_str_eq(stream.error_text,
			 "scenario 'x' did not stop when the host asked for an early end");
	cr_expect_eq(stream.error.code, -ETIMEDOUT);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

Test(supervisor, a_console_that_goes_is_passed_over)
{
	int fds[2], wake_fd = wake_with("x", fds);

	(void)close(fds[1]);
	cr_expect_eq(supervise(session_good, NULL, wake_fd), 0);
	expect_whole(0);
	(void)close(fds[0]);
}

/* Schedulers that take too long. */

static char kernel[40], sysrq_path[64], state_path[64];

static void write_text(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(io_write_all(fd, text, strlen(text)), 0);
}

static void setup_kernel(void)
{
	(void)str_copy(kernel, sizeof(kernel), "/tmp/ktstr-supervisor-XXXXXX");
	cr_assert_not_null(mkdtemp(kernel));
	(void)snprintf(sysrq_path, sizeof(sysrq_path), "%s/sysrq", kernel);
	(void)snprintf(state_path, sizeof(state_path), "%s/state", kernel);
	write_text(sysrq_path, "");
	write_text(state_path, "disabled\n");
	sched_ext = kernel;
	sysrq = sysrq_path;
}

static void teardown_kernel(void)
{
	(void)unlink(sysrq_path);
	(void)unlink(state_path);
	(void)rmdir(kernel);
}

TestSuite(supervisor_limits, .init = setup_kernel, .fini = teardown_kernel, .timeout = 60);

static bool was_thrown_out(void)
{
	char byte = 0;
	_cleanup_close_ int fd = open(sysrq_path, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && read(fd, &byte, 1) == 1 && byte == 'S';
}

static bool has_frame(uint32_t msg_type)
{
	for (size_t i = 0; i < stream.count; i++)
		if (stream.types[i] == msg_type)
			return true;
	return false;
}

static void begin_op(struct session_link *link, uint32_t op, uint64_t limit_ns)
{
	const uint64_t one = 1;

	enter(link, KTSTR_STAGE_SCHEDULER, "scheduler 'lazy'");
	link->status->op_start_ns = clock_monotonic_ns();
	link->status->op_limit_ns = limit_ns;
	link->status->op = op;
	(void)!write(link->sender.channel->frames_fd, &one, sizeof(one));
}

static int session_hangs_in_start(void *arg, struct session_link *link)
{
	(void)arg;
	begin_op(link, SESSION_OP_START, 250 * NS_PER_MS);
	for (;;)
		(void)pause();
	return 0;
}

Test(supervisor_limits, a_start_that_takes_too_long_is_ended)
{
	cr_expect_eq(supervise(session_hangs_in_start, NULL, -1), 1);
	expect_whole(1);
	cr_expect_eq(stream.error.stage, KTSTR_STAGE_SCHEDULER);
	cr_expect_eq(stream.error.code, -ETIMEDOUT);
	cr_expect_str_eq(stream.error_text, "scheduler 'lazy' did not start within 0.25 s");
	cr_expect(was_thrown_out());
	cr_expect(has_frame(KTSTR_MSG_SCX_STATE), "the session could not say how it left things");
}

static int session_hangs_in_stop(void *arg, struct session_link *link)
{
	(void)arg;
	begin_op(link, SESSION_OP_STOP, 3 * NS_PER_S);
	for (;;)
		(void)pause();
	return 0;
}

Test(supervisor_limits, a_stop_that_takes_too_long_is_ended)
{
	cr_expect_eq(supervise(session_hangs_in_stop, NULL, -1), 1);
	cr_expect_str_eq(stream.error_text, "scheduler 'lazy' did not stop within 3 s");
}

static int session_hangs_in_alive(void *arg, struct session_link *link)
{
	(void)arg;
	begin_op(link, SESSION_OP_ALIVE, 100 * NS_PER_MS);
	for (;;)
		(void)pause();
	return 0;
}

Test(supervisor_limits, an_alive_that_takes_too_long_is_ended)
{
	cr_expect_eq(supervise(session_hangs_in_alive, NULL, -1), 1);
	cr_expect_str_eq(stream.error_text,
			 "scheduler 'lazy' did not say whether it is alive within 0.1 s");
}

static int session_waits_for_force(void *arg, struct session_link *link)
{
	uint64_t end_ns = clock_monotonic_ns() + 30 * NS_PER_S;

	(void)arg;
	begin_op(link, SESSION_OP_STOP, 30 * NS_PER_S);
	while (!link->status->is_forced && clock_monotonic_ns() < end_ns)
		(void)poll(NULL, 0, 5);
	link->status->op = SESSION_OP_NONE;
	return link->status->is_forced ? 0 : 1;
}

Test(supervisor_limits, a_scheduler_that_does_not_let_go_is_thrown_out)
{
	cr_expect_eq(supervise(session_waits_for_force, NULL, -1), 0);
	expect_whole(0);
	cr_expect(was_thrown_out());
	cr_expect_not(has_frame(KTSTR_MSG_SCX_STATE));
}

static int session_is_quick(void *arg, struct session_link *link)
{
	(void)arg;
	begin_op(link, SESSION_OP_START, 100 * NS_PER_MS);
	link->status->op = SESSION_OP_NONE;
	(void)poll(NULL, 0, 300);
	return 0;
}

Test(supervisor_limits, an_op_that_is_over_has_no_limit)
{
	cr_expect_eq(supervise(session_is_quick, NULL, -1), 0);
	expect_whole(0);
	cr_expect_not(was_thrown_out());
}

static int session_leaves_it(void *arg, struct session_link *link)
{
	(void)arg;
	(void)link;
	write_text(state_path, "enabled\n");
	return 0;
}

Test(supervisor_limits, what_is_left_in_charge_is_thrown_out)
{
	cr_expect_eq(supervise(session_leaves_it, NULL, -1), 0);
	expect_whole(0);
	cr_expect(was_thrown_out());
}
