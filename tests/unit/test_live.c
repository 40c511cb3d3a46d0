/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/live.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/clock.h"

static char *written;
static size_t written_length;
static FILE *out;

static void setup(void)
{
	out = open_memstream(&written, &written_length);
}

static void teardown(void)
{
	(void)fclose(out);
	free(written);
}

TestSuite(live, .init = setup, .fini = teardown);

/* Every look at the clock is half a second later. */
static uint64_t clock_of_halves(void)
{
	static uint64_t now;

	now += NS_PER_S / 2;
	return now;
}

static const char *so_far(void)
{
	(void)fflush(out);
	return written;
}

Test(live, rewrites_one_line_on_a_terminal)
{
	const struct live_style style = { .is_terminal = true, .now_ns = clock_of_halves };
	struct live *live = live_new(out, &style);

	live_phase(live, "kernel", "7.2.0");
	live_update(live, "7.2.0  1.0 s");
	live_update(live, "7.2.0  1.0 s");
	live_phase(live, "scenario", "hog");
	live_done(live, true);
	live_free(live);
	cr_assert_str_eq(so_far(), "\rkernel     7.2.0\033[K"
				   "\rkernel     7.2.0  1.0 s\033[K"
				   "\r\033[Kdone   kernel     7.2.0  1.0 s  0.5 s\n"
				   "\rscenario   hog\033[K"
				   "\r\033[Kdone   scenario   hog  0.5 s\n");
}

Test(live, writes_plain_lines_elsewhere)
{
	const struct live_style style = { 0 };
	struct live *live = live_new(out, &style);

	live_phase(live, "kernel", "7.2.0");
	live_update(live, "never shown");
	live_phase(live, "teardown", "");
	live_done(live, true);
	live_free(live);
	cr_assert_str_eq(so_far(), "ktstr: kernel: 7.2.0\nktstr: teardown\n");
}

Test(live, goes_on_with_the_same_phase)
{
	static const struct live_style styles[] = { { .is_terminal = true }, { 0 } };

	for (size_t i = 0; i < 2; i++) {
		struct live *live = live_new(out, &styles[i]);

		live_phase(live, "scenario", "one");
		live_phase(live, "scenario", "two");
		live_done(live, true);
		live_free(live);
	}
	cr_assert_str_eq(so_far(), "\rscenario   one\033[K"
				   "\rscenario   two\033[K"
				   "\r\033[Kdone   scenario   two\n"
				   "ktstr: scenario: one\nktstr: scenario: two\n");
}

Test(live, says_plainly_what_failed)
{
	const struct live_style style = { 0 };
	struct live *live = live_new(out, &style);

	live_phase(live, "kernel", "7.2.0");
	live_done(live, false);
	live_free(live);
	cr_assert_str_eq(so_far(), "ktstr: kernel: 7.2.0\nktstr: kernel failed\n");
}

Test(live, puts_warnings_above_the_live_line)
{
	const struct live_style style = { .is_terminal = true };
	struct live *live = live_new(out, &style);

	live_phase(live, "kernel", "");
	live_warning(live, "console: BUG: x");
	live_free(live);
	cr_assert_str_eq(so_far(), "\rkernel\033[K"
				   "\r\033[Kconsole: BUG: x\n"
				   "\rkernel\033[K"
				   "\r\033[K");
}

Test(live, is_quiet_but_for_warnings)
{
	static const struct live_style styles[] = {
		{ .is_quiet = true },
		{ .is_quiet = true, .is_terminal = true },
	};

	for (size_t i = 0; i < 2; i++) {
		struct live *live = live_new(out, &styles[i]);

		live_phase(live, "kernel", "7.2.0");
		live_update(live, "x");
		live_warning(live, "careful");
		live_done(live, false);
		live_free(live);
	}
	cr_assert_str_eq(so_far(), "careful\ncareful\n");
}

Test(live, never_fills_the_terminals_last_column)
{
	const struct live_style style = { .is_terminal = true, .width = 20 };
	struct live *live = live_new(out, &style);

	live_phase(live, "kernel", "\xc3\xa4\xc3\xa4\xc3\xa4 0123456789");
	cr_assert_str_eq(so_far(), "\rkernel     \xc3\xa4\xc3\xa4\xc3\xa4 0123\033[K");
	live_done(live, true);
	live_free(live);
	cr_assert(strstr(so_far(), "\033[Kdone   kernel     \xc3\xa4\n"), "%s", so_far());
}

Test(live, shows_no_bytes_that_drive_the_terminal)
{
	const struct live_style style = { .is_terminal = true };
	struct live *live = live_new(out, &style);

	live_phase(live, "step", "\033[2J\nx\ty");
	live_warning(live, "\007bell");
	live_free(live);
	cr_assert_str_eq(so_far(), "\rstep       ?[2J x y\033[K\r\033[K?bell\n"
				   "\rstep       ?[2J x y\033[K\r\033[K");
}

Test(live, colours_what_is_done)
{
	const struct live_style style = { .is_terminal = true, .has_colour = true };
	struct live *live = live_new(out, &style);

	live_phase(live, "a", "b");
	live_done(live, true);
	live_phase(live, "c", "d");
	live_done(live, false);
	live_free(live);
	cr_assert(strstr(so_far(), "\033[32mdone  \033[0m a          b\n"), "%s", so_far());
	cr_assert(strstr(so_far(), "\033[31mfailed\033[0m c          d\n"), "%s", so_far());
}

Test(live, without_memory_is_nothing_at_all)
{
	live_phase(NULL, "a", "b");
	live_update(NULL, "c");
	live_warning(NULL, "d");
	live_done(NULL, true);
	live_free(NULL);
	cr_assert_str_eq(so_far(), "");
}
