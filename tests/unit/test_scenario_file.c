/* SPDX-License-Identifier: GPL-2.0-only */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/str.h"
#include "config/scenario.h"
#include "config/yaml.h"

static struct scenario_spec *parse_as(const char *name, const char *text)
{
	struct ktstr_error err = { 0 };
	struct scenario_spec *spec = NULL;

	cr_assert_eq(scenario_parse(name, text, strlen(text), &spec, &err), 0, "%s", err.text);
	return spec;
}

static struct scenario_spec *parse(const char *text)
{
	return parse_as("dir/x.yaml", text);
}

Test(scenario, everything_but_the_scenario_has_a_default)
{
	struct scenario_spec *spec = parse("scenario: spread\n");

	cr_expect_str_eq(spec->name, "x");
	cr_expect_null(spec->description);
	cr_expect_not(spec->has_seed);
	cr_expect_eq(spec->vm.clock, VM_CLOCK_AUTO);
	cr_expect_eq(spec->vm.instruction_ns, VM_INSTRUCTION_NS);
	cr_expect_eq(spec->vm.accel, ACCEL_AUTO);
	cr_expect_eq(spec->vm.topology.size, sizeof(struct ktstr_topology));
	cr_expect_eq(spec->vm.topology.numa_nodes, 1);
	cr_expect_eq(spec->vm.topology.llcs, 1);
	cr_expect_eq(spec->vm.topology.cores, 2);
	cr_expect_eq(spec->vm.topology.threads, 1);
	cr_expect_eq(spec->vm.memory_bytes, 0);
	cr_expect_null(spec->vm.kernel);
	cr_expect_eq(spec->vm.boot_timeout_ns, 60 * NS_PER_S);
	cr_expect_eq(spec->watchdog_ns, 3 * NS_PER_S);
	cr_expect_str_eq(spec->scheduler.name, "eevdf");
	cr_expect_null(spec->scheduler.params);
	cr_expect_eq(spec->scheduler.line, 0);
	cr_expect_str_eq(spec->scenario.name, "spread");
	cr_expect_eq(spec->scenario.line, 1);
	cr_expect_eq(spec->scenario.column, 11);
	cr_expect_eq(spec->checker_count, 0);
	cr_expect_eq(spec->staged_count, 0);
	cr_expect_eq(spec->scheduler_timeout_ns, 30 * NS_PER_S);
	cr_expect_not(spec->expect.is_given);
	scenario_free(spec);
	scenario_free(NULL);
}

static const char full[] = "name: my run\n"
			   "description: what it is for\n"
			   "seed: 0x10\n"
			   "vm:\n"
			   "  accel: tcg\n"
			   "  clock: host\n"
			   "  instruction_ns: 16\n"
			   "  topology: {numa: 2, llcs: 4, cores: 3, threads: 2}\n"
			   "  memory: 512M\n"
			   "  kernel: boot/vmlinuz\n"
			   "  boot_timeout: 2m\n"
			   "scheduler: {plugin: scx, slice: 5ms}\n"
			   "scenario:\n"
			   "  plugin: steps\n"
			   "  steps:\n"
			   "    - hold: 1s\n"
			   "checkers:\n"
			   "  - starvation\n"
			   "  - plugin: spread\n"
			   "    limit: 15%\n"
			   "watchdog: 10s\n"
			   "scheduler_timeout: 5s\n"
			   "schedulers: {fifo: scx_fifo, by-path_2: {plugin: ./v.so, slice: 1ms}}\n"
			   "expect: {outcome: fail, checkers: [spread]}\n";

Test(scenario, every_key_is_read)
{
	struct scenario_spec *spec = parse(full);

	cr_expect_str_eq(spec->name, "my run");
	cr_expect_str_eq(spec->description, "what it is for");
	cr_expect(spec->has_seed);
	cr_expect_eq(spec->seed, 16);
	cr_expect_eq(spec->vm.clock, VM_CLOCK_HOST);
	cr_expect_eq(spec->vm.instruction_ns, 16);
	cr_expect_eq(spec->vm.accel, ACCEL_TCG);
	cr_expect_eq(spec->vm.topology.numa_nodes, 2);
	cr_expect_eq(spec->vm.topology.llcs, 4);
	cr_expect_eq(spec->vm.topology.cores, 3);
	cr_expect_eq(spec->vm.topology.threads, 2);
	cr_expect_eq(spec->vm.memory_bytes, 512u << 20);
	cr_expect_str_eq(spec->vm.kernel, "dir/boot/vmlinuz");
	cr_expect_eq(spec->vm.boot_timeout_ns, 120 * NS_PER_S);
	cr_expect_eq(spec->watchdog_ns, 10 * NS_PER_S);
	cr_expect_eq(spec->scheduler_timeout_ns, 5 * NS_PER_S);
	cr_expect(spec->expect.is_given);
	cr_expect(expectation_names(&spec->expect, "spread"));
	scenario_free(spec);
}

