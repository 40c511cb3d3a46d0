/* SPDX-License-Identifier: GPL-2.0-only */
/* Workers as processes of this machine, without cgroups. */
#include "guest/worker.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "guest/worker_set.h"

/* Workloads. */

static int run_spin(struct ktstr_worker *w, struct ktstr_error *err)
{
	(void)err;
	while (!ktstr_worker_stopping(w))
		ktstr_worker_progress(w, 100);
	return 0;
}

static int run_crash(struct ktstr_worker *w, struct ktstr_error *err)
{
	ktstr_worker_progress(w, 1);
	(void)raise(SIGSEGV);
	return run_spin(w, err);
}

static int run_exit(struct ktstr_worker *w, struct ktstr_error *err)
{
	(void)w;
	(void)err;
	_exit(3);
}

static int run_fail(struct ktstr_worker *w, struct ktstr_error *err)
{
	(void)w;
	return ktstr_fail(err, -EIO, "the pipe is clogged");
}

static int run_positive(struct ktstr_worker *w, struct ktstr_error *err)
{
	(void)w;
	(void)err;
	return 7;
}

static int run_end(struct ktstr_worker *w, struct ktstr_error *err)
{
	(void)err;
	ktstr_worker_progress(w, 7);
	return 0;
}

/* Does not want to hear that it is to stop. */
static int run_deaf(struct ktstr_worker *w, struct ktstr_error *err)
{
	(void)err;
	for (;;)
		ktstr_worker_progress(w, 100);
	return 0;
}

static int run_sleep(struct ktstr_worker *w, struct ktstr_error *err)
{
	(void)err;
	while (!ktstr_worker_stopping(w)) {
		ktstr_worker_sleep_ns(w, 100 * NS_PER_US);
		ktstr_worker_progress(w, 1);
	}
	return 0;
}

static int run_naps(struct ktstr_worker *w, struct ktstr_error *err)
{
	(void)err;
	while (!ktstr_worker_stopping(w)) {
		ktstr_worker_sleep_ns(w, 20 * NS_PER_MS);
		ktstr_worker_progress(w, 1);
	}
	return 0;
}

static int run_long_sleep(struct ktstr_worker *w, struct ktstr_error *err)
{
	(void)err;
	ktstr_worker_progress(w, 1);
	ktstr_worker_sleep_ns(w, 3600 * NS_PER_S);
	return 0;
}

/* Waits in a system call that only a signal ends. */
static int run_block(struct ktstr_worker *w, struct ktstr_error *err)
{
	(void)err;
	while (!ktstr_worker_stopping(w))
		(void)poll(NULL, 0, -1);
	return 0;
}

/* The members of a group count together; the sum shows in work_units. */
static int run_share(struct ktstr_worker *w, struct ktstr_error *err)
{
	uint32_t *count = w->shared;

	(void)err;
	(void)__atomic_add_fetch(count, 1, __ATOMIC_SEQ_CST);
	while (!ktstr_worker_stopping(w) &&
	       __atomic_load_n(count, __ATOMIC_SEQ_CST) < w->group_size)
		(void)poll(NULL, 0, 1);
	ktstr_worker_progress(w, __atomic_load_n(count, __ATOMIC_SEQ_CST));
	return 0;
}

/* The first random number, as work units. */
static int run_draw(struct ktstr_worker *w, struct ktstr_error *err)
{
	(void)err;
	ktstr_worker_progress(w, ktstr_worker_random(w) >> 1);
	return 0;
}

static int run_many_samples(struct ktstr_worker *w, struct ktstr_error *err)
{
	(void)err;
	for (uint32_t i = 0; i < 3 * WORKER_SAMPLES_MAX; i++)
		ktstr_worker_wake_sample(w, i);
	ktstr_worker_wake_sample(w, UINT64_MAX);
	return 0;
}

