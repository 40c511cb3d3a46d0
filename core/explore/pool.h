/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Several runs at once, each in a child process that cannot outlive this one. Each takes its part
 * of the budget of all runs by itself (run/budget.h).
 */
#ifndef EXPLORE_POOL_H
#define EXPLORE_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "explore/signature.h"
#include "ktstr/error.h"
#include "run/run.h"

#define POOL_JOBS_MAX 256u
#define POOL_MESSAGES_MAX 4096u

/* What came of one. */
struct pool_result {
	uint64_t tag;	     /* the caller's */
	bool is_interrupted; /* by a signal: it says nothing */
	bool has_verdict;
	int exit_code;
	uint64_t took_ns;
	struct signature signature;
	char error[SIGNATURE_TEXT_MAX + 1]; /* of an ERROR: why */
	char messages[POOL_MESSAGES_MAX];   /* the first of its warnings, a line each */
};

struct pool;

/* For at most @jobs at once, 1 to POOL_JOBS_MAX. */
int pool_new(uint32_t jobs, struct pool **ret, struct ktstr_error *err);

/* End all that run, at once, and free it. NULL is fine. */
void pool_free(struct pool *pool);

bool pool_is_full(const struct pool *pool);
size_t pool_count(const struct pool *pool);

/* Run @scenario by @options, which may go when this returns. The pool must not be full. */
int pool_start(struct pool *pool, uint64_t tag, const char *scenario,
	       const struct run_options *options, struct ktstr_error *err);

/*
 * Wait for one to end. 1 and *ret; 0 when none did within @timeout_ms, or none runs; -EINTR when
 * @signal_fd (-1: none) can be read.
 */
int pool_wait(struct pool *pool, int signal_fd, int timeout_ms, struct pool_result *ret);

/* Tell that of @tag, or all, to end; pool_wait() hands them out still, as interrupted. */
void pool_stop(struct pool *pool, uint64_t tag);
void pool_stop_all(struct pool *pool);

#endif
