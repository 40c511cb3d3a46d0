/* SPDX-License-Identifier: GPL-2.0-only */
#include <criterion/criterion.h>

#include "unit/recorder.h"
#include "unit/shipped.h"

#define STORY                                                                                      \
	"steps:\n"                                                                                 \
	"  - name: move in\n"                                                                      \
	"    ops:\n"                                                                               \
	"      - add_cgroup: {name: a, cpuset: 'llc:0', weight: 200}\n"                            \
	"      - add_cgroup: {name: b, cpu_max: {quota: 20ms, period: 50ms}}\n"                    \
	"      - spawn: {cgroup: a, workers: 2, nice: -5, cpus: '1'}\n"                            \
	"      - spawn: {cgroup: b, workload: futex_pingpong, workers: 4}\n"                       \
	"      - spawn: {workload: {plugin: cpu_spin, burst: 10}, workers: 1}\n"                   \
	"    hold: 500ms\n"                                                                        \
	"  - ops:\n"                                                                               \
	"      - set_cpuset: {cgroup: a, cpuset: 'disjoint:1/3'}\n"                                \
	"      - stop_cgroup: {cgroup: b}\n"                                                       \
	"    hold: 0s\n"                                                                           \
	"  - name: move out\n"                                                                     \
	"    ops:\n"                                                                               \
	"      - clear_cpuset: {cgroup: a}\n"                                                      \
	"      - remove_cgroup: {name: b}\n"

/* The text of an error, with the line that it blames before it. */
static const char *placed(const struct ktstr_error *err)
{
	static char text[sizeof(err->text) + 32];

	if (err->line)
		(void)snprintf(text, sizeof(text), "line %u: %s", err->line, err->text);
	else
		(void)snprintf(text, sizeof(text), "%s", err->text);
	return text;
}

Test(steps, does_what_the_story_says)
{
	expect_calls("steps", STORY,
		     "step 1/3 'move in' 500ms\n"
		     "create a cpus=3 weight=200\n"
		     "create b max=20000/50000\n"
		     "spawn 1 cpu_spin x2 nice=-5 affinity=2\n"
		     "spawn 2 futex_pingpong x4\n"
		     "spawn 0 cpu_spin x1\n"
		     "hold 500ms\n"
		     "end\n"
		     "step 2/3 'step 2' 0ms\n"
		     "set 1 cpus=2\n"
		     "stop cgroup 2\n"
		     "end\n"
		     "step 3/3 'move out' 1000ms\n"
		     "set 1\n"
		     "remove 2\n"
		     "hold 1000ms\n"
		     "end\n"
		     "stop 0\n");
}

Test(steps, the_first_error_comes_out_and_workers_are_collected)
{
	static const char *const texts[] = {
		"call 1 fails",
		"step 'move in': add_cgroup: call 2 fails",
		"step 'move in': add_cgroup: call 3 fails",
		"step 'move in': spawn: call 4 fails",
		"step 'move in': spawn: call 5 fails",
		"step 'move in': spawn: call 6 fails",
		"call 7 fails",
		"call 8 fails",
		"call 9 fails",
		"step 'step 2': set_cpuset: call 10 fails",
		"step 'step 2': stop_cgroup: call 11 fails",
		"call 12 fails",
		"call 13 fails",
		"step 'move out': clear_cpuset: call 14 fails",
		"step 'move out': remove_cgroup: call 15 fails",
		"call 16 fails",
		"call 17 fails",
		"call 18 fails",
		NULL,
	};

	expect_unwinding("steps", STORY, texts);
}

Test(steps, an_early_end_is_no_failure)
{
	expect_early_end("steps", STORY, 7,
			 "step 1/3 'move in' 500ms\n"
			 "create a cpus=3 weight=200\n"
			 "create b max=20000/50000\n"
			 "spawn 1 cpu_spin x2 nice=-5 affinity=2\n"
			 "spawn 2 futex_pingpong x4\n"
			 "spawn 0 cpu_spin x1\n"
			 "hold 500ms\n"
			 "stop 0\n");
}

