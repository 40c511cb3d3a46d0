/* SPDX-License-Identifier: GPL-2.0-only */
/* The life of schedulers that are played here, in a kernel that is a folder of files. */
#include "guest/scheduler_life.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "guest/services.h"
#include "support/scx_kernel.h"

static struct services services;
static struct ktstr_guest *g = &services.guest;
static struct life *life = &services.life;
static struct session_status status;
static struct session_link session_link;
static struct channel channel;
static struct ktstr_error err;
static uint32_t passed; /* frames that were looked at, in bytes */

/* Its schedulers. */

static int alive_code;	/* what alive() returns from now on */
static int start_code;	/* what start() returns */
static int stop_code;	/* what stop() returns */
static bool is_stalled; /* ejected while start() is at work, which returns start_code */
static bool is_telling; /* alive() emits SCX_EXIT when the kernel ejected it */
static int stop_count;

static int emit_exit(void)
{
	struct {
		struct ktstr_scx_exit head;
		char texts[8];
	} payload = { .head = { .size = sizeof(payload.head),
				.kind = KTSTR_SCX_EXIT_ERROR_BPF,
				.source = KTSTR_SCX_EXIT_OF_OPS,
				.reason_length = 5,
				.message_length = 3 } };

	memcpy(payload.texts, "a BPFown", 8);
	return ktstr_emit(g, KTSTR_MSG_SCX_EXIT, &payload, sizeof(payload), &err);
}

static int scx_start(struct ktstr_guest *guest, const struct ktstr_value *values, void **ret_state,
		     struct ktstr_error *error)
{
	(void)guest;
	(void)values;
	*ret_state = &passed;
	if (is_stalled)
		kernel_ejects();
	else if (start_code == 0)
		kernel_enables("a\n", life->before.enable_seq ? "2\n" : "1\n");
	return start_code ? ktstr_fail(error, start_code, "it would not") : 0;
}

static int scx_alive(struct ktstr_guest *guest, void *state, struct ktstr_error *error)
{
	(void)guest;
	cr_expect_eq(state, &passed);
	if (is_telling)
		(void)emit_exit();
	is_telling = false;
	return alive_code ? ktstr_fail(error, alive_code, "it left the building") : 0;
}

static int scx_stop(struct ktstr_guest *guest, void *state, struct ktstr_error *error)
{
	(void)guest;
	cr_expect_eq(state, &passed);
	stop_count++;
	kernel_disables();
	kernel_says(
		"6,3,1,-;sched_ext: BPF scheduler \"a\" disabled (unregistered from user space)\n");
	return stop_code ? ktstr_fail(error, stop_code, "it would not go") : 0;
}

/* One that is none of the kernel's. */
static int fair_start(struct ktstr_guest *guest, const struct ktstr_value *values, void **ret_state,
		      struct ktstr_error *error)
{
	(void)guest;
	(void)values;
	(void)error;
	*ret_state = NULL;
	return 0;
}

static int fair_stop(struct ktstr_guest *guest, void *state, struct ktstr_error *error)
{
	(void)guest;
	(void)state;
	(void)error;
	return 0;
}

static const struct ktstr_scheduler_ops scx_ops = {
	.size = sizeof(scx_ops), .start = scx_start, .alive = scx_alive, .stop = scx_stop
};
/* Without alive(): the kernel alone tells. */
static const struct ktstr_scheduler_ops mute_ops = { .size = sizeof(mute_ops),
						     .start = scx_start,
						     .stop = scx_stop };
static const struct ktstr_scheduler_ops fair_ops = { .size = sizeof(fair_ops),
						     .start = fair_start,
						     .stop = fair_stop };
static const struct scheduler schedulers[] = {
	{ .name = "", .plugin = "scx_own", .ops = &scx_ops },
	{ .name = "mute", .plugin = "scx_mute", .ops = &mute_ops },
	{ .name = "fair", .plugin = "fair", .ops = &fair_ops },
};

