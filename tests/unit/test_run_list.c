/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/list.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "judge/verdict.h"
#include "ktstr/plugin.h"

static char *text;
static size_t length;
static char said[512]; /* the last message */
static struct run_options options;

static void hear(void *arg, int level, const char *line)
{
	(void)arg;
	(void)level;
	(void)snprintf(said, sizeof(said), "%s", line);
}

static void begin(void)
{
	options = (struct run_options){ .out = open_memstream(&text, &length) };
	cr_assert_not_null(options.out);
	log_set(hear, NULL, LOG_LEVEL_NOTE);
}

static void end(void)
{
	if (options.out)
		(void)fclose(options.out);
	free(text);
	log_set(NULL, NULL, LOG_LEVEL_NOTE);
}

TestSuite(run_list, .init = begin, .fini = end);

static const char *shown(void)
{
	cr_assert_eq(fclose(options.out), 0);
	options.out = NULL;
	return text;
}

static json_t *document(const char *kind)
{
	json_t *json = json_loads(shown(), 0, NULL);
	json_t *list;

	cr_assert_not_null(json, "%s", text);
	cr_assert_str_eq(json_string_value(json_object_get(json, "kind")), kind);
	list = json_incref(json_object_get(json, kind));
	json_decref(json);
	return list;
}

static struct kernel kernels[] = {
	{ .image = (char *)"/nowhere",
	  .boot = (char *)"/nowhere",
	  .origin = "KTSTR_KERNEL",
	  .problem = (char *)"cannot open kernel '/nowhere':\nNo such file" },
	{ .image = (char *)"/c/6.12/vmlinuz",
	  .boot = (char *)"/c/6.12/vmlinux",
	  .release = (char *)"6.12",
	  .origin = "cache",
	  .has_sched_ext = true,
	  .has_btf = true,
	  .is_config_known = true,
	  .is_taken = true },
	{ .image = (char *)"/boot/vmlinuz-6.1",
	  .boot = (char *)"/boot/vmlinuz-6.1",
	  .release = (char *)"6.1",
	  .origin = "host",
	  .is_config_known = true },
};
static struct kernel *const some_kernels[] = { &kernels[0], &kernels[1], &kernels[2] };

Test(run_list, shows_each_kernel_with_what_it_can)
{
	cr_assert_eq(list_show_kernels(some_kernels, 3, &options), EXIT_PASS);
	cr_assert_str_eq(shown(),
			 "   kernel  sched_ext  BTF        origin        path\n"
			 "!  ?       not known  not known  KTSTR_KERNEL  /nowhere\n"
			 "*  6.12    yes        yes        cache         /c/6.12/vmlinuz\n"
			 "   6.1     no         no         host          /boot/vmlinuz-6.1\n"
			 "\n"
			 "* what a run takes that asks for none\n"
			 "! cannot open kernel '/nowhere': No such file\n",
			 "%s", text);
}

Test(run_list, shows_no_more_than_the_table_where_nothing_is_to_be_said)
{
	cr_assert_eq(list_show_kernels(&some_kernels[2], 1, &options), EXIT_PASS);
	cr_assert_str_eq(shown(), "  kernel  sched_ext  BTF  origin  path\n"
				  "  6.1     no         no   host    /boot/vmlinuz-6.1\n");
}

Test(run_list, shows_nothing_where_there_is_no_kernel)
{
	cr_assert_eq(list_show_kernels(NULL, 0, &options), EXIT_PASS);
	cr_assert_str_eq(shown(), "");
}

Test(run_list, writes_kernels_as_json)
{
	const char *release, *problem;
	int has_sched_ext, is_taken;
	json_t *list;

	options.is_json = true;
	cr_assert_eq(list_show_kernels(some_kernels, 3, &options), EXIT_PASS);
	list = document("kernels");
	cr_assert_eq(json_array_size(list), 3);
	cr_assert_eq(json_unpack(list, "[{ss sn sb}{ss sn sb sb}{sb}]", "problem", &problem,
				 "release", "is_taken", &is_taken, "release", &release, "problem",
				 "is_taken", &is_taken, "has_sched_ext", &has_sched_ext, "has_btf",
				 &(int){ 0 }),
		     0);
	cr_assert_str_eq(release, "6.12");
	cr_assert(has_sched_ext && is_taken);
	json_decref(list);
}

