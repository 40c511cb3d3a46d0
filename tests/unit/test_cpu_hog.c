/* SPDX-License-Identifier: GPL-2.0-only */
#include <criterion/criterion.h>

#include "unit/recorder.h"
#include "unit/shipped.h"

static const struct ktstr_topology flat = {
	.size = sizeof(flat), .numa_nodes = 1, .llcs = 1, .cores = 2, .threads = 1
};

Test(cpu_hog, holds_two_cgroups_of_four_by_default)
{
	expect_calls("cpu_hog", "{}",
		     "create hog0\n"
		     "create hog1\n"
		     "step 1/1 'hold' 5000ms\n"
		     "spawn 1 cpu_spin x4\n"
		     "spawn 2 cpu_spin x4\n"
		     "hold 5000ms\n"
		     "end\n"
		     "stop 0\n");
}

Test(cpu_hog, does_what_its_parameters_say)
{
	expect_calls("cpu_hog",
		     "{cgroups: 1, workers: 6, workload: {plugin: bursty, burst: 1ms}, "
		     "duration: 250ms, settle: 100ms}",
		     "create hog0\n"
		     "hold 100ms\n"
		     "step 1/1 'hold' 250ms\n"
		     "spawn 1 bursty x6\n"
		     "hold 250ms\n"
		     "end\n"
		     "stop 0\n");
}

Test(cpu_hog, spreads_cgroups_over_llcs)
{
	expect_calls("cpu_hog", "{cgroups: 3, workers: 1, cpuset: llc}",
		     "create hog0 cpus=3\n"
		     "create hog1 cpus=c\n"
		     "create hog2 cpus=3\n"
		     "step 1/1 'hold' 5000ms\n"
		     "spawn 1 cpu_spin x1\n"
		     "spawn 2 cpu_spin x1\n"
		     "spawn 3 cpu_spin x1\n"
		     "hold 5000ms\n"
		     "end\n"
		     "stop 0\n");
}

Test(cpu_hog, splits_the_usable_cpus)
{
	expect_calls("cpu_hog", "{workers: 1, cpuset: split}",
		     "create hog0 cpus=1\n"
		     "create hog1 cpus=6\n"
		     "step 1/1 'hold' 5000ms\n"
		     "spawn 1 cpu_spin x1\n"
		     "spawn 2 cpu_spin x1\n"
		     "hold 5000ms\n"
		     "end\n"
		     "stop 0\n");
}

Test(cpu_hog, lasts_as_long_as_it_settles_and_holds)
{
	const struct ktstr_plugin *plugin = shipped_load("scenarios", "cpu_hog");
	struct bound *bound = must_bind(plugin, "{duration: 2s, settle: 500ms}");
	struct ktstr_error err = { 0 };
	uint64_t duration_ns = 0;

	cr_assert_eq(ask(plugin, bound, &four, &duration_ns, &err), 0);
	cr_expect_eq(duration_ns, UINT64_C(2500000000));
	bound_free(bound);
}

Test(cpu_hog, refuses_a_spread_that_the_vm_cannot_have)
{
	static const struct {
		const char *yaml, *text;
		const struct ktstr_topology *topology;
	} rows[] = {
		{ "{cpuset: llc}", "cpuset: llc needs at least 2 LLCs: the VM has 1 LLC", &flat },
		{ "{cgroups: 4, cpuset: split}",
		  "cpuset: split: disjoint:0/4 cannot be shared out: the VM has 3 usable CPUs",
		  &four },
	};
	const struct ktstr_plugin *plugin = shipped_load("scenarios", "cpu_hog");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bound *bound = must_bind(plugin, rows[i].yaml);
		struct ktstr_error err = { 0 };
		uint64_t duration_ns;

		cr_expect_lt(ask(plugin, bound, rows[i].topology, &duration_ns, &err), 0);
		cr_expect_str_eq(err.text, rows[i].text);
		bound_free(bound);
	}
}

Test(cpu_hog, refuses_values_out_of_range)
{
	static const char *const rows[] = {
		"{cgroups: 0}",	   "{cgroups: 65}",   "{workers: 0}",	  "{duration: 0s}",
		"{settle: 61s}",   "{cpuset: numa}",  "{workload: nope}", "{worker: 1}",
		"{duration: 25h}", "{workers: 1025}",
	};
	const struct ktstr_plugin *plugin = shipped_load("scenarios", "cpu_hog");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ktstr_error err = { 0 };

		cr_expect_null(shipped_bind(plugin, rows[i], &err), "%s", rows[i]);
		cr_expect_neq(err.text[0], '\0', "%s", rows[i]);
	}
}

Test(cpu_hog, the_first_error_comes_out_and_workers_are_collected)
{
	static const char *const texts[] = {
		"call 1 fails", "call 2 fails", "call 3 fails", "call 4 fails", "call 5 fails",
		"call 6 fails", "call 7 fails", "call 8 fails", "call 9 fails", NULL,
	};

	expect_unwinding("cpu_hog", "{settle: 1ms}", texts);
}

Test(cpu_hog, an_early_end_is_no_failure)
{
	expect_early_end("cpu_hog", "{cgroups: 1}", 4,
			 "create hog0\n"
			 "step 1/1 'hold' 5000ms\n"
			 "spawn 1 cpu_spin x4\n"
			 "hold 5000ms\n"
			 "stop 0\n");
}