static void setup(void)
{
	_cleanup_free_ char *kmsg = NULL, *scx = NULL, *cgroup = NULL;
	struct observer_paths paths = { .tracing = "/nowhere" };
	struct services_spec spec = { .link = &session_link,
				      .schedulers = schedulers,
				      .scheduler_count = ARRAY_SIZE(schedulers),
				      .scheduler_timeout_ns = NS_PER_S,
				      .observer_paths = &paths };

	kernel_make();
	paths.kmsg = kmsg = kernel_path("kmsg");
	paths.sched_ext = scx = kernel_path("scx");
	spec.cgroup_mount = cgroup = kernel_path("cgroup");
	cr_assert_eq(channel_init(&channel), 0);
	channel_sender_init(&session_link.sender, &channel);
	session_link.status = &status;
	session_link.stop_fd = eventfd(0, EFD_CLOEXEC);
	session_link.log_fd = -1;
	cr_assert_eq(services_init(&services, &spec, &err), 0, "%s", err.text);
	kernel_open_log();
}

static void teardown(void)
{
	services_done(&services);
	channel_done(&channel);
	kernel_remove();
}

TestSuite(life, .init = setup, .fini = teardown, .timeout = 60);

static _Alignas(8) uint8_t newest[65536];

/* The next frame that was sent, and its payload, until the one after it. */
static uint32_t next_frame(const void **ret_payload)
{
	struct ktstr_frame_header header;

	if (passed >= session_link.sender.published.end)
		return 0;
	wire_header_decode(channel.area->frames + passed, &header);
	/* Frames lie as they come, at any address. */
	cr_assert_leq(header.length, sizeof(newest));
	memcpy(newest, channel.area->frames + passed + WIRE_HEADER_SIZE, header.length);
	*ret_payload = newest;
	passed += WIRE_HEADER_SIZE + header.length;
	return header.msg_type;
}

static const void *expect_frame(uint32_t msg_type)
{
	const void *payload = NULL;
	uint32_t got = next_frame(&payload);

	cr_assert_eq(got, msg_type, "%08x came for %08x", got, msg_type);
	return payload;
}

static const struct scx_reading *expect_state(uint32_t when)
{
	const struct scx_reading *reading = expect_frame(KTSTR_MSG_SCX_STATE);

	cr_expect_eq(reading->state.when, when, "%u came for %u", reading->state.when, when);
	return reading;
}

static void expect_time(uint32_t phase)
{
	const struct ktstr_sched_time *time = expect_frame(KTSTR_MSG_SCHED_TIME);

	cr_expect_eq(time->phase, phase);
}

static void expect_exit(uint32_t kind, uint32_t source, const char *message)
{
	const struct ktstr_scx_exit *end = expect_frame(KTSTR_MSG_SCX_EXIT);
	const char *texts = (const char *)(end + 1);

	cr_expect_eq(end->kind, kind);
	cr_expect_eq(end->source, source);
	cr_assert_eq(end->message_length, strlen(message));
	cr_expect_eq(memcmp(texts + end->reason_length, message, end->message_length), 0);
}

static void expect_end(void)
{
	const void *payload;

	cr_expect_eq(next_frame(&payload), 0);
}

static void expect_started(void)
{
	expect_time(KTSTR_SCHED_TIME_START);
	(void)expect_state(KTSTR_SCX_ATTACHED);
	(void)expect_frame(KTSTR_MSG_SCHED_PROGS);
}

static void start(const char *name)
{
	cr_assert_eq(life_start(life, life_find(life, name), &err), 0, "%s", err.text);
	expect_started();
	expect_end();
}

