/* SPDX-License-Identifier: GPL-2.0-only */
/* The smaller parts of an exploration: what is explored, commands, folders, files, processes. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"
#include "config/yaml.h"
#include "explore/again.h"
#include "explore/internal.h"
#include "explore/place.h"
#include "explore/pool.h"
#include "explore/subject.h"
#include "explore/target.h"
#include "explore/words.h"
#include "support/folder.h"

static struct ktstr_error err;
static char *folder;

static void setup(void)
{
	folder = folder_new();
}

static void teardown(void)
{
	folder_remove(folder);
}

TestSuite(place, .init = setup, .fini = teardown);
TestSuite(target, .init = setup, .fini = teardown);

static void write_file(const char *name, const char *text)
{
	_cleanup_free_ char *path = str_format("%s/%s", folder, name);

	cr_assert_eq(io_replace_file(path, text, strlen(text), &err), 0, "%s", err.text);
}

static bool is_there(const char *name)
{
	_cleanup_free_ char *path = str_format("%s/%s", folder, name);

	return access(path, F_OK) == 0;
}

/* What is run once more. */

Test(again, is_once_for_each_seed_in_their_order)
{
	struct again again = { 0 };
	uint64_t seed = 0;

	cr_expect_not(again_waits(&again));
	cr_expect_not(again_take(&again, &seed));
	cr_expect_eq(again_add(&again, 7), 1);
	cr_expect_eq(again_add(&again, 3), 1);
	cr_expect(again_waits(&again));
	cr_expect(again_take(&again, &seed));
	cr_expect_eq(seed, 7);
	cr_expect_eq(again_add(&again, 7), 0, "it is run a third time");
	cr_expect(again_take(&again, &seed));
	cr_expect_eq(seed, 3);
	cr_expect_not(again_take(&again, &seed));
	again_done(&again);
	cr_expect_not(again_waits(&again));
}

/* What the outcome of all is. */

static uint32_t outcome_of(enum explore_end end, uint32_t of_first, bool has_second)
{
	struct exploration x = { .end = end };
	struct journal_entry entry = { .seed = 1, .signature = { .outcome = of_first } };
	struct tally_change ignored;
	uint32_t outcome;

	cr_assert_eq(tally_init(&x.tally, 1, 2), 0);
	tally_add(&x.tally, &entry, &ignored);
	entry = (struct journal_entry){ .seed = 2, .signature = { .outcome = KTSTR_OUTCOME_PASS } };
	if (has_second)
		tally_add(&x.tally, &entry, &ignored);
	outcome = explore_outcome(&x);
	tally_done(&x.tally);
	return outcome;
}

Test(explore, passes_only_where_all_seeds_were_run)
{
	cr_expect_eq(outcome_of(EXPLORE_END_ALL, KTSTR_OUTCOME_PASS, true), KTSTR_OUTCOME_PASS);
	cr_expect_eq(outcome_of(EXPLORE_END_ALL, KTSTR_OUTCOME_PASS, false), KTSTR_OUTCOME_ERROR);
	for (int end = EXPLORE_END_FAILURE; end <= EXPLORE_END_LOST; end++) {
		cr_expect_eq(outcome_of(end, KTSTR_OUTCOME_PASS, false), KTSTR_OUTCOME_ERROR, "%d",
			     end);
		cr_expect_eq(outcome_of(end, KTSTR_OUTCOME_FAIL, false), KTSTR_OUTCOME_FAIL, "%d",
			     end);
	}
	cr_expect_eq(outcome_of(EXPLORE_END_ALL, KTSTR_OUTCOME_FAIL, false), KTSTR_OUTCOME_FAIL);
}

/* What is explored. */

static json_t *subject(const char *text, int last, const char *options, const char *clock, int crc)
{
	return json_pack("{si ss s{ss} s{si si} ss s{ss ss} s[{ss ss si}]}", "schema_version", 1,
			 "kind", "exploration", "scenario", "text", text, "seeds", "first", 1,
			 "last", last, "options", options, "machine", "accel", "tcg", "clock",
			 clock, "files", "what", "checker 'gap'", "path", "/gap.so", "crc32", crc);
}

