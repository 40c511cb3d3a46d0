/* SPDX-License-Identifier: GPL-2.0-only */
/* The scenarios that ship: what the host half refuses, and what the guest half does, call by call.
 */
#include <criterion/criterion.h>

#include "base/str.h"
#include "ktstr/scenario.h"
#include "unit/shipped.h"
#include "unit/shipped_bind.h"

static const struct ktstr_topology four = {
	.size = sizeof(four), .numa_nodes = 1, .llcs = 2, .cores = 2, .threads = 1
};
static const struct ktstr_topology flat = {
	.size = sizeof(flat), .numa_nodes = 1, .llcs = 1, .cores = 2, .threads = 1
};

/* A guest that writes down what it is asked to do. */
struct recorder {
	struct ktstr_guest guest;
	struct str log;
	struct str names; /* of the cgroups, each with a newline behind */
	uint32_t next_id;
	uint32_t next_group;
	int calls;
	int fail_at;   /* number of the call that fails, from 1; 0: none */
	int fail_code; /* what it returns */
	int stop_at;   /* from this call on the run is to end early; 0: never */
};

static struct recorder *recorder_of(struct ktstr_guest *g)
{
	return (struct recorder *)g;
}

/* Count one call. A negative errno: this is the one that fails. */
static int count_call(struct recorder *recorder, struct ktstr_error *err)
{
	if (++recorder->calls != recorder->fail_at)
		return 0;
	return ktstr_fail(err, recorder->fail_code, "call %d fails", recorder->calls);
}

static void log_cpus(struct recorder *recorder, const char *label, const struct ktstr_cpuset *cpus)
{
	if (ktstr_cpuset_count(cpus))
		cr_assert_eq(str_addf(&recorder->log, " %s=%llx", label,
				      (unsigned long long)cpus->bits[0]),
			     0);
}

static int record_stopping(struct ktstr_guest *g)
{
	struct recorder *recorder = recorder_of(g);

	return recorder->stop_at && recorder->calls >= recorder->stop_at;
}

static int record_step(struct ktstr_guest *g, const char *name, uint32_t index, uint32_t count,
		       uint64_t hold_ns, struct ktstr_error *err)
{
	(void)str_addf(&recorder_of(g)->log, "step %u/%u '%s' %llums\n", index, count, name,
		       (unsigned long long)hold_ns / 1000000);
	return count_call(recorder_of(g), err);
}

static int record_step_end(struct ktstr_guest *g, struct ktstr_error *err)
{
	(void)str_add(&recorder_of(g)->log, "end\n");
	return count_call(recorder_of(g), err);
}

static int record_hold(struct ktstr_guest *g, uint64_t duration_ns, struct ktstr_error *err)
{
	(void)str_addf(&recorder_of(g)->log, "hold %llums\n",
		       (unsigned long long)duration_ns / 1000000);
	return count_call(recorder_of(g), err);
}

static int record_create(struct ktstr_guest *g, const struct ktstr_cgroup_spec *spec,
			 uint32_t *ret_id, struct ktstr_error *err)
{
	struct recorder *recorder = recorder_of(g);
	int code;

	cr_assert_eq(spec->size, sizeof(*spec));
	(void)str_addf(&recorder->log, "create %s", spec->name);
	log_cpus(recorder, "cpus", &spec->cpus);
	if (spec->cpu_weight)
		(void)str_addf(&recorder->log, " weight=%u", spec->cpu_weight);
	if (spec->cpu_max_quota_us)
		(void)str_addf(&recorder->log, " max=%llu/%llu",
			       (unsigned long long)spec->cpu_max_quota_us,
			       (unsigned long long)spec->cpu_max_period_us);
	(void)str_add(&recorder->log, "\n");
	code = count_call(recorder, err);
	if (code < 0)
		return code;
	(void)str_addf(&recorder->names, "%s\n", spec->name);
	*ret_id = ++recorder->next_id;
	return 0;
}

static int record_find(struct ktstr_guest *g, const char *name, uint32_t *ret_id)
{
	const char *at = str_text(&recorder_of(g)->names);

	for (uint32_t id = 1; *at; id++, at = strchr(at, '\n') + 1) {
		size_t length = strcspn(at, "\n");

		if (strlen(name) == length && memcmp(name, at, length) == 0) {
			*ret_id = id;
			return 0;
		}
	}
	return -ENOENT;
}

