/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "ktstr/plugin.h"

#define EVERYTHING (0x7fffu | CLI_SEED | CLI_STATS)

static struct cli_options options;
static struct ktstr_error err;

static void teardown(void)
{
	cli_options_done(&options);
}

TestSuite(cli_options, .fini = teardown);

/* Parse words ended by NULL, with a program name before them. */
static int parse(uint32_t mask, const char *const *words)
{
	static char *argv[32];
	int argc = 0;

	argv[argc++] = (char *)"ktstr";
	while (*words && argc < 31)
		argv[argc++] = (char *)*words++;
	argv[argc] = NULL;
	return cli_options_parse(argc, argv, mask, &options, &err);
}

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

Test(cli_options, fill_in_what_they_say)
{
	cr_assert_eq(parse(EVERYTHING,
			   WORDS("--scheduler", "eevdf", "x.yaml", "--checker=gap,max_gap=1s",
				 "--checker", "starvation", "--only", "--kernel=/k", "--accel",
				 "tcg", "-qv", "--seed", "0x10")),
		     0, "%s", err.text);
	cr_assert_str_eq(options.run.scheduler, "eevdf");
	cr_assert_eq(options.run.checker_count, 2);
	cr_assert_str_eq(options.run.checkers[0], "gap,max_gap=1s");
	cr_assert_str_eq(options.run.checkers[1], "starvation");
	cr_assert(options.run.has_only_checkers);
	cr_assert_str_eq(options.run.kernel, "/k");
	cr_assert(options.run.has_accel);
	cr_assert_eq(options.run.accel, ACCEL_TCG);
	cr_assert(options.run.is_quiet);
	cr_assert(options.run.is_verbose);
	cr_assert(options.run.has_seed);
	cr_assert_eq(options.run.seed, 16);
	cr_assert_eq(options.argument_count, 1);
	cr_assert_str_eq(options.arguments[0], "x.yaml");
}

Test(cli_options, keep_all_schedulers_in_their_order)
{
	cr_assert_eq(parse(EVERYTHING, WORDS("--scheduler", "eevdf", "x.yaml",
					     "--sched=b,slice=5ms", "--scheduler", "eevdf")),
		     0, "%s", err.text);
	cr_assert_eq(options.scheduler_count, 3);
	cr_assert_str_eq(options.schedulers[0], "eevdf");
	cr_assert_str_eq(options.schedulers[1], "b,slice=5ms");
	cr_assert_str_eq(options.schedulers[2], "eevdf");
	cr_assert_str_eq(options.run.scheduler, "eevdf");
}

Test(cli_options, take_as_many_schedulers_as_a_table_has_columns)
{
	const char *words[2 * (COMPARE_RUNS_MAX + 1) + 1] = { NULL };

	for (size_t i = 0; i < COMPARE_RUNS_MAX; i++) {
		words[2 * i] = "--scheduler";
		words[2 * i + 1] = "eevdf";
	}
	cr_assert_eq(parse(EVERYTHING, words), 0, "%s", err.text);
	cr_assert_eq(options.scheduler_count, COMPARE_RUNS_MAX);
	cli_options_done(&options);
	words[2 * COMPARE_RUNS_MAX] = "--scheduler=eevdf";
	cr_assert_eq(parse(EVERYTHING, words), -EINVAL);
	cr_assert_str_eq(err.text, "--scheduler: more than 8 cannot be compared");
}

Test(cli_options, fill_in_the_rest_too)
{
	cr_assert_eq(
		parse(EVERYTHING,
		      WORDS("--plugin-dir", "a", "--plugin-dir", "b", "--run-dir", "r", "--timings",
			    "--output", "json", "--checker-timeout", "1500ms", "--stats", "250ms",
			    "--kind", "workload", "--scenario", "s.yaml", "--help")),
		0, "%s", err.text);
	cr_assert_eq(options.run.plugin_folder_count, 2);
	cr_assert_str_eq(options.run.plugin_folders[1], "b");
	cr_assert_str_eq(options.run.run_folder, "r");
	cr_assert(options.run.has_timings);
	cr_assert(options.run.is_json);
	cr_assert_eq(options.run.checker_timeout_ns, 1500000000);
	cr_assert_eq(options.run.stats_interval_ns, 250000000);
	cr_assert_eq(options.kind, KTSTR_KIND_WORKLOAD);
	cr_assert_str_eq(options.scenario, "s.yaml");
	cr_assert(options.has_help);
}