Test(scenario, parameters_of_plugins_stay_text)
{
	struct scenario_spec *spec = parse(full);
	const struct node *limit;

	cr_expect_str_eq(spec->scheduler.name, "scx");
	cr_expect_null(node_get(spec->scheduler.params, "plugin"));
	cr_expect_str_eq(node_get_text(spec->scheduler.params, "slice"), "5ms");
	cr_expect_str_eq(spec->scenario.name, "steps");
	cr_expect_eq(node_get(spec->scenario.params, "steps")->kind, NODE_LIST);
	cr_assert_eq(spec->checker_count, 2);
	cr_expect_str_eq(spec->checkers[0].name, "starvation");
	cr_expect_eq(spec->checkers[0].params->child_count, 0);
	cr_expect_eq(spec->checkers[0].params->line, 18);
	cr_expect_str_eq(spec->checkers[1].name, "spread");
	limit = node_get(spec->checkers[1].params, "limit");
	cr_expect_str_eq(limit->text, "15%");
	cr_expect_eq(limit->line, 20);
	cr_expect_eq(limit->column, 12);
	cr_expect_eq(limit->key_line, 20);
	cr_expect_eq(limit->key_column, 5);
	scenario_free(spec);
}

Test(scenario, stages_schedulers_in_the_order_of_the_file)
{
	struct scenario_spec *spec = parse(full);

	cr_assert_eq(spec->staged_count, 2);
	cr_expect_str_eq(spec->staged[0].name, "fifo");
	cr_expect_str_eq(spec->staged[0].plugin.name, "scx_fifo");
	cr_expect_eq(spec->staged[0].plugin.params->child_count, 0);
	cr_expect_str_eq(spec->staged[1].name, "by-path_2");
	cr_expect_str_eq(spec->staged[1].plugin.name, "dir/./v.so");
	cr_expect_eq(spec->staged[1].plugin.line, 23);
	cr_expect_eq(spec->staged[1].plugin.column, 50);
	cr_expect_str_eq(node_get_text(spec->staged[1].plugin.params, "slice"), "1ms");
	scenario_free(spec);
	spec = parse("scenario: x\nschedulers:\n");
	cr_expect_eq(spec->staged_count, 0);
	scenario_free(spec);
}

Test(scenario, keeps_its_source)
{
	char text[] = "scenario: spread\n";
	struct scenario_spec *spec = parse(text);

	text[0] = 'X';
	cr_expect_str_eq(spec->source.name, "dir/x.yaml");
	cr_expect_str_eq(spec->source.text, "scenario: spread\n");
	cr_expect_eq(spec->source.length, 17);
	scenario_free(spec);
}

static const struct {
	const char *file;
	const char *name;
} names[] = {
	{ "x.yaml", "x" },     { "a/b/x.yml", "x" },   { "x", "x" },
	{ "a.b.yaml", "a.b" }, { "a/.yaml", ".yaml" }, { "x.yaml.in", "x.yaml.in" },
};

Test(scenario, is_called_as_its_file)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct scenario_spec *spec = parse_as(names[i].file, "scenario: spread\n");

		cr_expect_str_eq(spec->name, names[i].name);
		scenario_free(spec);
	}
}

static const struct {
	const char *file;
	const char *kernel;
	const char *path;
} kernels[] = {
	{ "dir/x.yaml", "k", "dir/k" },
	{ "/abs/x.yaml", "../k", "/abs/../k" },
	{ "/x.yaml", "k", "/k" },
	{ "x.yaml", "boot/k", "boot/k" },
	{ "dir/x.yaml", "/boot/k", "/boot/k" },
};

Test(scenario, paths_are_seen_from_its_folder)
{
	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++) {
		char text[200];
		struct scenario_spec *spec;

		(void)snprintf(text, sizeof(text), "scenario: {plugin: ./s.so}\nvm: {kernel: %s}\n",
			       kernels[i].kernel);
		spec = parse_as(kernels[i].file, text);
		cr_expect_str_eq(spec->vm.kernel, kernels[i].path);
		scenario_free(spec);
	}
}

