/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "guest/crash.h"
#include "guest/worker.h"
#include "guest/worker_set.h"

/* A stop signal that comes just before a worker begins to wait is lost on it: so it is repeated. */
#define STOP_REPEAT_NS (50 * NS_PER_MS)
/* The session outranks the workers. With many of them on their way out, it looks this seldom, and
 * leaves them the CPU meanwhile. */
#define CROWD 64
#define CROWD_PAUSE_NS (10 * NS_PER_MS)
/* How long a killed worker may take to be gone. */
#define KILL_TIMEOUT_NS (2 * NS_PER_S)

int workers_watch_fd(const struct workers *workers)
{
	return workers->epoll_fd;
}

uint32_t workers_count(const struct workers *workers)
{
	uint32_t count = 0;

	for (size_t i = 0; i < workers->spawn_count; i++)
		for (uint32_t j = 0; j < workers->spawns[i]->count; j++)
			count += !workers->spawns[i]->workers[j].is_ended;
	return count;
}

uint64_t workers_iterations(const struct workers *workers)
{
	uint64_t total = workers->collected_iterations;

	for (size_t i = 0; i < workers->spawn_count; i++)
		for (uint32_t j = 0; j < workers->spawns[i]->count; j++)
			total += *(volatile uint64_t *)&workers->spawns[i]
					  ->slots[j]
					  .worker.iterations;
	return total;
}

static void note_exit(struct worker *worker, uint32_t kind, int32_t value)
{
	worker->slot->report.exit_kind = kind;
	worker->slot->report.exit_value = value;
}

/* Its last look at the clock, or now, if that lies ahead: it slept. */
static uint64_t last_seen_ns(const struct worker_slot *slot)
{
	uint64_t now_ns = clock_monotonic_ns();

	return slot->last_look_ns < now_ns ? slot->last_look_ns : now_ns;
}

/* Account for a worker that is no more, by its exit. The pidfd's closing takes it off epoll too. */
static void note_end(struct worker *worker, const siginfo_t *info)
{
	struct worker_slot *slot = worker->slot;

	worker->is_ended = true;
	(void)close(worker->pidfd);
	worker->pidfd = -1;
	(void)kill(-worker->pid, SIGKILL); /* what it started, should there be any */
	if (slot->report.exit_kind == KTSTR_WORKER_EXIT_TIMEOUT)
		return;
	slot->report.work_units = slot->worker.work_units;
	slot->report.iterations = slot->worker.iterations;
	if (!slot->report.wall_time_ns && slot->last_look_ns > slot->start_ns)
		slot->report.wall_time_ns = last_seen_ns(slot) - slot->start_ns;
	if (info->si_code != CLD_EXITED)
		note_exit(worker, KTSTR_WORKER_EXIT_SIGNAL, info->si_status);
	else if (!slot->is_done)
		note_exit(worker, KTSTR_WORKER_EXIT_CODE, info->si_status);
	if (info->si_code != CLD_EXITED)
		slot->report.flags &= ~KTSTR_WORKER_COMPLETED;
}

/* Collect the worker if it has ended. */
static void reap(struct worker *worker)
{
	siginfo_t info = { 0 };

	if (!worker->is_ended &&
	    waitid(P_PIDFD, (id_t)worker->pidfd, &info, WEXITED | WNOHANG) == 0 && info.si_pid)
		note_end(worker, &info);
}

static int died(const struct workers *workers, const struct spawn *spawn, struct worker *worker,
		struct ktstr_error *err)
{
	const struct worker_slot *slot = worker->slot;
	const struct ktstr_worker_report *report = &slot->report;
	const char *cgroup = workers->spec.cgroups
				     ? cgroups_name(workers->spec.cgroups, spawn->cgroup_id)
				     : NULL;
	char who[128 + CGROUP_NAME_MAX], name[16];

	worker->is_told = true;
	(void)snprintf(who, sizeof(who), "worker %u (%s)%s%s%s", report->index, spawn->name,
		       cgroup ? " of cgroup '" : "", cgroup ? cgroup : "", cgroup ? "'" : "");
	if (slot->failure.code)
		return ktstr_fail(err, -ECHILD, "%s failed: %.*s", who,
				  (int)strnlen(slot->failure.text, sizeof(slot->failure.text)),
				  slot->failure.text);
	if (report->exit_kind == KTSTR_WORKER_EXIT_SIGNAL)
		return ktstr_fail(err, -ECHILD, "%s was killed by %s", who,
				  crash_signal_name(report->exit_value, name, sizeof(name)));
	return ktstr_fail(err, -ECHILD, "%s exited with code %d before it reported", who,
			  report->exit_value);
}

static bool is_death(const struct worker *worker)
{
	return worker->is_ended && !worker->is_told &&
	       (worker->slot->report.exit_kind == KTSTR_WORKER_EXIT_CODE ||
		worker->slot->report.exit_kind == KTSTR_WORKER_EXIT_SIGNAL);
}