/* Refused, or it fails with what it has. */
static int run_with_capabilities(struct ktstr_worker *w, struct ktstr_error *err)
{
	static const char *const sets[] = { "CapInh:", "CapPrm:", "CapEff:", "CapBnd:" };
	char text[4096] = "";
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return ktstr_fail(err, -EIO, "cannot read its status");
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		const char *line = strstr(text, sets[i]);
		uint64_t set = line ? strtoull(line + 7, NULL, 16) : UINT64_MAX;

		if ((set >> CAP_SYS_PTRACE | set >> CAP_SYS_ADMIN | set >> CAP_BPF) & 1)
			return ktstr_fail(err, -EPERM, "it has %s %llx", sets[i],
					  (unsigned long long)set);
	}
	ktstr_worker_progress(w, 1);
	return 0;
}

/* Each takes a while to end once it is told to, one after the other. */
static int run_end_in_turn(struct ktstr_worker *w, struct ktstr_error *err)
{
	uint32_t *ended = w->shared;

	(void)err;
	ktstr_worker_progress(w, 1);
	while (!ktstr_worker_stopping(w))
		(void)poll(NULL, 0, -1);
	while (__atomic_load_n(ended, __ATOMIC_SEQ_CST) != w->index)
		(void)poll(NULL, 0, 1);
	(void)poll(NULL, 0, 150);
	__atomic_store_n(ended, w->index + 1, __ATOMIC_SEQ_CST);
	return 0;
}

static uint32_t group_of_value(const struct ktstr_value *values)
{
	return (uint32_t)values[0].i;
}

#define WORKLOAD(NAME, ...)                                                                        \
	static const struct ktstr_workload_ops NAME = { .size = sizeof(NAME), __VA_ARGS__ }
WORKLOAD(spin, .run = run_spin);
WORKLOAD(in_turn, .run = run_end_in_turn, .group_size = 4, .shared_bytes = 4);
WORKLOAD(pairs, .run = run_share, .group_size = 2, .shared_bytes = 4);
WORKLOAD(by_value, .run = run_spin, .group_size = 2, .group = group_of_value);
WORKLOAD(crash, .run = run_crash);
WORKLOAD(exiting, .run = run_exit);
WORKLOAD(failing, .run = run_fail);
WORKLOAD(positive, .run = run_positive);
WORKLOAD(ending, .run = run_end);
WORKLOAD(deaf, .run = run_deaf);
WORKLOAD(sleeping, .run = run_sleep);
WORKLOAD(napping, .run = run_naps);
WORKLOAD(long_sleeping, .run = run_long_sleep);
WORKLOAD(blocking, .run = run_block);
WORKLOAD(drawing, .run = run_draw);
WORKLOAD(powerless, .run = run_with_capabilities);
WORKLOAD(sampling, .run = run_many_samples);

/* The set, and what it reported. */

#define REPORTS_MAX 8

struct reports {
	struct ktstr_worker_report report[REPORTS_MAX];
	uint32_t first_sample[REPORTS_MAX];
	uint32_t count;
};

static struct workers *workers;
static struct reports reports;
static struct ktstr_error err;

static void open_workers(uint64_t seed, uint64_t stop_timeout_ns)
{
	struct workers_spec spec = { .seed = seed, .stop_timeout_ns = stop_timeout_ns };

	workers_free(workers);
	cr_assert_eq(workers_new(&spec, &workers, &err), 0, "%s", err.text);
	memset(&reports, 0, sizeof(reports));
	memset(&err, 0, sizeof(err));
}

static void setup(void)
{
	open_workers(42, 30 * NS_PER_S);
}

static void teardown(void)
{
	workers_free(workers);
}

TestSuite(worker, .init = setup, .fini = teardown, .timeout = 60);

static int take(void *arg, const struct ktstr_worker_report *report, const uint32_t *samples)
{
	struct reports *into = arg;

	cr_assert_lt(into->count, REPORTS_MAX);
	into->first_sample[into->count] = samples[0];
	into->report[into->count++] = *report;
	return 0;
}

static int spawn_with(const struct ktstr_workload_ops *ops, const char *name, uint32_t count,
		      uint32_t *ret_group)
{
	/* A workload keeps its values as long as it runs. */
	static const struct ktstr_value items[1] = { { .type = KTSTR_PARAM_INT, .i = 3 } };
	const struct ktstr_value workload = {
		.type = KTSTR_PARAM_PLUGIN, .s = name, .items = items, .count = 1
	};
	struct ktstr_spawn_spec spec = { .size = sizeof(spec),
					 .workload = &workload,
					 .workers = count };

	return workers_spawn(workers, ops, name, &spec, ret_group, &err);
}

