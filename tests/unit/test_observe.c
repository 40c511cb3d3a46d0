/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/observe.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/clock.h"
#include "base/log.h"
#include "ktstr/frame.h"

static char *written;
static size_t written_length;
static FILE *real_stderr, *capture;
static struct run_options options;
static struct observe observe;

static void setup(void)
{
	options = (struct run_options){ 0 };
	real_stderr = stderr;
	capture = open_memstream(&written, &written_length);
	cr_assert_not_null(capture);
}

static void teardown(void)
{
	(void)fclose(capture);
	free(written);
}

TestSuite(observe, .init = setup, .fini = teardown);

/* All that the observer writes goes to stderr, which is the stream of the test meanwhile. */
static void begin(void)
{
	stderr = capture;
	observe_init(&observe, &options);
	stderr = real_stderr;
	observe.scheduler = "eevdf";
	observe.scenario = "cpu_hog";
}

static const char *ended(bool is_good)
{
	observe_done(&observe, is_good);
	(void)fflush(capture);
	return written;
}

static const struct ktstr_step_info step = { .index = 2, .count = 3, .hold_ns = 2 * NS_PER_S };

Test(observe, makes_phases_of_the_coordinators_news)
{
	const struct coord_observer *o;

	begin();
	o = &observe.observer;
	observe_phase(&observe, "kernel", "7.2.0");
	o->ready(o->arg);
	o->phase(o->arg, KTSTR_PHASE_PAYLOAD_STARTING, "");
	o->scenario(o->arg, true);
	o->step(o->arg, &step, "storm");
	o->scenario(o->arg, false);
	cr_assert_str_eq(ended(true), "ktstr: kernel: 7.2.0\n"
				      "ktstr: agent: ready\n"
				      "ktstr: scheduler: eevdf\n"
				      "ktstr: scenario: cpu_hog\n"
				      "ktstr: scenario: cpu_hog: step 2/3 storm\n"
				      "ktstr: teardown\n");
}

Test(observe, counts_steps_only_where_their_number_is_known)
{
	const struct ktstr_step_info open_end = { .index = 7 };

	begin();
	observe.observer.step(observe.observer.arg, &open_end, "x");
	cr_assert_str_eq(ended(true), "ktstr: scenario: cpu_hog: step 7 x\n");
}

Test(observe, says_which_phase_failed)
{
	begin();
	observe_phase(&observe, "kernel", "7.2.0");
	cr_assert_str_eq(ended(false), "ktstr: kernel: 7.2.0\nktstr: kernel failed\n");
}

Test(observe, says_in_which_phase_the_run_broke)
{
	const struct coord_observer *o;

	begin();
	o = &observe.observer;
	o->scenario(o->arg, true);
	o->decided(o->arg, COORD_END_WATCHDOG);
	o->scenario(o->arg, false);
	cr_assert_str_eq(ended(true), "ktstr: scenario: cpu_hog\n"
				      "ktstr: scenario failed\n"
				      "ktstr: teardown\n");
}

Test(observe, does_not_take_the_end_of_the_stream_for_a_failure)
{
	const struct coord_observer *o;

	begin();
	o = &observe.observer;
	o->scenario(o->arg, false);
	o->decided(o->arg, COORD_END_STREAM);
	cr_assert_str_eq(ended(true), "ktstr: teardown\n");
}

Test(observe, warns_of_a_scheduler_that_does_not_come_up)
{
	const struct coord_observer *o;

	begin();
	o = &observe.observer;
	o->phase(o->arg, KTSTR_PHASE_SCHEDULER_DIED, "exit 1");
	o->phase(o->arg, KTSTR_PHASE_SCHEDULER_NOT_ATTACHED, "not enabled");
	o->warning(o->arg, "odd");
	cr_assert_str_eq(ended(true), "ktstr: warning: scheduler 'eevdf': exit 1\n"
				      "ktstr: warning: scheduler 'eevdf': not enabled\n"
				      "ktstr: warning: odd\n");
}

Test(observe, warns_of_what_alarms_on_the_console_and_of_nothing_else)
{
	static const char *const lines[] = {
		"Kernel panic - not syncing",
		"BUG: unable to",
		"WARNING: CPU: 0",
		"Oops: 0000",
		"INFO: task x blocked",
		"a soft lockup",
		"rcu: INFO: x",
		"Out of memory: x",
		"sched_ext: BPF scheduler \"x\" disabled (runnable task stall)",
		"sched_ext: x: watchdog failed to check in for 2.004s",
	};
	static const char *const calm[] = {
		"Linux version 7.2",
		"bug",
		"reboot: Power down",
		"[ 3.1] sched_ext: BPF scheduler \"x\" enabled",
		"sched_ext: BPF scheduler \"x\" disabled (unregistered from user space)",
	};
	const struct coord_observer *o;
	const char *text;
	size_t count = 0;

	begin();
	o = &observe.observer;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		o->console_line(o->arg, lines[i]);
	for (size_t i = 0; i < sizeof(calm) / sizeof(calm[0]); i++)
		o->console_line(o->arg, calm[i]);
	text = ended(true);
	for (const char *at = text; (at = strstr(at, "ktstr: warning: console: ")); at++)
		count++;
	cr_expect_eq(count, sizeof(lines) / sizeof(lines[0]), "%s", text);
	for (size_t i = 0; i < sizeof(calm) / sizeof(calm[0]); i++)
		cr_expect_null(strstr(text, calm[i]), "%s", calm[i]);
}

