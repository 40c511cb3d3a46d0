/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/cpu_time.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

static void play_spinner(void)
{
	for (volatile uint64_t i = 0;; i++)
		;
}

static void *spin_a_while(void *arg)
{
	uint64_t *cpu_ns = arg;

	while (clock_now_ns(CLOCK_THREAD_CPUTIME_ID) < *cpu_ns)
		;
	return NULL;
}

/* The name is one that could be read for more than a name. */
static void play_sleeper(void)
{
	(void)prctl(PR_SET_NAME, "a) R (b");
	for (;;)
		(void)pause();
}

/* Its thread worked, and is gone. */
static void play_sleeper_that_worked(void)
{
	uint64_t cpu_ns = 50 * NS_PER_MS;
	pthread_t thread;

	if (pthread_create(&thread, NULL, spin_a_while, &cpu_ns) != 0 ||
	    pthread_join(thread, NULL) != 0)
		_exit(9);
	play_sleeper();
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

TestSuite(cpu_time, .timeout = 60);

Test(cpu_time, grows_while_a_process_works)
{
	pid_t pid = start(play_spinner);

	while (cpu_time_ns(pid) < 50 * NS_PER_MS)
		(void)sched_yield();
	cr_expect(cpu_time_is_withheld(pid), "it could always do more");
	stop(pid);
}

Test(cpu_time, counts_threads_that_are_gone)
{
	pid_t pid = start(play_sleeper_that_worked);

	while (cpu_time_ns(pid) < 50 * NS_PER_MS)
		(void)sched_yield();
	while (cpu_time_is_withheld(pid))
		(void)sched_yield();
	cr_expect_geq(cpu_time_ns(pid), 50 * NS_PER_MS);
	stop(pid);
}

Test(cpu_time, is_withheld_from_who_is_stopped)
{
	pid_t pid = start(play_sleeper);
	int status;

	while (cpu_time_is_withheld(pid))
		(void)sched_yield(); /* until it sleeps */
	cr_assert_eq(kill(pid, SIGSTOP), 0);
	cr_assert_eq(waitpid(pid, &status, WUNTRACED), pid);
	cr_expect(cpu_time_is_withheld(pid));
	cr_assert_eq(kill(pid, SIGCONT), 0);
	while (cpu_time_is_withheld(pid))
		(void)sched_yield();
	stop(pid);
}

Test(cpu_time, of_a_process_that_is_gone_is_none)
{
	pid_t pid = start(play_sleeper);

	stop(pid);
	cr_expect_eq(cpu_time_ns(pid), 0);
	cr_expect_not(cpu_time_is_withheld(pid));
}