static void spawn(const struct ktstr_workload_ops *ops, const char *name, uint32_t count)
{
	uint32_t group;

	cr_assert_eq(spawn_with(ops, name, count, &group), 0, "%s", err.text);
}

static int collect(uint32_t group)
{
	struct worker_filter filter = { .group = group };

	return workers_collect(workers, &filter, take, &reports, &err);
}

/* Until some worker has ended, as a hold does. */
static void wait_for_end(void)
{
	struct pollfd poll_fd = { .fd = workers_watch_fd(workers), .events = POLLIN };

	cr_assert_eq(poll(&poll_fd, 1, 30000), 1);
}

static void wait_for_iterations(uint64_t count)
{
	while (workers_iterations(workers) < count)
		(void)poll(NULL, 0, 1);
}

Test(worker, reports_what_it_did)
{
	const struct ktstr_worker_report *report = &reports.report[1];

	spawn(&spin, "spin", 2);
	cr_expect_eq(workers_count(workers), 2);
	wait_for_iterations(1000);
	cr_assert_eq(collect(0), 0, "%s", err.text);
	cr_assert_eq(reports.count, 2);
	cr_expect_eq(report->size, sizeof(*report));
	cr_expect_eq(report->group, 1);
	cr_expect_eq(report->index, 1);
	cr_expect_eq(report->flags, KTSTR_WORKER_COMPLETED);
	cr_expect_eq(report->exit_kind, KTSTR_WORKER_EXIT_NONE);
	cr_expect_eq(report->work_units, 100 * report->iterations);
	cr_expect_gt(report->wall_time_ns, 0);
	cr_expect_gt(report->max_gap_ns, 0);
	cr_expect_leq(report->max_gap_at_ns, report->wall_time_ns);
	cr_expect_geq(ktstr_cpuset_count(&report->cpus_used), 1);
	cr_expect(ktstr_cpuset_has(&report->cpus_used, report->max_gap_cpu));
	cr_expect_str_eq(report->workload, "spin");
	cr_expect_neq(report->tid, reports.report[0].tid);
	cr_expect_eq(workers_count(workers), 0);
	cr_expect_geq(workers_iterations(workers), 1000, "those that were collected count too");
}

Test(worker, a_worker_in_a_system_call_stops_too)
{
	spawn(&blocking, "blocking", 2);
	cr_assert_eq(collect(0), 0, "%s", err.text);
	cr_expect_eq(reports.report[0].exit_kind, KTSTR_WORKER_EXIT_NONE);
	cr_expect_eq(reports.report[1].exit_kind, KTSTR_WORKER_EXIT_NONE);
}

Test(worker, a_long_sleep_ends_early_and_is_no_sample)
{
	spawn(&long_sleeping, "long_sleeping", 1);
	wait_for_iterations(1);
	cr_assert_eq(collect(0), 0, "%s", err.text);
	cr_expect_eq(reports.report[0].wake_sample_total, 0);
	cr_expect_lt(reports.report[0].max_gap_ns, 30 * NS_PER_S);
}

Test(worker, a_wait_for_the_stop_is_a_gap_but_not_what_follows)
{
	struct worker_slot *slot = calloc(1, sizeof(*slot));

	cr_assert_not_null(slot);
	worker_slot_init(slot, 1, 1, 0);
	slot->start_ns = slot->last_look_ns = clock_monotonic_ns() - 1000 * NS_PER_S;
	slot->stop_ns = slot->start_ns + 10;
	slot->worker.ops->look(&slot->worker);
	cr_expect_eq(slot->report.max_gap_ns, 10);
	cr_expect_eq(slot->report.max_gap_at_ns, 10);
	free(slot);
}