Test(steps, begins_no_step_once_the_run_is_to_end)
{
	const struct ktstr_plugin *plugin = shipped_load("scenarios", "steps");
	struct bound *bound = must_bind(plugin, STORY);
	struct recorder recorder = { 0 };
	struct ktstr_error err = { 0 };

	recorder_reset(&recorder, &four);
	recorder.stop_at = 8;
	cr_expect_eq(plugin->scenario->run(&recorder.guest, bound_values(bound), NULL, &err), 0);
	cr_expect(str_ends(str_text(&recorder.log), "hold 500ms\nend\nstop 0\n"));
	recorder_reset(&recorder, &four);
	bound_free(bound);
}

Test(steps, lasts_as_long_as_all_its_holds)
{
	const struct ktstr_plugin *plugin = shipped_load("scenarios", "steps");
	struct bound *bound = must_bind(plugin, STORY);
	struct ktstr_error err = { 0 };
	uint64_t duration_ns = 0;

	cr_assert_eq(ask(plugin, bound, &four, &duration_ns, &err), 0, "%s", err.text);
	cr_expect_eq(duration_ns, UINT64_C(1500000000));
	bound_free(bound);
}

/* One step with these ops. */
#define OPS(ops) "steps:\n- name: one\n  ops:\n" ops
#define ADD_A "  - add_cgroup: {name: a}\n"
#define SPAWN_A "  - spawn: {cgroup: a, workers: 1}\n"
#define NAME_TEXT                                                                                  \
	"is no name for a cgroup; use letters, digits, '_', '-', and '/' between at most 8 levels"

