/* SPDX-License-Identifier: GPL-2.0-only */
/* A checker that does what no checker should, by its parameter `how`. For test_judge. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ktstr/checker.h"

enum how {
	HOW_PASS,
	HOW_FAIL,
	HOW_SKIP,
	HOW_UNDECIDED,
	HOW_CRASH,
	HOW_ABORT,
	HOW_HANG,
	HOW_GARBAGE,
	HOW_GARBAGE_BEFORE,
	HOW_FLOOD,
	HOW_NOISE,
	HOW_NEVER,
	HOW_NONSENSE,
	HOW_GREEDY,
	HOW_EXIT_0,
	HOW_EXIT_7,
	HOW_NAN,
	HOW_INFINITE,
	HOW_BAD_FINDING,
	HOW_BAD_LIMIT,
	HOW_EMPTY_FINDING,
	HOW_AGAINST,
	HOW_MANY,
	HOW_OPEN_FAILS,
	HOW_OBSERVE_FAILS,
	HOW_FINISH_FAILS,
	HOW_FINISH_POSITIVE,
	HOW_SILENT_FAILURE,
	HOW_FINDS_ERROR,
	HOW_CLOSE_CRASHES,
	HOW_CHILD,
	HOW_WRITES_FILE,
	HOW_TERMINAL,
	HOW_CONTEXT,
	HOW_OPEN_HANGS,
	HOW_OBSERVE_HANGS,
	HOW_SLOW,
};

static const char *const words[] = {
	[HOW_PASS] = "pass",
	[HOW_FAIL] = "fail",
	[HOW_SKIP] = "skip",
	[HOW_UNDECIDED] = "undecided",
	[HOW_CRASH] = "crash",
	[HOW_ABORT] = "abort",
	[HOW_HANG] = "hang",
	[HOW_GARBAGE] = "garbage",
	[HOW_GARBAGE_BEFORE] = "garbage_before",
	[HOW_FLOOD] = "flood",
	[HOW_NOISE] = "noise",
	[HOW_NEVER] = "never",
	[HOW_NONSENSE] = "nonsense",
	[HOW_GREEDY] = "greedy",
	[HOW_EXIT_0] = "exit_0",
	[HOW_EXIT_7] = "exit_7",
	[HOW_NAN] = "nan",
	[HOW_INFINITE] = "infinite",
	[HOW_BAD_FINDING] = "bad_finding",
	[HOW_BAD_LIMIT] = "bad_limit",
	[HOW_EMPTY_FINDING] = "empty_finding",
	[HOW_AGAINST] = "against",
	[HOW_MANY] = "many",
	[HOW_OPEN_FAILS] = "open_fails",
	[HOW_OBSERVE_FAILS] = "observe_fails",
	[HOW_FINISH_FAILS] = "finish_fails",
	[HOW_FINISH_POSITIVE] = "finish_positive",
	[HOW_SILENT_FAILURE] = "silent_failure",
	[HOW_FINDS_ERROR] = "finds_error",
	[HOW_CLOSE_CRASHES] = "close_crashes",
	[HOW_CHILD] = "child",
	[HOW_WRITES_FILE] = "writes_file",
	[HOW_TERMINAL] = "terminal",
	[HOW_CONTEXT] = "context",
	[HOW_OPEN_HANGS] = "open_hangs",
	[HOW_OBSERVE_HANGS] = "observe_hangs",
	[HOW_SLOW] = "slow",
	NULL,
};

static const struct ktstr_param params[] = {
	{ .key = "how",
	  .help = "what to do",
	  .type = KTSTR_PARAM_ENUM,
	  .fallback = "pass",
	  .choices = words },
	{ .key = "path", .help = "a file to write to", .type = KTSTR_PARAM_STRING },
	{ .key = NULL },
};

struct state {
	enum how how;
	const char *path;
	struct ktstr_judge *judge;
	uint64_t seen;
};

/* Write to every pipe that is not one of the standard streams: the result is one of them. */
static void write_to_pipes(const void *bytes, size_t length)
{
	struct stat st;

	for (int fd = 3; fd < 256; fd++)
		if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) && write(fd, bytes, length) < 0)
			return;
}