Test(worker, a_sleeper_that_is_held_up_shows_the_gap)
{
	const struct ktstr_worker_report *report = &reports.report[0];
	uint64_t before_ns, held_up_ns;
	pid_t pid;

	spawn(&napping, "napping", 1);
	wait_for_iterations(2);
	pid = workers->spawns[0]->workers[0].pid;
	before_ns = clock_monotonic_ns();
	cr_assert_eq(kill(pid, SIGSTOP), 0);
	(void)poll(NULL, 0, 400);
	held_up_ns = clock_monotonic_ns() - before_ns;
	cr_assert_eq(kill(pid, SIGCONT), 0);
	wait_for_iterations(workers_iterations(workers) + 2);
	cr_assert_eq(collect(0), 0, "%s", err.text);
	cr_expect_geq(report->max_gap_ns, held_up_ns - 30 * NS_PER_MS);
	cr_expect_gt(report->max_gap_at_ns, report->max_gap_ns);
}

Test(worker, sleeps_are_samples)
{
	spawn(&sleeping, "sleeping", 1);
	wait_for_iterations(20);
	cr_assert_eq(collect(0), 0, "%s", err.text);
	cr_expect_geq(reports.report[0].wake_sample_total, 20);
	cr_expect_geq(reports.report[0].wake_sample_count, 20);
}

Test(worker, keeps_a_bounded_sample_of_wake_ups)
{
	spawn(&sampling, "sampling", 1);
	wait_for_end();
	cr_assert_eq(collect(0), 0, "%s", err.text);
	cr_expect_eq(reports.report[0].wake_sample_count, WORKER_SAMPLES_MAX);
	cr_expect_eq(reports.report[0].wake_sample_total, 3 * WORKER_SAMPLES_MAX + 1);
}

Test(worker, ends_by_itself_without_being_a_death)
{
	spawn(&ending, "ending", 1);
	wait_for_end();
	cr_expect_eq(workers_check(workers, &err), 0);
	cr_expect_eq(workers_count(workers), 0);
	cr_assert_eq(collect(0), 0, "%s", err.text);
	cr_expect_eq(reports.report[0].flags, KTSTR_WORKER_COMPLETED);
	cr_expect_eq(reports.report[0].work_units, 7);
}

static const struct {
	const struct ktstr_workload_ops *ops;
	const char *name;
	uint32_t exit_kind;
	int32_t exit_value;
	const char *text;
} deaths[] = {
	{ &crash, "crash", KTSTR_WORKER_EXIT_SIGNAL, SIGSEGV,
	  "worker 0 (crash) was killed by SIGSEGV" },
	{ &exiting, "exiting", KTSTR_WORKER_EXIT_CODE, 3,
	  "worker 0 (exiting) exited with code 3 before it reported" },
	{ &failing, "failing", KTSTR_WORKER_EXIT_CODE, 1,
	  "worker 0 (failing) failed: the pipe is clogged" },
	{ &positive, "positive", KTSTR_WORKER_EXIT_CODE, 1,
	  "worker 0 (positive) failed: run() returned 7, which is neither 0 nor a negative errno" },
};

Test(worker, deaths_are_told_once)
{
	for (size_t i = 0; i < ARRAY_SIZE(deaths); i++) {
		open_workers(42, 30 * NS_PER_S);
		spawn(deaths[i].ops, deaths[i].name, 1);
		wait_for_end();
		cr_expect_eq(workers_check(workers, &err), -ECHILD);
		cr_expect_str_eq(err.text, deaths[i].text);
		cr_expect_eq(workers_check(workers, &err), 0);
		cr_expect_eq(collect(0), 0);
		cr_expect_eq(reports.report[0].exit_kind, deaths[i].exit_kind);
		cr_expect_eq(reports.report[0].exit_value, deaths[i].exit_value);
		cr_expect_eq(reports.report[0].flags, 0);
	}
}

Test(worker, a_death_that_nobody_saw_is_told_when_collected)
{
	spawn(&crash, "crash", 2);
	wait_for_end();
	cr_expect_eq(collect(0), -ECHILD);
	cr_expect(strstr(err.text, "(crash) was killed by SIGSEGV"), "%s", err.text);
	cr_expect_eq(reports.count, 2, "every report goes out all the same");
}

