/* SPDX-License-Identifier: GPL-2.0-only */
#include "judge/judge.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "judge/result.h"
#include "ktstr/checker.h"
#include "plugin/loader.h"
#include "support/runfile_maker.h"
#include "support/scratch.h"
#include "wire/frame.h"

static struct scratch scratch;
static const char *runfile;
static int runfile_fd;
static struct judge_spec spec;
static struct verdict verdict;
static struct ktstr_error err;

/* The run file, open as its writer would hand it over. */
static void open_run(void)
{
	if (runfile_fd >= 0)
		(void)close(runfile_fd);
	runfile_fd = open(runfile, O_RDONLY | O_CLOEXEC);
	spec.runfile_fd = runfile_fd;
}

static void make_run(uint32_t stdout_count)
{
	(void)unlink(runfile);
	maker_good_run(runfile, stdout_count);
	open_run();
}

static uint32_t crc32_of(const char *path)
{
	uint32_t crc32 = 0;

	cr_assert_eq(plugin_file_crc32(path, &crc32, &err), 0, "%s", err.text);
	return crc32;
}

static void setup(void)
{
	scratch_init(&scratch);
	runfile = scratch_path(&scratch, "run");
	runfile_fd = -1;
	make_run(3);
	memset(&verdict, 0, sizeof(verdict));
	spec = (struct judge_spec){
		.program = KTSTR_JUDGE,
		.runfile_fd = runfile_fd,
		.runfile = runfile,
		.topology = { .size = sizeof(struct ktstr_topology),
			      .numa_nodes = 1,
			      .llcs = 2,
			      .cores = 3,
			      .threads = 2 },
		.scenario = "steps",
		.scheduler = "eevdf",
		.kernel = "6.12.0",
		.accel = "tcg",
		.time_limit_ns = 20 * NS_PER_S,
		.signal_fd = -1,
	};
}

static void teardown(void)
{
	verdict_done(&verdict);
	(void)close(runfile_fd);
	scratch_done(&scratch);
}

TestSuite(judge, .init = setup, .fini = teardown, .timeout = 60);

static struct node *how_node(const char *how)
{
	struct node *map = node_new(NODE_MAP);

	cr_assert_eq(node_add(map, "how", node_new_scalar(how)), 0);
	return map;
}

/* Judge the run by the bad checker, told each of @hows (ended by NULL). */
static void judge_by(const char *const *hows)
{
	struct judge_checker checkers[16] = { 0 };
	struct node *params[16];
	size_t count = 0;

	for (; hows[count]; count++) {
		params[count] = how_node(hows[count]);
		checkers[count] = (struct judge_checker){ .name = "bad",
							  .path = BAD_CHECKER,
							  .crc32 = crc32_of(BAD_CHECKER),
							  .kind = KTSTR_KIND_CHECKER,
							  .params = params[count] };
	}
	spec.checkers = checkers;
	spec.checker_count = count;
	cr_assert_eq(judge_run(&spec, &verdict, &err), 0, "%s", err.text);
	cr_assert_eq(verdict.decision_count, count);
	for (size_t i = 0; i < count; i++)
		node_free(params[i]);
}

static const struct decision *judge_one(const char *how)
{
	const char *const hows[] = { how, NULL };

	judge_by(hows);
	return &verdict.decisions[0];
}

/* The whole way from a spec with an expectation to the verdict, which keeps none of it. */
Test(judge, judges_by_what_is_expected)
{
	static const struct {
		const char *how;
		uint32_t outcome;
		const char *rule;
	} rows[] = {
		{ "fail", KTSTR_OUTCOME_PASS, "failed_as_expected" },
		{ "pass", KTSTR_OUTCOME_FAIL, "not_as_expected" },
		{ "crash", KTSTR_OUTCOME_ERROR, "checker_error" },
	};
	char *names[] = { (char *)"bad" };
	const struct expectation expect = { .is_given = true,
					    .outcome = KTSTR_OUTCOME_FAIL,
					    .checkers = names,
					    .checker_count = 1 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		spec.expect = &expect;
		(void)judge_one(rows[i].how);
		cr_expect_eq(verdict.outcome, rows[i].outcome, "%s: %s", verdict.rule,
			     verdict.reason);
		cr_expect_str_eq(verdict.rule, rows[i].rule);
		cr_expect_null(verdict.expect);
		verdict_done(&verdict);
	}
}

