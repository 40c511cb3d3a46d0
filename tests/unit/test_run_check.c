/* SPDX-License-Identifier: GPL-2.0-only */
/* Judging recorded runs, and looking at scenario files, as the program does. */
#include "run/run.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <jansson.h>

#include "base/str.h"
#include "judge/verdict.h"
#include "run/compare.h"
#include "support/runfile_maker.h"
#include "support/scratch.h"

/* What maker_hello() says that the guest loaded. */
#define PLUGINS                                                                                    \
	"{\"kind\": \"scheduler\", \"name\": \"eevdf\", \"crc32\": 286331153},"                    \
	"{\"kind\": \"scenario\", \"name\": \"steps\", \"crc32\": 572662306}"
#define META_WITH(MORE_PLUGINS, CHECKERS)                                                          \
	"{\"schema_version\": 1, \"plugins\": [" PLUGINS MORE_PLUGINS                              \
	"], \"checkers\": [" CHECKERS "]}"
#define META(CHECKERS) META_WITH("", CHECKERS)
#define GAP "{\"name\": \"gap\", \"path\": \"/p/gap.so\", \"kind\": \"checker\", \"params\": null}"

static struct scratch scratch;
static const char *runfile;
static char *text, *messages;
static size_t length, messages_length;
static FILE *real_stderr, *capture;
static struct run_options options;

static void setup(void)
{
	scratch_init(&scratch);
	runfile = scratch_path(&scratch, "run.ktr");
	capture = open_memstream(&messages, &messages_length);
	options = (struct run_options){ .out = open_memstream(&text, &length) };
	cr_assert(capture && options.out);
	cr_assert_eq(unsetenv("KTSTR_PLUGIN_PATH"), 0);
	real_stderr = stderr;
}

static void teardown(void)
{
	(void)fclose(options.out);
	(void)fclose(capture);
	free(text);
	free(messages);
	scratch_done(&scratch);
}

TestSuite(run_check, .init = setup, .fini = teardown, .timeout = 60);

/* A whole good run of one worker that stood still for 50 ms. */
static void make_run(const char *meta)
{
	const struct maker_hello hello = { .seed = MAKER_SEED,
					   .scheduler_crc = MAKER_SCHEDULER_CRC,
					   .scheduler = "eevdf",
					   .scenario = "steps" };
	const struct ktstr_worker_report worker = { .size = sizeof(worker),
						    .tid = 7,
						    .flags = KTSTR_WORKER_COMPLETED,
						    .work_units = 9,
						    .wall_time_ns = 1000000000,
						    .cpu_time_ns = 900000000,
						    .max_gap_ns = 50000000,
						    .workload = "cpu_spin" };
	struct runfile_maker maker;

	maker_start(&maker, runfile, meta);
	maker_begin(&maker, &hello);
	maker_frame(&maker, KTSTR_MSG_WORKER, &worker, sizeof(worker), true);
	maker_pass(&maker);
	maker_seal(&maker, COORD_END_STREAM, "the guest ended its stream");
}

/* The exit code; then what was printed and said is in @text and @messages. */
static int checked(int (*check)(const char *path, const struct run_options *), const char *path)
{
	int exit_code;

	stderr = capture;
	exit_code = check(path, &options);
	stderr = real_stderr;
	(void)fflush(capture);
	(void)fflush(options.out);
	return exit_code;
}

static int check_file(const char *path, const struct run_options *o)
{
	char *const files[] = { (char *)path };

	return run_check_scenarios(files, 1, o);
}

Test(run_check, judges_a_run_by_its_own_checkers)
{
	make_run(META(GAP));
	cr_assert_eq(checked(run_check, runfile), EXIT_PASS, "%s%s", text, messages);
	cr_assert(strstr(text, "  gap  PASS  longest gap 50 ms of at most 2000 ms"), "%s", text);
}

Test(run_check, takes_the_folder_for_the_run_in_it)
{
	FILE *log = fopen(scratch_path(&scratch, "console.log"), "w");

	cr_assert_not_null(log);
	(void)fclose(log);
	make_run(META(GAP));
	cr_assert_eq(checked(run_check, scratch.folder), EXIT_PASS, "%s", messages);
	cr_assert(strstr(text, "/run.ktr\n"), "%s", text);
	cr_assert(strstr(text, "/console.log\n"), "%s", text);
}

static int compare_twice(const char *path, const struct run_options *o)
{
	char *const paths[] = { (char *)path, (char *)path };

	return compare_checks(paths, 2, o);
}

static int compare_one(const char *path, const struct run_options *o)
{
	char *const paths[] = { (char *)path };

	return compare_checks(paths, 1, o);
}

