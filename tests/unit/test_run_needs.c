/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/needs.h"

#include <errno.h>
#include <string.h>

#include <criterion/criterion.h>

#include "ktstr/scheduler.h"

static struct staged_scheduler staged[] = { { .name = (char *)"fifo" },
					    { .name = (char *)"other-one" } };
static struct scenario_spec spec = {
	.vm.topology = { .size = sizeof(struct ktstr_topology), .llcs = 1 },
	.staged = staged,
	.staged_count = 2,
	.scheduler_timeout_ns = 1000,
};
static struct run_needs needs;
static struct ktstr_error err;
/* What the scheduler below asks for. */
static int (*asks)(struct ktstr_needs *needs, struct ktstr_error *err);

static int ask(const struct ktstr_value *values, struct ktstr_needs *asked,
	       struct ktstr_error *error)
{
	(void)values;
	return asks(asked, error);
}

static const struct ktstr_scheduler_ops ops = { .size = sizeof(ops), .needs = ask };
static const struct ktstr_plugin descriptor = { .kind = KTSTR_KIND_SCHEDULER,
						.name = "lazy",
						.scheduler = &ops };
static const struct plugin plugin = { .descriptor = &descriptor };

static void setup(void)
{
	run_needs_init(&needs, &spec, NULL);
}

static void teardown(void)
{
	run_needs_done(&needs);
}

TestSuite(run_needs, .init = setup, .fini = teardown);

static int ask_for_all(struct ktstr_needs *asked, struct ktstr_error *error)
{
	cr_assert_eq(asked->topology, &spec.vm.topology);
	cr_assert_eq(asked->duration_ns, 0);
	asked->duration_ns = 5;
	asked->memory_bytes = 100;
	cr_assert_eq(ktstr_need_kernel_config(asked, "CONFIG_A", error), 0);
	return ktstr_need_file(asked, "/proc/self/exe", "/payload/x", error);
}

static int ask_for_less_time(struct ktstr_needs *asked, struct ktstr_error *error)
{
	asked->duration_ns = 3;
	asked->memory_bytes = UINT64_MAX;
	return ktstr_need_kernel_config(asked, "CONFIG_A", error);
}

Test(run_needs, come_together)
{
	asks = ask_for_all;
	cr_assert_eq(run_needs_ask(&needs, &plugin, NULL, &err), 0, "%s", err.text);
	cr_assert_eq(run_needs_ask(&needs, &plugin, NULL, &err), 0, "%s", err.text);
	cr_assert_eq(needs.needs.duration_ns, 5);
	cr_assert_eq(needs.needs.memory_bytes, 200);
	cr_assert_eq(needs.option_count, 1);
	cr_assert_str_eq(needs.options[0].option, "CONFIG_A");
	cr_assert_str_eq(needs.options[0].asker, "scheduler 'lazy'");
	cr_assert_eq(needs.file_count, 1);
	cr_assert_str_eq(needs.files[0].guest_path, "/payload/x");
	asks = ask_for_less_time;
	cr_assert_eq(run_needs_ask(&needs, &plugin, NULL, &err), 0, "%s", err.text);
	cr_assert_eq(needs.needs.duration_ns, 5);
	cr_assert_eq(needs.needs.memory_bytes, UINT64_MAX);
}

static int no_name(struct ktstr_needs *n, struct ktstr_error *e)
{
	return ktstr_need_kernel_config(n, "A B", e);
}

static int no_payload(struct ktstr_needs *n, struct ktstr_error *e)
{
	return ktstr_need_file(n, "/proc/self/exe", "/etc/x", e);
}

static int climbs_out(struct ktstr_needs *n, struct ktstr_error *e)
{
	return ktstr_need_file(n, "/proc/self/exe", "/payload/../init", e);
}

static int no_file(struct ktstr_needs *n, struct ktstr_error *e)
{
	return ktstr_need_file(n, "/nowhere/x", "/payload/x", e);
}

static int a_folder(struct ktstr_needs *n, struct ktstr_error *e)
{
	return ktstr_need_file(n, "/proc", "/payload/x", e);
}

static int one_place_twice(struct ktstr_needs *n, struct ktstr_error *e)
{
	cr_assert_eq(ktstr_need_file(n, "/proc/self/exe", "/payload/x", e), 0);
	return ktstr_need_file(n, "/proc/version", "/payload/x", e);
}