static int record_set_cpus(struct ktstr_guest *g, uint32_t id, const struct ktstr_cpuset *cpus,
			   struct ktstr_error *err)
{
	(void)str_addf(&recorder_of(g)->log, "set %u", id);
	log_cpus(recorder_of(g), "cpus", cpus);
	(void)str_add(&recorder_of(g)->log, "\n");
	return count_call(recorder_of(g), err);
}

static int record_remove(struct ktstr_guest *g, uint32_t id, struct ktstr_error *err)
{
	(void)str_addf(&recorder_of(g)->log, "remove %u\n", id);
	return count_call(recorder_of(g), err);
}

static int record_spawn(struct ktstr_guest *g, const struct ktstr_spawn_spec *spec,
			uint32_t *ret_group, struct ktstr_error *err)
{
	struct recorder *recorder = recorder_of(g);

	cr_assert_eq(spec->size, sizeof(*spec));
	cr_assert_eq(spec->workload->type, KTSTR_PARAM_PLUGIN);
	(void)str_addf(&recorder->log, "spawn %u %s x%u", spec->cgroup_id, spec->workload->s,
		       spec->workers);
	if (spec->nice)
		(void)str_addf(&recorder->log, " nice=%d", spec->nice);
	log_cpus(recorder, "affinity", &spec->affinity);
	(void)str_add(&recorder->log, "\n");
	*ret_group = ++recorder->next_group;
	return count_call(recorder, err);
}

static int record_stop(struct ktstr_guest *g, uint32_t group, struct ktstr_error *err)
{
	(void)str_addf(&recorder_of(g)->log, "stop %u\n", group);
	return count_call(recorder_of(g), err);
}

static int record_stop_cgroup(struct ktstr_guest *g, uint32_t cgroup_id, struct ktstr_error *err)
{
	(void)str_addf(&recorder_of(g)->log, "stop cgroup %u\n", cgroup_id);
	return count_call(recorder_of(g), err);
}

static const struct ktstr_guest_ops recorder_ops = {
	.size = sizeof(recorder_ops),
	.stopping = record_stopping,
	.step = record_step,
	.step_end = record_step_end,
	.hold = record_hold,
	.cgroup_create = record_create,
	.cgroup_find = record_find,
	.cgroup_set_cpus = record_set_cpus,
	.cgroup_remove = record_remove,
	.spawn = record_spawn,
	.stop = record_stop,
	.stop_cgroup = record_stop_cgroup,
};

static void recorder_reset(struct recorder *recorder, const struct ktstr_topology *topology)
{
	str_done(&recorder->log);
	str_done(&recorder->names);
	*recorder = (struct recorder){ .guest = { .ops = &recorder_ops, .topology = topology } };
}

/* Values that must bind. */
static struct bound *bind(const struct ktstr_plugin *plugin, const char *yaml)
{
	struct ktstr_error err = { 0 };
	struct bound *bound = shipped_bind(plugin, yaml, &err);

	cr_assert_not_null(bound, "%s", err.text);
	return bound;
}

static int ask(const struct ktstr_plugin *plugin, const struct bound *bound,
	       const struct ktstr_topology *topology, uint64_t *ret_duration_ns,
	       struct ktstr_error *err)
{
	struct ktstr_needs needs = { .size = sizeof(needs), .topology = topology };
	int code = plugin->scenario->needs(bound_values(bound), &needs, err);

	*ret_duration_ns = needs.duration_ns;
	return code;
}

/* Run @yaml and compare all calls. */
static void expect_calls(const char *name, const char *yaml, const char *calls)
{
	const struct ktstr_plugin *plugin = shipped_load("scenarios", name);
	struct bound *bound = bind(plugin, yaml);
	struct recorder recorder = { 0 };
	struct ktstr_error err = { 0 };
	uint64_t duration_ns;

	recorder_reset(&recorder, &four);
	cr_assert_eq(ask(plugin, bound, &four, &duration_ns, &err), 0, "%s", err.text);
	cr_expect_eq(plugin->scenario->run(&recorder.guest, bound_values(bound), NULL, &err), 0,
		     "%s", err.text);
	cr_expect_str_eq(str_text(&recorder.log), calls);
	recorder_reset(&recorder, &four);
	bound_free(bound);
}

