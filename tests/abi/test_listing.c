/* SPDX-License-Identifier: GPL-2.0-only */
/* The listing says what loading would say, without running any code of the plugins. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "plugin/registry.h"

static struct plugin_listing *listings;
static size_t listing_count;

static void list(void)
{
	static const char *const folders[] = { BAD_PLUGINS, NULL };
	struct registry *registry;
	struct ktstr_error err;

	cr_assert_eq(registry_new(folders, &registry, &err), 0);
	cr_assert_eq(registry_list(registry, &listings, &listing_count, &err), 0, "%s", err.text);
	registry_free(registry);
}

static void forget(void)
{
	listing_free(listings, listing_count);
}

TestSuite(listing, .init = list, .fini = forget);

static const struct plugin_listing *find(const char *file)
{
	for (size_t i = 0; i < listing_count; i++)
		if (str_ends(listings[i].path, file))
			return &listings[i];
	cr_assert_fail("%s is not listed", file);
	return NULL;
}

Test(listing, tells_who_a_plugin_is)
{
	const struct plugin_listing *good = find("/good.so");

	cr_assert_null(good->refused, "%s", good->refused);
	cr_assert_eq(good->kind, KTSTR_KIND_WORKLOAD);
	cr_assert_str_eq(good->name, "good");
	cr_assert_str_eq(good->version, "1.0");
	cr_assert_str_eq(good->summary, "nothing is wrong with it");
	cr_assert_str_eq(good->license, "GPL-2.0-only");
	cr_assert_eq(good->abi_major, KTSTR_ABI_MAJOR);
	cr_assert_eq(good->abi_minor, KTSTR_ABI_MINOR);
	cr_assert_str_eq(good->path, BAD_PLUGINS "/good.so");
}

Test(listing, flattens_nested_parameters)
{
	static const struct {
		const char *key;
		const char *help;
		uint32_t type;
		const char *fallback;
		const char *choices;
	} want[] = {
		{ "mode", "what to do", KTSTR_PARAM_ENUM, "spin", "spin|sleep" },
		{ "pause", "how long", KTSTR_PARAM_DURATION, "10ms", NULL },
		{ "steps", "what comes", KTSTR_PARAM_LIST, NULL, NULL },
		{ "steps[].hold", "how long", KTSTR_PARAM_DURATION, "1s", NULL },
		{ "steps[].cpus", "where", KTSTR_PARAM_STRING, NULL, NULL },
		{ "weights", "how much", KTSTR_PARAM_LIST, NULL, NULL },
		{ "weights[]", "one weight", KTSTR_PARAM_INT, NULL, NULL },
		{ "limit", "either", KTSTR_PARAM_ONEOF, NULL, NULL },
		{ "limit.hold", "how long", KTSTR_PARAM_DURATION, "1s", NULL },
		{ "limit.cpus", "where", KTSTR_PARAM_STRING, NULL, NULL },
		{ "program", "a file", KTSTR_PARAM_STRING, NULL, NULL },
	};
	const struct plugin_listing *good = find("/good.so");

	cr_assert_eq(good->param_count, ARRAY_SIZE(want));
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		const struct listed_param *is = &good->params[i];

		cr_expect_str_eq(is->key, want[i].key);
		cr_expect_str_eq(is->help, want[i].help);
		cr_expect_eq(is->type, want[i].type, "%s", want[i].key);
		cr_expect_str_eq(is->fallback ? is->fallback : "(none)",
				 want[i].fallback ? want[i].fallback : "(none)");
		cr_expect_str_eq(is->choices ? is->choices : "(none)",
				 want[i].choices ? want[i].choices : "(none)");
	}
	cr_assert_eq(good->params[3].min, 1);
	cr_assert_eq(good->params[3].max, 1000000000);
	cr_assert_eq(good->params[10].flags, KTSTR_PARAM_REQUIRED);
}

Test(listing, reads_what_other_linkers_make)
{
	static const char *const files[] = { "/good_sysv.so", "/good_relr.so", "/good_packed.so" };
	const struct plugin_listing *good = find("/good.so");

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		const struct plugin_listing *other = find(files[i]);

		cr_assert_null(other->refused, "%s", other->refused);
		cr_assert_str_eq(other->summary, good->summary);
		cr_assert_eq(other->param_count, good->param_count);
		for (size_t p = 0; p < good->param_count; p++)
			cr_expect_str_eq(other->params[p].key, good->params[p].key);
	}
}

Test(listing, refuses_with_the_words_of_the_loader)
{
	/* What only the dynamic linker finds out is not seen. */
	static const char *const seen_when_loaded[] = { "/undefined_symbol.so",
							"/missing_library.so" };
	size_t refused = 0;

	for (size_t i = 0; i < listing_count; i++) {
		struct plugin *plugin = NULL;
		struct ktstr_error err = { 0 };
		bool is_passed_over = false;

		for (size_t j = 0; j < ARRAY_SIZE(seen_when_loaded); j++)
			is_passed_over |= str_ends(listings[i].path, seen_when_loaded[j]);
		if (plugin_load(listings[i].path, 0, &plugin, &err) == 0) {
			cr_expect_null(listings[i].refused, "%s", listings[i].refused);
			plugin_free(plugin);
		} else if (is_passed_over) {
			cr_expect_null(listings[i].refused, "%s", listings[i].refused);
		} else {
			cr_expect_not_null(listings[i].refused, "%s is not refused",
					   listings[i].path);
			cr_expect_str_eq(listings[i].refused, err.text);
			cr_expect_eq(listings[i].kind, 0);
			refused++;
		}
	}
	cr_assert_geq(refused, 28);
}

Test(listing, sorts_by_kind_and_name_with_refused_ones_last)
{
	bool is_refused = false;

	for (size_t i = 0; i < listing_count; i++) {
		cr_assert(!is_refused || listings[i].refused);
		is_refused = listings[i].refused != NULL;
		if (i > 0 && listings[i].kind == listings[i - 1].kind)
			cr_assert_leq(strcmp(listings[i - 1].name, listings[i].name), 0);
	}
	cr_assert_str_eq(find("/bad_name.so")->name, "bad_name");
}

Test(constructors, run_when_loaded_but_not_when_listed)
{
	char path[] = "/tmp/ktstr-constructor-XXXXXX";
	struct plugin *plugin = NULL;
	struct ktstr_error err;
	int fd = mkstemp(path);

	cr_assert(fd >= 0);
	(void)close(fd);
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(setenv("KTSTR_TEST_CONSTRUCTOR", path, 1), 0);
	list();
	forget();
	cr_assert_eq(access(path, F_OK), -1, "a constructor ran");

	/* The control: the file does have a constructor. */
	cr_assert_eq(plugin_load(BAD_PLUGINS "/good.so", 0, &plugin, &err), 0, "%s", err.text);
	cr_assert_eq(access(path, F_OK), 0);
	plugin_free(plugin);
	(void)unlink(path);
}
