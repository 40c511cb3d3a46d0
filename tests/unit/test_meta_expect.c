/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/meta_expect.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ktstr/outcome.h"
#include "ktstr/sched_ext.h"

static struct ktstr_error err;

static int parse(const char *text, struct expectation *ret)
{
	json_t *json = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	int rc;

	cr_assert_not_null(json, "%s", text);
	rc = meta_expect_parse(json, ret, &err);
	json_decref(json);
	return rc;
}

Test(meta_expect, comes_back_as_it_was_written)
{
	char *checkers[] = { (char *)"gap", (char *)"scx_alive" };
	const struct expectation expect = {
		.is_given = true,
		.outcome = KTSTR_OUTCOME_FAIL,
		.has_scx_exit = true,
		.has_scx_kind = true,
		.scx_kind = KTSTR_SCX_EXIT_ERROR_STALL,
		.scx_message = (char *)"failed to run for \"2s\"",
		.start_error = (char *)"w\xc3\xbcrde",
		.checkers = checkers,
		.checker_count = 2,
	};
	struct expectation back = { 0 };
	json_t *json = meta_expect_to_json(&expect);
	char *text = json_dumps(json, 0);

	cr_assert_eq(parse(text, &back), 0, "%s", err.text);
	cr_expect(back.is_given);
	cr_expect_eq(back.outcome, KTSTR_OUTCOME_FAIL);
	cr_expect(back.has_scx_exit);
	cr_expect(back.has_scx_kind);
	cr_expect_eq(back.scx_kind, KTSTR_SCX_EXIT_ERROR_STALL);
	cr_expect_str_eq(back.scx_message, expect.scx_message);
	cr_expect_str_eq(back.start_error, expect.start_error);
	cr_assert_eq(back.checker_count, 2);
	cr_expect_str_eq(back.checkers[1], "scx_alive");
	expectation_done(&back);
	free(text);
	json_decref(json);
}

Test(meta_expect, what_is_not_given_stays_so)
{
	const struct expectation nothing = { 0 };
	const struct expectation pass = { .is_given = true, .outcome = KTSTR_OUTCOME_PASS };
	struct expectation back = { .is_given = true };
	json_t *json = meta_expect_to_json(&nothing);

	cr_expect(json_is_null(json));
	cr_assert_eq(meta_expect_parse(json, &back, &err), 0);
	cr_expect_not(back.is_given);
	cr_assert_eq(meta_expect_parse(NULL, &back, &err), 0);
	cr_expect_not(back.is_given);
	json_decref(json);
	json = meta_expect_to_json(&pass);
	cr_assert_eq(meta_expect_parse(json, &back, &err), 0, "%s", err.text);
	cr_expect(back.is_given);
	cr_expect_eq(back.outcome, KTSTR_OUTCOME_PASS);
	cr_expect_not(back.has_scx_exit);
	cr_expect_null(back.scx_message);
	expectation_done(&back);
	json_decref(json);
}

/* What no scenario file could have said, and the member that is to blame. */
static const struct {
	const char *json;
	const char *member;
} refused[] = {
	{ "1", "expect" },
	{ "[]", "expect" },
	{ "{}", "outcome" },
	{ "{\"outcome\": \"error\"}", "outcome" },
	{ "{\"outcome\": 4}", "outcome" },
	{ "{\"outcome\": \"fail\"}", "expect" },
	{ "{\"outcome\": \"fail\", \"scx_exit\": {}}", "expect" },
	{ "{\"outcome\": \"fail\", \"checkers\": []}", "expect" },
	{ "{\"outcome\": \"pass\", \"start\": \"x\"}", "expect" },
	{ "{\"outcome\": \"fail\", \"scx_exit\": \"stall\"}", "scx_exit" },
	{ "{\"outcome\": \"fail\", \"scx_exit\": {\"kind\": \"none\"}}", "kind" },
	{ "{\"outcome\": \"fail\", \"scx_exit\": {\"kind\": 1026}}", "kind" },
	{ "{\"outcome\": \"fail\", \"scx_exit\": {\"message\": \"\"}}", "message" },
	{ "{\"outcome\": \"fail\", \"scx_exit\": {\"message\": \"a\\u001b[2J\"}}", "message" },
	{ "{\"outcome\": \"fail\", \"scx_exit\": {\"message\": \"a\\u0000b\"}}", "message" },
	{ "{\"outcome\": \"fail\", \"start\": 1}", "start" },
	{ "{\"outcome\": \"fail\", \"start\": \"a\\nb\"}", "start" },
	{ "{\"outcome\": \"fail\", \"checkers\": \"gap\"}", "checkers" },
	{ "{\"outcome\": \"fail\", \"checkers\": [1]}", "checkers" },
	{ "{\"outcome\": \"fail\", \"checkers\": [\"\"]}", "checkers" },
	{ "{\"outcome\": \"fail\", \"checkers\": [\"../x\"]}", "checkers" },
	{ "{\"outcome\": \"fail\", \"checkers\": [\"gap\", \"gap\"]}", "checkers" },
	{ "{\"outcome\": \"fail\", \"checkers\": [\"a234567890123456789012345678901x\"]}",
	  "checkers" },
};

Test(meta_expect, refuses_what_no_scenario_file_says)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct expectation back = { 0 };
		char says[100];

		(void)snprintf(says, sizeof(says), "'%s' in it is nothing that can be expected",
			       refused[i].member);
		cr_expect_eq(parse(refused[i].json, &back), -EBADMSG, "%s", refused[i].json);
		cr_expect_str_eq(err.text, says, "%s: %s", refused[i].json, err.text);
		cr_expect_not(back.is_given);
	}
}

Test(meta_expect, bounds_its_checkers)
{
	json_t *list = json_array(), *json;
	struct expectation back = { 0 };

	for (int i = 0; i <= EXPECT_CHECKERS_MAX; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "c%d", i);
		cr_assert_eq(json_array_append_new(list, json_string(name)), 0);
	}
	json = json_pack("{ss so}", "outcome", "fail", "checkers", list);
	cr_expect_eq(meta_expect_parse(json, &back, &err), -EBADMSG);
	json_decref(json);
}