static void find(struct state *state, uint32_t outcome, double measured, const char *text)
{
	const struct ktstr_finding finding = {
		.size = sizeof(finding),
		.outcome = outcome,
		.subject = "tid 5",
		.metric = "spread",
		.unit = "%",
		.measured = measured,
		.limit = 10,
		.limit_kind = KTSTR_LIMIT_AT_MOST,
		.text = text,
	};

	state->judge->finding(state->judge, &finding);
}

static int bad_open(struct ktstr_judge *judge, const struct ktstr_value *values, void **ret_state,
		    struct ktstr_error *err)
{
	struct state *state;

	while (values[0].i == HOW_OPEN_HANGS)
		(void)pause();
	if (values[0].i == HOW_OPEN_FAILS)
		return ktstr_fail(err, -EINVAL, "no CPUs to speak of");
	state = calloc(1, sizeof(*state));
	if (!state)
		return ktstr_fail(err, -ENOMEM, "no memory");
	state->how = (enum how)values[0].i;
	state->path = values[1].s;
	state->judge = judge;
	*ret_state = state;
	return 0;
}

static int bad_observe(void *arg, const struct ktstr_frame *frame, struct ktstr_error *err)
{
	struct state *state = arg;

	state->seen++;
	if (frame->msg_type != KTSTR_MSG_STDOUT)
		return ktstr_fail(err, -EINVAL, "was shown a frame that it did not want");
	while (state->how == HOW_OBSERVE_HANGS)
		(void)pause();
	if (state->how == HOW_SLOW)
		(void)usleep(200 * 1000);
	if (state->how == HOW_OBSERVE_FAILS)
		return ktstr_fail(err, -EBADMSG, "frame %u makes no sense", (unsigned)state->seen);
	return 0;
}

/* Dies of it, even where a sanitizer wants to catch it. */
static void do_crash(int number)
{
	(void)signal(number, SIG_DFL);
	(void)raise(number);
}

static void do_greedy(void)
{
	const size_t size = (size_t)64 << 20;

	/* Touches what it gets, so that it counts, and that no compiler leaves it out. */
	for (;;) {
		volatile char *memory = malloc(size);

		if (!memory)
			abort();
		for (size_t at = 0; at < size; at += 4096)
			memory[at] = 1;
	}
}

static void do_child(void)
{
	/* Holds the pipes open for longer than any test waits. */
	if (fork() == 0) {
		(void)alarm(30);
		for (;;)
			(void)pause();
	}
}

static void do_flood(void)
{
	static const char bytes[65536];

	for (;;)
		write_to_pipes(bytes, sizeof(bytes));
}

static void do_write_file(struct state *state)
{
	FILE *file = fopen(state->path, "w");

	if (file) {
		(void)fputs("a checker was here", file);
		(void)fclose(file);
	}
}

static void say_context(struct state *state)
{
	const struct ktstr_judge *judge = state->judge;
	char text[256];

	(void)snprintf(text, sizeof(text), "%s/%s/%s/%s/%u/%u", judge->scenario, judge->scheduler,
		       judge->kernel, judge->accel, ktstr_topology_cpus(judge->topology),
		       (unsigned)(judge->host_wait_ns / 1000000));
	find(state, KTSTR_OUTCOME_PASS, (double)state->seen, text);
}

