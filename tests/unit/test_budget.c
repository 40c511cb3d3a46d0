/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/budget.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define S NS_PER_S
#define GIB (UINT64_C(1) << 30)
#define NOW_NS (1000 * S)

static char folder[64];
static int folder_fd = -1;
static struct ktstr_error err;

static void setup(void)
{
	(void)snprintf(folder, sizeof(folder), "/tmp/ktstr-budget-XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(folder_fd, 0);
}

static void teardown(void)
{
	char command[100];

	(void)close(folder_fd);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	cr_assert_eq(system(command), 0);
}

TestSuite(budget, .init = setup, .fini = teardown, .timeout = 60);

Test(budget, counts_one_thread_under_tcg_and_all_cpus_under_kvm)
{
	cr_assert_eq(budget_need(false, 8, GIB, false).threads, 1);
	cr_assert_eq(budget_need(true, 8, GIB, false).threads, 8);
}

Test(budget, counts_all_memory_of_a_boot_and_a_share_of_a_saved_vm)
{
	cr_assert_eq(budget_need(false, 1, GIB, false).memory_bytes, GIB + BUDGET_QEMU_BYTES);
	cr_assert_eq(budget_need(false, 1, GIB, true).memory_bytes, GIB / 4 + BUDGET_QEMU_BYTES);
	cr_assert_eq(budget_need(false, 1, UINT64_MAX, false).memory_bytes, UINT64_MAX);
}

Test(budget, takes_the_number_of_vms_from_the_environment_or_the_cores)
{
	static const struct {
		const char *jobs;
		uint32_t cores, want;
	} cases[] = {
		{ NULL, 2, 2 }, { "", 16, 16 },	   { NULL, 0, 1 },	  { "1", 16, 1 },
		{ "0", 2, 0 },	{ "300", 2, 300 }, { "unlimited", 2, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint32_t jobs = 99;

		cr_assert_eq(budget_jobs(cases[i].jobs, cases[i].cores, &jobs, &err), 0);
		cr_assert_eq(jobs, cases[i].want, "case %zu: %u", i, jobs);
	}
	cr_assert_geq(budget_cores(), 1);
}

Test(budget, refuses_what_is_no_number_of_vms)
{
	static const char *const bad[] = {
		"-1", "two", "2 ", " 2", "+2", "4097", "99999999999999999999", "1.5"
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		uint32_t jobs;
		char want[100];

		cr_assert_eq(budget_jobs(bad[i], 2, &jobs, &err), -EINVAL, "%s", bad[i]);
		(void)snprintf(want, sizeof(want), "KTSTR_JOBS is '%s': give it the number",
			       bad[i]);
		cr_assert(strstr(err.text, want), "%s", err.text);
	}
}

static struct budget_other running(uint32_t threads, uint64_t memory_bytes, uint64_t used_bytes)
{
	return (struct budget_other){
		.entry = { .ticket = 1,
			   .threads = threads,
			   .memory_bytes = memory_bytes,
			   .pid = 123,
			   .since_ns = NOW_NS - 12 * S,
			   .is_running = true },
		.used_bytes = used_bytes,
	};
}

static struct budget_other waiting(uint64_t ticket, uint64_t seen_ns)
{
	return (struct budget_other){
		.entry = { .ticket = ticket,
			   .threads = 1,
			   .pid = 200 + (int32_t)ticket,
			   .seen_ns = seen_ns,
			   .since_ns = NOW_NS - 3 * S },
	};
}

/* Ticket 10 looks at others; machine with 16 GiB. */
struct look {
	const char *name;
	struct budget_need need;
	uint32_t jobs;
	uint64_t available;
	struct budget_other others[3];
	enum budget_answer answer;
	const char *text;
};

Test(budget, decides_by_threads_memory_and_order)
{
	const struct budget_other vm = running(1, GIB, 0), large = running(1, 8 * GIB, 2 * GIB);
	const struct budget_need small = { 1, GIB / 4 }, many = { 8, GIB / 4 },
				 much = { 1, 6 * GIB };
	const struct look looks[] = {
		{ "alone", small, 2, 8 * GIB, { { .entry = { 0 } } }, BUDGET_GO, NULL },
		{ "a free slot", small, 2, 8 * GIB, { vm }, BUDGET_GO, NULL },
		{ "no slot",
		  small,
		  2,
		  8 * GIB,
		  { vm, vm },
		  BUDGET_WAIT,
		  "for 1 of 2 VMs to end (pid 123, since 12 s)" },
		{ "no slot of one",
		  small,
		  1,
		  8 * GIB,
		  { vm },
		  BUDGET_WAIT,
		  "for 1 of 1 VM to end (pid 123, since 12 s)" },
		{ "no limit", small, 0, 8 * GIB, { vm, vm, waiting(3, NOW_NS) }, BUDGET_GO, NULL },
		{ "all threads, alone", many, 4, 8 * GIB, { { .entry = { 0 } } }, BUDGET_GO, NULL },
		{ "all threads, not alone",
		  many,
		  4,
		  8 * GIB,
		  { vm, vm },
		  BUDGET_WAIT,
		  "for 2 of 2 VMs to end (pid 123, since 12 s)" },
		{ "behind others",
		  small,
		  2,
		  8 * GIB,
		  { vm, waiting(3, NOW_NS), waiting(4, NOW_NS) },
		  BUDGET_WAIT,
		  "for 2 runs before it (pid 203, since 3 s)" },
		{ "behind one, and no slot",
		  small,
		  1,
		  8 * GIB,
		  { vm, waiting(3, NOW_NS) },
		  BUDGET_WAIT,
		  "for 1 run before it and for 1 of 1 VM to end (pid 123, since 12 s)" },
		{ "before others",
		  small,
		  2,
		  8 * GIB,
		  { vm, waiting(11, NOW_NS) },
		  BUDGET_GO,
		  NULL },
		{ "behind one that is stopped",
		  small,
		  2,
		  8 * GIB,
		  { vm, waiting(3, NOW_NS - BUDGET_ABSENT_NS) },
		  BUDGET_GO,
		  NULL },
		{ "room for what others will use", much, 4, 14 * GIB, { large }, BUDGET_GO, NULL },
		{ "no room for it",
		  much,
		  4,
		  12 * GIB,
		  { large },
		  BUDGET_WAIT,
		  "for 1 of 1 VM to end and leave memory (pid 123, since 12 s)" },
		{ "the reserve",
		  much,
		  4,
		  7 * GIB,
		  { vm },
		  BUDGET_WAIT,
		  "for 1 of 1 VM to end and leave memory (pid 123, since 12 s)" },
		{ "little memory, but alone",
		  much,
		  4,
		  GIB,
		  { { .entry = { 0 } } },
		  BUDGET_GO,
		  NULL },
		{ "more than there is", { 1, 17 * GIB }, 4, 12 * GIB, { vm }, BUDGET_NEVER, NULL },
		{ "more than there is, no limit",
		  { 1, 17 * GIB },
		  0,
		  12 * GIB,
		  { vm },
		  BUDGET_GO,
		  NULL },
		{ "absurd figures",
		  small,
		  4,
		  8 * GIB,
		  { running(UINT32_MAX, UINT64_MAX, 0), running(UINT32_MAX, UINT64_MAX, 0) },
		  BUDGET_WAIT,
		  "for 2 of 2 VMs to end (pid 123, since 12 s)" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(looks); i++) {
		const struct look *look = &looks[i];
		const struct budget_memory memory = { .total = 16 * GIB,
						      .available = look->available };
		struct budget_wait wait;
		enum budget_answer answer;
		size_t count = 0;
		char text[200];

		while (count < 3 && look->others[count].entry.ticket != 0)
			count++;
		answer = budget_decide(&look->need, 10, look->jobs, &memory, look->others, count,
				       NOW_NS, &wait);
		cr_assert_eq(answer, look->answer, "%s: %d", look->name, answer);
		budget_wait_text(&wait, NOW_NS, text, sizeof(text));
		if (look->text)
			cr_assert_str_eq(text, look->text, "%s: %s", look->name, text);
	}
}

Test(budget, has_no_limit_of_memory_where_that_is_not_known)
{
	const struct budget_other vm = running(1, 8 * GIB, 0);
	const struct budget_need need = { 1, 100 * GIB };
	const struct budget_memory unknown = { 0 };
	struct budget_wait wait;

	cr_assert_eq(budget_decide(&need, 10, 2, &unknown, &vm, 1, NOW_NS, &wait), BUDGET_GO);
}

/* The memory that machines of these tests have. */
static struct budget_memory plenty(void *arg)
{
	(void)arg;
	return (struct budget_memory){ .total = 64 * GIB, .available = 64 * GIB };
}

static struct budget_spec spec_of(uint32_t jobs)
{
	return (struct budget_spec){ .folder_fd = folder_fd,
				     .jobs = jobs,
				     .need = { .threads = 1, .memory_bytes = GIB },
				     .signal_fd = -1,
				     .memory = plenty };
}

static struct budget *take_now(uint32_t jobs)
{
	const struct budget_spec spec = spec_of(jobs);
	struct budget *budget = NULL;
	bool has_waited = true;

	cr_assert_eq(budget_take(&spec, &budget, &has_waited, &err), 0, "%s", err.text);
	cr_assert_not(has_waited);
	return budget;
}

/* A process with a budget of its own: writes '.' when it waits first, its name when it has it, and
 * gives it back when it reads something, or is killed. */
struct runner {
	pid_t pid;
	int news;  /* from it */
	int order; /* to it */
};

static void say(void *arg, const char *text, bool is_new)
{
	(void)text;
	if (is_new && write(*(int *)arg, ".", 1) != 1)
		_exit(9);
}

static void play_runner(uint32_t jobs, char name, int news, int order)
{
	struct budget_spec spec = spec_of(jobs);
	struct budget *budget;
	bool has_waited;
	char byte;

	spec.tell = say;
	spec.arg = &news;
	if (budget_take(&spec, &budget, &has_waited, &err) < 0 || write(news, &name, 1) != 1 ||
	    read(order, &byte, 1) != 1)
		_exit(9);
	budget_release(budget);
	_exit(0);
}

static struct runner start(uint32_t jobs, char name)
{
	struct runner runner;
	int news[2], order[2];

	cr_assert_eq(pipe2(news, O_CLOEXEC), 0);
	cr_assert_eq(pipe2(order, O_CLOEXEC), 0);
	runner.pid = fork();
	cr_assert_geq(runner.pid, 0);
	if (runner.pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		play_runner(jobs, name, news[1], order[0]);
	}
	(void)close(news[1]);
	(void)close(order[0]);
	runner.news = news[0];
	runner.order = order[1];
	return runner;
}

static char next_news(const struct runner *runner)
{
	char byte = 0;

	cr_assert_eq(read(runner->news, &byte, 1), 1, "the runner is gone");
	return byte;
}

/* What it says last, over what it says of its waiting. */
static char wait_for_start(const struct runner *runner)
{
	char news;

	while ((news = next_news(runner)) == '.')
		;
	return news;
}

static bool is_silent(const struct runner *runner)
{
	struct pollfd poll_fd = { .fd = runner->news, .events = POLLIN };

	return poll(&poll_fd, 1, 0) == 0;
}

static void end(struct runner *runner, bool is_killed)
{
	int status;

	if (is_killed)
		cr_assert_eq(kill(runner->pid, SIGKILL), 0);
	else
		cr_assert_eq(write(runner->order, "x", 1), 1);
	cr_assert_eq(waitpid(runner->pid, &status, 0), runner->pid);
	cr_assert(is_killed || status == 0, "status %x", (unsigned int)status);
	(void)close(runner->news);
	(void)close(runner->order);
}

Test(budget, lets_as_many_run_as_there_are_slots)
{
	struct runner first = start(2, 'a'), second = start(2, 'b'), third;

	cr_assert_eq(wait_for_start(&first), 'a');
	cr_assert_eq(wait_for_start(&second), 'b');
	third = start(2, 'c');
	cr_assert_eq(next_news(&third), '.');
	cr_assert(is_silent(&third));
	end(&first, false);
	cr_assert_eq(wait_for_start(&third), 'c');
	end(&second, false);
	end(&third, false);
}

Test(budget, serves_those_who_wait_in_the_order_in_which_they_came)
{
	struct runner runners[5];
	struct budget *holder = take_now(1);

	for (int i = 0; i < 5; i++) {
		runners[i] = start(1, (char)('a' + i));
		cr_assert_eq(next_news(&runners[i]), '.', "it stands in line");
	}
	budget_release(holder);
	for (int i = 0; i < 5; i++) {
		cr_assert_eq(wait_for_start(&runners[i]), 'a' + i);
		for (int j = i + 1; j < 5; j++)
			while (!is_silent(&runners[j]))
				cr_assert_eq(next_news(&runners[j]), '.', "%d before %d", j, i);
		end(&runners[i], i % 2 == 1);
	}
}

Test(budget, has_no_slot_left_by_a_process_that_was_killed)
{
	struct runner first = start(1, 'a'), waiter, next;

	cr_assert_eq(wait_for_start(&first), 'a');
	waiter = start(1, 'b');
	cr_assert_eq(next_news(&waiter), '.');
	next = start(1, 'c');
	cr_assert_eq(next_news(&next), '.');
	end(&waiter, true);
	end(&first, true);
	cr_assert_eq(wait_for_start(&next), 'c');
	end(&next, true);
	budget_release(take_now(1));
}

Test(budget, is_not_held_up_by_a_run_without_limit)
{
	struct budget *one = take_now(1), *two = take_now(0), *three = take_now(0);
	struct runner runner = start(3, 'a');

	cr_assert_eq(next_news(&runner), '.', "but it is seen");
	budget_release(two);
	cr_assert_eq(wait_for_start(&runner), 'a');
	end(&runner, false);
	budget_release(one);
	budget_release(three);
	budget_release(NULL);
}

Test(budget, stops_waiting_for_a_signal)
{
	struct budget *holder = take_now(1), *budget = NULL;
	struct budget_spec spec = spec_of(1);
	bool has_waited;
	int ends[2];

	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	cr_assert_eq(write(ends[1], "x", 1), 1);
	spec.signal_fd = ends[0];
	cr_assert_eq(budget_take(&spec, &budget, &has_waited, &err), -EINTR);
	cr_assert_str_eq(err.text, "interrupted before its VM could start");
	budget_release(holder);
	budget_release(take_now(1));
	(void)close(ends[0]);
	(void)close(ends[1]);
}

Test(budget, says_at_once_what_can_never_be)
{
	struct budget *holder = take_now(1), *budget = NULL;
	struct budget_spec spec = spec_of(1);
	bool has_waited;

	spec.need.memory_bytes = 65 * GIB;
	cr_assert_eq(budget_take(&spec, &budget, &has_waited, &err), -E2BIG);
	cr_assert_str_eq(err.text,
			 "the VM may use 65.0 GiB of memory, but this machine has only 64.0 GiB: "
			 "lower vm.memory, or have KTSTR_JOBS=unlimited start it all the same");
	budget_release(holder);
}

static struct budget_memory scarce(void *arg)
{
	(void)arg;
	return (struct budget_memory){ .total = 64 * GIB, .available = 6 * GIB };
}

static void note_text(void *arg, const char *text, bool is_new)
{
	(void)is_new;
	(void)snprintf(arg, 200, "%s", text);
}

/* What a VM uses already is no longer available, and need not be there once more. */
Test(budget, counts_what_a_vm_uses_once)
{
	struct budget_spec spec = spec_of(4);
	struct budget *first, *second = NULL;
	bool has_waited;
	void *memory = mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	cr_assert_neq(memory, MAP_FAILED);
	spec.memory = scarce;
	spec.need.memory_bytes = 48 << 20;
	cr_assert_eq(budget_take(&spec, &first, &has_waited, &err), 0, "%s", err.text);
	budget_set_vm(first, getpid());
	/* 6 GiB, less a reserve of 4: without the use, 48 MiB would be missing. */
	spec.need.memory_bytes = 2 * GIB - (16 << 20);
	cr_assert_eq(budget_take(&spec, &second, &has_waited, &err), 0, "%s", err.text);
	cr_assert_not(has_waited);
	budget_release(second);
	budget_release(first);
	(void)munmap(memory, 64 << 20);
}

/* A VM that was booted to be saved is gone, and one that is restored takes its place. */
Test(budget, is_lowered_for_those_who_come_later)
{
	struct budget_spec spec = spec_of(4);
	struct budget *first, *second = NULL;
	bool has_waited;

	spec.memory = scarce;
	spec.need.memory_bytes = 2 * GIB;
	cr_assert_eq(budget_take(&spec, &first, &has_waited, &err), 0, "%s", err.text);
	cr_expect_not(budget_lower(first, 2 * GIB + 1), "more is nothing to go down to");
	cr_expect_not(budget_lower(NULL, 0));
	cr_expect(budget_lower(first, 2 * GIB));
	cr_expect(budget_lower(first, GIB));
	spec.need.memory_bytes = GIB;
	cr_assert_eq(budget_take(&spec, &second, &has_waited, &err), 0, "%s", err.text);
	cr_expect_not(has_waited);
	budget_release(second);
	budget_release(first);
}

Test(budget, says_what_it_waits_for)
{
	struct budget *holder = take_now(1), *budget = NULL;
	struct budget_spec spec = spec_of(1);
	char text[200] = "", want[200];
	bool has_waited;
	int ends[2];

	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	cr_assert_eq(write(ends[1], "x", 1), 1);
	spec.signal_fd = ends[0];
	spec.tell = note_text;
	spec.arg = text;
	cr_assert_eq(budget_take(&spec, &budget, &has_waited, &err), -EINTR);
	(void)snprintf(want, sizeof(want), "for 1 of 1 VM to end (pid %d, since ", getpid());
	cr_assert(strstr(text, want), "%s", text);
	budget_release(holder);
	(void)close(ends[0]);
	(void)close(ends[1]);
}