Test(cli_options, say_how_a_kernel_is_built)
{
	cr_assert_eq(parse(CLI_BUILD | CLI_JOBS, WORDS("--config", "a", "--jobs", "3", "--config",
						       "b", "--name", "mine")),
		     0, "%s", err.text);
	cr_assert_eq(options.build.fragment_count, 2);
	cr_assert_str_eq(options.build.fragments[1], "b");
	cr_assert_eq(options.jobs, 3);
	cr_assert_str_eq(options.build.name, "mine");
}

Test(cli_options, say_what_is_explored)
{
	cr_assert_eq(parse(CLI_EXPLORE | CLI_JOBS, WORDS("--seeds", "7..300", "-j2", "--until-fail",
							 "--shrink", "--shrink-time=90s")),
		     0, "%s", err.text);
	cr_assert(options.has_seeds);
	cr_assert_eq(options.explore.first_seed, 7);
	cr_assert_eq(options.explore.last_seed, 300);
	cr_assert_eq(options.jobs, 2);
	cr_assert(options.explore.is_until_fail);
	cr_assert(options.explore.is_shrinking);
	cr_assert_eq(options.explore.shrink_time_ns, UINT64_C(90000000000));
}

Test(cli_options, take_one_seed_as_a_range)
{
	cr_assert_eq(parse(CLI_EXPLORE, WORDS("--seeds", "41")), 0, "%s", err.text);
	cr_assert_eq(options.explore.first_seed, 41);
	cr_assert_eq(options.explore.last_seed, 41);
}

