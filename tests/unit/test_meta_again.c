/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/meta_again.h"

#include <errno.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/cleanup.h"

static const char whole[] =
	"{\"folder\": \"/home/me\", \"scheduler\": \"./x.so,slice=5ms\", \"checkers\": [\"gap\"], "
	"\"only\": true, \"verbose\": false, \"stats_interval_ns\": 7, \"kernel_crc32\": 1, "
	"\"agent_crc32\": 2, \"job_crc32\": 3, \"machine_crc32\": 4, \"qemu_crc32\": 4294967295, "
	"\"qemu_path\": \"/usr/bin/qemu\", \"files\": [{\"path\": \"/a\", \"guest_path\": "
	"\"/payload/a\", \"crc32\": 9}]}";

static int parse(const char *text, struct meta_again *ret, struct ktstr_error *err)
{
	json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);
	int rc;

	cr_assert_not_null(json, "%s", text);
	rc = meta_again_parse(json, ret, err);
	json_decref(json);
	return rc;
}

Test(meta_again, comes_back_as_it_was)
{
	json_t *want = json_loads(whole, 0, NULL);
	struct meta_again again;
	struct ktstr_error err;
	json_t *json;

	cr_assert_eq(parse(whole, &again, &err), 0, "%s", err.text);
	cr_expect(again.is_there);
	cr_expect_str_eq(again.scheduler, "./x.so,slice=5ms");
	cr_expect_eq(again.checker_count, 1);
	cr_expect_eq(again.qemu_crc32, UINT32_MAX);
	cr_expect_str_eq(again.files[0].guest_path, "/payload/a");
	json = meta_again_to_json(&again);
	cr_expect(json_equal(json, want));
	json_decref(json);
	json_decref(want);
	meta_again_done(&again);
}

Test(meta_again, may_be_left_out)
{
	struct meta_again again = { .is_there = true };
	struct ktstr_error err;
	json_t *json;

	cr_assert_eq(parse("null", &again, &err), 0);
	cr_expect(!again.is_there);
	cr_assert_eq(meta_again_parse(NULL, &again, &err), 0);
	json = meta_again_to_json(&again);
	cr_expect(json_is_null(json));
	json_decref(json);
}

Test(meta_again, refuses_what_makes_no_sense)
{
	static const struct {
		const char *key, *value;
	} cases[] = {
		{ "folder", "null" },
		{ "folder", "5" },
		{ "folder", "\"a\\nb\"" },
		{ "scheduler", "[]" },
		{ "scheduler", "\"\\u001b[1m\"" },
		{ "scheduler", "\"a\\u0000b\"" },
		{ "checkers", "\"gap\"" },
		{ "checkers", "[null]" },
		{ "checkers", "[\"gap\", 1]" },
		{ "only", "1" },
		{ "verbose", "null" },
		{ "stats_interval_ns", "-1" },
		{ "kernel_crc32", "4294967296" },
		{ "kernel_crc32", "\"1\"" },
		{ "qemu_path", "null" },
		{ "files", "{}" },
		{ "files", "[5]" },
		{ "files", "[{\"path\": \"/a\", \"crc32\": 1}]" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *json = json_loads(whole, JSON_ALLOW_NUL, NULL);
		struct meta_again again;
		struct ktstr_error err = { 0 };

		json_object_set_new(
			json, cases[i].key,
			json_loads(cases[i].value, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL));
		cr_expect_eq(meta_again_parse(json, &again, &err), -EBADMSG, "%s: %s", cases[i].key,
			     cases[i].value);
		cr_expect_not_null(strstr(err.text, "in it says nothing of how to run it again"),
				   "%s", err.text);
		json_decref(json);
	}
	{
		struct meta_again again;
		struct ktstr_error err = { 0 };

		cr_expect_eq(parse("[]", &again, &err), -EBADMSG);
		cr_expect_not_null(strstr(err.text, "'again' in it"), "%s", err.text);
	}
}