Test(life, a_good_one_is_seen_from_start_to_stop)
{
	const struct scx_reading *reading;
	bool is_forced = true;

	start("");
	cr_expect_eq(life->up, &schedulers[0]);
	cr_expect_eq(status.op, SESSION_OP_NONE);
	cr_expect_eq(life_check(life, &err), 0);
	expect_end();
	cr_expect_eq(life_stop(life, &is_forced, &err), 0);
	cr_expect_not(is_forced);
	cr_expect_null(life->up);
	reading = expect_state(KTSTR_SCX_BEFORE_STOP);
	cr_expect_str_eq(reading->state.ops, "a");
	cr_assert_eq(reading->state.event_count, 1, "they are gone after the stop");
	cr_expect_eq(reading->events[0].value, 5);
	(void)expect_frame(KTSTR_MSG_SCHED_PROGS);
	expect_time(KTSTR_SCHED_TIME_STOP);
	expect_exit(KTSTR_SCX_EXIT_UNREG, KTSTR_SCX_EXIT_OF_LOG, "");
	reading = expect_state(KTSTR_SCX_STOPPED);
	cr_expect_str_eq(reading->state.state, "disabled");
	expect_end();
}

Test(life, the_kernel_tells_of_a_death_without_the_plugin)
{
	const struct scx_reading *reading;

	start("mute");
	kernel_ejects();
	cr_expect_eq(life_check(life, &err), -ESRCH);
	cr_expect_str_eq(err.text, "'scx_mute' was ejected before the first step: runnable task "
				   "stall (1026): 'worker[151] failed to run for 2.976s'");
	expect_exit(KTSTR_SCX_EXIT_ERROR_STALL, KTSTR_SCX_EXIT_OF_LOG,
		    "worker[151] failed to run for 2.976s");
	reading = expect_state(KTSTR_SCX_DIED);
	cr_expect_str_eq(reading->state.state, "disabled");
	expect_end();
	kernel_enables("b\n", "2\n");
	cr_expect_eq(life_check(life, &err), -ESRCH, "the dead stay dead");
	expect_end();
}

Test(life, a_death_says_where_the_scenario_was)
{
	start("mute");
	life->place = (struct life_place){ .step = 3, .is_open = true };
	kernel_ejects();
	cr_expect_eq(life_check(life, &err), -ESRCH);
	cr_expect_str_eq(err.text, "'scx_mute' was ejected in step 3: runnable task stall (1026): "
				   "'worker[151] failed to run for 2.976s'");
}

Test(life, between_steps_it_says_so)
{
	start("mute");
	life->place.step = 2;
	kernel_ejects();
	cr_expect_eq(life_check(life, &err), -ESRCH);
	cr_expect_eq(strncmp(err.text, "'scx_mute' was ejected after step 2: ", 37), 0, "%s",
		     err.text);
}

Test(life, the_plugins_own_record_goes_before_the_log)
{
	start("");
	kernel_ejects();
	is_telling = true;
	cr_expect_eq(life_check(life, &err), -ESRCH);
	cr_expect_str_eq(err.text,
			 "'scx_own' was ejected before the first step: a BPF (1025): 'own'");
	expect_exit(KTSTR_SCX_EXIT_ERROR_BPF, KTSTR_SCX_EXIT_OF_OPS, "own");
	(void)expect_state(KTSTR_SCX_DIED);
	expect_end();
}

Test(life, what_only_the_plugin_knows_is_told)
{
	start("");
	alive_code = -ESRCH;
	kernel_disables();
	kernel_says(
		"6,1,1,-;sched_ext: BPF scheduler \"a\" disabled (unregistered from user space)\n");
	cr_expect_eq(life_check(life, &err), -ESRCH);
	cr_expect_str_eq(err.text, "it left the building");
	expect_exit(KTSTR_SCX_EXIT_UNREG, KTSTR_SCX_EXIT_OF_LOG, "");
	(void)expect_state(KTSTR_SCX_DIED);
	expect_end();
}

