/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/meta_expect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ktstr/outcome.h"
#include "ktstr/plugin.h"
#include "ktstr/sched_ext.h"
#include "report/meta.h"

static const char fail_word[] = "fail", pass_word[] = "pass";

static json_t *exit_to_json(const struct expectation *expect)
{
	const char *kind = expect->has_scx_kind ? ktstr_scx_exit_name(expect->scx_kind) : NULL;

	if (!expect->has_scx_exit)
		return json_null();
	return json_pack("{so so}", "kind", json_text(kind), "message",
			 json_text(expect->scx_message));
}

json_t *meta_expect_to_json(const struct expectation *expect)
{
	bool is_fail = expect->outcome == KTSTR_OUTCOME_FAIL;
	json_t *checkers;

	if (!expect->is_given)
		return json_null();
	checkers = json_array();
	for (size_t i = 0; checkers && i < expect->checker_count; i++)
		json_add(&checkers, json_text(expect->checkers[i]));
	return json_pack("{ss so so so}", "outcome", is_fail ? fail_word : pass_word, "scx_exit",
			 exit_to_json(expect), "start", json_text(expect->start_error), "checkers",
			 checkers);
}

static int malformed(struct ktstr_error *err, const char *key)
{
	return ktstr_fail(err, -EBADMSG, "'%s' in it is nothing that can be expected", key);
}

static bool is_there(const json_t *value)
{
	return value && !json_is_null(value);
}

static int parse_text(const json_t *object, const char *key, char **ret, struct ktstr_error *err)
{
	const json_t *value = json_object_get(object, key);
	const char *text = json_string_value(value);

	if (!is_there(value))
		return 0;
	if (!text || !*text || strlen(text) != json_string_length(value) ||
	    !expectation_is_text(text))
		return malformed(err, key);
	*ret = strdup(text);
	return *ret ? 0 : ktstr_fail(err, -ENOMEM, "out of memory");
}

static int parse_outcome(const json_t *json, struct expectation *expect, struct ktstr_error *err)
{
	const char *word = json_string_value(json_object_get(json, "outcome"));

	if (!word || (strcmp(word, fail_word) != 0 && strcmp(word, pass_word) != 0))
		return malformed(err, "outcome");
	expect->outcome = strcmp(word, fail_word) == 0 ? KTSTR_OUTCOME_FAIL : KTSTR_OUTCOME_PASS;
	return 0;
}

static int parse_exit(const json_t *json, struct expectation *expect, struct ktstr_error *err)
{
	const json_t *value = json_object_get(json, "scx_exit");
	const json_t *kind = json_object_get(value, "kind");

	if (!is_there(value))
		return 0;
	if (!json_is_object(value))
		return malformed(err, "scx_exit");
	expect->has_scx_exit = true;
	if (is_there(kind)) {
		if (!json_is_string(kind) ||
		    expectation_kind(json_string_value(kind), &expect->scx_kind) < 0)
			return malformed(err, "kind");
		expect->has_scx_kind = true;
	}
	return parse_text(value, "message", &expect->scx_message, err);
}

static int parse_checkers(const json_t *json, struct expectation *expect, struct ktstr_error *err)
{
	const json_t *list = json_object_get(json, "checkers");
	size_t count = json_array_size(list);

	if (!is_there(list))
		return 0;
	if (!json_is_array(list) || count > EXPECT_CHECKERS_MAX)
		return malformed(err, "checkers");
	expect->checkers = calloc(count + 1, sizeof(*expect->checkers));
	if (!expect->checkers)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < count; i++) {
		const char *name = json_string_value(json_array_get(list, i));

		if (!name || !*name || strlen(name) > KTSTR_NAME_MAX ||
		    name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] ||
		    expectation_names(expect, name))
			return malformed(err, "checkers");
		expect->checkers[i] = strdup(name);
		if (!expect->checkers[i])
			return ktstr_fail(err, -ENOMEM, "out of memory");
		expect->checker_count++;
	}
	return 0;
}

static int parse_all(const json_t *json, struct expectation *expect, struct ktstr_error *err)
{
	int rc;

	if (!json_is_object(json))
		return malformed(err, "expect");
	expect->is_given = true;
	rc = parse_outcome(json, expect, err);
	if (rc == 0)
		rc = parse_exit(json, expect, err);
	if (rc == 0)
		rc = parse_text(json, "start", &expect->start_error, err);
	if (rc == 0)
		rc = parse_checkers(json, expect, err);
	if (rc == 0 && expectation_flaw(expect))
		return malformed(err, "expect");
	return rc;
}

int meta_expect_parse(const json_t *json, struct expectation *ret, struct ktstr_error *err)
{
	struct expectation expect = { 0 };
	int rc = is_there(json) ? parse_all(json, &expect, err) : 0;

	if (rc < 0) {
		expectation_done(&expect);
		return rc;
	}
	*ret = expect;
	return 0;
}
