/* SPDX-License-Identifier: GPL-2.0-only */
/* What scenarios and schedulers get from the agent, and what it tells the host of it. */
#include "guest/services.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/str.h"
#include "wire/payload.h"

/* A workload, as a loaded plugin. */

static int run_until_stopped(struct ktstr_worker *w, struct ktstr_error *err)
{
	(void)err;
	while (!ktstr_worker_stopping(w))
		ktstr_worker_progress(w, 100);
	return 0;
}

static int run_into_death(struct ktstr_worker *w, struct ktstr_error *err)
{
	(void)w;
	(void)err;
	(void)raise(SIGKILL);
	return 0;
}

static const struct ktstr_workload_ops spin_ops = { .size = sizeof(spin_ops),
						    .run = run_until_stopped };
static const struct ktstr_workload_ops dying_ops = { .size = sizeof(dying_ops),
						     .run = run_into_death };
static const struct ktstr_plugin spin = { .kind = KTSTR_KIND_WORKLOAD,
					  .name = "spin",
					  .workload = &spin_ops };
static const struct ktstr_plugin dying = { .kind = KTSTR_KIND_WORKLOAD,
					   .name = "dying",
					   .workload = &dying_ops };

static struct plugin spin_plugin = { .descriptor = &spin };
static struct plugin dying_plugin = { .descriptor = &dying };
static struct plugin *plugins[] = { &spin_plugin, &dying_plugin };

/* A scheduler that says what it is told to. */

static int alive_result;

static int is_alive(struct ktstr_guest *g, void *state, struct ktstr_error *err)
{
	(void)g;
	(void)state;
	return alive_result ? ktstr_fail(err, alive_result, "it left the building") : 0;
}

static const struct ktstr_scheduler_ops scheduler_ops = { .size = sizeof(scheduler_ops),
							  .alive = is_alive };
static const struct scheduler scheduler = { .name = "", .plugin = "sched", .ops = &scheduler_ops };

/* The agent around them. */

static const struct ktstr_topology topology = {
	.size = sizeof(topology), .numa_nodes = 1, .llcs = 1, .cores = 2, .threads = 1
};
static struct session_status status;
static struct session_link session_link;
static struct services services;
static struct ktstr_guest *g = &services.guest;
static struct ktstr_error err;
static char mount[40];
static struct channel channel;
static struct channel_receiver receiver;
static struct port port;
static int frames_fd; /* what comes out of the port */

/* The way from the session to the host, both ends of it here. */
static void connect_session(void)
{
	int fds[2];

	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	(void)fcntl(fds[1], F_SETPIPE_SZ, 1 << 20);
	frames_fd = fds[0];
	port_init(&port, fds[1]);
	cr_assert_eq(channel_init(&channel), 0);
	channel_receiver_init(&receiver, &channel);
	channel_sender_init(&session_link.sender, &channel);
	session_link.status = &status;
	session_link.log_fd = -1;
}

static void setup(void)
{
	struct services_spec spec = { .link = &session_link,
				      .cgroup_mount = mount,
				      .topology = &topology,
				      .seed = 42,
				      .plugins = plugins,
				      .plugin_count = ARRAY_SIZE(plugins) };

	(void)str_copy(mount, sizeof(mount), "/tmp/ktstr-services-XXXXXX");
	cr_assert_not_null(mkdtemp(mount));
	connect_session();
	session_link.stop_fd = eventfd(0, EFD_CLOEXEC);
	cr_assert_eq(services_init(&services, &spec, &err), 0, "%s", err.text);
}

static int remove_entry(const char *path, const struct stat *info, int flag, struct FTW *walk)
{
	(void)info;
	(void)flag;
	(void)walk;
	return remove(path);
}

