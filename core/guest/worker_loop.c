/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/worker_loop.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "plugin/op.h"

/* The stop flag of this worker process, for its signal handler. */
static volatile sig_atomic_t *stop_flag;

static struct worker_slot *slot_of(struct ktstr_worker *w)
{
	return (struct worker_slot *)w;
}

void schedstat_parse(const char *text, struct schedstat *ret)
{
	unsigned long long delay = 0, count = 0;

	if (sscanf(text, "%*u %llu %llu", &delay, &count) != 2)
		delay = count = 0;
	*ret = (struct schedstat){ .run_delay_ns = delay, .run_count = count };
}

void schedstat_read(int pid, struct schedstat *ret)
{
	char path[48] = "/proc/self/schedstat", text[96];
	_cleanup_close_ int fd = -1;
	ssize_t n;

	if (pid)
		(void)snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
	text[n > 0 ? n : 0] = '\0';
	schedstat_parse(text, ret);
}

uint32_t ext_parse(const char *text)
{
	static const char key[] = "ext.enabled";
	const char *line = strstr(text, key);

	while (line && line != text && line[-1] != '\n')
		line = strstr(line + 1, key);
	if (!line)
		return KTSTR_EXT_UNKNOWN;
	line += strlen(key);
	line += strspn(line, " ");
	if (*line != ':')
		return KTSTR_EXT_UNKNOWN;
	return strtoul(line + 1, NULL, 10) ? KTSTR_EXT_YES : KTSTR_EXT_NO;
}

uint32_t ext_read(int pid)
{
	char path[48] = "/proc/self/sched", text[8192];
	_cleanup_close_ int fd = -1;
	ssize_t n;

	if (pid)
		(void)snprintf(path, sizeof(path), "/proc/%d/sched", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
	text[n > 0 ? n : 0] = '\0';
	return ext_parse(text);
}

/* Note where the worker runs. */
static void note_cpu(struct worker_slot *slot)
{
	int cpu = sched_getcpu();

	if (cpu < 0 || (uint32_t)cpu == slot->last_cpu)
		return;
	if (slot->last_cpu != UINT32_MAX)
		slot->report.migrations++;
	slot->last_cpu = (uint32_t)cpu;
	ktstr_cpuset_add(&slot->report.cpus_used, slot->last_cpu);
}

/* The time from the last look until @until_ns. */
static void note_gap(struct worker_slot *slot, uint64_t until_ns)
{
	uint64_t gap_ns = until_ns - slot->last_look_ns;

	if (until_ns > slot->last_look_ns && gap_ns > slot->report.max_gap_ns) {
		slot->report.max_gap_ns = gap_ns;
		slot->report.max_gap_at_ns = until_ns - slot->start_ns;
		slot->report.max_gap_cpu = slot->last_cpu;
	}
}

static void service_look(struct ktstr_worker *w)
{
	struct worker_slot *slot = slot_of(w);
	uint64_t now_ns = clock_monotonic_ns();
	uint64_t stop_ns = slot->stop_ns;

	note_cpu(slot);
	note_gap(slot, stop_ns && stop_ns < now_ns ? stop_ns : now_ns);
	slot->last_look_ns = now_ns;
}

static uint64_t service_now_ns(struct ktstr_worker *w)
{
	(void)w;
	return clock_monotonic_ns();
}

static uint64_t service_random(struct ktstr_worker *w)
{
	return random_next(&slot_of(w)->random);
}

/* Keep a uniform sample: the n-th value takes a place with probability MAX / n. */
static void keep_sample(struct worker_slot *slot, uint64_t latency_ns)
{
	uint32_t value = latency_ns < UINT32_MAX ? (uint32_t)latency_ns : UINT32_MAX;
	uint64_t place = slot->report.wake_sample_total++;

	if (place >= WORKER_SAMPLES_MAX)
		place = random_below(&slot->sampler, place + 1);
	if (place >= WORKER_SAMPLES_MAX)
		return;
	slot->samples[place] = value;
	if (slot->report.wake_sample_count < WORKER_SAMPLES_MAX)
		slot->report.wake_sample_count++;
}

/* The lateness is a wait for a CPU, and so a gap; what was before it is none. */
static void service_wake_sample(struct ktstr_worker *w, uint64_t latency_ns)
{
	struct worker_slot *slot = slot_of(w);
	uint64_t now_ns = clock_monotonic_ns();

	keep_sample(slot, latency_ns);
	if (now_ns > slot->last_look_ns && latency_ns < now_ns - slot->last_look_ns)
		slot->last_look_ns = now_ns - latency_ns;
	service_look(w);
}

static void service_sleep_ns(struct ktstr_worker *w, uint64_t duration_ns)
{
	struct worker_slot *slot = slot_of(w);
	struct timespec until;
	uint64_t until_ns, now_ns;
	int rc = 0;

	service_look(w);
	until_ns = slot->last_look_ns + duration_ns;
	if (until_ns < duration_ns)
		until_ns = UINT64_MAX;
	until.tv_sec = (time_t)(until_ns / NS_PER_S);
	until.tv_nsec = (long)(until_ns % NS_PER_S);
	/* Only what comes after the sleep's end is a gap, for one that is never woken too. */
	slot->last_look_ns = until_ns;
	while (!w->stop) {
		rc = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
		if (rc != EINTR)
			break;
	}
	now_ns = clock_monotonic_ns();
	if (rc == 0 && now_ns >= until_ns)
		keep_sample(slot, now_ns - until_ns);
	service_look(w);
}

static const struct ktstr_worker_ops services = {
	.size = sizeof(services),
	.look = service_look,
	.now_ns = service_now_ns,
	.random = service_random,
	.sleep_ns = service_sleep_ns,
	.wake_sample = service_wake_sample,
};

static void on_stop(int signal)
{
	(void)signal;
	*stop_flag = 1;
}

void worker_slot_init(struct worker_slot *slot, uint64_t seed, uint32_t spawn, uint32_t index)
{
	struct random start;

	slot->worker.ops = &services;
	slot->worker.index = index;
	slot->last_cpu = UINT32_MAX;
	slot->report.size = sizeof(slot->report);
	slot->report.group = spawn;
	slot->report.index = index;
	random_init(&start, seed, RANDOM_FOR_START, spawn, index);
	slot->delay_ns = random_below(&start, WORKER_DELAY_MAX_NS + 1);
	random_init(&slot->random, seed, RANDOM_FOR_WORKER, spawn, index);
	random_init(&slot->sampler, seed, RANDOM_FOR_SAMPLES, spawn, index);
}

void worker_loop_prepare(struct worker_slot *slot)
{
	/* Not SA_RESTART: a worker that waits in a system call must come back from it. */
	struct sigaction action = { .sa_handler = on_stop };
	sigset_t none;

	stop_flag = &slot->worker.stop;
	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(SIGUSR1, &action, NULL);
	(void)signal(SIGPIPE, SIG_IGN); /* a partner may end first: EPIPE is news enough */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	/* The kernel's 50 us of timer slack would read as wake-up latency. */
	(void)prctl(PR_SET_TIMERSLACK, 1UL);
	slot->report.tid = (uint32_t)gettid();
	slot->report.ext_first = ext_read(0);
	/* worker_loop_run() takes the baseline of the CPU time; this is for one that never gets
	 * there. */
	slot->cpu_start_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID);
	/* The wait for a CPU that follows the release counts. */
	schedstat_read(0, &slot->schedstat_start);
}