Test(scenario, plugins_can_be_paths)
{
	struct scenario_spec *spec = parse("scenario: ./s.so\nscheduler: /lib/t.so\n");

	cr_expect_str_eq(spec->scenario.name, "dir/./s.so");
	cr_expect_str_eq(spec->scheduler.name, "/lib/t.so");
	scenario_free(spec);
}

Test(scenario, checkers_may_be_empty)
{
	struct scenario_spec *spec = parse("scenario: x\ncheckers: []\n");

	cr_expect_eq(spec->checker_count, 0);
	scenario_free(spec);
	spec = parse("scenario: x\ncheckers:\n");
	cr_expect_eq(spec->checker_count, 0);
	scenario_free(spec);
}

Test(scenario, the_largest_machine_is_taken)
{
	struct scenario_spec *spec =
		parse("scenario: x\nvm: {topology: {llcs: 1, cores: 255}, memory: auto}\n");

	cr_expect_eq(ktstr_topology_cpus(&spec->vm.topology), 255);
	scenario_free(spec);
}

static const struct {
	const char *text;
	const char *says;
} refused[] = {
	{ "name: x\n", "f.yaml:1:1: missing key 'scenario'\n  name: x\n  ^" },
	{ "- x\n",
	  "f.yaml:1:1: a scenario file is a map of keys, like 'scenario: NAME'\n  - x\n  ^" },
	{ "scenario: x\nscenaroi: y\n",
	  "f.yaml:2:1: unknown key 'scenaroi', did you mean 'scenario'?\n  scenaroi: y\n  ^" },
	{ "scenario: x\nchekers: []\n",
	  "f.yaml:2:1: unknown key 'chekers', did you mean 'checkers'?\n  chekers: []\n  ^" },
	{ "scenario: x\nvm:\n  memroy: 1G\n",
	  "f.yaml:3:3: unknown key 'memroy', did you mean 'memory'?\n    memroy: 1G\n    ^" },
	{ "scenario: x\nseed: -1\n",
	  "f.yaml:2:7: 'seed' must be at least 0, not '-1'\n  seed: -1\n        ^" },
	{ "scenario: x\nname: ''\n", "f.yaml:2:7: 'name' has no value\n  name: ''\n        ^" },
	{ "scenario: x\nvm: 3\n", "f.yaml:2:5: 'vm' must be a map\n  vm: 3\n      ^" },
	{ "scenario: x\nvm: {clock: guest}\n",
	  "f.yaml:2:13: 'clock' must be one of auto, virtual, host, not 'guest'\n"
	  "  vm: {clock: guest}\n              ^" },
	{ "scenario: x\nvm: {instruction_ns: 3}\n",
	  "f.yaml:2:22: 'instruction_ns' must be a power of two (1, 2, 4 ... 64), not 3\n"
	  "  vm: {instruction_ns: 3}\n                       ^" },
	{ "scenario: x\nvm: {accel: kwm}\n",
	  "f.yaml:2:13: 'accel' must be one of auto, kvm, tcg, not 'kwm'\n  vm: {accel: kwm}\n"
	  "              ^" },
	{ "scenario: x\nvm: {memory: 16M}\n",
	  "f.yaml:2:14: 'memory' must be auto or a size from 32M to 1T, not '16M'\n"
	  "  vm: {memory: 16M}\n               ^" },
	{ "scenario: x\nvm: {memory: 2T}\n",
	  "f.yaml:2:14: 'memory' must be auto or a size from 32M to 1T, not '2T'\n"
	  "  vm: {memory: 2T}\n               ^" },
	{ "scenario: x\nvm: {memory: much}\n",
	  "f.yaml:2:14: 'memory' must be auto or a size from 32M to 1T, not 'much'\n"
	  "  vm: {memory: much}\n               ^" },
	{ "scenario: x\nvm: {topology: {llcs: 3, numa: 2}}\n",
	  "f.yaml:2:16: 'llcs' must be a multiple of 'numa', and 3 is none of 2\n"
	  "  vm: {topology: {llcs: 3, numa: 2}}\n                 ^" },
	{ "scenario: x\nvm: {topology: {llcs: 64, cores: 2, threads: 2}}\n",
	  "f.yaml:2:16: 64 LLCs of 2 cores of 2 threads are 256 CPUs, at most 255 can be had\n"
	  "  vm: {topology: {llcs: 64, cores: 2, threads: 2}}\n                 ^" },
	{ "scenario: x\nvm: {topology: {threads: 9}}\n",
	  "f.yaml:2:26: 'threads' must be at most 8, not '9'\n  vm: {topology: {threads: 9}}\n"
	  "                           ^" },
	{ "scenario: x\nvm: {kernel: ''}\n",
	  "f.yaml:2:14: 'kernel' has no value\n  vm: {kernel: ''}\n               ^" },
	{ "scenario: x\nwatchdog: 999ms\n",
	  "f.yaml:2:11: 'watchdog' must be at least 1s, not '999ms'\n  watchdog: 999ms\n"
	  "            ^" },
	{ "scenario: x\nwatchdog: 25h\n",
	  "f.yaml:2:11: 'watchdog' must be at most 24h, not '25h'\n  watchdog: 25h\n"
	  "            ^" },
	{ "scenario: x\nscheduler_timeout: 999ms\n",
	  "f.yaml:2:20: 'scheduler_timeout' must be at least 1s, not '999ms'\n"
	  "  scheduler_timeout: 999ms\n                     ^" },
	{ "scenario: x\nscheduler_timeout: 11m\n",
	  "f.yaml:2:20: 'scheduler_timeout' must be at most 10m, not '11m'\n"
	  "  scheduler_timeout: 11m\n                     ^" },
	{ "scenario: x\nschedulers: [y]\n",
	  "f.yaml:2:13: 'schedulers' must be a map of names, like {other: eevdf}\n"
	  "  schedulers: [y]\n              ^" },
	{ "scenario: x\nschedulers: {Fifo: y}\n",
	  "f.yaml:2:14: 'Fifo' is no name for a scheduler (lower-case letters, digits, _ and -, a "
	  "letter first, at most 31)\n  schedulers: {Fifo: y}\n               ^" },
	{ "scenario: x\nschedulers: {a234567890123456789012345678901x: y}\n",
	  "f.yaml:2:14: 'a234567890123456789012345678901x' is no name for a scheduler (lower-case "
	  "letters, digits, _ and -, a letter first, at most 31)\n"
	  "  schedulers: {a234567890123456789012345678901x: y}\n               ^" },
	{ "scenario: x\nschedulers: {fifo: [y]}\n",
	  "f.yaml:2:20: 'fifo' must be NAME or {plugin: NAME, key: value}\n"
	  "  schedulers: {fifo: [y]}\n                     ^" },
	{ "scenario: x\nschedulers: {fifo: Y}\n",
	  "f.yaml:2:20: 'Y' is no name of a plugin (lower-case letters, digits and _, at most 31) "
	  "and no path with a '/'\n  schedulers: {fifo: Y}\n                     ^" },
	{ "scenario: x\nscedulers: {fifo: y}\n",
	  "f.yaml:2:1: unknown key 'scedulers', did you mean 'schedulers'?\n"
	  "  scedulers: {fifo: y}\n  ^" },
	{ "scenario:\n", "f.yaml:1:10: 'scenario' names no plugin\n  scenario:\n           ^" },
	{ "scenario: [x]\n",
	  "f.yaml:1:11: 'scenario' must be NAME or {plugin: NAME, key: value}\n  scenario: [x]\n"
	  "            ^" },
	{ "scenario: {steps: 1}\n",
	  "f.yaml:1:11: 'scenario' must be NAME or {plugin: NAME, key: value}\n"
	  "  scenario: {steps: 1}\n            ^" },
	{ "scenario: {plugin: [x]}\n",
	  "f.yaml:1:11: 'scenario' must be NAME or {plugin: NAME, key: value}\n"
	  "  scenario: {plugin: [x]}\n            ^" },
	{ "scenario: Spread\n",
	  "f.yaml:1:11: 'Spread' is no name of a plugin (lower-case letters, digits and _, at most "
	  "31) and no path with a '/'\n  scenario: Spread\n            ^" },
	{ "scenario: x\nscheduler: a234567890123456789012345678901x\n",
	  "f.yaml:2:12: 'a234567890123456789012345678901x' is no name of a plugin (lower-case "
	  "letters, "
	  "digits and _, at most 31) and no path with a '/'\n"
	  "  scheduler: a234567890123456789012345678901x\n             ^" },
	{ "scenario: x\ncheckers: y\n",
	  "f.yaml:2:11: 'checkers' must be a list\n  checkers: y\n            ^" },
	{ "scenario: x\ncheckers:\n- y\n- 3\n",
	  "f.yaml:4:3: '3' is no name of a plugin (lower-case letters, digits and _, at most 31) "
	  "and "
	  "no path with a '/'\n  - 3\n    ^" },
	{ "scenario: x\n\tseed: 1\n",
	  "f.yaml:2:1: tabs are not allowed for indentation; use spaces\n  \tseed: 1\n  ^" },
};

