/* SPDX-License-Identifier: GPL-2.0-only */
/* Each workload as the agent runs it: in a process of its own, with services and a stop flag. */
#include <criterion/criterion.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ktstr/workload.h"
#include "unit/shipped.h"

/* One worker in shared memory, so that the test sees what the child counted. */
struct fake {
	struct ktstr_worker worker;
	uint64_t looks;
	uint64_t stop_after_looks; /* 0: never by itself */
	uint64_t samples;
	uint64_t stop_after_samples;
	uint64_t worst_sample_ns;
	uint64_t sleeps;
	uint64_t slept_ns;
	uint64_t now_ns; /* a clock that moves by itself when it is read; 0: the real one */
	int32_t result;
	char text[128];
};

static struct fake *fake_of(struct ktstr_worker *w)
{
	return (struct fake *)w;
}

static void look(struct ktstr_worker *w)
{
	struct fake *fake = fake_of(w);

	fake->looks++;
	if (fake->stop_after_looks && fake->looks >= fake->stop_after_looks)
		w->stop = 1;
}

static uint64_t now_ns(struct ktstr_worker *w)
{
	struct fake *fake = fake_of(w);
	struct timespec now;

	if (fake->now_ns)
		return fake->now_ns += 1000000;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t random_number(struct ktstr_worker *w)
{
	(void)w;
	return 4;
}

static void sleep_ns(struct ktstr_worker *w, uint64_t duration_ns)
{
	struct fake *fake = fake_of(w);

	fake->sleeps++;
	fake->slept_ns += duration_ns;
}

static void wake_sample(struct ktstr_worker *w, uint64_t latency_ns)
{
	struct fake *fake = fake_of(w);

	fake->samples++;
	if (latency_ns > fake->worst_sample_ns)
		fake->worst_sample_ns = latency_ns;
	if (fake->stop_after_samples && fake->samples >= fake->stop_after_samples)
		w->stop = 1;
}

static const struct ktstr_worker_ops services = {
	.size = sizeof(services),
	.look = look,
	.now_ns = now_ns,
	.random = random_number,
	.sleep_ns = sleep_ns,
	.wake_sample = wake_sample,
};

static void *shared_new(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(memory, MAP_FAILED);
	return memory;
}

static struct fake *fakes_new(size_t count, const struct ktstr_value *values)
{
	struct fake *fakes = shared_new(count * sizeof(*fakes));

	for (size_t i = 0; i < count; i++) {
		fakes[i].worker.ops = &services;
		fakes[i].worker.values = values;
		fakes[i].worker.index = (uint32_t)i;
		fakes[i].worker.workers = (uint32_t)count;
		fakes[i].worker.group_size = (uint32_t)count;
	}
	return fakes;
}

static struct fake *self;

static void on_stop(int signal)
{
	(void)signal;
	self->worker.stop = 1;
}

static pid_t fake_start(struct fake *fake, const struct ktstr_workload_ops *ops)
{
	struct sigaction action = { .sa_handler = on_stop };
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0) {
		struct ktstr_error err = { 0 };

		self = fake;
		(void)sigaction(SIGUSR1, &action, NULL);
		(void)alarm(60);
		fake->result = ops->run(&fake->worker, &err);
		(void)snprintf(fake->text, sizeof(fake->text), "%.100s", err.text);
		_exit(0);
	}
	return pid;
}

static void fake_wait(pid_t pid)
{
	int status;

	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status), "the worker did not end by itself: status %#x", status);
	cr_assert_eq(WEXITSTATUS(status), 0);
}

/* Until the kernel says that the worker sleeps. */
static void wait_until_asleep(pid_t pid)
{
	char path[48], text[256], state = '\0';

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	while (state != 'S') {
		FILE *file = fopen(path, "r");
		const char *end;

		cr_assert_not_null(file);
		cr_assert_not_null(fgets(text, sizeof(text), file));
		(void)fclose(file);
		end = strrchr(text, ')');
		cr_assert_not_null(end);
		state = end[2];
		cr_assert_neq(state, 'Z', "the worker ended before it was told to");
		(void)sched_yield();
	}
}

static const struct ktstr_workload_ops *ops_load(const char *name)
{
	const struct ktstr_plugin *plugin = shipped_load("workloads", name);

	cr_assert_eq(plugin->kind, KTSTR_KIND_WORKLOAD);
	return plugin->workload;
}

Test(cpu_spin, counts_a_unit_for_each_turn_and_stops)
{
	const struct ktstr_value values[] = { { .i = 1024 } };
	struct fake *fake = fakes_new(1, values);

	fake->stop_after_looks = 5;
	fake_wait(fake_start(fake, ops_load("cpu_spin")));
	cr_expect_eq(fake->result, 0);
	cr_expect_eq(fake->worker.iterations, 5);
	cr_expect_eq(fake->worker.work_units, 5 * 1024);
	cr_expect_eq(fake->sleeps, 0);
}

Test(cpu_spin, honours_its_burst)
{
	const struct ktstr_value values[] = { { .i = 100 } };
	struct fake *fake = fakes_new(1, values);

	fake->stop_after_looks = 2;
	fake_wait(fake_start(fake, ops_load("cpu_spin")));
	/* The second look comes with the unit that passes 2048. */
	cr_expect_eq(fake->worker.iterations, 21);
	cr_expect_eq(fake->worker.work_units, 2100);
}

Test(cpu_spin, does_nothing_when_told_to_stop_before_it_ran)
{
	const struct ktstr_value values[] = { { .i = 1024 } };
	struct fake *fake = fakes_new(1, values);

	fake->worker.stop = 1;
	fake_wait(fake_start(fake, ops_load("cpu_spin")));
	cr_expect_eq(fake->result, 0);
	cr_expect_eq(fake->worker.work_units, 0);
}