static void teardown(void)
{
	services_done(&services);
	channel_done(&channel);
	(void)nftw(mount, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(services, .init = setup, .fini = teardown, .timeout = 60);

static struct {
	struct ktstr_frame_header header;
	char payload[40000];
} frame;

static void pass_on(void)
{
	cr_assert_eq(channel_receive(&receiver, &port, &err), 0, "%s", err.text);
}

/* The next frame must be of @msg_type. */
static void expect_frame(uint32_t msg_type)
{
	uint8_t bytes[WIRE_HEADER_SIZE];

	pass_on();
	cr_assert_eq(io_read_all(frames_fd, bytes, sizeof(bytes)), 0);
	wire_header_decode(bytes, &frame.header);
	cr_assert_leq(frame.header.length, sizeof(frame.payload));
	cr_assert_eq(io_read_all(frames_fd, frame.payload, frame.header.length), 0);
	cr_assert_eq(frame.header.msg_type, msg_type, "%08x came for %08x", frame.header.msg_type,
		     msg_type);
}

static void expect_no_frame(void)
{
	struct pollfd poll_fd = { .fd = frames_fd, .events = POLLIN };

	pass_on();
	cr_expect_eq(poll(&poll_fd, 1, 0), 0);
}

static int spawn(const char *name, uint32_t *ret_group)
{
	const struct ktstr_value workload = { .type = KTSTR_PARAM_PLUGIN, .s = name };
	struct ktstr_spawn_spec spec = { .size = sizeof(spec),
					 .workload = &workload,
					 .workers = 1 };

	return ktstr_spawn(g, &spec, ret_group, &err);
}

Test(services, topology_time_and_randomness_are_lent)
{
	uint64_t before_ns = ktstr_now_ns(g);

	cr_expect_eq(ktstr_topology_cpus(g->topology), 2);
	cr_expect_geq(ktstr_now_ns(g), before_ns);
	cr_expect_eq(ktstr_random(g), 0xc986fd807e5b8ab5);
}

Test(services, the_log_of_schedulers_is_lent)
{
	cr_expect_eq(ktstr_scheduler_log(g), -ENOSYS);
	session_link.log_fd = 7;
	cr_expect_eq(ktstr_scheduler_log(g), 7);
}

Test(services, logs_are_lines_of_stderr)
{
	ktstr_log(g, KTSTR_LOG_WARN, "%d of %d", 1, 2);
	expect_frame(KTSTR_MSG_STDERR);
	cr_expect_eq(memcmp(frame.payload, "warning: 1 of 2\n", 16), 0);
	ktstr_log(g, 99, "odd");
	expect_frame(KTSTR_MSG_STDERR);
	cr_expect_eq(memcmp(frame.payload, "debug: odd\n", 11), 0);
}

static const struct {
	uint32_t msg_type;
	const char *text;
} refused[] = {
	{ KTSTR_MSG_END, "only the agent sends END frames" },
	{ KTSTR_MSG_EXIT, "only the agent sends EXIT frames" },
	{ KTSTR_MSG_SCHED_EXIT, "only the agent sends SCHED_EXIT frames" },
	{ KTSTR_MSG_SCX_STATE, "only the agent sends SCX_STATE frames" },
	{ KTSTR_MSG_TEST_RESULT, "only the agent sends TEST_RESULT frames" },
	{ KTSTR_MSG_SYS_RDY, "'SRDY' is no type of frame that a plugin can send" },
	{ KTSTR_MSG_SNAPSHOT_REPLY, "'SNRP' is no type of frame that a plugin can send" },
	{ KTSTR_TAG('N', 'O', 'N', 'E'), "'NONE' is no type of frame that a plugin can send" },
};

Test(services, plugins_cannot_send_everything)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		cr_expect_eq(ktstr_emit(g, refused[i].msg_type, NULL, 0, &err), -EINVAL);
		cr_expect_str_eq(err.text, refused[i].text);
	}
	expect_no_frame();
}

Test(services, plugins_send_their_own_frames)
{
	cr_expect_eq(ktstr_emit(g, KTSTR_MSG_PAYLOAD_METRICS, "{}", 2, &err), 0);
	expect_frame(KTSTR_MSG_PAYLOAD_METRICS);
	cr_expect_eq(ktstr_emit(g, KTSTR_MSG_STDOUT, NULL, KTSTR_FRAME_PAYLOAD_MAX + 1, &err),
		     -EMSGSIZE);
	cr_expect_str_eq(err.text, "cannot send STDOUT: larger than 16777216 bytes");
}

