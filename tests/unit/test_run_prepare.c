/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/io.h"
#include "base/str.h"

static char *plugin_folders[] = { (char *)SHIPPED_PLUGIN_DIR, NULL };
static const struct run_paths paths = { .plugin_folders = plugin_folders };
static char file[] = "/tmp/ktstr-prepare-XXXXXX";
static struct prepared *prepared;
static struct ktstr_error err;

static void teardown(void)
{
	prepared_free(prepared);
	(void)unlink(file);
}

TestSuite(run_prepare, .fini = teardown);

static int prepare(const char *yaml, const struct run_options *options)
{
	int fd = mkostemp(file, O_CLOEXEC);

	cr_assert_geq(fd, 0);
	cr_assert_eq(io_write_all(fd, yaml, strlen(yaml)), 0);
	cr_assert_eq(close(fd), 0);
	return prepare_scenario(file, options, &paths, &prepared, &err);
}

static const char hog[] = "scheduler: eevdf\n"
			  "scenario: {plugin: cpu_hog, duration: 2s}\n"
			  "checkers: [gap, {plugin: starvation}]\n";

Test(run_prepare, loads_and_binds_what_the_scenario_names)
{
	const struct run_options options = { 0 };
	size_t count;

	cr_assert_eq(prepare(hog, &options), 0, "%s", err.text);
	cr_assert_str_eq(prepared->scenario->descriptor->name, "cpu_hog");
	cr_assert_str_eq(prepared->scheduler->descriptor->name, "eevdf");
	cr_assert_eq(prepared->checker_count, 2);
	cr_assert_str_eq(prepared->checkers[1].plugin->descriptor->name, "starvation");
	cr_assert_geq(prepared->needs.needs.duration_ns, 2000000000);
	/* scenario, its workload, scheduler, two checkers */
	(void)registry_loaded(prepared->registry, &count);
	cr_assert_eq(count, 5);
}

Test(run_prepare, asks_for_the_memory_of_all_workers)
{
	const struct run_options options = { 0 };

	cr_assert_eq(prepare("scheduler: eevdf\n"
			     "scenario: {plugin: cpu_hog, cgroups: 2, workers: 1000}\n"
			     "checkers: [gap]\n",
			     &options),
		     0, "%s", err.text);
	cr_assert_eq(prepared->needs.needs.memory_bytes, UINT64_C(2000) << 18);
}

Test(run_prepare, takes_what_the_command_line_says_instead)
{
	static const char *const checkers[] = { "gap,max_gap=7s", "gap" };
	const struct run_options options = { .has_seed = true,
					     .seed = 99,
					     .has_accel = true,
					     .accel = ACCEL_TCG,
					     .kernel = "/k",
					     .scheduler = "eevdf",
					     .checkers = checkers,
					     .checker_count = 2 };

	cr_assert_eq(prepare(hog, &options), 0, "%s", err.text);
	cr_assert_eq(prepared->spec->seed, 99);
	cr_assert_eq(prepared->spec->vm.accel, ACCEL_TCG);
	cr_assert_str_eq(prepared->spec->vm.kernel, "/k");
	cr_assert_eq(prepared->checker_count, 4);
	cr_assert_str_eq(node_get_text(prepared->checkers[2].params, "max_gap"), "7s");
	cr_assert_null(node_get(prepared->checkers[3].params, "max_gap"));
}

Test(run_prepare, loads_and_binds_the_staged_schedulers)
{
	const struct run_options options = { 0 };

	cr_assert_eq(prepare("scenario: cpu_hog\n"
			     "schedulers: {other: eevdf, more: {plugin: eevdf}}\n"
			     "checkers: [gap]\n",
			     &options),
		     0, "%s", err.text);
	cr_assert_eq(prepared->staged_count, 2);
	cr_expect_str_eq(prepared->staged[1].plugin->descriptor->name, "eevdf");
	cr_expect_not_null(prepared->staged[1].values);
}

Test(run_prepare, takes_an_expected_checker_from_the_command_line_too)
{
	static const char *const checkers[] = { "fairness" };
	const struct run_options options = { .checkers = checkers, .checker_count = 1 };

	cr_assert_eq(prepare("scenario: cpu_hog\ncheckers: [gap]\n"
			     "expect: {outcome: fail, checkers: [gap, fairness]}\n",
			     &options),
		     0, "%s", err.text);
	cr_expect_eq(prepared->spec->expect.checker_count, 2);
}

Test(run_prepare, judges_by_the_given_checkers_alone_when_asked)
{
	static const char *const checkers[] = { "isolation" };
	const struct run_options options = { .checkers = checkers,
					     .checker_count = 1,
					     .has_only_checkers = true };

	cr_assert_eq(prepare(hog, &options), 0, "%s", err.text);
	cr_assert_eq(prepared->checker_count, 1);
	cr_assert_str_eq(prepared->checkers[0].plugin->descriptor->name, "isolation");
}