Test(scenario, refusals_name_the_place)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct ktstr_error err = { 0 };
		struct scenario_spec *spec = NULL;

		cr_expect_eq(scenario_parse("f.yaml", refused[i].text, strlen(refused[i].text),
					    &spec, &err),
			     -EINVAL, "%s", refused[i].text);
		cr_expect_str_eq(err.text, refused[i].says, "%s", err.text);
		cr_expect_null(spec);
	}
}

Test(scenario, too_large_a_text_is_refused)
{
	static char text[YAML_FILE_MAX + 1];
	struct ktstr_error err = { 0 };
	struct scenario_spec *spec = NULL;

	memset(text, '#', sizeof(text));
	cr_expect_eq(scenario_parse("f", text, sizeof(text), &spec, &err), -EINVAL);
	cr_expect_str_eq(err.text, "f:1:1: larger than 1048576 bytes");
}

Test(scenario, too_many_checkers_are_refused)
{
	struct str text = { 0 };
	struct ktstr_error err = { 0 };
	struct scenario_spec *spec = NULL;

	cr_assert_eq(str_add(&text, "scenario: x\ncheckers:\n"), 0);
	for (int i = 0; i < 1001; i++)
		cr_assert_eq(str_add(&text, "- y\n"), 0);
	cr_expect_eq(scenario_parse("f", text.data, text.length, &spec, &err), -EINVAL);
	cr_expect_str_eq(err.text, "more than 1000 checkers");
	str_done(&text);
}