Test(judge, passes_a_good_run)
{
	const struct decision *d = judge_one("pass");

	cr_assert_eq(verdict.outcome, KTSTR_OUTCOME_PASS, "%s: %s", verdict.rule, verdict.reason);
	cr_assert_str_eq(verdict.reason, "");
	cr_assert_eq(d->outcome, KTSTR_OUTCOME_PASS);
	cr_assert_eq(d->wanted, 3);
	cr_assert(d->has_whole_evidence);
	cr_assert_str_eq(d->name, "bad");
	cr_assert_str_eq(d->path, BAD_CHECKER);
	cr_assert_gt(d->took_ns, 0);
}

Test(judge, fails_a_run_and_keeps_the_findings)
{
	const struct decision *d = judge_one("fail");

	cr_assert_eq(verdict.outcome, KTSTR_OUTCOME_FAIL);
	cr_assert_str_eq(verdict.reason, "checker 'bad': 50 > 10");
	cr_assert_eq(d->finding_count, 2);
	cr_assert_eq(d->findings[0].outcome, KTSTR_OUTCOME_PASS);
	cr_assert_null(d->findings[0].text);
	cr_assert_eq(d->findings[1].outcome, KTSTR_OUTCOME_FAIL);
	cr_assert_str_eq(d->findings[1].subject, "tid 5");
	cr_assert_str_eq(d->findings[1].metric, "spread");
	cr_assert_str_eq(d->findings[1].unit, "%");
	cr_assert_float_eq(d->findings[1].measured, 50, 0.0001);
	cr_assert_float_eq(d->findings[1].limit, 10, 0.0001);
	cr_assert_eq(d->findings[1].limit_kind, KTSTR_LIMIT_AT_MOST);
}

Test(judge, tells_a_checker_what_is_known_of_the_run)
{
	const struct maker_hello hello = { .seed = MAKER_SEED,
					   .scheduler_crc = MAKER_SCHEDULER_CRC,
					   .scheduler = "eevdf",
					   .scenario = "steps" };
	const struct decision *d;
	struct runfile_maker maker;

	(void)unlink(runfile);
	maker_start(&maker, runfile, maker_meta);
	maker_begin(&maker, &hello);
	for (int i = 0; i < 3; i++)
		maker_frame(&maker, KTSTR_MSG_STDOUT, "line\n", 5, true);
	maker_pass(&maker);
	maker.summary.host_wait_ns = 250 * NS_PER_MS;
	maker_seal(&maker, COORD_END_STREAM, "");
	open_run();
	d = judge_one("context");
	cr_assert_eq(verdict.outcome, KTSTR_OUTCOME_PASS, "%s", verdict.reason);
	cr_assert_str_eq(d->findings[0].text, "steps/eevdf/6.12.0/tcg/12/250");
	cr_assert_float_eq(d->findings[0].measured, 3, 0.0001, "the frames it wanted, no others");
}

