/* SPDX-License-Identifier: GPL-2.0-only */
/* For tests of checkers: a court that feeds a checker with frames and keeps what it finds. */
#ifndef TESTS_UNIT_COURT_H
#define TESTS_UNIT_COURT_H

#include <stddef.h>

#include "ktstr/checker.h"

#define MS UINT64_C(1000000)
#define S UINT64_C(1000000000)

#define FINDINGS_MAX 64

struct found {
	uint32_t outcome;
	char subject[300];
	char metric[32];
	char unit[16];
	double measured;
	double limit;
	uint32_t limit_kind;
	char text[16384];
};

/* A checker at work, and what it said. */
struct court {
	struct ktstr_judge judge;
	const struct ktstr_checker_ops *ops;
	void *state;
	uint64_t frames;
	uint64_t now_ns; /* when the host receives the next frame */
	struct ktstr_error err;
	struct found *found;
	size_t count;
};

/* A checker of the build tree with these values, ready to observe. @clock: as struct ktstr_judge
 * has it; the short form has none. */
struct court *court_open_with(const char *name, const struct ktstr_value *values,
			      const char *clock);
struct court *court_open(const char *name, const struct ktstr_value *values);
void court_close(struct court *court);

/* One frame. What observe() says. */
int show(struct court *court, uint32_t msg_type, uint32_t flags, const void *payload,
	 uint32_t length);

/* Frames that must be taken. @cpus: CPU 0 is the lowest bit; 0 is no cpuset. */
void show_cgroup(struct court *court, uint32_t id, const char *name, uint64_t cpus);
void show_worker(struct court *court, const struct ktstr_worker_report *report);

/* A good worker of 5 s in cgroup 1; a test changes what it is about. */
struct ktstr_worker_report worker_of(uint32_t tid);

/* The outcome of finish(), which must not fail. */
uint32_t decide(struct court *court);

void expect_found(const struct court *court, size_t index, uint32_t outcome, const char *subject,
		  double measured, double limit, const char *text);
/* A finding without a figure. */
void expect_sentence(const struct court *court, size_t index, uint32_t outcome, const char *subject,
		     const char *text);

#endif