Test(worker, the_deaf_are_killed_and_it_is_no_error)
{
	open_workers(42, 20 * NS_PER_MS);
	spawn(&deaf, "deaf", 1);
	wait_for_iterations(1);
	cr_assert_eq(collect(0), 0, "%s", err.text);
	cr_expect_eq(reports.report[0].exit_kind, KTSTR_WORKER_EXIT_TIMEOUT);
	cr_expect_eq(reports.report[0].exit_value, 20, "the limit that it did not keep");
	cr_expect_eq(reports.report[0].flags, 0);
	cr_expect_gt(reports.report[0].iterations, 0);
	cr_expect_geq(reports.report[0].wall_time_ns, 20 * NS_PER_MS);
	cr_expect_eq(kill((pid_t)reports.report[0].tid, 0), -1, "it is gone");
}

Test(worker, a_hurry_shortens_the_patience)
{
	static volatile uint32_t is_hurried;
	struct workers_spec spec = { .stop_timeout_ns = 3600 * NS_PER_S,
				     .is_hurried = &is_hurried,
				     .hurried_timeout_ns = 10 * NS_PER_MS };

	workers_free(workers);
	cr_assert_eq(workers_new(&spec, &workers, &err), 0);
	spawn(&deaf, "deaf", 1);
	is_hurried = 1;
	cr_assert_eq(collect(0), 0, "%s", err.text);
	cr_expect_eq(reports.report[0].exit_kind, KTSTR_WORKER_EXIT_TIMEOUT);
	cr_expect_geq(reports.report[0].exit_value, 10);
	cr_expect_lt(reports.report[0].exit_value, 3600 * 1000);
}

Test(worker, the_patience_begins_anew_with_each_that_ends)
{
	open_workers(42, 300 * NS_PER_MS);
	spawn(&in_turn, "in_turn", 4);
	wait_for_iterations(4);
	cr_assert_eq(collect(0), 0, "%s", err.text);
	for (uint32_t i = 0; i < 4; i++)
		cr_expect_eq(reports.report[i].exit_kind, KTSTR_WORKER_EXIT_NONE, "worker %u", i);
}

Test(worker, cannot_look_into_others)
{
	if (geteuid() != 0)
		cr_skip_test("only root has capabilities to lose");
	spawn(&powerless, "powerless", 1);
	wait_for_end();
	cr_expect_eq(collect(0), 0, "%s", err.text);
	cr_expect_eq(reports.report[0].work_units, 1);
}

Test(worker, groups_share_memory_and_only_their_own)
{
	spawn(&pairs, "pairs", 4);
	wait_for_iterations(4);
	cr_assert_eq(collect(0), 0, "%s", err.text);
	for (uint32_t i = 0; i < 4; i++)
		cr_expect_eq(reports.report[i].work_units, 2, "worker %u", i);
}

Test(worker, random_numbers_depend_on_seed_spawn_and_index_alone)
{
	uint64_t drawn[2][2];

	for (int run = 0; run < 2; run++) {
		open_workers(7, 30 * NS_PER_S);
		spawn(&drawing, "drawing", 2);
		wait_for_iterations(2);
		cr_assert_eq(collect(0), 0, "%s", err.text);
		drawn[run][0] = reports.report[0].work_units;
		drawn[run][1] = reports.report[1].work_units;
	}
	cr_expect_arr_eq(drawn[0], drawn[1], sizeof(drawn[0]));
	cr_expect_neq(drawn[0][0], drawn[0][1]);
}

Test(worker, collects_one_spawn_and_leaves_the_other)
{
	uint32_t first, second;

	cr_assert_eq(spawn_with(&spin, "spin", 1, &first), 0);
	cr_assert_eq(spawn_with(&spin, "spin", 2, &second), 0);
	cr_expect_eq(second, first + 1);
	cr_assert_eq(collect(second), 0);
	cr_expect_eq(reports.count, 2);
	cr_expect_eq(reports.report[0].group, second);
	cr_expect_eq(workers_count(workers), 1);
	cr_expect_eq(collect(second), 0, "a spawn that was collected is empty");
	cr_expect_eq(collect(99), -ENOENT);
	cr_expect_str_eq(err.text, "there is no spawn 99");
}