static struct listed_param params[] = {
	{ .key = (char *)"steps",
	  .type = KTSTR_PARAM_LIST,
	  .flags = KTSTR_PARAM_REQUIRED,
	  .help = (char *)"one after the other" },
	{ .key = (char *)"steps[].hold",
	  .type = KTSTR_PARAM_DURATION,
	  .fallback = (char *)"1s",
	  .help = (char *)"how long" },
	{ .key = (char *)"steps[].spawn.workers", .type = KTSTR_PARAM_INT, .min = 1, .max = 9 },
	{ .key = (char *)"how",
	  .type = KTSTR_PARAM_ENUM,
	  .choices = (char *)"a|b",
	  .fallback = (char *)"a" },
};
static const struct plugin_listing listings[] = {
	{ .path = (char *)"/p/steps.so",
	  .kind = KTSTR_KIND_SCENARIO,
	  .name = (char *)"steps",
	  .version = (char *)"1.2",
	  .summary = (char *)"a story",
	  .abi_major = 1,
	  .params = params,
	  .param_count = ARRAY_SIZE(params) },
	{ .path = (char *)"/p/gap.so",
	  .kind = KTSTR_KIND_CHECKER,
	  .name = (char *)"gap",
	  .version = (char *)"1.0",
	  .summary = (char *)"no gaps",
	  .abi_major = 1 },
	{ .path = (char *)"/p/broken.so",
	  .name = (char *)"broken",
	  .refused = (char *)"'/p/broken.so' is not\nan ELF file" },
};

static const char steps_text[] = "scenario steps 1.2 (ABI 1.0)\n"
				 "  a story\n"
				 "  /p/steps.so\n"
				 "    parameter    type            meaning\n"
				 "    steps        list, required  one after the other\n"
				 "      hold       duration = 1s   how long\n"
				 "        workers  integer 1..9\n"
				 "    how          choice a|b = a\n";
static const char gap_text[] = "checker gap 1.0 (ABI 1.0)\n"
			       "  no gaps\n"
			       "  /p/gap.so\n";
static const char broken_text[] = "refused /p/broken.so\n"
				  "  '/p/broken.so' is not an ELF file\n";

/* @names: ended by NULL. */
static int list(uint32_t kind, const char *const *names)
{
	size_t count = 0;

	while (names[count])
		count++;
	return list_show_plugins(listings, ARRAY_SIZE(listings), kind, (char *const *)names, count,
				 &options);
}

#define NAMES(...) ((const char *const[]){ __VA_ARGS__ })

Test(run_list, shows_each_plugin_with_its_parameters)
{
	char expected[1024];

	cr_assert_eq(list(0, NAMES(NULL)), EXIT_PASS);
	(void)snprintf(expected, sizeof(expected), "%s\n%s\n%s", steps_text, gap_text, broken_text);
	cr_assert_str_eq(shown(), expected, "%s", text);
}

Test(run_list, shows_the_plugins_of_one_kind_and_what_may_be_of_it)
{
	char expected[1024];

	cr_assert_eq(list(KTSTR_KIND_CHECKER, NAMES(NULL)), EXIT_PASS);
	(void)snprintf(expected, sizeof(expected), "%s\n%s", gap_text, broken_text);
	cr_assert_str_eq(shown(), expected, "%s", text);
}

Test(run_list, shows_the_plugins_that_are_named)
{
	cr_assert_eq(list(0, NAMES("steps", NULL)), EXIT_PASS);
	cr_assert_str_eq(shown(), steps_text, "%s", text);
}

Test(run_list, refuses_names_that_nobody_has)
{
	static const struct {
		uint32_t kind;
		const char *name, *said;
	} cases[] = {
		{ 0, "gpa", "there is no plugin 'gpa' in the search path; did you mean 'gap'?" },
		{ 0, "nonsense", "there is no plugin 'nonsense' in the search path" },
		{ KTSTR_KIND_SCENARIO, "gap", "there is no scenario 'gap' in the search path" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cr_expect_eq(list(cases[i].kind, NAMES("steps", cases[i].name, NULL)), EXIT_USAGE);
		cr_expect_str_eq(said, cases[i].said);
	}
	cr_assert_str_eq(shown(), "");
}

Test(run_list, writes_plugins_as_json)
{
	const char *name, *key, *fallback, *refused;
	json_t *list_json;

	options.is_json = true;
	cr_assert_eq(list(0, NAMES(NULL)), EXIT_PASS);
	list_json = document("plugins");
	cr_assert_eq(json_array_size(list_json), 3);
	cr_assert_eq(json_unpack(list_json, "[{ss s[{}{ss ss}]}{}{sn ss}]", "name", &name, "params",
				 "key", &key, "fallback", &fallback, "kind", "refused", &refused),
		     0);
	cr_assert_str_eq(name, "steps");
	cr_assert_str_eq(key, "steps[].hold");
	cr_assert_str_eq(fallback, "1s");
	cr_assert_str_eq(refused, "'/p/broken.so' is not\nan ELF file");
	json_decref(list_json);
}

Test(run_list, tells_when_the_list_could_not_be_written)
{
	FILE *full = fopen("/dev/full", "w");
	struct run_options to_full = { .out = full };

	cr_assert_not_null(full);
	cr_expect_eq(list_show_kernels(some_kernels, 3, &to_full), EXIT_ERROR);
	cr_expect_str_eq(said, "cannot write the list: No space left on device");
	said[0] = '\0';
	to_full.is_json = true;
	cr_expect_eq(list_show_kernels(some_kernels, 3, &to_full), EXIT_ERROR);
	cr_expect_str_eq(said, "cannot write the list: No space left on device");
	(void)fclose(full);
}