Test(services, steps_are_framed_and_counted)
{
	struct ktstr_stimulus stimulus;
	struct ktstr_step_info info;
	struct ktstr_cgroup_spec spec = { .size = sizeof(spec), .name = "a" };
	char name[32];
	uint32_t id;

	cr_assert_eq(ktstr_step(g, "first", 1, 2, 5, &err), 0, "%s", err.text);
	expect_frame(KTSTR_MSG_STEP);
	cr_assert_eq(
		wire_decode_step(frame.payload, frame.header.length, &info, name, sizeof(name)), 0);
	cr_expect_str_eq(name, "first");
	cr_expect_eq(info.hold_ns, 5);
	expect_frame(KTSTR_MSG_STIMULUS);
	cr_assert_eq(ktstr_cgroup_create(g, &spec, &id, &err), 0, "%s", err.text);
	expect_frame(KTSTR_MSG_CGROUP);
	cr_assert_eq(ktstr_step(g, "second", 2, 2, 0, &err), 0);
	expect_frame(KTSTR_MSG_STEP_END);
	cr_assert_eq(wire_decode_stimulus(frame.payload, frame.header.length, &stimulus), 0);
	cr_expect_eq(stimulus.step_index, 1);
	cr_expect_eq(stimulus.op_count, 1);
	cr_expect_eq(stimulus.op_kinds, 1);
	cr_expect_eq(stimulus.cgroup_count, 1);
	expect_frame(KTSTR_MSG_STEP);
	expect_frame(KTSTR_MSG_STIMULUS);
	cr_assert_eq(wire_decode_stimulus(frame.payload, frame.header.length, &stimulus), 0);
	cr_expect_eq(stimulus.op_count, 0, "counted once");
	cr_assert_eq(ktstr_step_end(g, &err), 0);
	expect_frame(KTSTR_MSG_STEP_END);
	cr_expect_eq(ktstr_step_end(g, &err), -EINVAL);
	cr_expect_str_eq(err.text, "no step is open");
	cr_expect_eq(ktstr_step(g, "x", 0, 2, 0, &err), -EINVAL);
	cr_expect_str_eq(err.text, "step 'x': number 0 of 2 is not in 1 to 65535");
}

Test(services, cgroups_are_told_with_their_cpus)
{
	struct ktstr_cgroup_spec spec = { .size = sizeof(spec), .name = "a" };
	struct ktstr_cgroup_info info;
	struct ktstr_cpuset cpus = { { 2 } };
	uint32_t id = 0, found = 0;
	char name[32];

	cr_assert_eq(ktstr_cgroup_create(g, &spec, &id, &err), 0);
	expect_frame(KTSTR_MSG_CGROUP);
	cr_assert_eq(ktstr_cgroup_set_cpus(g, id, &cpus, &err), 0);
	expect_frame(KTSTR_MSG_CGROUP);
	cr_assert_eq(
		wire_decode_cgroup(frame.payload, frame.header.length, &info, name, sizeof(name)),
		0);
	cr_expect_eq(info.id, id);
	cr_expect_str_eq(name, "a");
	cr_expect_eq(info.cpus.bits[0], 2);
	cr_expect_eq(ktstr_cgroup_find(g, "a", &found), 0);
	cr_expect_eq(found, id);
}

Test(services, starting_and_stopping_workers_pauses_the_scenario)
{
	struct ktstr_worker_report report;
	uint32_t group;

	cr_assert_eq(spawn("spin", &group), 0, "%s", err.text);
	expect_frame(KTSTR_MSG_SCENARIO_PAUSE);
	expect_frame(KTSTR_MSG_SCENARIO_RESUME);
	cr_expect_eq(status.is_winding_up, 0);
	cr_assert_eq(ktstr_hold(g, 5 * NS_PER_MS, &err), 0, "%s", err.text);
	cr_assert_eq(ktstr_stop(g, group, &err), 0, "%s", err.text);
	expect_frame(KTSTR_MSG_SCENARIO_PAUSE);
	expect_frame(KTSTR_MSG_WORKER);
	memcpy(&report, frame.payload, sizeof(report));
	cr_expect_eq(report.group, group);
	cr_expect_eq(report.flags, KTSTR_WORKER_COMPLETED);
	expect_frame(KTSTR_MSG_SCENARIO_RESUME);
	cr_expect_eq(status.is_winding_up, 0);
}

Test(services, removing_a_cgroup_needs_one)
{
	cr_expect_eq(ktstr_cgroup_remove(g, 9, &err), -ENOENT);
	cr_expect_str_eq(err.text, "there is no cgroup with the id 9");
}

Test(services, unknown_workloads_are_told)
{
	const struct ktstr_value number = { .type = KTSTR_PARAM_INT };
	struct ktstr_spawn_spec spec = { .size = sizeof(spec), .workload = &number, .workers = 1 };
	uint32_t group;

	cr_expect_eq(spawn("nothing", &group), -ENOENT);
	cr_expect_str_eq(err.text, "workload 'nothing' was not shipped to the guest");
	cr_expect_eq(ktstr_spawn(g, &spec, &group, &err), -EINVAL);
	cr_expect_str_eq(err.text, "a spawn needs a value that names a workload");
}

