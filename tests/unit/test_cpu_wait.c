/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/cpu_wait.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define S NS_PER_S

static void stay_on_one_cpu(void)
{
	cpu_set_t cpus, one;
	int cpu = 0;

	if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0)
		_exit(9);
	while (!CPU_ISSET(cpu, &cpus))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one) < 0)
		_exit(9);
}

static void *spin(void *arg)
{
	for (volatile uint64_t i = 0;; i++)
		;
	return arg;
}

/* Two threads that want the same CPU. */
static void play_rivals(void)
{
	pthread_t thread;

	stay_on_one_cpu();
	if (pthread_create(&thread, NULL, spin, NULL) != 0)
		_exit(9);
	(void)spin(NULL);
}

static void play_sleeper(void)
{
	for (;;)
		(void)pause();
}

static pid_t start(void (*script)(void))
{
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		script();
		_exit(0);
	}
	return pid;
}

static void stop(pid_t pid)
{
	cr_assert_eq(kill(pid, SIGKILL), 0);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

Test(cpu_wait, grows_while_threads_want_the_same_cpu, .timeout = 60)
{
	pid_t pid = start(play_rivals);

	if (access("/proc/self/schedstat", R_OK) == 0)
		while (cpu_wait_ns(pid) < 100 * NS_PER_MS)
			(void)sched_yield();
	stop(pid);
}

Test(cpu_wait, is_told_thread_by_thread, .timeout = 60)
{
	struct coord_thread threads[4];
	pid_t pid = start(play_rivals);
	uint64_t sum_ns;

	while (cpu_wait_threads(pid, threads, ARRAY_SIZE(threads)) < 2)
		(void)sched_yield();
	cr_assert_eq(cpu_wait_threads(pid, threads, 1), 1, "no more than there is room for");
	cr_assert_eq(kill(pid, SIGSTOP), 0);
	/* Each stops only when it gets a CPU. */
	do {
		(void)usleep(1000);
		sum_ns = cpu_wait_ns(pid);
		cr_assert_eq(cpu_wait_threads(pid, threads, ARRAY_SIZE(threads)), 2);
	} while (threads[0].cpu_wait_ns + threads[1].cpu_wait_ns != sum_ns);
	cr_assert_eq(threads[0].id, pid);
	cr_assert_neq(threads[1].id, pid);
	stop(pid);
	cr_assert_eq(cpu_wait_threads(pid, threads, ARRAY_SIZE(threads)), 0);
}

Test(cpu_wait, does_not_grow_while_nothing_is_to_be_done)
{
	pid_t pid = start(play_sleeper);
	uint64_t start_ns = clock_monotonic_ns();
	uint64_t slept_ns;

	while (clock_monotonic_ns() - start_ns < 200 * NS_PER_MS)
		(void)sched_yield();
	slept_ns = cpu_wait_ns(pid);
	while (clock_monotonic_ns() - start_ns < 700 * NS_PER_MS)
		(void)sched_yield();
	cr_assert_lt(cpu_wait_ns(pid) - slept_ns, 100 * NS_PER_MS);
	stop(pid);
}

Test(cpu_wait, of_a_process_that_is_gone_is_none)
{
	pid_t pid = start(play_sleeper);

	stop(pid);
	cr_assert_eq(cpu_wait_ns(pid), 0);
}

Test(cpu_wait, is_granted_once_and_up_to_a_bound)
{
	static const struct {
		uint64_t waited_ns, elapsed_ns, timeout_ns, want_ns;
	} cases[] = {
		{ 0, 60 * S, 60 * S, 0 },
		{ 5 * S, 60 * S, 60 * S, 5 * S },
		{ 500 * S, 61 * S, 60 * S, 61 * S }, /* eight threads at once */
		{ 500 * S, 400 * S, 60 * S, 240 * S },
		{ UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_assert_eq(cpu_wait_allowance_ns(cases[i].waited_ns, cases[i].elapsed_ns,
						   cases[i].timeout_ns),
			     cases[i].want_ns, "case %zu", i);
}
