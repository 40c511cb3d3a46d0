/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/str.h"
#include "report/facts.h"
#include "runfile/reader.h"

static char folder[] = "/tmp/ktstr-record-XXXXXX";
static struct record record;
static struct ktstr_error err;

static void setup(void)
{
	cr_assert_not_null(mkdtemp(folder));
}

static void teardown(void)
{
	char *command = str_format("rm -rf '%s'", folder);

	cr_assert_eq(system(command), 0);
	free(command);
}

TestSuite(run_record, .init = setup, .fini = teardown);

static char *below(const char *name)
{
	return str_format("%s/%s", folder, name);
}

Test(run_record, goes_exactly_where_it_is_told)
{
	char *path = below("a/b");
	char *file = below("a/b/run.ktr");

	cr_assert_eq(record_open(path, "hog", 1, 0, &record, &err), 0, "%s", err.text);
	cr_assert_str_eq(record.run_path, file);
	cr_assert_eq(record_close(&record, &err), 0, "%s", err.text);
	cr_assert_eq(access(file, R_OK), 0);
	record_done(&record);
	free(file);
	free(path);
}

Test(run_record, refuses_a_folder_with_something_in_it)
{
	char *file = below("x");
	char *expected =
		str_format("--run-dir '%s' is not empty; name another folder or remove it", folder);

	cr_assert_geq(close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
	cr_assert_eq(record_open(folder, "hog", 1, 0, &record, &err), -ENOTEMPTY);
	cr_assert_str_eq(err.text, expected);
	cr_assert_eq(access(file, F_OK), 0);
	free(expected);
	free(file);
}

Test(run_record, has_a_new_folder_in_the_state_folder)
{
	char *latest = below("ktstr/runs/latest/run.ktr");
	char *start = below("ktstr/runs/odd__name-");

	cr_assert_eq(setenv("XDG_STATE_HOME", folder, 1), 0);
	cr_assert_eq(record_open(NULL, "odd/ name", 1, 1700000000000000000, &record, &err), 0, "%s",
		     err.text);
	cr_assert(str_starts(record.folder, start), "%s", record.folder);
	cr_assert_neq(access(latest, R_OK), 0, "it has not begun yet");
	record_link_latest(&record);
	cr_assert_eq(access(latest, R_OK), 0);
	record_done(&record);
	free(start);
	free(latest);
}

Test(run_record, needs_a_home)
{
	cr_assert_eq(unsetenv("XDG_STATE_HOME"), 0);
	cr_assert_eq(unsetenv("HOME"), 0);
	cr_assert_eq(record_open(NULL, "hog", 1, 0, &record, &err), -ENOENT);
	cr_assert_str_eq(err.text,
			 "cannot record the run: neither XDG_STATE_HOME nor HOME names a folder; "
			 "set one, or use --run-dir");
}

Test(run_record, leaves_nothing_of_a_run_that_did_not_begin)
{
	char *path = below("new");
	char *deep = below("x/y/z");
	char *top = below("x");

	cr_assert_eq(record_open(deep, "hog", 1, 0, &record, &err), 0, "%s", err.text);
	record_discard(&record);
	cr_assert_lt(access(top, F_OK), 0, "folders above are left");
	cr_assert_geq(mkdir(top, 0700), 0);
	cr_assert_eq(record_open(deep, "hog", 1, 0, &record, &err), 0, "%s", err.text);
	record_discard(&record);
	cr_assert_eq(rmdir(top), 0, "it was there before, and is empty again");
	free(deep);
	free(top);
	cr_assert_eq(record_open(path, "hog", 1, 0, &record, &err), 0, "%s", err.text);
	record_discard(&record);
	cr_assert_lt(access(path, F_OK), 0);
	cr_assert_eq(record_open(folder, "hog", 1, 0, &record, &err), 0, "%s", err.text);
	record_discard(&record);
	cr_assert_eq(access(folder, F_OK), 0, "a folder that was there is gone");
	free(path);
}

Test(run_record, blames_the_user_for_a_folder_that_cannot_be)
{
	char *file = below("file");
	char *path = below("file/run");

	cr_assert_geq(close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
	cr_assert_eq(record_open(path, "hog", 1, 0, &record, &err), -ENOTDIR);
	cr_assert(str_starts(err.text, "--run-dir: cannot create folder"), "%s", err.text);
	cr_assert_eq(record_open("/proc/nothing/run", "hog", 1, 0, &record, &err), -ENOTDIR);
	cr_assert(str_starts(err.text, "--run-dir: cannot create folder '/proc/nothing'"), "%s",
		  err.text);
	cr_assert_eq(access(file, F_OK), 0);
	free(path);
	free(file);
}

Test(run_record, begins_with_what_was_run)
{
	static const char text[] = "scenario: x\n";
	const struct source source = { .name = "x.yaml", .text = text, .length = sizeof(text) - 1 };
	char name[] = "hog";
	const struct meta meta = { .scenario_name = name, .seed = 9 };
	struct facts *facts;
	char *path = below("run");

	cr_assert_eq(record_open(path, "hog", 1, 0, &record, &err), 0, "%s", err.text);
	cr_assert_eq(record_begin(&record, &meta, &source, &err), 0, "%s", err.text);
	cr_assert_eq(record_timing(&record, FACTS_TIMING_IMAGE, 77, &err), 0, "%s", err.text);
	cr_assert_eq(record_close(&record, &err), 0, "%s", err.text);
	cr_assert_eq(facts_read(record.run_fd, record.run_path, &facts, &err), 0, "%s", err.text);
	cr_assert_str_eq(facts->meta->scenario_name, "hog");
	cr_assert_eq(facts->meta->seed, 9);
	cr_assert_eq(facts->times.image_ns, 77);
	facts_free(facts);
	record_done(&record);
	free(path);
}

Test(run_record, knows_the_command_that_runs_it_again)
{
	static const struct {
		const char *words[8];
		size_t count;
		bool has_seed;
		const char *command;
		bool is_attached;
	} cases[] = {
		{ { "ktstr", "run", "a.yaml" }, 3, false, "ktstr run a.yaml --seed 5", false },
		{ { "ktstr", "run", "a.yaml", "--seed", "5" },
		  5,
		  true,
		  "ktstr run a.yaml --seed 5",
		  false },
		{ { "ktstr", "run", "a.yaml" },
		  3,
		  false,
		  "ktstr run a.yaml --seed 5 --base attached",
		  true },
		{ { "ktstr", "--base=attached", "a.yaml" },
		  3,
		  false,
		  "ktstr --base=attached a.yaml --seed 5",
		  true },
		{ { "ktstr", "--run-dir", "x", "a b", "--run-dir=y" },
		  5,
		  false,
		  "ktstr 'a b' --seed 5",
		  false },
		{ { "it's", "", "$x" }, 3, true, "'it'\\''s' '' '$x'", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *command = record_command((char *const *)cases[i].words, cases[i].count,
					       cases[i].has_seed, 5, cases[i].is_attached);

		cr_assert_str_eq(command, cases[i].command);
		free(command);
	}
}