Test(steps, refuses_stories_that_cannot_be_told)
{
	static const struct {
		const char *yaml, *text;
	} rows[] = {
		{ OPS("  - set_cpuset: {cgroup: a, cpuset: all}\n"),
		  "line 4: step 'one': set_cpuset: there is no cgroup 'a' at this point; add it "
		  "before" },
		{ OPS("  - clear_cpuset: {cgroup: a}\n"),
		  "line 4: step 'one': clear_cpuset: there is no cgroup 'a' at this point; add it "
		  "before" },
		{ OPS("  - stop_cgroup: {cgroup: a}\n"),
		  "line 4: step 'one': stop_cgroup: there is no cgroup 'a' at this point; add it "
		  "before" },
		{ OPS(SPAWN_A), "line 4: step 'one': spawn: there is no cgroup 'a' at this point; "
				"add it before" },
		{ OPS("  - remove_cgroup: {name: a}\n"),
		  "line 4: step 'one': remove_cgroup: there is no cgroup 'a' at this point; add "
		  "it before" },
		{ OPS(ADD_A ADD_A), "line 5: step 'one': add_cgroup: cgroup 'a' exists already; "
				    "remove it before" },
		{ OPS(ADD_A "  - remove_cgroup: {name: a}\n  - remove_cgroup: {name: a}\n"),
		  "line 6: step 'one': remove_cgroup: there is no cgroup 'a' at this point; add "
		  "it before" },
		{ "steps:\n- ops:\n" ADD_A "- ops:\n" ADD_A,
		  "line 5: step 'step 2': add_cgroup: cgroup 'a' exists already; remove it "
		  "before" },
		{ OPS("  - add_cgroup: {name: a/b}\n"),
		  "line 4: step 'one': add_cgroup: cgroup 'a/b' needs a parent 'a' at this "
		  "point; add it before" },
		{ OPS(ADD_A SPAWN_A "  - add_cgroup: {name: a/b}\n"),
		  "line 6: step 'one': add_cgroup: cgroup 'a/b' cannot be added: 'a' has "
		  "workers, and a cgroup has either workers or cgroups in it; stop it before" },
		{ OPS(ADD_A "  - add_cgroup: {name: a/b}\n" SPAWN_A),
		  "line 6: step 'one': spawn: cgroup 'a' holds or held other cgroups, and a "
		  "cgroup has either workers or cgroups in it" },
		{ OPS(ADD_A
		      "  - add_cgroup: {name: a/b}\n  - remove_cgroup: {name: a/b}\n" SPAWN_A),
		  "line 7: step 'one': spawn: cgroup 'a' holds or held other cgroups, and a "
		  "cgroup has either workers or cgroups in it" },
		{ OPS(ADD_A "  - add_cgroup: {name: a/b}\n  - remove_cgroup: {name: a}\n"),
		  "line 6: step 'one': remove_cgroup: cgroup 'a' still holds 'a/b'; remove that "
		  "before" },
		{ OPS("  - add_cgroup: {name: ../x}\n"),
		  "line 4: step 'one': add_cgroup: '../x' " NAME_TEXT },
		{ OPS("  - add_cgroup: {name: /a}\n"),
		  "line 4: step 'one': add_cgroup: '/a' " NAME_TEXT },
		{ OPS("  - add_cgroup: {name: a/}\n"),
		  "line 4: step 'one': add_cgroup: 'a/' " NAME_TEXT },
		{ OPS("  - add_cgroup: {name: a//b}\n"),
		  "line 4: step 'one': add_cgroup: 'a//b' " NAME_TEXT },
		{ OPS("  - add_cgroup: {name: cpu.max}\n"),
		  "line 4: step 'one': add_cgroup: 'cpu.max' " NAME_TEXT },
		{ OPS("  - add_cgroup: {name: a/b/c/d/e/f/g/h/i}\n"),
		  "line 4: step 'one': add_cgroup: 'a/b/c/d/e/f/g/h/i' " NAME_TEXT },
		{ OPS("  - add_cgroup: {name: a, cpuset: 'llc:3'}\n"),
		  "line 4: step 'one': add_cgroup: llc:3 is out of range: the VM has 2 LLCs" },
		{ OPS(ADD_A "  - set_cpuset: {cgroup: a, cpuset: 'numa:1'}\n"),
		  "line 5: step 'one': set_cpuset: numa:1 is out of range: the VM has 1 NUMA "
		  "node" },
		{ OPS(ADD_A "  - spawn: {cgroup: a, workers: 1, cpus: '9'}\n"),
		  "line 5: step 'one': spawn: '9': the VM has no CPU 9, only 0-3" },
		{ OPS("  - add_cgroup: {name: a, cpu_max: {period: 50ms}}\n"),
		  "line 4: step 'one': add_cgroup: cpu_max of cgroup 'a' needs a quota" },
		{ OPS("  - watch: {symbol: a}\n  - watch: {symbol: a}\n"),
		  "line 5: step 'one': watch: symbol 'a' is watched already" },
		{ OPS("  - watch: {symbol: a}\n  - watch: {symbol: b}\n  - watch: {symbol: c}\n"
		      "  - watch: {symbol: d}\n"),
		  "line 7: step 'one': watch: more than 3 watches" },
		{ OPS("  - attach_scheduler: {name: fifo}\n"),
		  "line 4: step 'one': attach_scheduler: a scheduler is up at this point; detach "
		  "it "
		  "before, or use replace_scheduler" },
		{ OPS("  - detach_scheduler: true\n  - attach_scheduler:\n  - attach_scheduler:\n"),
		  "line 6: step 'one': attach_scheduler: a scheduler is up at this point; detach "
		  "it "
		  "before, or use replace_scheduler" },
		{ OPS("  - detach_scheduler: true\n  - detach_scheduler: true\n"),
		  "line 5: step 'one': detach_scheduler: no scheduler is up at this point; attach "
		  "one before" },
		{ OPS("  - detach_scheduler: true\n  - restart_scheduler: yes\n"),
		  "line 5: step 'one': restart_scheduler: no scheduler is up at this point; attach "
		  "one before" },
		{ OPS("  - detach_scheduler: true\n  - replace_scheduler: {name: fifo}\n"),
		  "line 5: step 'one': replace_scheduler: no scheduler is up at this point; attach "
		  "one before" },
		{ OPS("  - detach_scheduler: false\n"),
		  "line 4: step 'one': detach_scheduler: 'false' does nothing; say 'true' or leave "
		  "it out" },
		{ OPS("  - replace_scheduler:\n      name: fofi\n"),
		  "line 5: step 'one': replace_scheduler: there is no 'fofi'" },
		{ OPS("  - detach_scheduler: true\n  - attach_scheduler:\n      name: fofi\n"),
		  "line 6: step 'one': attach_scheduler: there is no 'fofi'" },
		{ OPS(ADD_A), "no step spawns workers, so there would be nothing to judge" },
		{ OPS(ADD_A SPAWN_A "  hold: 0s\n"),
		  "no step holds, so no worker would get to work" },
	};
	const struct ktstr_plugin *plugin = shipped_load("scenarios", "steps");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bound *bound = must_bind(plugin, rows[i].yaml);
		struct ktstr_error err = { 0 };
		uint64_t duration_ns;

		cr_expect_lt(ask(plugin, bound, &four, &duration_ns, &err), 0, "%s", rows[i].yaml);
		cr_expect_str_eq(placed(&err), rows[i].text);
		bound_free(bound);
	}
}