static void expect_difference(json_t *now, const char *says)
{
	json_t *then = subject("a\nb\nc\n", 9, "--cold", "virtual", 7);
	int rc = subject_compare(then, now, &err);

	cr_expect_eq(rc, says ? -ESTALE : 0, "%d: %s", rc, err.text);
	if (says)
		cr_expect_str_eq(err.text, says, "%s", err.text);
	json_decref(then);
	json_decref(now);
}

Test(subject, is_the_same_or_says_what_differs)
{
	json_t *more = subject("a\nb\nc\n", 9, "--cold", "virtual", 7);
	json_t *newer = subject("a\nb\nc\n", 9, "--cold", "virtual", 7);

	(void)json_array_append_new(
		json_object_get(more, "files"),
		json_pack("{ss ss si}", "what", "kernel", "path", "/k", "crc32", 1));
	(void)json_object_set_new(newer, "schema_version", json_integer(2));
	expect_difference(subject("a\nb\nc\n", 9, "--cold", "virtual", 7), NULL);
	expect_difference(subject("a\nb\nC\n", 9, "--cold", "virtual", 7),
			  "the scenario's text differs from line 3 on");
	expect_difference(subject("a\nb\nc\nd", 9, "--cold", "virtual", 7),
			  "the scenario's text differs from line 4 on");
	expect_difference(subject("a\nb\nc\n", 10, "--cold", "virtual", 7),
			  "the seeds were 1..9 and are 1..10");
	expect_difference(subject("a\nb\nc\n", 9, "", "virtual", 7),
			  "the command line's part about runs was '--cold' and is ''");
	expect_difference(subject("a\nb\nc\n", 9, "--cold", "host", 7),
			  "the clock of the VMs was 'virtual' and is 'host'");
	expect_difference(subject("a\nb\nc\n", 9, "--cold", "virtual", 8),
			  "the checker 'gap' is not the same file as then ('/gap.so')");
	expect_difference(more, "the kernel is not the same file as then ('/k')");
	expect_difference(newer, "another version of ktstr made it");
	expect_difference(json_object(), "what is kept there was 'exploration' and is ''");
}

static void expect_input(const char *member, const char *one, const char *other, const char *says)
{
	json_t *then = subject("a", 9, "", "virtual", 7);
	json_t *now = subject("a", 9, "", "virtual", 7);
	int rc;

	(void)json_object_set_new(then, "inputs", json_pack("{ss?}", member, one));
	(void)json_object_set_new(now, "inputs", json_pack("{ss?}", member, other));
	rc = subject_compare(then, now, &err);
	cr_expect_eq(rc, says ? -ESTALE : 0, "%s: %d: %s", member, rc, err.text);
	if (says)
		cr_expect_str_eq(err.text, says, "%s", err.text);
	json_decref(then);
	json_decref(now);
}

Test(subject, knows_what_no_file_tells)
{
	expect_input("agent", "1", "1", NULL);
	expect_input("agent", "1", "2",
		     "what the agent is packed with (its libraries) is not the same as then");
	expect_input(
		"job", "1", "2",
		"what the guest gets for a run (libraries of plugins) is not the same as then");
	expect_input("machine", "1", "2", "the command line of QEMU is not the same as then");
	expect_input("booted_base", "1", "1", NULL);
	expect_input("booted_base", "1", "2",
		     "the saved VM that runs start from is not the same as then");
	expect_input("attached_base", "1", "2",
		     "the saved VM with the scheduler up is not the same as then");
	/* The exploration itself may have made it. */
	expect_input("booted_base", NULL, "2", NULL);
	expect_input("attached_base", "1", NULL, NULL);
}

Test(subject, is_not_changed_unseen)
{
	struct subject_file file = { .what = (char *)"kernel" };
	const struct subject one = { .files = &file, .file_count = 1 };
	_cleanup_free_ char *says = NULL;
	struct stat status;

	setup();
	write_file("k", "old");
	file.path = str_format("%s/k", folder);
	says = str_format("the kernel was changed meanwhile ('%s'), so further runs would be of "
			  "something else; begin a new exploration",
			  file.path);
	cr_assert_eq(stat(file.path, &status), 0);
	file.device = status.st_dev;
	file.inode = status.st_ino;
	file.length = status.st_size;
	file.changed = status.st_mtim;
	cr_assert_eq(subject_check(&one, &err), 0, "%s", err.text);
	write_file("k", "new");
	cr_assert_eq(subject_check(&one, &err), -ESTALE);
	cr_assert_str_eq(err.text, says, "%s", err.text);
	(void)unlink(file.path);
	cr_assert_eq(subject_check(&one, &err), -ESTALE);
	free(file.path);
	teardown();
}