static void account(struct worker_slot *slot, uint64_t now_ns, uint64_t cpu_time_ns,
		    const struct schedstat *schedstat)
{
	struct ktstr_worker_report *report = &slot->report;
	const struct schedstat *start = &slot->schedstat_start;

	report->work_units = slot->worker.work_units;
	report->iterations = slot->worker.iterations;
	report->wall_time_ns = now_ns > slot->start_ns ? now_ns - slot->start_ns : 0;
	report->cpu_time_ns =
		cpu_time_ns > slot->cpu_start_ns ? cpu_time_ns - slot->cpu_start_ns : 0;
	if (schedstat->run_delay_ns > start->run_delay_ns)
		report->run_delay_ns = schedstat->run_delay_ns - start->run_delay_ns;
	if (schedstat->run_count > start->run_count)
		report->run_count = schedstat->run_count - start->run_count;
}

static void wait_for_start(const struct worker_slot *slot)
{
	const struct timespec start = { .tv_sec = (time_t)(slot->start_ns / NS_PER_S),
					.tv_nsec = (long)(slot->start_ns % NS_PER_S) };

	while (!slot->worker.stop &&
	       clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &start, NULL) == EINTR)
		;
}

int worker_loop_run(struct worker_slot *slot, const struct ktstr_workload_ops *ops)
{
	struct ktstr_error err = { 0 };
	struct schedstat schedstat;
	uint64_t cpu_time_ns;
	int rc;

	wait_for_start(slot);
	/* Between the two looks at the wall clock, so that it cannot be more than the wall time. */
	slot->cpu_start_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID);
	/* What passed since then was waiting for a CPU. */
	slot->last_look_ns = slot->start_ns;
	service_look(&slot->worker);
	rc = plugin_op_result(ops->run(&slot->worker, &err), "run", &err);
	cpu_time_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID);
	service_look(&slot->worker);
	schedstat_read(0, &schedstat);
	account(slot, slot->last_look_ns, cpu_time_ns, &schedstat);
	slot->report.ext_last = ext_read(0);
	if (rc < 0) {
		err.code = rc;
		if (!err.text[0])
			(void)ktstr_fail(&err, rc, "%s", strerror(-rc));
		slot->failure = err;
		return rc;
	}
	slot->report.flags |= KTSTR_WORKER_COMPLETED;
	__atomic_store_n(&slot->is_done, 1, __ATOMIC_RELEASE);
	return 0;
}

void worker_slot_close(struct worker_slot *slot, uint64_t now_ns, uint64_t cpu_time_ns,
		       const struct schedstat *schedstat)
{
	if (slot->last_look_ns < slot->start_ns)
		slot->last_look_ns = slot->start_ns; /* it never ran */
	if (slot->last_cpu == UINT32_MAX)
		slot->last_cpu = 0;
	note_gap(slot, now_ns);
	account(slot, now_ns, cpu_time_ns, schedstat);
}