Test(life, one_that_lets_go_by_itself_is_dead)
{
	start("mute");
	kernel_disables();
	kernel_says(
		"6,1,1,-;sched_ext: BPF scheduler \"a\" disabled (unregistered from user space)\n");
	cr_expect_eq(life_check(life, &err), -ESRCH);
	cr_expect_str_eq(err.text, "'scx_mute' let go before the first step: unregistered from "
				   "user space (64)");
}

Test(life, another_one_in_charge_is_a_death)
{
	start("mute");
	kernel_writes("scx/enable_seq", "9\n");
	kernel_writes("scx/state", "enabled\n");
	/* It takes as long as the kernel may need to be rid of it. */
	cr_expect_eq(life_check(life, &err), -ESRCH);
	cr_expect_str_eq(err.text, "'scx_mute' lost the CPUs before the first step: another "
				   "scheduler is in charge");
}

Test(life, without_a_log_a_death_is_a_death)
{
	start("mute");
	kernel_disables();
	cr_expect_eq(life_check(life, &err), -ESRCH);
	cr_expect_str_eq(err.text, "'scx_mute' lost the CPUs before the first step: no scheduler "
				   "of sched_ext is in charge");
}

Test(life, the_last_events_of_the_dead_are_kept)
{
	const struct scx_reading *reading;

	start("");
	alive_code = -ESRCH;
	kernel_writes("scx/state", "disabled\n");
	cr_expect_eq(life_check(life, &err), -ESRCH);
	reading = expect_state(KTSTR_SCX_DIED);
	cr_assert_eq(reading->state.event_count, 1);
	cr_expect_eq(reading->events[0].value, 5);
}

Test(life, the_state_is_told_once_a_second)
{
	start("");
	observer_tell_running(&life->observer);
	expect_end();
	life->observer.state_ns -= 2 * NS_PER_S;
	observer_tell_running(&life->observer);
	(void)expect_state(KTSTR_SCX_RUNNING);
	expect_end();
}

Test(life, what_needs_no_sched_ext_does_not_die_of_it)
{
	bool is_forced;

	start("fair");
	cr_expect_eq(life_check(life, &err), 0);
	cr_expect_eq(life_stop(life, &is_forced, &err), 0);
}

Test(life, a_start_that_fails_says_what_it_said)
{
	start_code = -ENOSPC;
	cr_expect_eq(life_start(life, &schedulers[0], &err), -ENOSPC);
	cr_expect_str_eq(err.text, "it would not");
	cr_expect_null(life->up);
	expect_time(KTSTR_SCHED_TIME_START);
	expect_end();
}

Test(life, a_start_that_the_kernel_ended_is_the_schedulers_fault)
{
	start_code = -EIO;
	is_stalled = true;
	cr_expect_eq(life_start(life, &schedulers[0], &err), -ESRCH);
	cr_expect_str_eq(err.text, "'scx_own' was ejected while it started: runnable task stall "
				   "(1026): 'worker[151] failed to run for 2.976s'");
	cr_expect_null(life->up);
	cr_expect_eq(stop_count, 0);
	expect_time(KTSTR_SCHED_TIME_START);
	expect_exit(KTSTR_SCX_EXIT_ERROR_STALL, KTSTR_SCX_EXIT_OF_LOG,
		    "worker[151] failed to run for 2.976s");
	(void)expect_state(KTSTR_SCX_DIED);
	expect_end();
}

Test(life, a_success_that_the_kernel_ended_is_none)
{
	is_stalled = true;
	cr_expect_eq(life_start(life, &schedulers[0], &err), -ESRCH);
	cr_expect_eq(strncmp(err.text, "'scx_own' was ejected while it started: ", 40), 0, "%s",
		     err.text);
	cr_expect_null(life->up);
	cr_expect_eq(stop_count, 1, "what start() made is freed");
}

