/* SPDX-License-Identifier: GPL-2.0-only */
#include "base/progress.h"

#include <criterion/criterion.h>

#include "base/clock.h"

#define S NS_PER_S

Test(progress, counts_from_when_the_last_work_was_done)
{
	struct progress progress = { 0 };

	cr_expect_eq(progress_look(&progress, 5, 100 * S), 0);
	cr_expect_eq(progress_look(&progress, 5, 100 * S + S / 2), S / 2);
	cr_expect_eq(progress_look(&progress, 5, 101 * S), S);
	cr_expect_eq(progress_look(&progress, 6, 102 * S), 0);
	cr_expect_eq(progress_look(&progress, 6, 103 * S), S);
}

Test(progress, counts_no_time_in_which_nobody_looked)
{
	struct progress progress = { 0 };

	(void)progress_look(&progress, 5, 100 * S);
	cr_expect_eq(progress_look(&progress, 5, 100000 * S), PROGRESS_STEP_NS);
	cr_expect_eq(progress_look(&progress, 5, 90000 * S), PROGRESS_STEP_NS, "a clock goes on");
}

Test(progress, counts_anew_after_an_excuse)
{
	struct progress progress = { 0 };

	(void)progress_look(&progress, 5, 100 * S);
	(void)progress_look(&progress, 5, 101 * S);
	progress_excuse(&progress);
	cr_expect_eq(progress_look(&progress, 5, 102 * S), S);
}