Test(scenario, too_many_schedulers_are_refused)
{
	struct str text = { 0 };
	struct ktstr_error err = { 0 };
	struct scenario_spec *spec = NULL;

	cr_assert_eq(str_add(&text, "scenario: x\nschedulers:\n"), 0);
	for (int i = 0; i < 65; i++)
		cr_assert_eq(str_addf(&text, "  s%d: y\n", i), 0);
	cr_expect_eq(scenario_parse("f", text.data, text.length, &spec, &err), -EINVAL);
	cr_expect(str_starts(err.text, "f:3:3: more than 64 schedulers"), "%s", err.text);
	str_done(&text);
}

/* Files. */

static char *folder, *path;

static void make_folder(void)
{
	const char *above = getenv("TMPDIR");

	folder = str_format("%s/ktstr-test-XXXXXX", above ? above : "/tmp");
	cr_assert_not_null(mkdtemp(folder));
	path = str_format("%s/y.yaml", folder);
}

static void remove_folder(void)
{
	(void)unlink(path); /* not every test makes it */
	(void)rmdir(folder);
	free(path);
	free(folder);
}

Test(scenario, is_loaded_from_a_file, .init = make_folder, .fini = remove_folder)
{
	static const char text[] = "scenario: spread\nvm: {kernel: k}\n";
	struct ktstr_error err = { 0 };
	struct scenario_spec *spec = NULL;
	char *kernel = str_format("%s/k", folder);

	cr_assert_eq(io_replace_file(path, text, sizeof(text) - 1, &err), 0, "%s", err.text);
	cr_assert_eq(scenario_load(path, &spec, &err), 0, "%s", err.text);
	cr_expect_str_eq(spec->source.name, path);
	cr_expect_str_eq(spec->source.text, text);
	cr_expect_str_eq(spec->name, "y");
	cr_expect_str_eq(spec->vm.kernel, kernel);
	scenario_free(spec);
	free(kernel);
}

Test(scenario, a_missing_file_is_named, .init = make_folder, .fini = remove_folder)
{
	struct ktstr_error err = { 0 };
	struct scenario_spec *spec = NULL;
	char *says = str_format("cannot open '%s': No such file or directory", path);

	cr_expect_eq(scenario_load(path, &spec, &err), -ENOENT);
	cr_expect_str_eq(err.text, says);
	free(says);
}

Test(scenario, a_file_without_end_is_refused)
{
	struct ktstr_error err = { 0 };
	struct scenario_spec *spec = NULL;

	cr_expect_eq(scenario_load("/dev/zero", &spec, &err), -EINVAL);
	cr_expect_str_eq(err.text, "/dev/zero:1:1: larger than 1048576 bytes");
}
