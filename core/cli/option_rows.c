/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/option_rows.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "explore/tally.h"
#include "ktstr/plugin.h"
#include "param/bind.h"
#include "param/scalar.h"
#include "plugin/loader.h"
#include "run/repeat.h"

/* One of several words: its index, or the sentence. */
static int choose(const char *option, const char *word, const char *const *words, size_t count,
		  struct ktstr_error *err)
{
	struct str known = { 0 };
	int rc;

	for (size_t i = 0; i < count; i++)
		if (strcmp(word, words[i]) == 0)
			return (int)i;
	for (size_t i = 0; i < count; i++)
		(void)str_addf(&known, "%s%s", i > 0 ? ", " : "", words[i]);
	rc = ktstr_fail(err, -EINVAL, "%s: '%s' is none of: %s", option, word, str_text(&known));
	str_done(&known);
	return rc;
}

static int set_scenario(struct cli_options *o, const char *argument, struct ktstr_error *err)
{
	if (o->scenario)
		return ktstr_fail(err, -EINVAL, "--scenario is given twice; one run has one");
	o->scenario = argument;
	return 0;
}

static int set_scheduler(struct cli_options *o, const char *argument, struct ktstr_error *err)
{
	if (o->scheduler_count == COMPARE_RUNS_MAX)
		return ktstr_fail(err, -EINVAL, "--scheduler: more than %d cannot be compared",
				  COMPARE_RUNS_MAX);
	o->schedulers[o->scheduler_count++] = argument;
	o->run.scheduler = o->schedulers[0];
	return 0;
}

static int add_checker(struct cli_options *o, const char *argument, struct ktstr_error *err)
{
	(void)err;
	o->checkers[o->run.checker_count++] = argument;
	return 0;
}

static int set_only(struct cli_options *o, const char *argument, struct ktstr_error *err)
{
	(void)argument;
	(void)err;
	o->run.has_only_checkers = true;
	return 0;
}

static int set_if_missing(struct cli_options *o, const char *argument, struct ktstr_error *err)
{
	(void)argument;
	(void)err;
	o->run.is_if_missing = true;
	return 0;
}

static int set_kernel(struct cli_options *o, const char *argument, struct ktstr_error *err)
{
	(void)err;
	o->run.kernel = argument;
	return 0;
}

static int set_accel(struct cli_options *o, const char *argument, struct ktstr_error *err)
{
	static const char *const words[] = {
		[ACCEL_AUTO] = "auto",
		[ACCEL_KVM] = "kvm",
		[ACCEL_TCG] = "tcg",
	};
	int index = choose("--accel", argument, words, ARRAY_SIZE(words), err);

	if (index < 0)
		return index;
	o->run.accel = (enum accel)index;
	o->run.has_accel = true;
	return 0;
}

static int set_clock(struct cli_options *o, const char *argument, struct ktstr_error *err)
{
	static const char *const words[] = {
		[VM_CLOCK_AUTO] = "auto",
		[VM_CLOCK_VIRTUAL] = "virtual",
		[VM_CLOCK_HOST] = "host",
	};
	int index = choose("--clock", argument, words, ARRAY_SIZE(words), err);

	if (index < 0)
		return index;
	o->run.clock = (enum vm_clock)index;
	o->run.has_clock = true;
	return 0;
}

static int set_seed(struct cli_options *o, const char *argument, struct ktstr_error *err)
{
	int64_t seed;

	if (parse_int(argument, &seed) < 0 || seed < 0)
		return ktstr_fail(err, -EINVAL, "--seed: '%s' is no number from 0 to %" PRId64,
				  argument, INT64_MAX);
	o->run.seed = (uint64_t)seed;
	o->run.has_seed = true;
	return 0;
}

static int add_plugin_dir(struct cli_options *o, const char *argument, struct ktstr_error *err)
{
	(void)err;
	o->plugin_folders[o->run.plugin_folder_count++] = argument;
	return 0;
}

static int set_run_dir(struct cli_options *o, const char *argument, struct ktstr_error *err)
{
	if (!*argument)
		return ktstr_fail(err, -EINVAL, "--run-dir: the name is empty");
	o->run.run_folder = argument;
	return 0;
}

