/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/observe.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "support/scratch.h"

static struct scratch scratch;
static const char *path;
static struct observe observe;
static const struct coord_observer *observer;

/* What goes to stderr is kept in a file from here on. */
static void start(bool is_verbose)
{
	const struct run_options options = { .is_verbose = is_verbose };
	int fd;

	scratch_init(&scratch);
	path = scratch_path(&scratch, "stderr");
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	cr_assert_geq(fd, 0);
	cr_assert_geq(dup2(fd, STDERR_FILENO), 0);
	(void)close(fd);
	observe_init(&observe, &options);
	observe.scheduler = "eevdf";
	observe.scenario = "steps";
	observer = &observe.observer;
}

/* How many lines were written, and how many of them hold @text. */
static size_t count_lines(const char *text, size_t *ret_all)
{
	char line[4096];
	size_t count = 0;
	FILE *file;

	observe_done(&observe, true);
	(void)fflush(stderr);
	file = fopen(path, "r");
	cr_assert_not_null(file);
	*ret_all = 0;
	while (fgets(line, sizeof(line), file)) {
		(*ret_all)++;
		count += strstr(line, text) != NULL;
	}
	(void)fclose(file);
	scratch_done(&scratch);
	return count;
}

Test(observe, shows_so_many_alarming_lines)
{
	size_t all;

	start(false);
	for (unsigned int i = 0; i < 3 * OBSERVE_ALARMS_MAX; i++)
		observer->console_line(observer->arg, "BUG: again");
	cr_assert_eq(count_lines("console: BUG: again", &all), OBSERVE_ALARMS_MAX);
	cr_assert_eq(all, OBSERVE_ALARMS_MAX + 1, "and says once that there were more");
}

Test(observe, shows_so_many_steps)
{
	const struct ktstr_step_info step = { .index = 1 };
	size_t all;

	start(false);
	for (unsigned int i = 0; i < 3 * OBSERVE_PHASES_MAX; i++)
		observer->step(observer->arg, &step, "one");
	cr_assert_eq(count_lines("steps: step 1 one", &all), OBSERVE_PHASES_MAX);
	cr_assert_eq(all, OBSERVE_PHASES_MAX + 1);
}

Test(observe, shows_so_many_phases)
{
	size_t all;

	start(false);
	for (unsigned int i = 0; i < 3 * OBSERVE_PHASES_MAX; i++)
		observer->phase(observer->arg, KTSTR_PHASE_PAYLOAD_STARTING, "");
	cr_assert_eq(count_lines("ktstr: scheduler: eevdf", &all), OBSERVE_PHASES_MAX);
	cr_assert_eq(all, OBSERVE_PHASES_MAX + 1);
}

Test(observe, shows_so_many_failures_of_a_scheduler)
{
	size_t all;

	start(false);
	for (unsigned int i = 0; i < 3 * OBSERVE_FAILURES_MAX; i++)
		observer->phase(observer->arg, KTSTR_PHASE_SCHEDULER_DIED, "no map");
	cr_assert_eq(count_lines("scheduler 'eevdf': no map", &all), OBSERVE_FAILURES_MAX);
	cr_assert_eq(all, OBSERVE_FAILURES_MAX + 1);
}

Test(observe, shows_so_many_lines_of_output)
{
	static char newlines[65536];
	size_t all;

	memset(newlines, '\n', sizeof(newlines));
	start(true);
	for (int i = 0; i < 2; i++)
		observer->output(observer->arg, KTSTR_MSG_STDOUT, newlines, sizeof(newlines));
	cr_assert_eq(count_lines("debug: guest: ", &all), OBSERVE_DETAILS_MAX);
	cr_assert_eq(all, OBSERVE_DETAILS_MAX + 1);
}

Test(observe, shows_output_only_to_those_who_ask)
{
	size_t all;

	start(false);
	observer->output(observer->arg, KTSTR_MSG_STDOUT, "text\n", 5);
	observer->console_line(observer->arg, "usb 1-1: new device");
	(void)count_lines("", &all);
	cr_assert_eq(all, 0);
}

static const struct {
	enum coord_end end;
	size_t failed;
} ends[] = {
	{ COORD_END_STREAM, 0 },
	{ COORD_END_SCHED_EXIT, 0 }, /* it may be what is expected */
	{ COORD_END_WATCHDOG, 1 },
	{ COORD_END_PANIC, 1 },
};

Test(observe, a_phase_fails_when_the_run_breaks_in_it)
{
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		size_t all;

		start(false);
		observer->scenario(observer->arg, false);
		observer->decided(observer->arg, ends[i].end);
		cr_expect_eq(count_lines("teardown failed", &all), ends[i].failed, "row %zu", i);
	}
}