Test(services, hold_lasts_as_long_as_it_says)
{
	uint64_t before_ns = clock_monotonic_ns();

	cr_expect_eq(ktstr_hold(g, 3 * NS_PER_MS, &err), 0);
	cr_expect_geq(clock_monotonic_ns() - before_ns, 3 * NS_PER_MS);
}

Test(services, hold_ends_when_the_run_is_to_end)
{
	uint64_t one = 1;

	status.is_stopping = 1;
	cr_assert_eq(write(session_link.stop_fd, &one, sizeof(one)), sizeof(one));
	cr_expect_eq(ktstr_stopping(g), 1);
	cr_expect_eq(ktstr_hold(g, 3600 * NS_PER_S, &err), -ECANCELED);
	cr_expect_str_eq(err.text, "the run is to end early");
}

Test(services, hold_ends_when_a_worker_dies)
{
	uint32_t group;

	cr_assert_eq(spawn("dying", &group), 0, "%s", err.text);
	cr_expect_eq(ktstr_hold(g, 3600 * NS_PER_S, &err), -ECHILD);
	cr_expect_str_eq(err.text, "worker 0 (dying) was killed by SIGKILL");
	cr_expect_eq(services.worker_death.code, -ECHILD, "it is not for the scenario to forget");
	cr_expect_str_eq(services.worker_death.text, "worker 0 (dying) was killed by SIGKILL");
}

Test(services, hold_ends_when_the_scheduler_dies)
{
	services.life.up = &scheduler;
	alive_result = 0;
	cr_expect_eq(ktstr_hold(g, 1, &err), 0);
	alive_result = -ESRCH;
	cr_expect_eq(ktstr_hold(g, 3600 * NS_PER_S, &err), -ESRCH);
	cr_expect_str_eq(err.text, "it left the building");
	alive_result = 0;
	cr_expect_eq(ktstr_hold(g, 1, &err), -ESRCH, "the dead stay dead");
}

Test(services, a_run_that_is_to_end_starts_no_more_workers)
{
	uint32_t group;

	status.is_stopping = 1;
	cr_expect_eq(spawn("spin", &group), -ECANCELED);
	cr_expect_str_eq(err.text, "the run is to end early");
}

Test(services, finish_ends_the_step_and_collects)
{
	uint32_t group;

	cr_assert_eq(ktstr_step(g, "only", 1, 1, 0, &err), 0);
	cr_assert_eq(spawn("spin", &group), 0);
	cr_assert_eq(services_finish(&services, &err), 0, "%s", err.text);
	expect_frame(KTSTR_MSG_STEP);
	expect_frame(KTSTR_MSG_STIMULUS);
	expect_frame(KTSTR_MSG_SCENARIO_PAUSE);
	expect_frame(KTSTR_MSG_SCENARIO_RESUME);
	expect_frame(KTSTR_MSG_STEP_END);
	expect_frame(KTSTR_MSG_SCENARIO_PAUSE);
	expect_frame(KTSTR_MSG_WORKER);
	expect_frame(KTSTR_MSG_SCENARIO_RESUME);
	expect_no_frame();
}

/* Sessions that cannot begin. */

Test(session, a_missing_job_is_told)
{
	struct session_spec spec = { .job_path = "/nowhere/job", .cgroup_mount = "/nowhere" };
	struct ktstr_error_info info;
	char text[256];

	connect_session();
	cr_expect_eq(session_run(&spec, &session_link), 1);
	expect_frame(KTSTR_MSG_ERROR);
	cr_assert_eq(
		wire_decode_error(frame.payload, frame.header.length, &info, text, sizeof(text)),
		0);
	cr_expect_eq(info.stage, KTSTR_STAGE_JOB);
	cr_expect_str_eq(text, "cannot open '/nowhere/job': No such file or directory");
	expect_no_frame();
}

Test(session, a_broken_job_is_told)
{
	char path[] = "/tmp/ktstr-job-XXXXXX";
	_cleanup_close_ int fd = mkstemp(path);
	struct session_spec spec = { .job_path = path, .cgroup_mount = "/nowhere" };
	struct ktstr_error_info info;
	char text[256];

	cr_assert_eq(io_write_all(fd, "garbage", 7), 0);
	connect_session();
	cr_expect_eq(session_run(&spec, &session_link), 1);
	(void)unlink(path);
	expect_frame(KTSTR_MSG_ERROR);
	cr_assert_eq(
		wire_decode_error(frame.payload, frame.header.length, &info, text, sizeof(text)),
		0);
	cr_expect_eq(info.stage, KTSTR_STAGE_JOB);
	cr_expect_eq(info.code, -EBADMSG);
}