static int set_stats(struct cli_options *o, const char *argument, struct ktstr_error *err)
{
	int64_t ns;

	if (parse_duration(argument, &ns) < 0 || ns < 10 * INT64_C(1000000))
		return ktstr_fail(err, -EINVAL,
				  "--stats: '%s' is no duration of at least 10ms, such as 1s",
				  argument);
	o->run.stats_interval_ns = (uint64_t)ns;
	return 0;
}

static int set_cold(struct cli_options *o, const char *argument, struct ktstr_error *err)
{
	(void)argument;
	(void)err;
	o->run.is_cold = true;
	return 0;
}

static int set_base(struct cli_options *o, const char *argument, struct ktstr_error *err)
{
	static const char *const words[] = { "auto", "booted", "attached" }; /* enum run_base */
	int index = choose("--base", argument, words, ARRAY_SIZE(words), err);

	if (index >= 0)
		o->run.base = (enum run_base)index;
	return index < 0 ? index : 0;
}

static int set_verify(struct cli_options *o, const char *argument, struct ktstr_error *err)
{
	(void)argument;
	(void)err;
	o->is_verifying = true;
	return 0;
}

static int set_repeat(struct cli_options *o, const char *argument, struct ktstr_error *err)
{
	int64_t count;

	if (parse_int(argument, &count) < 0 || count < 2 || count > REPEAT_MAX)
		return ktstr_fail(err, -EINVAL, "--repeat: '%s' is no number from 2 to %u",
				  argument, REPEAT_MAX);
	o->repeat = (uint32_t)count;
	return 0;
}

static int set_identical(struct cli_options *o, const char *argument, struct ktstr_error *err)
{
	(void)argument;
	(void)err;
	o->must_be_same = true;
	return 0;
}

static int set_until(struct cli_options *o, const char *argument, struct ktstr_error *err)
{
	return until_parse(argument, &o->until, err);
}

static int set_gdb(struct cli_options *o, const char *argument, struct ktstr_error *err)
{
	(void)err;
	o->until.has_gdb = true;
	o->until.vmlinux = argument;
	return 0;
}

static int set_force(struct cli_options *o, const char *argument, struct ktstr_error *err)
{
	(void)argument;
	(void)err;
	o->run.is_forced = true;
	return 0;
}

static int set_all(struct cli_options *o, const char *argument, struct ktstr_error *err)
{
	(void)argument;
	(void)err;
	o->has_all = true;
	return 0;
}

static int set_size(struct cli_options *o, const char *argument, struct ktstr_error *err)
{
	int64_t bytes;

	if (parse_size(argument, &bytes) < 0)
		return ktstr_fail(err, -EINVAL, "--size: '%s' is no size such as 512M or 2G",
				  argument);
	o->size = (uint64_t)bytes;
	o->has_size = true;
	return 0;
}

static int set_timings(struct cli_options *o, const char *argument, struct ktstr_error *err)
{
	(void)argument;
	(void)err;
	o->run.has_timings = true;
	return 0;
}

static int set_output(struct cli_options *o, const char *argument, struct ktstr_error *err)
{
	static const char *const words[] = { "text", "json" };
	int index = choose("--output", argument, words, ARRAY_SIZE(words), err);

	if (index < 0)
		return index;
	o->run.is_json = index == 1;
	return 0;
}

static int set_timeout(struct cli_options *o, const char *argument, struct ktstr_error *err)
{
	int64_t ns;

	if (parse_duration(argument, &ns) < 0 || ns <= 0)
		return ktstr_fail(err, -EINVAL,
				  "--checker-timeout: '%s' is no duration such as 30s", argument);
	o->run.checker_timeout_ns = (uint64_t)ns;
	return 0;
}

static int set_kind(struct cli_options *o, const char *argument, struct ktstr_error *err)
{
	static const char *const words[] = { "scheduler", "scenario", "workload", "checker" };
	static const uint32_t kinds[] = { KTSTR_KIND_SCHEDULER, KTSTR_KIND_SCENARIO,
					  KTSTR_KIND_WORKLOAD, KTSTR_KIND_CHECKER };
	int index = choose("--kind", argument, words, ARRAY_SIZE(words), err);

	if (index < 0)
		return index;
	o->kind = kinds[index];
	return 0;
}

