/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/wake.h"

#include <stdint.h>

#include <criterion/criterion.h>

Test(wake, knows_nothing_of_no_samples)
{
	static const struct wake wake;

	cr_assert_eq(wake_percentile(&wake, 0.5), 0);
	cr_assert_eq(wake_percentile(&wake, 1), 0);
}

Test(wake, is_within_3_percent_at_every_size)
{
	for (uint64_t ns = 1; ns <= UINT32_MAX; ns = ns * 9 / 8 + 1) {
		struct wake wake = { 0 };
		double off;

		wake_add(&wake, (uint32_t)ns, 1);
		wake_add(&wake, UINT32_MAX, 1);
		off = (double)wake_percentile(&wake, 0.5) / (double)ns;
		cr_assert(off > 0.968 && off < 1.032, "%lu: %f", (unsigned long)ns, off);
	}
}

Test(wake, says_no_more_than_the_largest)
{
	struct wake wake = { 0 };

	wake_add(&wake, 1024, 1);
	cr_assert_eq(wake_percentile(&wake, 0.99), 1024);
	wake_add(&wake, UINT32_MAX, 1);
	cr_assert_eq(wake.max_ns, UINT32_MAX);
}

Test(wake, weighs_samples_by_what_they_stand_for)
{
	struct wake wake = { 0 };

	wake_add(&wake, 5, 1);
	wake_add(&wake, 10, 98);
	wake_add(&wake, 15, 1);
	cr_expect_eq(wake_percentile(&wake, 0.005), 5);
	cr_expect_eq(wake_percentile(&wake, 0.5), 10);
	cr_expect_eq(wake_percentile(&wake, 0.98), 10);
	cr_expect_eq(wake_percentile(&wake, 0.999), 15);
}