Test(life, a_stop_that_leaves_it_in_charge_is_an_error)
{
	struct scheduler stubborn = { .name = "x", .plugin = "stubborn", .ops = &mute_ops };
	struct ktstr_scheduler_ops ops = mute_ops;
	bool is_forced;

	ops.stop = fair_stop;
	stubborn.ops = &ops;
	cr_assert_eq(life_start(life, &stubborn, &err), 0);
	cr_expect_eq(life_stop(life, &is_forced, &err), -ETIMEDOUT);
	cr_expect_str_eq(err.text, "scheduler 'stubborn' is still in charge 1 s after its stop");
}

static uint64_t seen_limit_ns;

static int limit_stop(struct ktstr_guest *guest, void *state, struct ktstr_error *error)
{
	(void)guest;
	(void)state;
	(void)error;
	seen_limit_ns = status.op_limit_ns;
	return 0;
}

Test(life, the_dead_get_less_time_to_stop)
{
	struct scheduler slow = { .name = "x", .plugin = "slow" };
	struct ktstr_scheduler_ops ops = mute_ops;
	bool is_forced;

	ops.stop = limit_stop;
	slow.ops = &ops;
	life->spec.timeout_ns = 3600 * NS_PER_S;
	cr_assert_eq(life_start(life, &slow, &err), 0);
	cr_expect_eq(status.op_limit_ns, 3600 * NS_PER_S);
	kernel_ejects();
	cr_assert_eq(life_check(life, &err), -ESRCH);
	cr_expect_eq(life_stop(life, &is_forced, &err), 0);
	cr_expect_eq(seen_limit_ns, LIFE_DEAD_NS);
}

static int ejected_stop(struct ktstr_guest *guest, void *state, struct ktstr_error *error)
{
	(void)guest;
	(void)state;
	kernel_ejects();
	return stop_code ? ktstr_fail(error, stop_code, "ejected by the kernel") : 0;
}

static const int stop_codes[] = { 0, -ESRCH, -EIO };

Test(life, one_that_dies_before_its_stop_is_dead)
{
	struct scheduler late = { .name = "x", .plugin = "late" };
	struct ktstr_scheduler_ops ops = mute_ops;
	bool is_forced;

	ops.stop = ejected_stop;
	late.ops = &ops;
	for (size_t i = 0; i < ARRAY_SIZE(stop_codes); i++) {
		stop_code = stop_codes[i];
		life->death.code = 0;
		cr_assert_eq(life_start(life, &late, &err), 0);
		cr_expect_eq(life_stop(life, &is_forced, &err), -ESRCH);
		cr_expect_str_eq(life->death.text,
				 "'late' was ejected before it was stopped: runnable task stall "
				 "(1026): 'worker[151] failed to run for 2.976s'");
	}
}

Test(life, one_that_was_gone_before_its_stop_began_is_dead)
{
	bool is_forced;

	start("mute");
	kernel_disables();
	kernel_says("6,1,1,-;sched_ext: BPF scheduler \"a\" disabled (disabled by sysrq-S)\n");
	cr_expect_eq(life_stop(life, &is_forced, &err), -ESRCH);
	cr_expect_str_eq(err.text,
			 "'scx_mute' was ejected before the first step: disabled by sysrq-S (67)");
	expect_exit(KTSTR_SCX_EXIT_SYSRQ, KTSTR_SCX_EXIT_OF_LOG, "");
	(void)expect_state(KTSTR_SCX_DIED);
}

static int forced_stop(struct ktstr_guest *guest, void *state, struct ktstr_error *error)
{
	(void)guest;
	(void)state;
	status.is_forced = 1;
	kernel_disables();
	kernel_says("6,1,1,-;sched_ext: BPF scheduler \"a\" disabled (disabled by sysrq-S)\n");
	return stop_code ? ktstr_fail(error, stop_code, "ejected by the kernel") : 0;
}

static const struct {
	int code, expected;
} forced_stops[] = { { 0, 0 }, { -ESRCH, 0 }, { -EIO, -EIO } };