int workers_check(struct workers *workers, struct ktstr_error *err)
{
	for (size_t i = 0; i < workers->spawn_count; i++) {
		struct spawn *spawn = workers->spawns[i];

		for (uint32_t j = 0; j < spawn->count; j++) {
			reap(&spawn->workers[j]);
			if (is_death(&spawn->workers[j]))
				return died(workers, spawn, &spawn->workers[j], err);
		}
	}
	return 0;
}

/* What a selection of workers is done to. */
struct selection {
	struct worker **workers;
	struct pollfd *poll_fds;
	size_t count;
};

static void selection_done(struct selection *selection)
{
	free(selection->workers);
	free(selection->poll_fds);
}

static int selection_init(struct selection *selection, size_t count)
{
	*selection = (struct selection){
		.workers = calloc(count + 1, sizeof(*selection->workers)),
		.poll_fds = calloc(count + 1, sizeof(*selection->poll_fds)),
	};
	if (selection->workers && selection->poll_fds)
		return 0;
	selection_done(selection);
	return -ENOMEM;
}

static void selection_add(struct selection *selection, const struct spawn *spawn)
{
	for (uint32_t i = 0; i < spawn->count; i++)
		if (!spawn->workers[i].is_ended)
			selection->workers[selection->count++] = &spawn->workers[i];
}

static void selection_reap(struct selection *selection)
{
	size_t kept = 0;

	for (size_t i = 0; i < selection->count; i++) {
		reap(selection->workers[i]);
		if (!selection->workers[i]->is_ended)
			selection->workers[kept++] = selection->workers[i];
	}
	selection->count = kept;
}

/* Until the first of them ends, or @until_ns. Reaps those that did. */
static void selection_wait(struct selection *selection, uint64_t until_ns)
{
	static const struct timespec pause = { .tv_nsec = CROWD_PAUSE_NS };
	size_t kept = 0;
	uint64_t now_ns = clock_monotonic_ns();
	uint64_t left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
	struct timespec left = { .tv_sec = (time_t)(left_ns / NS_PER_S),
				 .tv_nsec = (long)(left_ns % NS_PER_S) };

	for (size_t i = 0; i < selection->count; i++)
		selection->poll_fds[i] =
			(struct pollfd){ .fd = selection->workers[i]->pidfd, .events = POLLIN };
	if (selection->count > CROWD)
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	(void)ppoll(selection->poll_fds, selection->count, &left, NULL);
	for (size_t i = 0; i < selection->count; i++) {
		if (selection->poll_fds[i].revents)
			reap(selection->workers[i]);
		if (!selection->workers[i]->is_ended)
			selection->workers[kept++] = selection->workers[i];
	}
	selection->count = kept;
}

/* A stop: as long as workers end, one after the other, the rest may just be waiting for a CPU. */
struct stop {
	const struct workers_spec *spec;
	uint64_t start_ns;
	uint64_t last_end_ns; /* of a worker */
};

static bool is_hurried(const struct stop *stop)
{
	return stop->spec->is_hurried && *stop->spec->is_hurried &&
	       stop->spec->hurried_timeout_ns < stop->spec->stop_timeout_ns;
}

/* When it is over, as things stand. */
static uint64_t stop_end_ns(const struct stop *stop)
{
	uint64_t end_ns = stop->last_end_ns + stop->spec->stop_timeout_ns;
	uint64_t last_ns = stop->start_ns + WORKER_STOP_PARTS * stop->spec->stop_timeout_ns;

	if (is_hurried(stop))
		return stop->start_ns + stop->spec->hurried_timeout_ns;
	return end_ns < last_ns ? end_ns : last_ns;
}

static void ask_to_end(struct selection *selection, const struct stop *stop)
{
	/* Not reaped, so each pid is still theirs. */
	for (size_t i = 0; i < selection->count; i++) {
		selection->workers[i]->slot->stop_ns = stop->start_ns;
		(void)kill(selection->workers[i]->pid, SIGUSR1);
	}
}

/* Ask them to end, again and again, until all did or the time is over. Returns how long it was. */
static uint64_t selection_stop(struct selection *selection, const struct workers_spec *spec)
{
	uint64_t now_ns = clock_monotonic_ns(), repeat_ns = now_ns, every_ns = STOP_REPEAT_NS;
	struct stop stop = { .spec = spec, .start_ns = now_ns, .last_end_ns = now_ns };

	selection_reap(selection);
	while (selection->count > 0 && now_ns < stop_end_ns(&stop)) {
		uint64_t end_ns = stop_end_ns(&stop);
		size_t before = selection->count;

		if (now_ns >= repeat_ns) {
			ask_to_end(selection, &stop);
			repeat_ns = clock_monotonic_ns() + every_ns;
			every_ns *= 2;
		}
		selection_wait(selection, repeat_ns < end_ns ? repeat_ns : end_ns);
		now_ns = clock_monotonic_ns();
		if (selection->count < before)
			stop.last_end_ns = now_ns;
	}
	return (is_hurried(&stop) ? now_ns : stop_end_ns(&stop)) - stop.start_ns;
}