/* What happens while it decides. */
static void misbehave(struct state *state)
{
	struct ktstr_finding finding = { .size = sizeof(finding), .metric = "odd" };

	switch (state->how) {
	case HOW_CRASH:
		do_crash(SIGSEGV);
		break;
	case HOW_ABORT:
		(void)fprintf(stderr, "first line\nlast \x1b[31mwords\n");
		abort();
	case HOW_HANG:
		for (;;)
			(void)pause();
	case HOW_GARBAGE:
		write_to_pipes("seventeen bytes !", 17);
		_exit(0);
	case HOW_GARBAGE_BEFORE:
		write_to_pipes("seventeen bytes !", 17);
		break;
		break;
	case HOW_FLOOD:
		do_flood();
		break;
	case HOW_NOISE:
		(void)printf("JDEC noise on stdout\n");
		(void)fprintf(stderr, "noise on stderr\n");
		break;
	case HOW_GREEDY:
		do_greedy();
		break;
	case HOW_EXIT_0:
		exit(0);
	case HOW_EXIT_7:
		_exit(7);
	case HOW_NAN:
		find(state, KTSTR_OUTCOME_PASS, (double)NAN, "nan");
		break;
	case HOW_INFINITE:
		find(state, KTSTR_OUTCOME_PASS, (double)INFINITY, "inf");
		break;
	case HOW_BAD_FINDING:
		finding.outcome = 9;
		state->judge->finding(state->judge, &finding);
		break;
	case HOW_BAD_LIMIT:
		finding.outcome = KTSTR_OUTCOME_PASS;
		finding.limit_kind = KTSTR_LIMIT_AT_LEAST + 1;
		state->judge->finding(state->judge, &finding);
		break;
	case HOW_EMPTY_FINDING:
		finding.outcome = KTSTR_OUTCOME_PASS;
		finding.metric = "";
		state->judge->finding(state->judge, &finding);
		break;
	case HOW_FINDS_ERROR:
		find(state, KTSTR_OUTCOME_PASS, 5, NULL);
		find(state, KTSTR_OUTCOME_ERROR, 0, "a worker died");
		break;
	case HOW_AGAINST:
		find(state, KTSTR_OUTCOME_PASS, 5, NULL);
		find(state, KTSTR_OUTCOME_FAIL, 50, "50 > 10");
		break;
	case HOW_FAIL:
		find(state, KTSTR_OUTCOME_PASS, 5, NULL);
		find(state, KTSTR_OUTCOME_FAIL, 50, "50 > 10");
		break;
	case HOW_MANY:
		for (int i = 0; i < 5000; i++)
			find(state, i == 1000 ? KTSTR_OUTCOME_SKIP : KTSTR_OUTCOME_PASS, i, NULL);
		break;
	case HOW_CHILD:
		do_child();
		break;
	case HOW_WRITES_FILE:
		do_write_file(state);
		break;
	case HOW_TERMINAL:
		find(state, KTSTR_OUTCOME_PASS, 1, "red \x1b[31m and \xff bytes");
		break;
	case HOW_CONTEXT:
		say_context(state);
		break;
	default:
		break;
	}
}

static int bad_finish(void *arg, uint32_t *ret_outcome, struct ktstr_error *err)
{
	struct state *state = arg;

	misbehave(state);
	if (state->how == HOW_FINISH_FAILS)
		return ktstr_fail(err, -EDOM, "the figures do not add up");
	if (state->how == HOW_FINISH_POSITIVE)
		return 7;
	if (state->how == HOW_SILENT_FAILURE)
		return -EDOM;
	switch (state->how) {
	case HOW_NEVER:
		break;
	case HOW_NONSENSE:
		*ret_outcome = 1000;
		break;
	case HOW_FAIL:
		*ret_outcome = KTSTR_OUTCOME_FAIL;
		break;
	case HOW_SKIP:
		*ret_outcome = KTSTR_OUTCOME_SKIP;
		break;
	case HOW_UNDECIDED:
		*ret_outcome = KTSTR_OUTCOME_UNDECIDED;
		break;
	case HOW_FINDS_ERROR:
		*ret_outcome = KTSTR_OUTCOME_ERROR;
		break;
	default:
		*ret_outcome = KTSTR_OUTCOME_PASS;
		break;
	}
	return 0;
}

static void bad_close(void *arg)
{
	struct state *state = arg;

	if (state->how == HOW_CLOSE_CRASHES)
		do_crash(SIGBUS);
	free(state);
}

static const uint32_t wants[] = { KTSTR_MSG_STDOUT };

static const struct ktstr_checker_ops ops = {
	.size = sizeof(ops),
	.wants_count = 1,
	.wants = wants,
	.open = bad_open,
	.observe = bad_observe,
	.finish = bad_finish,
	.close = bad_close,
};

KTSTR_PLUGIN_DEFINE(KTSTR_KIND_CHECKER, .name = "bad", .version = "1.0",
		    .summary = "misbehaves as told", .params = params, .checker = &ops,
		    .license = "GPL-2.0-only");
