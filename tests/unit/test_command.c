/* SPDX-License-Identifier: GPL-2.0-only */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "vm/command.h"

static int run(const char *script, uint32_t timeout_ms, char **output, struct ktstr_error *err)
{
	const char *const argv[] = { "sh", "-c", script, NULL };
	const struct command command = {
		.argv = argv,
		.folder = "/",
		.timeout_ms = timeout_ms,
		.output_max = 1000,
	};

	return command_run(&command, output, err);
}

static void assert_fails(const char *script, int code, const char *wanted)
{
	struct ktstr_error err;
	char *output = NULL;

	cr_assert_eq(run(script, 20000, &output, &err), code, "%s", err.text);
	cr_assert_null(output);
	cr_assert(strstr(err.text, wanted), "'%s'", err.text);
}

Test(command, gives_back_what_was_printed)
{
	_cleanup_free_ char *output = NULL;
	struct ktstr_error err;

	cr_assert_eq(run("printf one; echo noise >&2; printf ' two'", 20000, &output, &err), 0);
	cr_assert_str_eq(output, "one two");
}

Test(command, gives_back_an_empty_text_for_silence)
{
	_cleanup_free_ char *output = NULL;
	struct ktstr_error err;

	cr_assert_eq(run("exit 0", 20000, &output, &err), 0);
	cr_assert_str_eq(output, "");
}

Test(command, runs_in_its_folder_and_in_the_c_locale)
{
	_cleanup_free_ char *output = NULL;
	struct ktstr_error err;

	cr_assert_eq(setenv("LC_ALL", "tlh_KX", 1), 0);
	cr_assert_eq(run("echo $PWD $LC_ALL; cat", 20000, &output, &err), 0);
	cr_assert_str_eq(output, "/ C\n");
}

Test(command, failure_ends_in_the_last_words)
{
	assert_fails("echo first >&2; echo second >&2; exit 3", -EIO,
		     "'sh' failed with status 3: first;second");
}

Test(command, only_the_end_of_many_words_is_kept)
{
	struct ktstr_error err;

	cr_assert_eq(
		run("i=0; while [ $i -lt 2000 ]; do echo line $i >&2; i=$((i+1)); done; exit 1",
		    20000, NULL, &err),
		-EIO);
	cr_assert(strstr(err.text, "line 1999"), "'%s'", err.text);
	cr_assert_null(strstr(err.text, "line 1000;"));
}

Test(command, words_that_drive_a_terminal_are_defused)
{
	struct ktstr_error err;

	cr_assert_eq(run("printf '\\033[2Jboo' >&2; exit 1", 20000, NULL, &err), -EIO);
	cr_assert_null(strchr(err.text, '\033'));
}

Test(command, death_by_signal_is_named)
{
	assert_fails("kill -TERM $$", -EIO, "'sh' died of signal 15");
}

Test(command, too_much_output_is_refused)
{
	assert_fails("while :; do echo xxxxxxxxxxxxxxxxxxxx; done", -EFBIG,
		     "'sh' printed more than 1000 bytes");
}

Test(command, is_stopped_at_its_deadline)
{
	uint64_t start = clock_monotonic_ns();
	struct ktstr_error err;

	cr_assert_eq(run("echo stuck >&2; exec tail -f /dev/null", 200, NULL, &err), -ETIMEDOUT);
	cr_assert(strstr(err.text, "was stopped after"), "'%s'", err.text);
	cr_assert(strstr(err.text, "stuck"), "'%s'", err.text);
	cr_assert_lt(clock_monotonic_ns() - start, 20 * NS_PER_S);
}

/* A child of the program that keeps its stdout must not keep us. */
Test(command, does_not_wait_for_grandchildren)
{
	_cleanup_free_ char *output = NULL;
	struct ktstr_error err;
	pid_t left;

	cr_assert_eq(run("tail -f /dev/null & echo $!", 20000, &output, &err), 0, "%s", err.text);
	left = (pid_t)strtol(output, NULL, 10);
	cr_assert_gt(left, 1);
	cr_assert_eq(kill(left, SIGKILL), 0);
}

Test(command, missing_program_is_named)
{
	const char *const argv[] = { "no-such-program-anywhere", NULL };
	const struct command command = { .argv = argv, .timeout_ms = 1000 };
	struct ktstr_error err;

	cr_assert_eq(command_run(&command, NULL, &err), -ENOENT);
	cr_assert_str_eq(err.text,
			 "cannot run 'no-such-program-anywhere': No such file or directory");
}
