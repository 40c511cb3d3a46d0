/* SPDX-License-Identifier: GPL-2.0-only */
/* Workers that write into what is kept of them. */
#include "guest/worker.h"

#include <string.h>

#include <criterion/criterion.h>

#include "ktstr/param.h"

static struct workers *workers;
static struct ktstr_worker_report taken;
static uint32_t taken_count;
static struct ktstr_error err;

static void setup(void)
{
	const struct workers_spec spec = { .stop_timeout_ns = 30 * NS_PER_S };

	cr_assert_eq(workers_new(&spec, &workers, &err), 0, "%s", err.text);
}

static void teardown(void)
{
	workers_free(workers);
}

TestSuite(worker_lies, .init = setup, .fini = teardown, .timeout = 60);

/* The report lies behind what the worker sees of itself. */
static int run_scribble(struct ktstr_worker *w, struct ktstr_error *error)
{
	(void)error;
	memset((char *)w + sizeof(*w), 0xff, sizeof(taken));
	return 0;
}

static int take(void *arg, const struct ktstr_worker_report *report, const uint32_t *samples)
{
	(void)arg;
	(void)samples;
	taken = *report;
	taken_count++;
	return 0;
}

static const struct ktstr_workload_ops scribbling = { .size = sizeof(scribbling),
						      .run = run_scribble };

Test(worker_lies, cannot_be_about_who_it_is)
{
	static const struct ktstr_value workload = { .type = KTSTR_PARAM_PLUGIN, .s = "scribble" };
	const struct ktstr_spawn_spec spec = { .size = sizeof(spec),
					       .workload = &workload,
					       .workers = 1 };
	const struct worker_filter all = { 0 };
	uint32_t group;

	cr_assert_eq(workers_spawn(workers, &scribbling, "scribble", &spec, &group, &err), 0, "%s",
		     err.text);
	cr_assert_eq(workers_collect(workers, &all, take, NULL, &err), 0, "%s", err.text);
	cr_assert_eq(taken_count, 1);
	cr_expect_eq(taken.size, sizeof(taken));
	cr_expect_eq(taken.cgroup_id, 0);
	cr_expect_eq(taken.group, group);
	cr_expect_eq(taken.index, 0);
	cr_expect_gt(taken.tid, 0);
	cr_expect_lt(taken.tid, UINT32_MAX);
	cr_expect_leq(taken.wake_sample_count, WORKER_SAMPLES_MAX);
	cr_expect_str_eq(taken.workload, "scribble");
}