/* Commands. */

Test(words, are_those_of_the_options)
{
	static const char *const checkers[] = { "gap,max_gap=1s", "./a b.so" };
	static const char *const folders[] = { "p" };
	const struct run_options options = { .scheduler = "scx_vtime,slice=5ms",
					     .checkers = checkers,
					     .checker_count = 2,
					     .has_only_checkers = true,
					     .kernel = "mine",
					     .has_accel = true,
					     .accel = ACCEL_TCG,
					     .has_clock = true,
					     .clock = VM_CLOCK_HOST,
					     .plugin_folders = folders,
					     .plugin_folder_count = 1,
					     .is_cold = true,
					     .base = RUN_BASE_ATTACHED,
					     .stats_interval_ns = 250000000,
					     .checker_timeout_ns = 1500000000,
					     /* These do not belong to it. */
					     .has_seed = true,
					     .run_folder = "r",
					     .is_quiet = true };
	const char *const head[] = { "ktstr", "run" };
	const char *const tail[] = { "it's" };
	_cleanup_free_ char *text = words_command(head, 2, &options, tail, 1);

	cr_assert_str_eq(text,
			 "ktstr run --scheduler scx_vtime,slice=5ms --checker gap,max_gap=1s "
			 "--checker './a b.so' --only --kernel mine --accel tcg --clock host "
			 "--plugin-dir p --cold --base attached --stats 250000000ns "
			 "--checker-timeout 1500000000ns "
			 "'it'\\''s'",
			 "%s", text);
}

Test(words, without_options_are_none)
{
	const struct run_options options = { 0 };
	_cleanup_free_ char *text = words_command(NULL, 0, &options, NULL, 0);

	cr_assert_str_eq(text, "");
}

Test(words, that_are_missing_make_no_command)
{
	const struct run_options options = { 0 };
	const char *const head[] = { "ktstr", NULL };

	cr_assert_null(words_command(head, 2, &options, NULL, 0));
}

/* Folders. */

Test(place, is_made_or_taken_up)
{
	_cleanup_free_ char *path = str_format("%s/a/b", folder);
	_cleanup_free_ char *opened = NULL, *again = NULL;
	bool has_journal = false;

	cr_assert_eq(place_open(path, "x", &opened, &has_journal, &err), 0, "%s", err.text);
	cr_assert_str_eq(opened, path);
	cr_assert_not(has_journal);
	write_file("a/b/journal.jsonl", "");
	write_file("a/b/other", "");
	cr_assert_eq(place_open(path, "x", &again, &has_journal, &err), 0, "%s", err.text);
	cr_assert(has_journal);
}

Test(place, of_something_else_is_refused)
{
	_cleanup_free_ char *file = str_format("%s/file", folder);
	_cleanup_free_ char *full = str_format("--run-dir '%s' is not empty, and no exploration is "
					       "in it to be continued; name another folder",
					       folder);
	bool has_journal = false;
	char *opened = NULL;

	write_file("file", "");
	cr_assert_eq(place_open(folder, "x", &opened, &has_journal, &err), -ENOTEMPTY);
	cr_assert_str_eq(err.text, full, "%s", err.text);
	cr_assert_eq(place_open(file, "x", &opened, &has_journal, &err), -ENOTDIR);
	cr_assert(str_starts(err.text, "--run-dir: "), "%s", err.text);
	cr_assert_null(opened);
}

static bool is_seven(void *arg, uint64_t seed)
{
	(void)arg;
	return seed == 7;
}