/* Each way to misbehave, and what is said of it. NULL: the run passes all the same. */
static const struct {
	const char *how;
	const char *reason;
} rows[] = {
	{ "crash", "checker 'bad' was killed by SIGSEGV" },
	{ "abort", "checker 'bad' was killed by SIGABRT; it printed: first line|last ?[31mwords" },
	{ "garbage", "checker 'bad' wrote bytes that are no decision" },
	{ "never", "checker 'bad' could not judge the run: it never decided" },
	{ "nonsense", "checker 'bad' could not judge the run: it never decided" },
	{ "exit_0", "checker 'bad' ended without a decision" },
	{ "exit_7", "checker 'bad' exited with 7 before it decided" },
	{ "nan", "checker 'bad' could not judge the run: a finding about 'spread' cannot be "
		 "believed: its figure is no number" },
	{ "infinite", "checker 'bad' could not judge the run: a finding about 'spread' cannot be "
		      "believed: its figure is no number" },
	{ "bad_finding", "checker 'bad' could not judge the run: a finding about 'odd' cannot be "
			 "believed: its outcome is none" },
	{ "bad_limit", "checker 'bad' could not judge the run: a finding about 'odd' cannot be "
		       "believed: its kind of limit is unknown" },
	{ "empty_finding", "checker 'bad' could not judge the run: a finding about '?' cannot be "
			   "believed: it has neither a metric nor a text" },
	{ "finds_error", "checker 'bad' could not judge the run: a worker died" },
	{ "against", "checker 'bad' decided PASS, but found FAIL" },
	{ "open_fails", "checker 'bad' could not judge the run: no CPUs to speak of" },
	{ "observe_fails", "checker 'bad' could not judge the run: frame 1 makes no sense" },
	{ "finish_fails", "checker 'bad' could not judge the run: the figures do not add up" },
	{ "finish_positive", "checker 'bad' could not judge the run: finish() returned 7, which is "
			     "neither 0 nor a negative errno" },
	{ "silent_failure",
	  "checker 'bad' could not judge the run: it failed, and did not say why" },
	{ "close_crashes", "checker 'bad' was killed by SIGBUS" },
	{ "noise", NULL },
	{ "child", NULL },
	{ "terminal", NULL },
	{ "many", NULL },
};

Test(judge, survives_every_misbehaviour)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct decision *d = judge_one(rows[i].how);

		if (rows[i].reason) {
			cr_expect_eq(verdict.outcome, KTSTR_OUTCOME_ERROR, "%s", rows[i].how);
			cr_expect_eq(d->outcome, KTSTR_OUTCOME_ERROR, "%s", rows[i].how);
			cr_expect(d->reason && strcmp(d->reason, rows[i].reason) == 0, "%s: '%s'",
				  rows[i].how, d->reason);
			cr_expect_str_eq(verdict.reason, rows[i].reason, "%s: '%s'", rows[i].how,
					 verdict.reason);
		} else {
			cr_expect_eq(verdict.outcome, KTSTR_OUTCOME_PASS, "%s: %s", rows[i].how,
				     verdict.reason);
		}
		verdict_done(&verdict);
	}
}

Test(judge, forgets_what_was_found_good_where_the_decision_does_not_stand)
{
	const struct decision *d = judge_one("against");

	cr_assert_eq(d->outcome, KTSTR_OUTCOME_ERROR);
	cr_assert_eq(d->finding_count, 1);
	cr_assert_eq(d->findings[0].outcome, KTSTR_OUTCOME_FAIL);
}

Test(judge, keeps_the_findings_of_a_checker_that_decided_error_by_itself)
{
	const struct decision *d = judge_one("finds_error");

	cr_assert_eq(d->finding_count, 2);
	cr_assert_str_eq(decision_reason(d), "a worker died");
}

Test(judge, gives_reasons_without_the_name_of_the_checker)
{
	static const struct {
		const char *reason, *shown;
	} reasons[] = {
		{ "checker 'x' was killed by SIGSEGV", "was killed by SIGSEGV" },
		{ "the judgement of scenario 'x' was killed", "was killed" },
		{ "saw none of the frames it needs", "saw none of the frames it needs" },
		{ "checker 'x' could not judge the run: no CPUs", "no CPUs" },
		{ "worker 'x' died, so checker 'x' gave up",
		  "worker 'x' died, so checker 'x' gave up" },
		{ NULL, "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		const struct decision d = { .name = (char *)"x",
					    .reason = (char *)reasons[i].reason };

		cr_expect_str_eq(decision_reason(&d), reasons[i].shown);
	}
}

Test(judge, makes_texts_safe_for_a_terminal)
{
	const struct decision *d = judge_one("terminal");

	cr_assert_str_eq(d->findings[0].text, "red ?[31m and ? bytes");
}

Test(judge, keeps_a_bounded_number_of_findings)
{
	const struct decision *d = judge_one("many");

	cr_assert_eq(d->finding_count, RESULT_FINDINGS_MAX);
}