Test(worker, collects_by_cgroup)
{
	struct worker_filter filter = { .is_by_cgroup = 1, .cgroup_id = 5 };

	spawn(&spin, "spin", 1);
	cr_assert_eq(workers_collect(workers, &filter, take, &reports, &err), 0);
	cr_expect_eq(reports.count, 0);
	filter.cgroup_id = 0;
	cr_assert_eq(workers_collect(workers, &filter, take, &reports, &err), 0);
	cr_expect_eq(reports.count, 1);
}

static int refuse(void *arg, const struct ktstr_worker_report *report, const uint32_t *samples)
{
	(void)arg;
	(void)report;
	(void)samples;
	return -EPIPE;
}

Test(worker, tells_that_a_report_cannot_be_sent)
{
	struct worker_filter all = { 0 };

	spawn(&spin, "spin", 1);
	cr_expect_eq(workers_collect(workers, &all, refuse, NULL, &err), -EPIPE);
	cr_expect_str_eq(err.text, "cannot send a worker's report: Broken pipe");
}

static const struct {
	const struct ktstr_workload_ops *ops;
	const char *name;
	uint32_t workers;
	uint32_t cgroup_id;
	int32_t nice;
	int code;
	const char *text;
} refused[] = {
	{ &spin, "spin", 0, 0, 0, -EINVAL,
	  "cannot start 0 workers: there must be at least 1, and no more than 4096 at a time" },
	{ &spin, "spin", 4097, 0, 0, -EINVAL,
	  "cannot start 4097 workers: there must be at least 1, and no more than 4096 at a time" },
	{ &spin, "spin", 1, 0, 20, -EINVAL, "nice value 20 is not in -20 to 19" },
	{ &spin, "spin", 1, 3, 0, -ENOENT, "there is no cgroup with the id 3" },
	{ &pairs, "pipe_io", 3, 0, 0, -EINVAL,
	  "workload 'pipe_io' works in groups of 2; 3 workers do not fill them" },
	{ &by_value, "by_value", 4, 0, 0, -EINVAL,
	  "workload 'by_value' works in groups of 3; 4 workers do not fill them" },
};

Test(worker, refuses_bad_specs)
{
	const struct ktstr_value items[1] = { { .i = 3 } };
	const struct ktstr_value workload = { .items = items, .count = 1 };
	uint32_t group;

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct ktstr_spawn_spec spec = { .size = sizeof(spec),
						 .workload = &workload,
						 .workers = refused[i].workers,
						 .cgroup_id = refused[i].cgroup_id,
						 .nice = refused[i].nice };

		cr_expect_eq(workers_spawn(workers, refused[i].ops, refused[i].name, &spec, &group,
					   &err),
			     refused[i].code, "spec %zu", i);
		cr_expect_str_eq(err.text, refused[i].text);
	}
	cr_expect_eq(workers_count(workers), 0);
}

Test(worker, tells_an_impossible_affinity)
{
	const struct ktstr_value workload = { 0 };
	struct ktstr_spawn_spec spec = { .size = sizeof(spec),
					 .workload = &workload,
					 .workers = 2 };
	uint32_t group;

	ktstr_cpuset_add(&spec.affinity, KTSTR_CPUS_MAX - 1);
	cr_expect_eq(workers_spawn(workers, &spin, "spin", &spec, &group, &err), -EINVAL);
	cr_expect_str_eq(err.text,
			 "worker 0 (spin) cannot be bound to CPUs 1023: Invalid argument");
	cr_expect_eq(workers_count(workers), 0, "nobody is left behind");
}

Test(worker, affinity_holds_from_the_first_look)
{
	const struct ktstr_value workload = { 0 };
	struct ktstr_spawn_spec spec = { .size = sizeof(spec),
					 .workload = &workload,
					 .workers = 1 };
	uint32_t group;

	ktstr_cpuset_add(&spec.affinity, 0);
	cr_assert_eq(workers_spawn(workers, &spin, "spin", &spec, &group, &err), 0, "%s", err.text);
	wait_for_iterations(100);
	cr_assert_eq(collect(0), 0);
	cr_expect_eq(ktstr_cpuset_count(&reports.report[0].cpus_used), 1);
	cr_expect(ktstr_cpuset_has(&reports.report[0].cpus_used, 0));
	cr_expect_eq(reports.report[0].migrations, 0);
}
