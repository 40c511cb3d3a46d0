/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the scenario file says is to come of the run (`expect:`), for runs that test that something
 * breaks in the right way.
 */
#ifndef CONFIG_EXPECT_H
#define CONFIG_EXPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ktstr/error.h"
#include "param/bind.h"

/* Most bytes of a text, and most checkers. */
#define EXPECT_TEXT_MAX 1024
#define EXPECT_CHECKERS_MAX 64

struct expectation {
	bool is_given;
	uint32_t
		outcome; /* KTSTR_OUTCOME_PASS or KTSTR_OUTCOME_FAIL: what it is without `expect` */
	/* For FAIL, at least one of those below; all that are given must be true. */
	bool has_scx_exit;
	bool has_scx_kind;
	uint32_t scx_kind; /* KTSTR_SCX_EXIT_ */
	char *scx_message; /* stands in the message of the exit; NULL: any */
	char *start_error; /* stands in why the scheduler did not start; NULL: not expected */
	char **checkers;   /* checkers that must FAIL; one that is not named must not */
	size_t checker_count;
	/* Where each of the checkers stands in the scenario file; NULL: it came from no file. */
	struct expect_place {
		uint32_t line;
		uint32_t column;
	} * checker_places;
};

/* Read @node, the value of `expect:`. -EINVAL with "file:line:col: ...". */
int expectation_read(const struct source *source, const struct node *node, struct expectation *ret,
		     struct ktstr_error *err);

/* Why what is expected cannot be, or NULL: it can. */
const char *expectation_flaw(const struct expectation *expect);

/* Is it judge enough, without any checker: of how a scheduler ends, or that it does not start? */
bool expectation_judges(const struct expectation *expect);

/* The KTSTR_SCX_EXIT_ of a name that `expect:` knows. -EINVAL: it knows none. */
int expectation_kind(const char *name, uint32_t *ret);

/* Can it be a text that is expected: one line, at most EXPECT_TEXT_MAX bytes, nothing in it that
 * could drive a terminal? */
bool expectation_is_text(const char *text);

/* Is checker @name to FAIL? */
bool expectation_names(const struct expectation *expect, const char *name);

/* A copy, to be freed by expectation_done(). 0, or -ENOMEM. */
int expectation_copy(const struct expectation *expect, struct expectation *ret);
void expectation_done(struct expectation *expect);

#endif