Test(judge, shares_what_is_kept_among_all_checkers)
{
	static const char *const hows[] = { "many", "many", "many", "many", "many", "many",
					    "many", "many", "many", "many", NULL };

	judge_by(hows);
	for (size_t i = 0; hows[i]; i++) {
		const struct decision *d = &verdict.decisions[i];

		cr_assert_eq(d->finding_count, JUDGE_FINDINGS_MAX / 10 + 1);
		cr_assert_eq(d->findings[d->finding_count - 1].outcome, KTSTR_OUTCOME_SKIP,
			     "what is not good is kept, though it came late");
	}
}

Test(judge, takes_no_decision_behind_garbage)
{
	const struct decision *d = judge_one("garbage_before");

	cr_assert_eq(d->outcome, KTSTR_OUTCOME_ERROR);
	cr_assert_not_null(strstr(d->reason, "bytes that are no decision"), "%s", d->reason);
}

Test(judge, ends_a_checker_that_hangs)
{
	const struct decision *d;

	spec.time_limit_ns = NS_PER_S / 4;
	d = judge_one("hang");
	cr_assert_str_eq(d->reason, "checker 'bad' did not finish within 0.25 s");
	cr_assert_lt(d->took_ns, 10 * NS_PER_S);
}

Test(judge, ends_a_checker_that_is_stuck_long_before_its_time_is_over)
{
	static const struct {
		const char *how;
		uint64_t wanted;
	} stuck[] = { { "hang", 0 }, { "observe_hangs", 0 }, { "open_hangs", 0 } };

	spec.stall_limit_ns = NS_PER_S;
	for (size_t i = 0; i < ARRAY_SIZE(stuck); i++) {
		const struct decision *d = judge_one(stuck[i].how);

		cr_assert_str_eq(d->reason, "checker 'bad' was stuck for 1 s");
		cr_assert_lt(d->took_ns, 10 * NS_PER_S);
		verdict_done(&verdict);
	}
}

Test(judge, does_not_take_a_slow_checker_for_a_stuck_one)
{
	const struct decision *d;

	make_run(20);
	spec.stall_limit_ns = 2 * NS_PER_S;
	d = judge_one("slow");
	cr_assert_eq(d->outcome, KTSTR_OUTCOME_PASS, "%s", d->reason);
	cr_assert_gt(d->took_ns, 3 * NS_PER_S);
}

/* A signalfd that has a SIGINT to tell. */
static int interrupted_fd(void)
{
	const struct signalfd_siginfo info = { .ssi_signo = SIGINT };
	int ends[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
	cr_assert_eq(write(ends[1], &info, sizeof(info)), (ssize_t)sizeof(info));
	return ends[0];
}

Test(judge, ends_all_checkers_at_a_signal)
{
	static const char *const hows[] = { "hang", "hang", "hang", "hang", "hang", "hang", NULL };

	spec.signal_fd = interrupted_fd();
	judge_by(hows);
	cr_assert_eq(verdict.outcome, KTSTR_OUTCOME_ERROR);
	cr_assert_str_eq(verdict.reason, "interrupted by SIGINT while judging");
	cr_assert_str_eq(verdict.decisions[0].reason, "checker 'bad' was ended by SIGINT");
	for (size_t i = 0; hows[i]; i++)
		cr_assert_eq(verdict.decisions[i].outcome, KTSTR_OUTCOME_ERROR);
	(void)close(spec.signal_fd);
}

Test(judge, ends_a_checker_that_writes_without_end)
{
	const struct decision *d = judge_one("flood");

	cr_assert_str_eq(d->reason, "checker 'bad' wrote more than 6 MiB");
}

Test(judge, bounds_the_memory_of_a_checker)
{
	const struct decision *d;

	if (IS_SANITIZED)
		cr_skip_test("a build with sanitizers sets no limit on address space");
	spec.memory_limit_bytes = UINT64_C(256) << 20;
	d = judge_one("greedy");
	cr_assert_str_eq(d->reason, "checker 'bad' was killed by SIGABRT");
}

Test(judge, lets_no_checker_write_to_a_file)
{
	const char *path = scratch_path(&scratch, "victim");
	struct node *params = how_node("writes_file");
	const struct judge_checker checker = {
		.name = "bad",
		.path = BAD_CHECKER,
		.crc32 = crc32_of(BAD_CHECKER),
		.kind = KTSTR_KIND_CHECKER,
		.params = params,
	};
	struct stat st;

	cr_assert_eq(node_add(params, "path", node_new_scalar(path)), 0);
	spec.checkers = &checker;
	spec.checker_count = 1;
	cr_assert_eq(judge_run(&spec, &verdict, &err), 0);
	cr_assert_eq(verdict.outcome, KTSTR_OUTCOME_PASS, "%s", verdict.reason);
	cr_assert(stat(path, &st) < 0 || st.st_size == 0);
	node_free(params);
}

Test(judge, does_not_wait_for_what_a_checker_left_behind)
{
	cr_assert_lt(judge_one("child")->took_ns, 10 * NS_PER_S);
}

Test(judge, judges_by_several_at_once_and_keeps_their_order)
{
	static const char *const hows[] = { "pass",	 "crash", "fail", "skip",
					    "undecided", "pass",  NULL };
	static const uint32_t outcomes[] = { KTSTR_OUTCOME_PASS,      KTSTR_OUTCOME_ERROR,
					     KTSTR_OUTCOME_FAIL,      KTSTR_OUTCOME_SKIP,
					     KTSTR_OUTCOME_UNDECIDED, KTSTR_OUTCOME_PASS };

	judge_by(hows);
	for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++)
		cr_assert_eq(verdict.decisions[i].outcome, outcomes[i], "%s", hows[i]);
	cr_assert_eq(verdict.outcome, KTSTR_OUTCOME_FAIL, "the FAIL of one stands");
}