/* A run in a folder @name of its own. */
static void make_run_in(const char *name)
{
	char path[32];

	cr_assert_eq(mkdir(scratch_path(&scratch, name), 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/run.ktr", name);
	runfile = scratch_path(&scratch, path);
	make_run(META(GAP));
}

static void make_file(const char *name)
{
	FILE *file = fopen(scratch_path(&scratch, name), "w");

	cr_assert_not_null(file);
	(void)fclose(file);
}

Test(run_check, compares_several_runs)
{
	make_run(META(GAP));
	cr_assert_eq(checked(compare_twice, runfile), EXIT_PASS, "%s%s", text, messages);
	cr_assert(strstr(text, "  gap                PASS           PASS\n"
			       "    longest gap ms     50     50       =\n"),
		  "%s", text);
	cr_assert(strstr(text, "\nPASS: 2 of 2 runs passed\n"), "%s", text);
}

Test(run_check, shows_one_run_alone_as_ever)
{
	make_run(META(GAP));
	cr_assert_eq(checked(compare_one, runfile), EXIT_PASS, "%s", messages);
	cr_assert_null(strstr(text, "comparison"), "%s", text);
	cr_assert(strstr(text, "  gap  PASS  longest gap 50 ms"), "%s", text);
}

Test(run_check, takes_the_folder_of_a_comparison_for_its_runs)
{
	make_file("comparison.json");
	make_run_in("10-c");
	make_run_in("2-b");
	make_run_in("x");
	cr_assert_eq(mkdir(scratch_path(&scratch, "3-never"), 0700), 0);
	cr_assert_eq(checked(compare_one, scratch.folder), EXIT_PASS, "%s", messages);
	cr_assert(strstr(text, "\nPASS: 2 of 2 runs passed\n"), "%s", text);
	cr_assert(strstr(text, "/2-b/run.ktr"), "%s", text);
	cr_assert_lt(strstr(text, "/2-b/run.ktr"), strstr(text, "/10-c/run.ktr"), "%s", text);
}

Test(run_check, refuses_a_comparison_without_runs)
{
	make_file("comparison.json");
	cr_assert_eq(checked(compare_one, scratch.folder), EXIT_USAGE);
	cr_assert(strstr(messages, "': there is no run in it\n"), "%s", messages);
}

Test(run_check, refuses_to_compare_more_than_there_are_columns)
{
	char *paths[COMPARE_RUNS_MAX + 1];
	int exit_code;

	make_run(META(GAP));
	for (size_t i = 0; i <= COMPARE_RUNS_MAX; i++)
		paths[i] = (char *)runfile;
	stderr = capture;
	exit_code = compare_checks(paths, COMPARE_RUNS_MAX + 1, &options);
	stderr = real_stderr;
	(void)fflush(capture);
	cr_assert_eq(exit_code, EXIT_USAGE);
	cr_assert(strstr(messages, "more than 8 runs cannot be compared"), "%s", messages);
}

Test(run_check, compares_nothing_when_one_cannot_be_judged)
{
	char *const paths[] = { (char *)runfile, (char *)"/nowhere" };
	int exit_code;

	options.is_json = true;
	make_run(META(GAP));
	stderr = capture;
	exit_code = compare_checks(paths, 2, &options);
	stderr = real_stderr;
	(void)fflush(options.out);
	(void)fflush(capture);
	cr_assert_eq(exit_code, EXIT_USAGE);
	cr_assert(strstr(messages, "cannot open run '/nowhere'"), "%s", messages);
	cr_assert(strstr(text, "\"kind\": \"error\""), "%s", text);
	cr_assert_null(strstr(text, "verdict"), "%s", text);
}

Test(run_check, judges_by_given_checkers_too)
{
	static const char *const given[] = { "gap,max_gap=10ms" };

	options.checkers = given;
	options.checker_count = 1;
	make_run(META(GAP));
	cr_assert_eq(checked(run_check, runfile), EXIT_FAIL, "%s", messages);
	cr_assert(strstr(text, "  gap  FAIL  longest gap 50 ms, above 10 ms (tid 7)\n"), "%s",
		  text);
	cr_assert(strstr(text, "  gap  PASS  "), "%s", text);
}

Test(run_check, judges_by_given_checkers_alone_when_asked)
{
	static const char *const given[] = { "starvation" };

	options.checkers = given;
	options.checker_count = 1;
	options.has_only_checkers = true;
	/* Not even known are those that the run names. */
	make_run(META("{\"name\": \"gone\", \"path\": \"/p/gone.so\", \"kind\": \"checker\"}"));
	cr_assert_eq(checked(run_check, runfile), EXIT_PASS, "%s", messages);
	cr_assert_null(strstr(text, "  gap  "), "%s", text);
}

Test(run_check, says_that_a_checker_has_changed)
{
	make_run(META_WITH(", {\"kind\": \"checker\", \"name\": \"gap\", \"crc32\": 1}", GAP));
	cr_assert_eq(checked(run_check, runfile), EXIT_PASS);
	cr_assert(strstr(messages, "note: checker 'gap' is not the same file as when the run was "
				   "recorded"),
		  "%s", messages);
}

/* Runs that cannot be judged: the user names another, or another checker. */
static const struct {
	const char *meta; /* NULL: none in the file */
	const char *checker;
	const char *says;
} refused[] = {
	{ NULL, NULL, "it does not say what was run (no META record that can be read)" },
	{ "[]", NULL, "it does not say what was run" },
	{ META(""), NULL, "names no checker, so nothing could be judged; add one with --checker" },
	{ META("{\"name\": \"./evil\", \"kind\": \"checker\"}"), NULL,
	  "'./evil' is no name of a checker" },
	{ META("{\"name\": \"gone\", \"path\": \"/p/gone.so\", \"kind\": \"checker\"}"), NULL,
	  "was judged by '/p/gone.so'; give it with --checker PATH, or its folder with "
	  "--plugin-dir: no checker 'gone'" },
	{ META("{\"name\": \"gap\", \"kind\": \"checker\", \"params\": {\"x\": \"1\"}}"), NULL,
	  "unknown key 'x'" },
	{ META(GAP), "gap,max_gpa=1s", "--checker: gap: unknown key 'max_gpa'" },
	{ META(GAP), "gpa", "--checker: " },
};

Test(run_check, refuses_what_it_cannot_judge)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		const char *const given[] = { refused[i].checker };

		options.checkers = given;
		options.checker_count = refused[i].checker ? 1 : 0;
		rewind(capture);
		make_run(refused[i].meta);
		cr_expect_eq(checked(run_check, runfile), EXIT_USAGE, "%zu", i);
		cr_expect(strstr(messages, refused[i].says), "%zu: %s", i, messages);
		cr_assert_eq(unlink(runfile), 0);
	}
	cr_expect_str_eq(text, "");
}