Test(yield_heavy, is_looked_at_after_each_yield_and_stops)
{
	struct fake *fake = fakes_new(1, NULL);

	fake->stop_after_looks = 3;
	fake_wait(fake_start(fake, ops_load("yield_heavy")));
	cr_expect_eq(fake->result, 0);
	cr_expect_eq(fake->worker.iterations, 3);
	cr_expect_eq(fake->worker.work_units, 3 * 1024);
}

/* The fake clock moves by 1 ms a look, so a burst of 5 ms is five turns. */
Test(bursty, spins_for_its_burst_and_then_sleeps)
{
	const struct ktstr_value values[] = { { .i = 5000000 }, { .i = 7000000 } };
	struct fake *fake = fakes_new(1, values);

	fake->now_ns = 1;
	fake->stop_after_looks = 11;
	fake_wait(fake_start(fake, ops_load("bursty")));
	cr_expect_eq(fake->result, 0);
	cr_expect_eq(fake->sleeps, 2);
	cr_expect_eq(fake->slept_ns, 2 * 7000000);
	cr_expect_eq(fake->worker.iterations, 11);
}

Test(bursty, does_not_sleep_when_it_is_stopped_in_a_burst)
{
	const struct ktstr_value values[] = { { .i = INT64_MAX }, { .i = INT64_MAX } };
	struct fake *fake = fakes_new(1, values);

	fake->stop_after_looks = 2;
	fake_wait(fake_start(fake, ops_load("bursty")));
	cr_expect_eq(fake->result, 0);
	cr_expect_eq(fake->sleeps, 0);
}

Test(futex_pingpong, asks_for_pairs_and_shared_memory)
{
	const struct ktstr_workload_ops *ops = ops_load("futex_pingpong");

	cr_expect_eq(ops->group_size, 2);
	cr_expect_geq(ops->shared_bytes, sizeof(uint32_t));
}

Test(futex_pingpong, the_pair_works_in_turns)
{
	const struct ktstr_workload_ops *ops = ops_load("futex_pingpong");
	const struct ktstr_value values[] = { { .i = 16 } };
	struct fake *fakes = fakes_new(2, values);
	pid_t pids[2];

	for (int i = 0; i < 2; i++)
		fakes[i].worker.shared = i ? fakes[0].worker.shared : shared_new(ops->shared_bytes);
	/* When it stops, its partner waits for a turn that does not come, and must end too. */
	fakes[1].stop_after_looks = 20;
	for (int i = 0; i < 2; i++)
		pids[i] = fake_start(&fakes[i], ops);
	fake_wait(pids[1]);
	(void)kill(pids[0], SIGUSR1);
	fake_wait(pids[0]);
	for (int i = 0; i < 2; i++) {
		cr_expect_eq(fakes[i].result, 0, "%s", fakes[i].text);
		cr_expect_eq(fakes[i].worker.work_units, fakes[i].worker.iterations * 16);
	}
	/* Turns alternate, and worker 0 begins. */
	cr_expect_leq(fakes[0].worker.iterations - fakes[1].worker.iterations, 1, "%llu and %llu",
		      (unsigned long long)fakes[0].worker.iterations,
		      (unsigned long long)fakes[1].worker.iterations);
	cr_expect_geq(fakes[1].worker.iterations, 20 * 64);
}

Test(futex_pingpong, a_wake_up_from_the_futex_is_a_sample)
{
	const struct ktstr_workload_ops *ops = ops_load("futex_pingpong");
	/* Long turns: the partner is asleep when its turn comes. */
	const struct ktstr_value values[] = { { .i = 1000000 } };
	struct fake *fakes = fakes_new(2, values);
	pid_t pids[2];

	for (int i = 0; i < 2; i++)
		fakes[i].worker.shared = i ? fakes[0].worker.shared : shared_new(ops->shared_bytes);
	fakes[1].stop_after_samples = 3;
	for (int i = 0; i < 2; i++)
		pids[i] = fake_start(&fakes[i], ops);
	fake_wait(pids[1]);
	(void)kill(pids[0], SIGUSR1);
	fake_wait(pids[0]);
	cr_expect_eq(fakes[1].samples, 3);
	cr_expect_lt(fakes[1].worst_sample_ns, UINT64_C(60000000000));
}

Test(futex_pingpong, a_worker_without_a_partner_ends_when_told_to)
{
	const struct ktstr_workload_ops *ops = ops_load("futex_pingpong");
	const struct ktstr_value values[] = { { .i = 16 } };
	struct fake *fake = fakes_new(1, values);
	pid_t pid;

	fake->worker.shared = shared_new(ops->shared_bytes);
	fake->worker.index = 1; /* it is never its turn */
	pid = fake_start(fake, ops);
	/* No signal: the flag alone must be seen, as when a signal comes just before the sleep. */
	wait_until_asleep(pid);
	fake->worker.stop = 1;
	fake_wait(pid);
	cr_expect_eq(fake->result, 0);
	cr_expect_eq(fake->worker.work_units, 0);
	cr_expect_eq(fake->samples, 0);
}

Test(futex_pingpong, refuses_to_run_without_shared_memory)
{
	const struct ktstr_value values[] = { { .i = 16 } };
	struct fake *fake = fakes_new(1, values);

	fake_wait(fake_start(fake, ops_load("futex_pingpong")));
	cr_expect_eq(fake->result, -EINVAL);
	cr_expect_str_eq(fake->text, "the workers of a pair share no memory");
}