Test(judge, is_an_error_without_checkers)
{
	cr_assert_eq(judge_run(&spec, &verdict, &err), 0);
	cr_assert_eq(verdict.outcome, KTSTR_OUTCOME_ERROR);
	cr_assert_str_eq(verdict.rule, "no_checkers");
}

Test(judge, decides_nothing_on_frames_that_never_came)
{
	const struct decision *d;

	make_run(0);
	d = judge_one("pass");
	cr_assert_eq(d->wanted, 0);
	cr_assert_eq(d->outcome, KTSTR_OUTCOME_UNDECIDED);
	cr_assert_eq(verdict.outcome, KTSTR_OUTCOME_UNDECIDED);
	cr_assert_str_eq(verdict.reason, "checker 'bad': saw none of the frames it needs");
}

Test(judge, passes_no_run_with_a_torn_frame)
{
	const struct maker_hello hello = { .seed = MAKER_SEED,
					   .scheduler_crc = MAKER_SCHEDULER_CRC,
					   .scheduler = "eevdf",
					   .scenario = "steps" };
	struct runfile_maker maker;
	const struct decision *d;

	(void)unlink(runfile);
	maker_start(&maker, runfile, maker_meta);
	maker_hello(&maker, &hello);
	maker_frame(&maker, KTSTR_MSG_STDOUT, "x", 1, false);
	maker_result(&maker, KTSTR_OUTCOME_PASS, "");
	maker_seal(&maker, COORD_END_STREAM, "");
	open_run();
	d = judge_one("pass");
	cr_assert_not(d->has_whole_evidence);
	cr_assert_eq(verdict.outcome, KTSTR_OUTCOME_ERROR);
	cr_assert_str_eq(verdict.rule, "frames_lost");
}

Test(judge, passes_no_run_that_was_cut_anywhere)
{
	static const char *const hows[] = { "pass", NULL };
	struct stat st;

	cr_assert_eq(stat(runfile, &st), 0);
	for (off_t length = st.st_size - 1; length > 64; length -= 97) {
		cr_assert_eq(truncate(runfile, length), 0);
		judge_by(hows);
		cr_assert_eq(verdict.outcome, KTSTR_OUTCOME_ERROR, "cut to %ld", (long)length);
		verdict_done(&verdict);
	}
}