Test(steps, looks_into_the_kernel)
{
	expect_calls("steps",
		     OPS("  - watch: {symbol: panic_timeout}\n"
			 "  - spawn: {workers: 1}\n"
			 "  - snapshot: {name: before it works}\n"),
		     "step 1/1 'one' 1000ms\n"
		     "watch panic_timeout\n"
		     "spawn 0 cpu_spin x1\n"
		     "snapshot 'before it works' +0\n"
		     "hold 1000ms\n"
		     "end\n"
		     "stop 0\n");
}

#define CHANGES                                                                                    \
	OPS("  - spawn: {workers: 1}\n"                                                            \
	    "  - replace_scheduler: {name: fifo}\n"                                                \
	    "  - restart_scheduler: yes\n"                                                         \
	    "  - detach_scheduler: true\n"                                                         \
	    "  - attach_scheduler: {name: fifo}\n"                                                 \
	    "  - detach_scheduler: true\n"                                                         \
	    "  - attach_scheduler: {}\n")

Test(steps, changes_the_scheduler)
{
	expect_calls("steps", CHANGES,
		     "step 1/1 'one' 1000ms\n"
		     "spawn 0 cpu_spin x1\n"
		     "replace 'fifo'\n"
		     "restart\n"
		     "detach\n"
		     "attach 'fifo'\n"
		     "detach\n"
		     "attach ''\n"
		     "hold 1000ms\n"
		     "end\n"
		     "stop 0\n");
}

Test(steps, says_which_change_of_the_scheduler_failed)
{
	static const char *const texts[] = {
		"call 1 fails",
		"step 'one': spawn: call 2 fails",
		"step 'one': replace_scheduler: call 3 fails",
		"step 'one': restart_scheduler: call 4 fails",
		"step 'one': detach_scheduler: call 5 fails",
		"step 'one': attach_scheduler: call 6 fails",
		"step 'one': detach_scheduler: call 7 fails",
		"step 'one': attach_scheduler: call 8 fails",
		"call 9 fails",
		"call 10 fails",
		"call 11 fails",
		NULL,
	};

	expect_unwinding("steps", CHANGES, texts);
}

Test(steps, a_step_says_each_change_that_it_needs)
{
	const struct ktstr_plugin *plugin = shipped_load("scenarios", "steps");
	struct bound *bound = must_bind(plugin, CHANGES);
	struct ktstr_error err = { 0 };
	uint64_t duration_ns;

	scheduler_asks[0] = '\0';
	cr_assert_eq(ask(plugin, bound, &four, &duration_ns, &err), 0, "%s", err.text);
	cr_expect_str_eq(scheduler_asks, "- 'fifo' - '' - 'fifo' - '' ");
	cr_expect_eq(duration_ns, UINT64_C(1000000000));
	bound_free(bound);
}