Test(observe, shows_console_and_output_when_verbose)
{
	static const char output[] = "one\ntwo \033[2J\nthree";
	const struct coord_observer *o;

	options.is_verbose = true;
	begin();
	o = &observe.observer;
	o->console_line(o->arg, "Linux version 7.2");
	o->output(o->arg, KTSTR_MSG_STDOUT, output, sizeof(output) - 1);
	o->output(o->arg, KTSTR_MSG_SCHED_LOG, "\nx\n", 3);
	cr_assert_str_eq(ended(true), "ktstr: debug: console: Linux version 7.2\n"
				      "ktstr: debug: guest: one\n"
				      "ktstr: debug: guest: two ?[2J\n"
				      "ktstr: debug: scheduler: \n"
				      "ktstr: debug: scheduler: x\n"
				      "ktstr: debug: guest: three\n");
}

Test(observe, shows_a_line_that_comes_in_pieces_as_one)
{
	const struct coord_observer *o;
	char expected[2048];

	options.is_verbose = true;
	begin();
	o = &observe.observer;
	o->output(o->arg, KTSTR_MSG_STDOUT, "one", 3);
	o->output(o->arg, KTSTR_MSG_STDERR, "three ", 6);
	o->output(o->arg, KTSTR_MSG_STDOUT, " two\n", 5);
	o->output(o->arg, KTSTR_MSG_STDERR, "four\n", 5);
	for (int i = 0; i < 1001; i++)
		o->output(o->arg, KTSTR_MSG_SCHED_LOG, "x", 1);
	memset(expected, 'x', sizeof(expected));
	(void)snprintf(expected, sizeof(expected),
		       "ktstr: debug: guest: one two\nktstr: debug: guest: three four\n"
		       "ktstr: debug: scheduler: %01000d\nktstr: debug: scheduler: x\n",
		       0);
	for (char *at = expected; *at; at++)
		*at = *at == '0' ? 'x' : *at;
	cr_assert_str_eq(ended(true), expected);
}

Test(observe, shows_no_output_otherwise)
{
	begin();
	observe.observer.output(observe.observer.arg, KTSTR_MSG_STDOUT, "one\n", 4);
	cr_assert_str_eq(ended(true), "");
}

Test(observe, says_only_warnings_when_quiet)
{
	options.is_quiet = true;
	begin();
	observe_phase(&observe, "kernel", "7.2.0");
	log_note("by the way");
	log_warning("beware");
	cr_assert_str_eq(ended(true), "ktstr: warning: beware\n");
}

Test(observe, shows_time_plan_and_frames_in_the_live_line)
{
	const struct coord_observer *o;
	const char *text;

	options.is_terminal = true;
	options.width = 100;
	begin();
	o = &observe.observer;
	observe_phase(&observe, "kernel", "7.2.0");
	o->tick(o->arg, NULL, 0);
	o->step(o->arg, &step, "storm");
	o->tick(o->arg, NULL, 42);
	o->console_line(o->arg, "BUG: one");
	o->tick(o->arg, NULL, 43);
	o->console_line(o->arg, "BUG: two");
	o->tick(o->arg, NULL, 44);
	text = ended(true);
	cr_expect(strstr(text, ", 43 frames, 1 warning\033[K"), "%s", text);
	cr_expect(strstr(text, ", 44 frames, 2 warnings\033[K"), "%s", text);
	cr_expect(strstr(text, "\rkernel     7.2.0  0."), "%s", text);
	cr_expect_null(strstr(text, "0 frames"), "%s", text);
	cr_expect(strstr(text, "\rscenario   cpu_hog: step 2/3 storm  0."), "%s", text);
	cr_expect(strstr(text, " of 2.0 s, 42 frames\033[K"), "%s", text);
}

/* A minute of the guest's passes in no time. */
Test(observe, shows_a_step_by_the_guests_clock)
{
	struct dispatch_sinks sinks = { .clock = { .now_ns = 100 * NS_PER_S } };
	const struct coord_observer *o;
	const char *text;

	options.is_terminal = true;
	options.width = 100;
	begin();
	observe.is_virtual = true;
	o = &observe.observer;
	o->step(o->arg, &step, "storm");
	o->tick(o->arg, &sinks, 7);
	sinks.step_guest_ns = 98500 * NS_PER_MS;
	o->tick(o->arg, &sinks, 8);
	text = ended(true);
	cr_expect(strstr(text, "storm  0.0 s, 7 frames\033[K"), "%s", text);
	cr_expect(strstr(text, "storm  1.5 of 2.0 s of the guest's time, 8 frames\033[K"), "%s",
		  text);
}