/* Make every call fail in turn: the first error must come out, and the workers be collected. */
static void expect_unwinding(const char *name, const char *yaml, const char *const *texts)
{
	const struct ktstr_plugin *plugin = shipped_load("scenarios", name);
	struct bound *bound = bind(plugin, yaml);
	struct recorder recorder = { 0 };
	int calls;

	recorder_reset(&recorder, &four);
	cr_assert_eq(plugin->scenario->run(&recorder.guest, bound_values(bound), NULL,
					   &(struct ktstr_error){ 0 }),
		     0);
	calls = recorder.calls;
	for (int i = 1; i <= calls; i++) {
		struct ktstr_error err = { 0 };

		cr_assert_not_null(texts[i - 1], "call %d is not in the table", i);
		recorder_reset(&recorder, &four);
		recorder.fail_at = i;
		recorder.fail_code = -EIO;
		cr_expect_eq(
			plugin->scenario->run(&recorder.guest, bound_values(bound), NULL, &err),
			-EIO, "call %d", i);
		cr_expect_str_eq(err.text, texts[i - 1]);
		/* One call more, which is the stop; where the stop itself failed there is none. */
		cr_expect_eq(recorder.calls, i == calls ? i : i + 1, "call %d: %d calls", i,
			     recorder.calls);
		cr_expect(str_ends(str_text(&recorder.log), "stop 0\n"), "call %d", i);
	}
	cr_expect_null(texts[calls]);
	recorder_reset(&recorder, &four);
	bound_free(bound);
}

/* cpu_hog */

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
	struct bound *bound = bind(plugin, "{duration: 2s, settle: 500ms}");
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
		struct bound *bound = bind(plugin, rows[i].yaml);
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

/* Each hold says that the run is to end early. */
static void expect_early_end(const char *name, const char *yaml, int hold, const char *calls)
{
	const struct ktstr_plugin *plugin = shipped_load("scenarios", name);
	struct bound *bound = bind(plugin, yaml);
	struct recorder recorder = { 0 };
	struct ktstr_error err = { 0 };

	recorder_reset(&recorder, &four);
	recorder.fail_at = hold;
	recorder.fail_code = -ECANCELED;
	cr_expect_eq(plugin->scenario->run(&recorder.guest, bound_values(bound), NULL, &err), 0);
	cr_expect_str_eq(err.text, "");
	cr_expect_eq(err.code, 0);
	cr_expect_str_eq(str_text(&recorder.log), calls);
	recorder_reset(&recorder, &four);
	bound_free(bound);
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

/* steps */

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
	struct bound *bound = bind(plugin, STORY);
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
	struct bound *bound = bind(plugin, STORY);
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
		{ OPS(ADD_A), "no step spawns workers, so there would be nothing to judge" },
		{ OPS(ADD_A SPAWN_A "  hold: 0s\n"),
		  "no step holds, so no worker would get to work" },
	};
	const struct ktstr_plugin *plugin = shipped_load("scenarios", "steps");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bound *bound = bind(plugin, rows[i].yaml);
		struct ktstr_error err = { 0 };
		uint64_t duration_ns;

		cr_expect_lt(ask(plugin, bound, &four, &duration_ns, &err), 0, "%s", rows[i].yaml);
		cr_expect_str_eq(err.text, rows[i].text);
		bound_free(bound);
	}
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
	bound = bind(plugin, str_text(&yaml));
	cr_expect_eq(ask(plugin, bound, &four, &duration_ns, &err), -E2BIG);
	cr_expect_str_eq(err.text, "line 259: step 'step 1': add_cgroup: more than 256 cgroups at "
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
	};
	const struct ktstr_plugin *plugin = shipped_load("scenarios", "steps");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ktstr_error err = { 0 };

		cr_expect_null(shipped_bind(plugin, rows[i], &err), "%s", rows[i]);
		cr_expect_neq(err.text[0], '\0', "%s", rows[i]);
	}
}