Test(steps, refuses_more_snapshots_than_a_run_keeps)
{
	const struct ktstr_plugin *plugin = shipped_load("scenarios", "steps");
	struct str yaml = { 0 };
	struct ktstr_error err = { 0 };
	struct bound *bound;
	uint64_t duration_ns;

	(void)str_add(&yaml, "steps:\n- ops:\n");
	for (int i = 0; i < 65; i++)
		(void)str_addf(&yaml, "  - snapshot: {name: s%d}\n", i);
	bound = must_bind(plugin, str_text(&yaml));
	cr_expect_eq(ask(plugin, bound, &four, &duration_ns, &err), -E2BIG);
	cr_expect_str_eq(placed(&err), "line 67: step 'step 1': snapshot: more than 64 snapshots");
	bound_free(bound);
	str_done(&yaml);
}

Test(steps, a_name_is_free_again_after_its_removal)
{
	expect_calls("steps",
		     OPS(ADD_A "  - remove_cgroup: {name: a}\n" ADD_A SPAWN_A
			       "  - stop_cgroup: {cgroup: a}\n  - add_cgroup: {name: a/b}\n"
			       "  - spawn: {cgroup: a/b, workers: 1}\n"),
		     "step 1/1 'one' 1000ms\n"
		     "create a\n"
		     "remove 1\n"
		     "create a\n"
		     "spawn 1 cpu_spin x1\n"
		     "stop cgroup 1\n"
		     "create a/b\n"
		     "spawn 3 cpu_spin x1\n"
		     "hold 1000ms\n"
		     "end\n"
		     "stop 0\n");
}

Test(steps, refuses_too_many_cgroups_at_one_time)
{
	const struct ktstr_plugin *plugin = shipped_load("scenarios", "steps");
	struct str yaml = { 0 };
	struct ktstr_error err = { 0 };
	struct bound *bound;
	uint64_t duration_ns;

	(void)str_add(&yaml, "steps:\n- ops:\n");
	for (int i = 0; i < 257; i++)
		(void)str_addf(&yaml, "  - add_cgroup: {name: c%d}\n", i);
	bound = must_bind(plugin, str_text(&yaml));
	cr_expect_eq(ask(plugin, bound, &four, &duration_ns, &err), -E2BIG);
	cr_expect_str_eq(placed(&err),
			 "line 259: step 'step 1': add_cgroup: more than 256 cgroups at "
			 "one time");
	bound_free(bound);
	str_done(&yaml);
}

Test(steps, refuses_words_that_are_not_in_the_language)
{
	static const char *const rows[] = {
		"{}",
		"{steps: []}",
		"{steps: [{nam: x}]}",
		OPS("  - add: {name: a}\n"),
		OPS("  - add_cgroup: {name: a}\n    spawn: {workers: 1}\n"),
		OPS("  - add_cgroup: {}\n"),
		OPS("  - add_cgroup: {name: a, weight: 0}\n"),
		OPS("  - add_cgroup: {name: a, weight: 10001}\n"),
		OPS("  - add_cgroup: {name: a, cpu_max: {quota: 1us}}\n"),
		OPS("  - spawn: {cgroup: a}\n"),
		OPS("  - spawn: {workers: 0}\n"),
		OPS("  - spawn: {workers: 1, nice: 20}\n"),
		OPS("  - spawn: {workers: 1, workload: {plugin: cpu_spin, brust: 1}}\n"),
		OPS("  - set_cpuset: {cgroup: a}\n"),
		OPS("  - clear_cpuset: {cgroup: a, cpuset: all}\n"),
		OPS("  - replace_scheduler: {}\n"),
		OPS("  - replace_scheduler: fifo\n"),
		OPS("  - attach_scheduler: {name: a234567890123456789012345678901x}\n"),
		OPS("  - detach_scheduler: {name: fifo}\n"),
		OPS("  - detach_scheduler:\n"),
		OPS("  - restart_scheduler: {}\n"),
	};
	const struct ktstr_plugin *plugin = shipped_load("scenarios", "steps");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ktstr_error err = { 0 };

		cr_expect_null(shipped_bind(plugin, rows[i], &err), "%s", rows[i]);
		cr_expect_neq(err.text[0], '\0', "%s", rows[i]);
	}
}