/* Write down what can be seen of a worker from outside. */
static void note_timeout(struct worker *worker, uint64_t timeout_ns)
{
	struct schedstat schedstat;
	uint64_t cpu_ns = 0;
	clockid_t clock;

	if (clock_getcpuclockid(worker->pid, &clock) == 0)
		cpu_ns = clock_now_ns(clock);
	schedstat_read(worker->pid, &schedstat);
	worker->slot->report.ext_last = ext_read(worker->pid);
	worker_slot_close(worker->slot, clock_monotonic_ns(), cpu_ns, &schedstat);
	worker->slot->report.flags &= ~KTSTR_WORKER_COMPLETED;
	note_exit(worker, KTSTR_WORKER_EXIT_TIMEOUT, (int32_t)(timeout_ns / NS_PER_MS));
}

static void kill_worker(const struct worker *worker)
{
	struct sched_param priority = { .sched_priority = 1 };

	/* A scheduler that never runs the worker would not let it die either. */
	(void)sched_setscheduler(worker->pid, SCHED_FIFO, &priority);
	(void)kill(worker->pid, SIGKILL);
	(void)kill(-worker->pid, SIGKILL); /* it may have no group of its own yet */
}

static void selection_kill(struct selection *selection)
{
	uint64_t end_ns = clock_monotonic_ns() + KILL_TIMEOUT_NS;

	for (size_t i = 0; i < selection->count; i++)
		kill_worker(selection->workers[i]);
	selection_reap(selection);
	while (selection->count > 0 && clock_monotonic_ns() < end_ns)
		selection_wait(selection, end_ns);
}

void spawn_kill(struct spawn *spawn)
{
	struct selection selection;

	if (selection_init(&selection, spawn->count) < 0)
		return; /* the session's own end kills them */
	selection_add(&selection, spawn);
	selection_kill(&selection);
	selection_done(&selection);
}

static bool matches(const struct worker_filter *filter, const struct spawn *spawn)
{
	return (filter->group == 0 || filter->group == spawn->number) &&
	       (!filter->is_by_cgroup || filter->cgroup_id == spawn->cgroup_id);
}

/* Who a worker is, and how much it may have kept, is not its own to say: it can write there. */
static void identify(const struct spawn *spawn, uint32_t index, struct ktstr_worker_report *report)
{
	report->size = sizeof(*report);
	report->tid = (uint32_t)spawn->workers[index].pid;
	report->cgroup_id = spawn->cgroup_id;
	report->group = spawn->number;
	report->index = index;
	report->nice = spawn->nice;
	(void)str_copy(report->workload, sizeof(report->workload), spawn->name);
	if (report->wake_sample_count > WORKER_SAMPLES_MAX)
		report->wake_sample_count = WORKER_SAMPLES_MAX;
}

/* Hand out the reports of one spawn. The first error counts, but every report goes out. */
static int hand_out(struct workers *workers, struct spawn *spawn, worker_sink sink, void *arg,
		    struct ktstr_error *err)
{
	int rc = 0;

	for (uint32_t i = 0; i < spawn->count; i++) {
		struct worker *worker = &spawn->workers[i];
		struct worker_slot *slot = worker->slot;
		struct ktstr_worker_report report = slot->report;
		int sink_rc;

		identify(spawn, i, &report);
		workers->collected_iterations += report.iterations;
		sink_rc = sink(arg, &report, slot->samples);
		if (rc == 0 && sink_rc < 0)
			rc = ktstr_fail(err, sink_rc, "cannot send a worker's report: %s",
					strerror(-sink_rc));
		if (rc == 0 && is_death(worker))
			rc = died(workers, spawn, worker, err);
	}
	return rc;
}

static void stop_all(struct workers *workers, struct selection *selection)
{
	uint64_t timeout_ns = selection_stop(selection, &workers->spec);

	for (size_t i = 0; i < selection->count; i++)
		note_timeout(selection->workers[i], timeout_ns);
	selection_kill(selection);
}

int workers_collect(struct workers *workers, const struct worker_filter *filter, worker_sink sink,
		    void *arg, struct ktstr_error *err)
{
	struct selection selection;
	size_t kept = 0;
	int rc = 0;

	if (filter->group > workers->next_number)
		return ktstr_fail(err, -ENOENT, "there is no spawn %u", filter->group);
	if (selection_init(&selection, workers_count(workers)) < 0)
		return ktstr_fail(err, -ENOMEM, "no memory to stop the workers");
	for (size_t i = 0; i < workers->spawn_count; i++)
		if (matches(filter, workers->spawns[i]))
			selection_add(&selection, workers->spawns[i]);
	stop_all(workers, &selection);
	selection_done(&selection);
	for (size_t i = 0; i < workers->spawn_count; i++) {
		struct spawn *spawn = workers->spawns[i];
		struct ktstr_error later;
		int spawn_rc;

		if (!matches(filter, spawn)) {
			workers->spawns[kept++] = spawn;
			continue;
		}
		spawn_rc = hand_out(workers, spawn, sink, arg, rc < 0 ? &later : err);
		if (rc == 0)
			rc = spawn_rc;
		spawn_free(spawn);
	}
	workers->spawn_count = kept;
	return rc;
}