Test(judge, says_why_a_checker_cannot_be_loaded)
{
	const struct judge_checker checker = { .name = "gone",
					       .path = "/nonexistent/gone.so",
					       .kind = KTSTR_KIND_CHECKER };

	spec.checkers = &checker;
	spec.checker_count = 1;
	cr_assert_eq(judge_run(&spec, &verdict, &err), 0);
	cr_assert_eq(verdict.outcome, KTSTR_OUTCOME_ERROR);
	cr_assert_not_null(strstr(verdict.reason, "checker 'gone' could not judge the run: "));
	cr_assert_not_null(strstr(verdict.reason, "/nonexistent/gone.so"), "%s", verdict.reason);
}

Test(judge, refuses_parameters_that_a_checker_does_not_have)
{
	const struct decision *d = judge_one("dance");

	cr_assert_eq(d->outcome, KTSTR_OUTCOME_ERROR);
	cr_assert_not_null(strstr(d->reason, "how"), "%s", d->reason);
}

Test(judge, says_that_its_program_is_missing)
{
	spec.program = "/nonexistent/ktstr-judge";
	cr_assert_str_eq(judge_one("pass")->reason,
			 "checker 'bad' could not be run: cannot run '/nonexistent/ktstr-judge': "
			 "No such file or directory; is ktstr installed whole?");
}

Test(judge, fails_where_there_is_no_run_file)
{
	spec.runfile = "/dev/null";
	spec.runfile_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	cr_assert_eq(judge_run(&spec, &verdict, &err), -EINVAL);
	cr_assert_str_eq(err.text, "'/dev/null' is not a run file");
	(void)close(spec.runfile_fd);
}

Test(judge, lets_no_other_file_judge_than_the_chosen_one)
{
	const struct judge_checker checker = { .name = "bad",
					       .path = BAD_CHECKER,
					       .crc32 = crc32_of(BAD_CHECKER) ^ 1,
					       .kind = KTSTR_KIND_CHECKER };

	spec.checkers = &checker;
	spec.checker_count = 1;
	cr_assert_eq(judge_run(&spec, &verdict, &err), 0);
	cr_assert_eq(verdict.outcome, KTSTR_OUTCOME_ERROR);
	cr_assert_str_eq(verdict.reason, "checker 'bad' could not judge the run: '" BAD_CHECKER
					 "' has changed since the run began");
}

Test(judge, reads_the_file_that_was_opened_whatever_has_its_name_now)
{
	(void)unlink(runfile);
	maker_good_run(runfile, 0);
	cr_assert_eq(judge_one("pass")->wanted, 3);
	cr_assert_eq(verdict.outcome, KTSTR_OUTCOME_PASS, "%s", verdict.reason);
}

/* The scenario's own judgement. */

static const struct decision *judge_by_scenario(const char *path, const char *lines)
{
	struct node *params = node_new(NODE_MAP);
	const struct judge_checker checker = {
		.name = "judged",
		.path = path,
		.crc32 = crc32_of(path),
		.kind = KTSTR_KIND_SCENARIO,
		.params = params,
	};

	cr_assert_eq(node_add(params, "lines", node_new_scalar(lines)), 0);
	spec.checkers = &checker;
	spec.checker_count = 1;
	cr_assert_eq(judge_run(&spec, &verdict, &err), 0);
	node_free(params);
	return &verdict.decisions[0];
}

Test(judge, runs_the_judgement_of_a_scenario_with_its_parameters)
{
	cr_assert_eq(judge_by_scenario(JUDGED_SCENARIO, "3")->outcome, KTSTR_OUTCOME_PASS, "%s",
		     verdict.reason);
	verdict_done(&verdict);
	cr_assert_eq(judge_by_scenario(JUDGED_SCENARIO, "4")->outcome, KTSTR_OUTCOME_FAIL);
	cr_assert_eq(verdict.outcome, KTSTR_OUTCOME_FAIL);
	cr_assert_str_eq(verdict.reason, "checker 'judged': the run failed it");
}

Test(judge, loads_no_checker_as_a_scenario)
{
	const struct decision *d = judge_by_scenario(BAD_CHECKER, "3");

	cr_assert_eq(d->outcome, KTSTR_OUTCOME_ERROR);
	cr_assert_not_null(
		strstr(d->reason, "the judgement of scenario 'judged' could not judge the run: "),
		"%s", d->reason);
}
