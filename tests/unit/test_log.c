/* SPDX-License-Identifier: GPL-2.0-only */
#include "base/log.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"

static void collect(void *arg, int level, const char *text)
{
	cr_assert_eq(str_addf(arg, "%d:%s;", level, text), 0);
}

Test(log, reaches_the_sink_up_to_its_level)
{
	struct str seen = { 0 };

	log_set(collect, &seen, LOG_LEVEL_WARNING);
	log_error("a %d", 1);
	log_warning("b");
	log_note("c");
	log_debug("d");
	cr_expect_str_eq(str_text(&seen), "0:a 1;1:b;");
	log_set(NULL, NULL, LOG_LEVEL_NOTE);
	str_done(&seen);
}

Test(log, long_messages_are_cut)
{
	struct str seen = { 0 };
	char text[5000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_set(collect, &seen, LOG_LEVEL_DEBUG);
	log_debug("%s", text);
	cr_expect_lt(seen.length, 2100);
	log_set(NULL, NULL, LOG_LEVEL_NOTE);
	str_done(&seen);
}

Test(log, goes_to_stderr_with_its_level, .init = cr_redirect_stderr)
{
	log_set(NULL, NULL, LOG_LEVEL_DEBUG);
	log_error("a");
	log_warning("b");
	log_note("c");
	log_debug("d");
	cr_assert_stderr_eq_str("ktstr: error: a\nktstr: warning: b\nktstr: note: c\n"
				"ktstr: debug: d\n");
}

Test(clock, goes_forward)
{
	uint64_t before = clock_monotonic_ns(), after = clock_monotonic_ns();

	cr_expect_leq(before, after);
	cr_expect_gt(before, 0);
}

Test(clock, agrees_with_the_system)
{
	uint64_t wall = clock_now_ns(CLOCK_REALTIME) / NS_PER_S;

	cr_expect_leq(wall, (uint64_t)time(NULL) + 1);
	cr_expect_geq(wall + 2, (uint64_t)time(NULL));
}