static int silent(struct ktstr_needs *n, struct ktstr_error *e)
{
	(void)n;
	(void)e;
	return -EINVAL;
}

static int positive(struct ktstr_needs *n, struct ktstr_error *e)
{
	(void)n;
	(void)e;
	return 7;
}

static int bad_scheduler(struct ktstr_needs *n, struct ktstr_error *e)
{
	return ktstr_need_scheduler(n, "vtime", e);
}

static int misspelt_scheduler(struct ktstr_needs *n, struct ktstr_error *e)
{
	return ktstr_need_scheduler(n, "fif", e);
}

static int changes(struct ktstr_needs *n, struct ktstr_error *e)
{
	cr_assert_eq(ktstr_need_scheduler(n, "other-one", e), 0);
	cr_assert_eq(ktstr_need_scheduler(n, "fifo", e), 0);
	cr_assert_eq(ktstr_need_scheduler(n, "", e), 0);
	cr_assert_eq(ktstr_need_scheduler(n, NULL, e), 0);
	n->duration_ns = 10;
	return 0;
}

Test(run_needs, each_change_of_the_scheduler_has_its_time)
{
	asks = changes;
	cr_assert_eq(run_needs_ask(&needs, &plugin, NULL, &err), 0, "%s", err.text);
	cr_expect_eq(needs.needs.duration_ns, 10);
	cr_expect_eq(needs.changes_ns, 4000);
	spec.scheduler_timeout_ns = UINT64_MAX;
	cr_assert_eq(run_needs_ask(&needs, &plugin, NULL, &err), 0, "%s", err.text);
	cr_expect_eq(needs.changes_ns, UINT64_MAX);
}

static int ask_for_a_neighbour(struct ktstr_needs *n, struct ktstr_error *e)
{
	return ktstr_need_file(n, "version", "/payload/x", e);
}

Test(run_needs, see_relative_paths_from_the_folder_of_the_file)
{
	const struct source file = { .name = "/proc/x.yaml" };

	needs.source = &file;
	asks = ask_for_a_neighbour;
	cr_assert_eq(run_needs_ask(&needs, &plugin, NULL, &err), 0, "%s", err.text);
	cr_assert_eq(needs.file_count, 1);
	cr_expect_str_eq(needs.files[0].host_path, "/proc/version");
}

Test(run_needs, are_refused_with_a_sentence)
{
	static const struct {
		int (*asks)(struct ktstr_needs *needs, struct ktstr_error *err);
		int code;
		const char *text;
	} cases[] = {
		{ bad_scheduler, -ENOENT,
		  "'schedulers' has no scheduler 'vtime'; add it beside "
		  "'scheduler', like 'schedulers: {vtime: PLUGIN}'" },
		{ misspelt_scheduler, -ENOENT,
		  "'schedulers' has no scheduler 'fif', did you mean 'fifo'?" },
		{ no_name, -EINVAL, "it needs the kernel option 'A B', which is no name" },
		{ no_payload, -EINVAL,
		  "it ships '/proc/self/exe' as '/etc/x', which is not a path below '/payload/'" },
		{ climbs_out, -EINVAL,
		  "it ships '/proc/self/exe' as '/payload/../init', which is not a path below "
		  "'/payload/'" },
		{ no_file, -ENOENT, "cannot ship '/nowhere/x': No such file or directory" },
		{ a_folder, -EINVAL, "cannot ship '/proc': not a regular file" },
		{ one_place_twice, -EEXIST,
		  "cannot ship '/proc/version' as '/payload/x': '/proc/self/exe' is shipped "
		  "there" },
		{ positive, -EPROTO,
		  "needs() returned 7, which is neither 0 nor a negative errno" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		asks = cases[i].asks;
		cr_assert_eq(run_needs_ask(&needs, &plugin, NULL, &err), cases[i].code, "%zu", i);
		cr_assert(strncmp(err.text, "scheduler 'lazy': ", 18) == 0, "%s", err.text);
		cr_assert_str_eq(err.text + 18, cases[i].text);
	}
}

Test(run_needs, say_it_when_a_plugin_does_not)
{
	asks = silent;
	cr_assert_eq(run_needs_ask(&needs, &plugin, NULL, &err), -EINVAL);
	cr_assert_str_eq(err.text, "scheduler 'lazy' does not accept its parameters, and does not "
				   "say why");
}