static int add_fragment(struct cli_options *o, const char *argument, struct ktstr_error *err)
{
	(void)err;
	o->fragments[o->build.fragment_count++] = argument;
	return 0;
}

static int set_name(struct cli_options *o, const char *argument, struct ktstr_error *err)
{
	(void)err;
	o->build.name = argument;
	return 0;
}

static int set_jobs(struct cli_options *o, const char *argument, struct ktstr_error *err)
{
	int64_t jobs;

	if (parse_int(argument, &jobs) < 0 || jobs < 1 || jobs > KERNEL_BUILD_JOBS_MAX)
		return ktstr_fail(err, -EINVAL, "--jobs: '%s' is no number from 1 to %u", argument,
				  KERNEL_BUILD_JOBS_MAX);
	o->jobs = (uint32_t)jobs;
	return 0;
}

/* "A..B", both of them too, or "A" alone. */
static int set_seeds(struct cli_options *o, const char *argument, struct ktstr_error *err)
{
	const char *dots = strstr(argument, "..");
	char first_text[32];
	int64_t first = -1, last = -1;
	size_t length = dots ? (size_t)(dots - argument) : strlen(argument);

	(void)snprintf(first_text, sizeof(first_text), "%.*s", (int)length, argument);
	if (length >= sizeof(first_text) || parse_int(first_text, &first) < 0 || first < 0 ||
	    parse_int(dots ? dots + 2 : first_text, &last) < 0 || last < first)
		return ktstr_fail(err, -EINVAL, "--seeds: '%s' is no range of seeds such as 1..300",
				  argument);
	if (last - first >= (int64_t)TALLY_SEEDS_MAX)
		return ktstr_fail(err, -EINVAL, "--seeds: '%s' are more than %" PRIu64 " seeds",
				  argument, TALLY_SEEDS_MAX);
	o->explore.first_seed = (uint64_t)first;
	o->explore.last_seed = (uint64_t)last;
	o->has_seeds = true;
	return 0;
}

static int set_until_fail(struct cli_options *o, const char *argument, struct ktstr_error *err)
{
	(void)argument;
	(void)err;
	o->explore.is_until_fail = true;
	return 0;
}

static int set_shrink(struct cli_options *o, const char *argument, struct ktstr_error *err)
{
	(void)argument;
	(void)err;
	o->explore.is_shrinking = true;
	return 0;
}

static int set_shrink_time(struct cli_options *o, const char *argument, struct ktstr_error *err)
{
	int64_t ns;

	if (parse_duration(argument, &ns) < 0 || ns <= 0)
		return ktstr_fail(err, -EINVAL, "--shrink-time: '%s' is no duration such as 10m",
				  argument);
	o->explore.shrink_time_ns = (uint64_t)ns;
	return 0;
}

static int set_quiet(struct cli_options *o, const char *argument, struct ktstr_error *err)
{
	(void)argument;
	(void)err;
	o->run.is_quiet = true;
	return 0;
}

static int set_verbose(struct cli_options *o, const char *argument, struct ktstr_error *err)
{
	(void)argument;
	(void)err;
	o->run.is_verbose = true;
	return 0;
}

static int set_help(struct cli_options *o, const char *argument, struct ktstr_error *err)
{
	(void)argument;
	(void)err;
	o->has_help = true;
	return 0;
}