Test(place, keeps_what_is_kept_and_what_is_not_its_own)
{
	static const char *const folders[] = {
		"seed-7", "seed-8", "seed-x", "seed-9b", "seed-", "seed-99999999999999999999999"
	};

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		_cleanup_free_ char *path = str_format("%s/%s", folder, folders[i]);
		_cleanup_free_ char *name = str_format("%s/run.ktr", folders[i]);

		cr_assert_eq(mkdir(path, 0755), 0);
		write_file(name, "");
	}
	place_clean(folder, is_seven, NULL);
	cr_assert_not(is_there("seed-8"));
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		cr_expect(i == 1 || is_there(folders[i]), "'%s' is gone", folders[i]);
	cr_assert(is_there("seed-7/run.ktr"));
}

/* The file of a shrunk scenario. */

static char *choose(const char *name, const char *run_folder)
{
	_cleanup_free_ char *scenario = str_format("%s/%s", folder, name);
	_cleanup_free_ char *fallback = str_format("%s/fallback", folder);
	char *path = NULL;
	int rc;

	(void)mkdir(fallback, 0755);
	rc = target_choose(scenario, run_folder, fallback, &path, &err);
	cr_assert((rc == 0) == (path != NULL));
	return path;
}

static void expect_chosen(char *path, const char *name)
{
	_cleanup_free_ char *whole = str_format("%s/%s", folder, name);

	cr_expect_str_eq(path ? path : err.text, whole, "%s", path ? path : err.text);
	free(path);
}

Test(target, lies_beside_the_scenario)
{
	expect_chosen(choose("x.yaml", NULL), "x.shrunk.yaml");
	expect_chosen(choose("x.yml", NULL), "x.shrunk.yaml");
	expect_chosen(choose("x", NULL), "x.shrunk.yaml");
}

Test(target, lies_in_the_folder_that_was_named)
{
	_cleanup_free_ char *own = str_format("%s/own", folder);

	cr_assert_eq(mkdir(own, 0755), 0);
	expect_chosen(choose("x.yaml", own), "own/x.shrunk.yaml");
}

Test(target, is_nobody_elses_file)
{
	_cleanup_free_ char *says = NULL;

	write_file("x.shrunk.yaml", "scenario: mine\n");
	expect_chosen(choose("x.yaml", NULL), "fallback/x.shrunk.yaml");
	write_file("fallback/x.shrunk.yaml", "scenario: mine too\n");
	cr_assert_null(choose("x.yaml", NULL));
	says = str_format(
		"'%s/fallback/x.shrunk.yaml' is there already, and ktstr did not write it", folder);
	cr_assert_str_eq(err.text, says, "%s", err.text);
}

static struct node *parse(const char *text)
{
	const struct source source = { "x", text, strlen(text), false };
	struct node *root = NULL;

	cr_assert_eq(yaml_parse(&source, &root, &err), 0, "%s", err.text);
	return root;
}

Test(target, is_replaced_when_it_is_ours)
{
	struct node *root = parse("name: x\nseed: 3\nscenario: s\n");
	_cleanup_free_ char *text = NULL;

	cr_assert_eq(
		target_text(root, 17, "a/x.yaml", "checker 'gap': N\n", "ktstr run x", &text, &err),
		0, "%s", err.text);
	node_free(root);
	cr_assert_str_eq(text,
			 "# Made smaller by `ktstr explore --shrink` from x.yaml\n"
			 "# With seed 17 it fails still:\n"
			 "#   checker 'gap': N \n"
			 "# Run it by: ktstr run x\n"
			 "name: x\n"
			 "scenario: s\n"
			 "seed: 17\n",
			 "%s", text);
	write_file("x.shrunk.yaml", text);
	expect_chosen(choose("x.yaml", NULL), "x.shrunk.yaml");
}

