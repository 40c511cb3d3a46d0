/* SPDX-License-Identifier: GPL-2.0-only */
/* A checker that decides what it is told to, or goes wrong in a chosen way. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ktstr/checker.h"

enum how {
	HOW_PASS,
	HOW_SKIP,
	HOW_UNDECIDED,
	HOW_FAIL,
	HOW_NEVER,
	HOW_CRASH,
	HOW_HANG,
	HOW_GARBAGE,
	HOW_EXIT,
	HOW_EAT,
};

static const char *const hows[] = { "pass", "skip",    "undecided", "fail", "never", "crash",
				    "hang", "garbage", "exit",	    "eat",  NULL };

static const struct ktstr_param params[] = {
	{ .key = "how",
	  .help = "what to decide, or how to go wrong",
	  .type = KTSTR_PARAM_ENUM,
	  .fallback = "pass",
	  .choices = hows },
	{ .key = NULL },
};

static const uint32_t wants[] = { KTSTR_MSG_SCENARIO_START };

struct state {
	struct ktstr_judge *judge;
	enum how how;
};

static int open_checker(struct ktstr_judge *judge, const struct ktstr_value *values,
			void **ret_state, struct ktstr_error *err)
{
	struct state *state = calloc(1, sizeof(*state));

	if (!state)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	state->judge = judge;
	state->how = (enum how)values[0].i;
	*ret_state = state;
	return 0;
}

static int observe(void *state, const struct ktstr_frame *frame, struct ktstr_error *err)
{
	(void)state;
	(void)frame;
	(void)err;
	return 0;
}

/* Write nonsense on every descriptor that is open. */
static void spill(void)
{
	char noise[4096];

	memset(noise, 0xa5, sizeof(noise));
	for (int fd = 1; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			(void)!write(fd, noise, sizeof(noise));
}

/* Touch more memory than any limit allows. */
static void eat(void)
{
	for (;;) {
		char *block = malloc(64 << 20);

		if (!block)
			abort();
		memset(block, 1, 64 << 20);
	}
}

/* What is found: a figure on the right side of its limit or not, or else a sentence alone. */
static void report(struct state *state, uint32_t outcome, const char *text)
{
	struct ktstr_finding finding = {
		.size = sizeof(finding), .outcome = outcome, .subject = "run", .text = text
	};

	if (outcome == KTSTR_OUTCOME_PASS || outcome == KTSTR_OUTCOME_FAIL) {
		finding.metric = "orders";
		finding.measured = outcome == KTSTR_OUTCOME_PASS ? 1 : 3;
		finding.limit = 2;
		finding.limit_kind = KTSTR_LIMIT_AT_MOST;
	}
	state->judge->finding(state->judge, &finding);
}

static int finish(void *opaque, uint32_t *ret_outcome, struct ktstr_error *err)
{
	struct state *state = opaque;

	switch (state->how) {
	case HOW_PASS:
		report(state, *ret_outcome = KTSTR_OUTCOME_PASS, NULL);
		return 0;
	case HOW_SKIP:
		report(state, *ret_outcome = KTSTR_OUTCOME_SKIP, "told to skip");
		return 0;
	case HOW_UNDECIDED:
		report(state, *ret_outcome = KTSTR_OUTCOME_UNDECIDED, "told to be undecided");
		return 0;
	case HOW_FAIL:
		report(state, *ret_outcome = KTSTR_OUTCOME_FAIL, "told to fail");
		return 0;
	case HOW_NEVER:
		return 0;
	case HOW_CRASH:
		raise(SIGSEGV);
		return 0;
	case HOW_HANG:
		for (;;)
			pause();
	case HOW_GARBAGE:
		spill();
		*ret_outcome = KTSTR_OUTCOME_PASS;
		return 0;
	case HOW_EXIT:
		_exit(0);
	case HOW_EAT:
		eat();
		return 0;
	}
	return ktstr_fail(err, -EINVAL, "unknown way");
}

static void close_checker(void *state)
{
	free(state);
}

static const struct ktstr_checker_ops ops = { .size = sizeof(ops),
					      .wants = wants,
					      .wants_count = 1,
					      .open = open_checker,
					      .observe = observe,
					      .finish = finish,
					      .close = close_checker };

KTSTR_PLUGIN_DEFINE(KTSTR_KIND_CHECKER, .name = "misjudge", .version = "1.0",
		    .summary = "decide what it is told to, or go wrong", .params = params,
		    .checker = &ops, .license = "GPL-2.0-only");