Test(life, one_that_was_thrown_out_at_its_stop_did_not_die)
{
	struct scheduler slow = { .name = "x", .plugin = "slow" };
	struct ktstr_scheduler_ops ops = mute_ops;
	bool is_forced;

	ops.stop = forced_stop;
	slow.ops = &ops;
	for (size_t i = 0; i < ARRAY_SIZE(forced_stops); i++) {
		stop_code = forced_stops[i].code;
		is_forced = false;
		cr_assert_eq(life_start(life, &slow, &err), 0);
		cr_expect_eq(life_stop(life, &is_forced, &err), forced_stops[i].expected);
		cr_expect(is_forced);
		cr_expect_eq(life->death.code, 0);
	}
}

Test(life, a_stop_that_fails_says_what_it_said)
{
	bool is_forced;

	start("mute");
	stop_code = -EIO;
	cr_expect_eq(life_stop(life, &is_forced, &err), -EIO);
	cr_expect_str_eq(err.text, "it would not go");
	cr_expect_eq(life->death.code, 0);
}

/* The services. */

static const struct ktstr_sched_swap *find_swap(void)
{
	const void *payload;
	uint32_t type;

	while ((type = next_frame(&payload)))
		if (type == KTSTR_MSG_SCHED_SWAP)
			return payload;
	cr_assert_fail("there is no SCHED_SWAP frame");
	return NULL;
}

static void expect_swap(uint32_t kind, int code, const char *name, const char *plugin)
{
	const struct ktstr_sched_swap *swap = find_swap();

	cr_expect_eq(swap->size, sizeof(*swap));
	cr_expect_eq(swap->kind, kind);
	cr_expect_eq(swap->code, code, "%d", swap->code);
	cr_expect_eq(swap->flags, 0);
	cr_expect_str_eq(swap->name, name);
	cr_expect_str_eq(swap->plugin, plugin);
}

Test(life, schedulers_come_and_go_as_asked)
{
	start("");
	cr_expect_eq(ktstr_scheduler_replace(g, "mute", &err), 0, "%s", err.text);
	expect_swap(KTSTR_SCHED_SWAP_REPLACE, 0, "mute", "scx_mute");
	cr_expect_eq(stop_count, 1);
	cr_expect_eq(life_check(life, &err), 0, "what left did not die");
	cr_expect_eq(ktstr_scheduler_detach(g, &err), 0, "%s", err.text);
	expect_swap(KTSTR_SCHED_SWAP_DETACH, 0, "", "");
	cr_expect_eq(life_check(life, &err), 0);
	cr_expect_eq(ktstr_scheduler_attach(g, "fair", &err), 0, "%s", err.text);
	expect_swap(KTSTR_SCHED_SWAP_ATTACH, 0, "fair", "fair");
	cr_expect_eq(ktstr_scheduler_restart(g, &err), 0, "%s", err.text);
	expect_swap(KTSTR_SCHED_SWAP_RESTART, 0, "", "scx_own");
	cr_expect_eq(services.op_kinds, 0xfu << 18);
}

Test(life, a_swap_stops_the_scenarios_clock)
{
	const void *payload;
	uint32_t type, pauses = 0, resumes = 0;

	start("");
	cr_expect_eq(ktstr_scheduler_detach(g, &err), 0);
	while ((type = next_frame(&payload))) {
		pauses += type == KTSTR_MSG_SCENARIO_PAUSE;
		resumes += type == KTSTR_MSG_SCENARIO_RESUME;
	}
	cr_expect_eq(pauses, 1);
	cr_expect_eq(resumes, 1);
	cr_expect_eq(status.is_winding_up, 0);
}

Test(life, only_one_is_up_at_a_time)
{
	start("");
	cr_expect_eq(ktstr_scheduler_attach(g, "mute", &err), -EBUSY);
	cr_expect_str_eq(err.text,
			 "cannot attach scheduler 'mute': 'scx_own' is up; detach it first");
	expect_swap(KTSTR_SCHED_SWAP_ATTACH, -EBUSY, "mute", "scx_own");
}