Test(target, has_paths_that_are_right_where_it_lies)
{
	_cleanup_free_ char *from = str_format("%s/a.yaml", folder);
	_cleanup_free_ char *to = str_format("%s/sub/a.yaml", folder);
	_cleanup_free_ char *beside = str_format("%s/b.yaml", folder);
	_cleanup_free_ char *sub = str_format("%s/sub", folder);
	_cleanup_free_ char *real = NULL;
	_cleanup_free_ char *want = NULL;
	struct node *root = parse("scheduler: ./s.so\nk: {path: sub/k}\ng: box/inner\na: /b/c\n");

	cr_assert_eq(mkdir(sub, 0755), 0);
	write_file("s.so", "");
	write_file("sub/k", "");
	real = realpath(folder, NULL);
	want = str_format("%s/s.so", real);
	cr_assert_eq(target_move_paths(root, from, beside), 0);
	cr_assert_str_eq(node_get_text(root, "scheduler"), "./s.so");
	cr_assert_eq(target_move_paths(root, from, to), 0);
	cr_expect_str_eq(node_get_text(root, "scheduler"), want);
	cr_expect(str_ends(node_get_text(node_get(root, "k"), "path"), "/sub/k"));
	cr_expect_eq(node_get_text(node_get(root, "k"), "path")[0], '/');
	cr_expect_str_eq(node_get_text(root, "g"), "box/inner");
	cr_expect_str_eq(node_get_text(root, "a"), "/b/c");
	node_free(root);
}

/* Processes. A scenario that there is not ends soon. */

static const struct run_options nothing = { .checker_count = 0 };

Test(pool, hands_out_what_came_of_each)
{
	struct pool_result result;
	struct pool *pool;
	unsigned int seen = 0;

	cr_assert_eq(pool_new(3, &pool, &err), 0, "%s", err.text);
	cr_assert_eq(pool_wait(pool, -1, 0, &result), 0);
	for (uint64_t tag = 0; tag < 3; tag++)
		cr_assert_eq(pool_start(pool, tag, "/nowhere/x.yaml", &nothing, &err), 0, "%s",
			     err.text);
	cr_assert(pool_is_full(pool));
	while (pool_count(pool) > 0) {
		if (pool_wait(pool, -1, 1000, &result) != 1)
			continue;
		seen |= 1u << result.tag;
		cr_expect_not(result.has_verdict);
		cr_expect_not(result.is_interrupted);
		cr_expect_neq(result.exit_code, 0);
		cr_expect_eq(result.signature.outcome, KTSTR_OUTCOME_ERROR);
		cr_expect_str_neq(result.error, "");
	}
	cr_assert_eq(seen, 7u);
	pool_free(pool);
}

Test(pool, tells_of_a_signal_first)
{
	struct pool_result result;
	struct pool *pool;
	int pipe_fds[2];

	cr_assert_eq(pipe(pipe_fds), 0);
	cr_assert_eq(pool_new(1, &pool, &err), 0, "%s", err.text);
	cr_assert_eq(pool_start(pool, 1, "/nowhere/x.yaml", &nothing, &err), 0, "%s", err.text);
	cr_assert_eq(write(pipe_fds[1], "x", 1), 1);
	cr_assert_eq(pool_wait(pool, pipe_fds[0], 10000, &result), -EINTR);
	cr_assert_eq(pool_count(pool), 1);
	pool_free(pool);
	(void)close(pipe_fds[0]);
	(void)close(pipe_fds[1]);
}

Test(pool, says_that_what_was_stopped_says_nothing)
{
	struct pool_result result;
	struct pool *pool;

	cr_assert_eq(pool_new(2, &pool, &err), 0, "%s", err.text);
	cr_assert_eq(pool_start(pool, 1, "/nowhere/x.yaml", &nothing, &err), 0, "%s", err.text);
	pool_stop(pool, 2); /* there is none */
	pool_stop(pool, 1);
	while (pool_wait(pool, -1, 1000, &result) != 1)
		;
	cr_assert(result.is_interrupted);
	cr_assert_eq(result.signature.outcome, KTSTR_OUTCOME_ERROR);
	pool_free(pool);
}

Test(pool, leaves_no_process)
{
	struct pool *pool;

	cr_assert_eq(pool_new(2, &pool, &err), 0, "%s", err.text);
	cr_assert_eq(pool_start(pool, 1, "/nowhere/x.yaml", &nothing, &err), 0, "%s", err.text);
	cr_assert_eq(pool_start(pool, 2, "/nowhere/x.yaml", &nothing, &err), 0, "%s", err.text);
	pool_free(pool);
	cr_assert_eq(waitpid(-1, NULL, WNOHANG), -1);
	cr_assert_eq(errno, ECHILD);
	pool_free(NULL);
}