Test(cli_options, tell_that_json_is_wanted_wherever_it_stands)
{
	static const struct {
		const char *words[5];
		uint32_t mask;
		bool is_json;
	} cases[] = {
		{ { "--bogus", "--output", "json" }, EVERYTHING, true },
		{ { "--bogus", "--output=json" }, EVERYTHING, true },
		{ { "--output", "json", "--bogus" }, EVERYTHING, true },
		{ { "--bogus", "--output", "text" }, EVERYTHING, false },
		{ { "--bogus", "--", "--output", "json" }, EVERYTHING, false },
		{ { "--bogus", "--output=json" }, CLI_KIND, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_expect_lt(parse(cases[i].mask, cases[i].words), 0, "%zu", i);
		cr_expect_eq(options.run.is_json, cases[i].is_json, "%zu", i);
		cli_options_done(&options);
	}
	cr_expect_eq(parse(EVERYTHING, WORDS("--output=json", "--output=text")), 0);
	cr_expect_not(options.run.is_json, "the last one counts");
}

Test(cli_options, are_nothing_by_default)
{
	cr_assert_eq(parse(EVERYTHING, WORDS("a", "--", "--seed")), 0, "%s", err.text);
	cr_assert_not(options.run.has_seed);
	cr_assert_not(options.run.has_accel);
	cr_assert_not(options.run.is_json);
	cr_assert_eq(options.run.checker_count, 0);
	cr_assert_eq(options.argument_count, 2);
	cr_assert_str_eq(options.arguments[1], "--seed");
}

Test(cli_options, are_refused_with_a_sentence)
{
	static const struct {
		const char *words[3];
		uint32_t mask;
		const char *text;
	} cases[] = {
		{ { "--scenaro", "x" },
		  EVERYTHING,
		  "unknown option '--scenaro', did you mean '--scenario'" },
		{ { "--chcker=gap" },
		  EVERYTHING,
		  "unknown option '--chcker', did you mean '--checker'" },
		{ { "--xyzzy" },
		  EVERYTHING,
		  "unknown option '--xyzzy'; --help shows those there are" },
		{ { "-x" }, EVERYTHING, "unknown option '-x'; --help shows those there are" },
		{ { "--jobs", "0" }, CLI_JOBS, "--jobs: '0' is no number from 1 to 4096" },
		{ { "--seeds", "9..3" },
		  CLI_EXPLORE,
		  "--seeds: '9..3' is no range of seeds such as 1..300" },
		{ { "--seeds", "1.." },
		  CLI_EXPLORE,
		  "--seeds: '1..' is no range of seeds such as 1..300" },
		{ { "--seeds", "-1..3" },
		  CLI_EXPLORE,
		  "--seeds: '-1..3' is no range of seeds such as 1..300" },
		{ { "--seeds", "1-3" },
		  CLI_EXPLORE,
		  "--seeds: '1-3' is no range of seeds such as 1..300" },
		{ { "--seeds", "0..1000000" },
		  CLI_EXPLORE,
		  "--seeds: '0..1000000' are more than 1000000 seeds" },
		{ { "--shrink-time", "9" },
		  CLI_EXPLORE,
		  "--shrink-time: '9' is no duration such as 10m" },
		{ { "--jobs", "many" }, CLI_JOBS, "--jobs: 'many' is no number from 1 to 4096" },
		{ { "--seed", "1" },
		  CLI_OUTPUT,
		  "unknown option '--seed'; --help shows those there are" },
		{ { "--sche=1" },
		  CLI_OUTPUT,
		  "unknown option '--sche'; --help shows those there are" },
		{ { "--sc=1" }, EVERYTHING, "option '--sc' could be several; write it out" },
		{ { "--seed" }, EVERYTHING, "option --seed needs an argument: --seed NUMBER" },
		{ { "--timings=1" }, EVERYTHING, "option --timings takes no argument" },
		{ { "--accel", "hvf" }, EVERYTHING, "--accel: 'hvf' is none of: auto, kvm, tcg" },
		{ { "--output", "xml" }, EVERYTHING, "--output: 'xml' is none of: text, json" },
		{ { "--kind", "cpu" },
		  EVERYTHING,
		  "--kind: 'cpu' is none of: scheduler, scenario, workload, checker" },
		{ { "--seed", "-1" },
		  EVERYTHING,
		  "--seed: '-1' is no number from 0 to 9223372036854775807" },
		{ { "--seed", "1x" },
		  EVERYTHING,
		  "--seed: '1x' is no number from 0 to 9223372036854775807" },
		{ { "--seed", "18446744073709551616" },
		  EVERYTHING,
		  "--seed: '18446744073709551616' is no number from 0 to 9223372036854775807" },
		{ { "--checker-timeout", "0s" },
		  EVERYTHING,
		  "--checker-timeout: '0s' is no duration such as 30s" },
		{ { "--checker-timeout", "soon" },
		  EVERYTHING,
		  "--checker-timeout: 'soon' is no duration such as 30s" },
		{ { "--stats", "9ms" },
		  EVERYTHING,
		  "--stats: '9ms' is no duration of at least 10ms, such as 1s" },
		{ { "--stats", "often" },
		  EVERYTHING,
		  "--stats: 'often' is no duration of at least 10ms, such as 1s" },
		{ { "--run-dir", "" }, EVERYTHING, "--run-dir: the name is empty" },
		{ { "--scenario=a", "--scenario=b" },
		  EVERYTHING,
		  "--scenario is given twice; one run has one" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_assert_eq(parse(cases[i].mask, cases[i].words), -EINVAL, "%s", cases[i].text);
		cr_assert_str_eq(err.text, cases[i].text);
		cli_options_done(&options);
	}
}

Test(cli_options, are_all_in_the_help_of_a_command_that_takes_them)
{
	struct str text = { 0 };

	cr_assert_eq(cli_options_help(CLI_MACHINE | CLI_SEED | CLI_MESSAGES, &text), 0);
	cr_assert_str_eq(
		text.data,
		"      --kernel FILE             the kernel: a file, a build tree, a cached one\n"
		"      --accel auto|kvm|tcg      how the VM runs; auto takes KVM where it works\n"
		"      --clock auto|virtual|host\n"
		"                                the guest's time: its own (TCG) or the host's\n"
		"      --seed NUMBER             seed of the run's random numbers\n"
		"      --cold                    boot the VM, even where one is saved\n"
		"      --base auto|booted|attached\n"
		"                                how far a saved VM has come\n"
		"  -q, --quiet                   no progress on stderr, only warnings\n"
		"  -v, --verbose                 more of everything: console, workers, QEMU\n"
		"  -h, --help                    this text\n");
	str_done(&text);
}

Test(cli_options, have_short_help_lines)
{
	struct str text = { 0 };

	cr_assert_eq(cli_options_help(EVERYTHING | CLI_BUILD, &text), 0);
	for (const char *line = text.data; *line; line += strcspn(line, "\n") + 1)
		cr_assert_leq(strcspn(line, "\n"), 80, "%s", line);
	str_done(&text);
}

Test(cli_options, allow_colour_only_on_a_terminal_that_likes_it)
{
	int terminal = posix_openpt(O_RDWR | O_NOCTTY);
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	cr_assert_geq(null, 0);
	cr_assert_not(cli_has_colour(null, NULL, "xterm"));
	(void)close(null);
	if (terminal < 0)
		cr_skip_test("no pseudo terminal here");
	cr_assert(cli_has_colour(terminal, NULL, "xterm"));
	cr_assert(cli_has_colour(terminal, "", "xterm"));
	cr_assert_not(cli_has_colour(terminal, "1", "xterm"));
	cr_assert_not(cli_has_colour(terminal, NULL, "dumb"));
	cr_assert_not(cli_has_colour(terminal, NULL, NULL));
	cr_assert_not(cli_has_colour(terminal, NULL, ""));
	(void)close(terminal);
}
