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
};

#endif
