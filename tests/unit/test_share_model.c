/* SPDX-License-Identifier: GPL-2.0-only */
#include "checkers/share_model.h"

#include <criterion/criterion.h>

#define TOP SHARE_NO_GROUP

static void expect_promised(const struct share_party *parties, size_t count, const double *promised)
{
	for (size_t i = 0; i < count; i++)
		cr_expect_float_eq(parties[i].promised, promised[i], 1e-6, "party %zu: %f", i,
				   parties[i].promised);
}

Test(share_model, weights_of_nice_values_are_the_kernels)
{
	static const struct {
		int32_t nice;
		double weight;
	} rows[] = { { 0, 1024 },    { 1, 820 },   { 10, 110 },		 { 19, 15 },
		     { -20, 88761 }, { -1, 1277 }, { INT32_MIN, 88761 }, { INT32_MAX, 15 } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_float_eq(share_weight_of_nice(rows[i].nice), rows[i].weight, 1e-9);
	cr_expect_float_eq(share_weight_of_cgroup(100), 1024, 1e-9);
	cr_expect_float_eq(share_weight_of_cgroup(1), 10.24, 1e-9);
}

Test(share_model, cpus_are_dealt_out_by_weight)
{
	struct share_party parties[] = {
		{ .group = TOP, .weight = 3, .demand = 4, .end = 10 },
		{ .group = TOP, .weight = 1, .demand = 4, .end = 10 },
	};

	cr_assert_eq(share_model_run(parties, 2, NULL, 0, 2), 0);
	expect_promised(parties, 2, (double[]){ 15, 5 });
	cr_expect_float_eq(parties[0].contended, 10, 1e-9);
}

Test(share_model, what_one_cannot_use_the_others_share)
{
	struct share_party parties[] = {
		{ .group = TOP, .weight = 100, .demand = 1, .end = 10 },
		{ .group = TOP, .weight = 2, .demand = 2, .end = 10 },
		{ .group = TOP, .weight = 1, .demand = 0.1, .end = 10 },
	};

	cr_assert_eq(share_model_run(parties, 3, NULL, 0, 2), 0);
	expect_promised(parties, 3, (double[]){ 10, 9, 1 });
}

Test(share_model, without_competition_everybody_has_what_he_wants)
{
	struct share_party parties[] = {
		{ .group = TOP, .weight = 1, .demand = 1, .end = 10 },
		{ .group = TOP, .weight = 9, .demand = 1, .end = 10 },
	};

	cr_assert_eq(share_model_run(parties, 2, NULL, 0, 2), 0);
	expect_promised(parties, 2, (double[]){ 10, 10 });
	cr_expect_float_eq(parties[0].contended, 0, 1e-9);
}

Test(share_model, a_cgroup_weighs_as_one_however_many_are_in_it)
{
	struct share_group groups[] = {
		{ .parent = TOP, .weight = 100 },
		{ .parent = 0, .weight = 50 },
		{ .parent = 0, .weight = 200 },
	};
	struct share_party parties[] = {
		{ .group = 1, .weight = 8 * 1024, .demand = 8, .end = 10 },
		{ .group = 2, .weight = 1024, .demand = 2, .end = 10 },
		{ .group = 2, .weight = 3 * 1024, .demand = 2, .end = 10 },
		{ .group = TOP, .weight = 100, .demand = 1, .end = 10 },
	};

	cr_assert_eq(share_model_run(parties, 4, groups, 3, 2), 0);
	expect_promised(parties, 4, (double[]){ 2, 2, 6, 10 });
}

Test(share_model, a_cgroup_without_workers_does_not_count)
{
	struct share_group groups[] = {
		{ .parent = TOP, .weight = 100 },
		{ .parent = TOP, .weight = 100 },
		{ .parent = TOP, .weight = 800 },
	};
	struct share_party parties[] = {
		{ .group = 0, .weight = 1, .demand = 2, .end = 10 },
		{ .group = 1, .weight = 1, .demand = 2, .end = 10 },
	};

	cr_assert_eq(share_model_run(parties, 2, groups, 3, 2), 0);
	expect_promised(parties, 2, (double[]){ 10, 10 });
}

Test(share_model, those_who_come_and_go_count_while_they_are_there)
{
	struct share_party parties[] = {
		{ .group = TOP, .weight = 1, .demand = 2, .start = -5, .end = 5 },
		{ .group = TOP, .weight = 3, .demand = 2, .start = 0, .end = 10 },
		{ .group = TOP, .weight = 1, .demand = 2, .start = 20, .end = 21 },
	};

	cr_assert_eq(share_model_run(parties, 3, NULL, 0, 2), 0);
	expect_promised(parties, 3, (double[]){ 12.5, 17.5, 2 });
	cr_expect_float_eq(parties[0].contended, 5, 1e-9);
	cr_expect_float_eq(parties[2].contended, 0, 1e-9);
}

Test(share_model, nobody_at_all_is_fine)
{
	cr_expect_eq(share_model_run(NULL, 0, NULL, 0, 2), 0);
}