Test(run_prepare, needs_no_checker_where_the_end_of_a_scheduler_is_expected)
{
	const struct run_options options = { 0 };

	cr_assert_eq(prepare("scenario: cpu_hog\n"
			     "expect: {outcome: fail, scx_exit: {kind: stall}}\n",
			     &options),
		     0, "%s", err.text);
	cr_assert_eq(prepared->checker_count, 0);
}

Test(run_prepare, needs_no_checker_where_a_scheduler_is_not_expected_to_start)
{
	const struct run_options options = { 0 };

	cr_assert_eq(
		prepare("scenario: cpu_hog\nexpect: {outcome: fail, start: no BTF}\n", &options), 0,
		"%s", err.text);
	cr_assert_eq(prepared->checker_count, 0);
}

Test(run_prepare, refuses_with_place_and_reason)
{
	static const char *const bad_key[] = { "gap,max_gpa=1s" };
	static const char *const isolation[] = { "isolation" };
	static const char *const bad_name[] = { "gapp" };
	static const char *const bad_value[] = { "gap,max_gap=soon" };
	static const struct {
		const char *yaml;
		struct run_options options;
		const char *text;
	} cases[] = {
		{ "scenario: cpu_hog\n", { 0 }, "no checker is named" },
		{ hog, { .has_only_checkers = true }, "no checker is named" },
		{ "scenario: cpu_hog\nexpect: {outcome: pass}\n", { 0 }, "no checker is named" },
		{ "scenario: cpu_hgo\ncheckers: [gap]\n", { 0 }, ":1:11: " },
		{ "scenario: cpu_hog\ncheckers: [gapp]\n", { 0 }, ":2:12: " },
		{ "scenario: cpu_hog\ncheckers: [{plugin: gap, max_gap: soon}]\n",
		  { 0 },
		  ":2:35: " },
		{ "scenario: cpu_hog\nscheduler: {plugin: eevdf, x: 1}\ncheckers: [gap]\n",
		  { 0 },
		  ":2:28: " },
		{ "scenario: cpu_hog\nschedulers: {a: eevdf, b: evdf}\ncheckers: [gap]\n",
		  { 0 },
		  ":2:27: no scheduler 'evdf' in " },
		{ "scenario: cpu_hog\nschedulers: {a: {plugin: eevdf, x: 1}}\ncheckers: [gap]\n",
		  { 0 },
		  ":2:33: unknown key 'x'" },
		{ "scenario: cpu_hog\ncheckers: [gap]\n"
		  "expect: {outcome: fail, checkers: [gap, fairness]}\n",
		  { 0 },
		  ":3:41: checker 'fairness' is expected to FAIL, but does not judge this run; "
		  "name it in 'checkers' or with --checker\n" },
		{ "scenario: cpu_hog\ncheckers: [gap]\nexpect: {outcome: fail, checkers: [gap]}\n",
		  { .checkers = isolation, .checker_count = 1, .has_only_checkers = true },
		  ":3:36: checker 'gap' is expected to FAIL, but does not judge this run" },
		{ "vm: {topology: {numa: 2, llcs: 3}}\nscenario: cpu_hog\ncheckers: [gap]\n",
		  { 0 },
		  "topology" },
		{ hog,
		  { .checkers = bad_key, .checker_count = 1 },
		  "--checker: gap: unknown key 'max_gpa', did you mean 'max_gap'?\n"
		  "  gap,max_gpa=1s\n"
		  "      ^" },
		{ hog,
		  { .checkers = bad_value, .checker_count = 1 },
		  "--checker: gap: 'max_gap' must be a duration" },
		{ hog,
		  { .checkers = bad_value, .checker_count = 1 },
		  "\n  gap,max_gap=soon\n              ^" },
		{ hog, { .checkers = bad_name, .checker_count = 1 }, "did you mean 'gap'" },
		{ hog,
		  { .scheduler = "eevdf,x=1" },
		  "--scheduler: eevdf: unknown key 'x', there are no keys here" },
		{ hog, { .scheduler = "cfs" }, "--scheduler: " },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int rc = prepare(cases[i].yaml, &cases[i].options);

		cr_assert_lt(rc, 0, "%zu", i);
		cr_assert_neq(rc, -ENOMEM, "%zu", i);
		cr_assert(strstr(err.text, cases[i].text), "%zu: %s", i, err.text);
		cr_assert_null(prepared);
		(void)unlink(file);
		memcpy(file + sizeof(file) - 7, "XXXXXX", 6);
	}
}

Test(run_prepare, refuses_a_file_that_is_not_there)
{
	const struct run_options options = { 0 };

	cr_assert_lt(prepare_scenario("/nowhere/x.yaml", &options, &paths, &prepared, &err), 0);
	cr_assert(strstr(err.text, "'/nowhere/x.yaml'"), "%s", err.text);
}

Test(run_prepare, refuses_a_kernel_that_is_not_there)
{
	const struct run_options options = { .kernel = "/nowhere/vmlinuz" };

	cr_assert_eq(prepare(hog, &options), 0, "%s", err.text);
	cr_assert(prepare_names_kernel(prepared));
	cr_assert_lt(prepare_kernel(prepared, &err), 0);
	cr_assert(strstr(err.text, "/nowhere/vmlinuz"), "%s", err.text);
}