Test(run_check, refuses_what_is_no_run)
{
	FILE *file = fopen(runfile, "w");

	cr_expect_eq(checked(run_check, "/nowhere/run.ktr"), EXIT_USAGE);
	cr_expect(
		strstr(messages, "cannot open run '/nowhere/run.ktr': No such file or directory\n"),
		"%s", messages);
	cr_assert_not_null(file);
	(void)fputs("no run file at all, but long enough for a header of one\n", file);
	(void)fclose(file);
	cr_expect_eq(checked(run_check, runfile), EXIT_USAGE);
	cr_expect(strstr(messages, "run.ktr'"), "%s", messages);
}

Test(run_check, refuses_a_plugin_folder_that_is_none)
{
	static const char *const folders[] = { "/dev/null" };

	options.plugin_folders = folders;
	options.plugin_folder_count = 1;
	make_run(META(GAP));
	cr_expect_eq(checked(run_check, runfile), EXIT_USAGE);
	cr_expect(strstr(messages, "--plugin-dir '/dev/null' is no folder"), "%s", messages);
	cr_expect_eq(checked(check_file, "x.yaml"), EXIT_USAGE);
}

static const char *scenario_file(const char *yaml)
{
	const char *path = scratch_path(&scratch, "x.yaml");
	FILE *file = fopen(path, "w");

	cr_assert_not_null(file);
	(void)fputs(yaml, file);
	cr_assert_eq(fclose(file), 0);
	return path;
}

Test(run_check, says_that_a_scenario_file_is_right)
{
	const char *path = scenario_file("scenario: cpu_hog\ncheckers: [gap]\n");

	cr_assert_eq(checked(check_file, path), EXIT_PASS, "%s", messages);
	cr_assert(str_ends(text, "x.yaml: ok\n"), "%s", text);
}

Test(run_check, looks_at_all_scenario_files)
{
	const char *good = scenario_file("scenario: cpu_hog\ncheckers: [gap]\n");
	char *const files[] = { (char *)"/nowhere/y.yaml", (char *)good };
	const char *error, *kind;
	int first, second, code;
	json_t *json;

	options.is_json = true;
	stderr = capture;
	cr_assert_eq(run_check_scenarios(files, 2, &options), EXIT_USAGE);
	stderr = real_stderr;
	(void)fflush(options.out);
	json = json_loads(text, 0, NULL);
	cr_assert_eq(json_unpack(json, "{ss si s[{sb ss}{sb sn}]}", "kind", &kind, "exit_code",
				 &code, "scenarios", "is_valid", &first, "error", &error,
				 "is_valid", &second, "error"),
		     0, "%s", text);
	cr_assert_str_eq(kind, "scenarios");
	cr_assert_eq(code, EXIT_USAGE);
	cr_assert(!first && second);
	cr_assert(strstr(error, "'/nowhere/y.yaml'"), "%s", error);
	json_decref(json);
}