/* In the order of the help text. */
static const struct option_row rows[] = {
	{ "scenario", 0, "FILE", CLI_SCENARIO, "the scenario file to run", set_scenario },
	{ "scheduler", 0, "NAME[,KEY=VALUE...]", CLI_SCHEDULER,
	  "the scheduler, by name or path; several: compare", set_scheduler },
	{ "checker", 0, "NAME|PATH[,KEY=VALUE...]", CLI_CHECKER,
	  "one checker more; may be repeated", add_checker },
	{ "only", 0, NULL, CLI_ONLY, "judge by the checkers of --checker alone", set_only },
	{ "kernel", 0, "FILE", CLI_MACHINE, "the kernel: a file, a build tree, a cached one",
	  set_kernel },
	{ "accel", 0, "auto|kvm|tcg", CLI_MACHINE, "how the VM runs; auto takes KVM where it works",
	  set_accel },
	{ "clock", 0, "auto|virtual|host", CLI_MACHINE,
	  "the guest's time: its own (TCG) or the host's", set_clock },
	{ "seeds", 0, "A..B", CLI_EXPLORE, "the seeds, from A to B", set_seeds },
	{ "until-fail", 0, NULL, CLI_EXPLORE, "stop at the first that fails", set_until_fail },
	{ "shrink", 0, NULL, CLI_EXPLORE, "then make the scenario smaller while it fails so",
	  set_shrink },
	{ "shrink-time", 0, "DURATION", CLI_EXPLORE, "for that, at most (10m)", set_shrink_time },
	{ "seed", 0, "NUMBER", CLI_SEED, "seed of the run's random numbers", set_seed },
	{ "plugin-dir", 0, "FOLDER", CLI_PLUGIN_DIR, "look for plugins here first; may be repeated",
	  add_plugin_dir },
	{ "run-dir", 0, "FOLDER", CLI_RUN_DIR, "keep the run in this folder, which must be empty",
	  set_run_dir },
	{ "checker-timeout", 0, "DURATION", CLI_TIMEOUT, "how long one checker may take (60s)",
	  set_timeout },
	{ "if-missing", 0, NULL, CLI_IF_MISSING, "fetch only when there is none yet",
	  set_if_missing },
	{ "config", 0, "FRAGMENT", CLI_BUILD, "build: lines for the config; may be repeated",
	  add_fragment },
	{ "name", 0, "NAME", CLI_BUILD, "build: what the kernel's release ends in", set_name },
	{ "jobs", 'j', "NUMBER", CLI_JOBS, "so many at once (as many as CPUs)", set_jobs },
	{ "kind", 0, "KIND", CLI_KIND, "only plugins of this kind", set_kind },
	{ "stats", 0, "DURATION", CLI_STATS, "ask the scheduler for statistics so often",
	  set_stats },
	{ "cold", 0, NULL, CLI_MACHINE, "boot the VM, even where one is saved", set_cold },
	{ "base", 0, "auto|booted|attached", CLI_MACHINE, "how far a saved VM has come", set_base },
	{ "verify-restore", 0, NULL, CLI_VERIFY, "compare a run that boots to a restored one",
	  set_verify },
	{ "repeat", 0, "NUMBER", CLI_REPEAT, "run it so often, with one seed", set_repeat },
	{ "expect-identical", 0, NULL, CLI_REPEAT, "fail if a repeated run is not the same",
	  set_identical },
	{ "until", 0, "TIME|step:N|frame:N", CLI_REPLAY, "stop there, and show where all CPUs are",
	  set_until },
	{ "gdb", 0, "[=VMLINUX]", CLI_REPLAY,
	  "open gdb there, with these symbols or the kernel's own", set_gdb },
	{ "force", 0, NULL, CLI_REPLAY, "run it, also with other parts than then", set_force },
	{ "all", 0, NULL, CLI_BASES, "remove all of them", set_all },
	{ "size", 0, "SIZE", CLI_BASES, "how much is to be left", set_size },
	{ "timings", 0, NULL, CLI_TIMINGS, "show how long each part took", set_timings },
	{ "output", 0, "text|json", CLI_OUTPUT, "how the result is written to stdout", set_output },
	{ "quiet", 'q', NULL, CLI_MESSAGES, "no progress on stderr, only warnings", set_quiet },
	{ "verbose", 'v', NULL, CLI_MESSAGES, "more of everything: console, workers, QEMU",
	  set_verbose },
	{ "help", 'h', NULL, CLI_ALWAYS, "this text", set_help },
};

_Static_assert(ARRAY_SIZE(rows) <= CLI_OPTION_ROWS_MAX, "more options than there is room for");

const struct option_row *cli_option_rows(size_t *ret_count)
{
	*ret_count = ARRAY_SIZE(rows);
	return rows;
}