Test(life, none_that_is_not_up_can_be_taken_down)
{
	cr_expect_eq(ktstr_scheduler_detach(g, &err), -ENOENT);
	cr_expect_str_eq(err.text, "no scheduler is up");
	cr_expect_eq(ktstr_scheduler_restart(g, &err), -ENOENT);
	cr_expect_eq(ktstr_scheduler_replace(g, "mute", &err), -ENOENT);
	expect_swap(KTSTR_SCHED_SWAP_DETACH, -ENOENT, "", "");
}

Test(life, an_unknown_name_changes_nothing)
{
	start("");
	cr_expect_eq(ktstr_scheduler_replace(g, "nobody", &err), -ENOENT);
	cr_expect_str_eq(err.text, "there is no scheduler 'nobody' in 'schedulers'");
	cr_expect_eq(life->up, &schedulers[0]);
	cr_expect_eq(stop_count, 0);
}

Test(life, nothing_is_changed_when_the_run_is_to_end)
{
	start("");
	status.is_stopping = 1;
	cr_expect_eq(ktstr_scheduler_detach(g, &err), -ECANCELED);
	cr_expect_str_eq(err.text, "the run is to end early");
	cr_expect_eq(life->up, &schedulers[0]);
}

Test(life, a_bad_scheduler_fails_the_run_whoever_asked_for_it)
{
	start("fair");
	is_stalled = true;
	cr_expect_eq(ktstr_scheduler_replace(g, "mute", &err), -ESRCH);
	expect_swap(KTSTR_SCHED_SWAP_REPLACE, -ESRCH, "mute", "");
	cr_expect_eq(life->death.code, -ESRCH);
	cr_expect_eq(strncmp(life->death.text, "'scx_mute' was ejected while it started", 39), 0);
}

Test(life, an_error_of_a_plugin_is_the_scenarios_to_handle)
{
	start("fair");
	start_code = -ENOSPC;
	cr_expect_eq(ktstr_scheduler_replace(g, "mute", &err), -ENOSPC);
	cr_expect_eq(life->death.code, 0);
	start_code = 0;
	cr_expect_eq(ktstr_scheduler_attach(g, "mute", &err), 0);
}

Test(life, the_dead_are_not_swapped)
{
	start("mute");
	kernel_ejects();
	cr_expect_eq(ktstr_scheduler_replace(g, "fair", &err), -ESRCH);
	cr_expect_eq(stop_count, 0);
}

Test(life, a_hold_ends_at_a_death_that_the_kernel_tells)
{
	uint64_t before_ns = clock_monotonic_ns();

	start("mute");
	kernel_ejects();
	cr_expect_eq(ktstr_hold(g, 3600 * NS_PER_S, &err), -ESRCH);
	cr_expect_lt(clock_monotonic_ns() - before_ns, 50 * NS_PER_S);
}

Test(life, a_step_does_not_begin_under_the_dead)
{
	start("mute");
	kernel_ejects();
	cr_expect_eq(ktstr_step(g, "one", 1, 1, 0, &err), -ESRCH);
}

static const struct {
	uint32_t cut;	 /* bytes of the payload */
	uint32_t length; /* of the message, as it says */
} malformed[] = { { 8, 3 }, { 40, 3 }, { 47, 3 }, { 48, UINT32_MAX } };

Test(life, a_malformed_exit_of_a_plugin_is_not_believed)
{
	struct {
		struct ktstr_scx_exit head;
		char texts[8];
	} payload = { .head = { .size = sizeof(payload.head), .reason_length = 5 } };

	for (size_t i = 0; i < ARRAY_SIZE(malformed); i++) {
		payload.head.message_length = malformed[i].length;
		life_note_exit(life, &payload, malformed[i].cut);
		cr_expect_not(life->exit.is_known, "%zu", i);
	}
}
