/* SPDX-License-Identifier: GPL-2.0-only */
/* Cgroups, in a plain folder that stands for the mount. */
#include "guest/cgroup.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"

static char mount[32];
static struct cgroups *cgroups;

static int remove_entry(const char *path, const struct stat *status, int flag, struct FTW *walk)
{
	(void)status;
	(void)flag;
	(void)walk;
	return remove(path);
}

static void setup(void)
{
	struct ktstr_error err = { 0 };

	(void)str_copy(mount, sizeof(mount), "/tmp/ktstr-cgroup-XXXXXX");
	cr_assert_not_null(mkdtemp(mount));
	cr_assert_eq(cgroups_new(mount, &cgroups, &err), 0, "%s", err.text);
}

static void teardown(void)
{
	cgroups_free(cgroups);
	(void)nftw(mount, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(cgroup, .init = setup, .fini = teardown);

static void expect_file(const char *path, const char *expected)
{
	_cleanup_free_ char *full = str_format("%s/%s", mount, path);
	_cleanup_free_ char *text = NULL;
	struct ktstr_error err = { 0 };

	cr_assert_eq(io_read_file(full, 4096, &text, NULL, &err), 0, "%s", err.text);
	cr_expect_str_eq(text, expected, "%s", path);
}

static int create(const char *name, uint32_t *ret_id, struct ktstr_error *err)
{
	struct ktstr_cgroup_spec spec = { .size = sizeof(spec), .name = name };

	return cgroups_create(cgroups, &spec, ret_id, err);
}

Test(cgroup, hands_cpu_and_cpuset_down)
{
	expect_file("cgroup.subtree_control", "+cpu +cpuset");
	expect_file("ktstr/cgroup.subtree_control", "+cpu +cpuset");
}

Test(cgroup, writes_the_settings)
{
	struct ktstr_error err = { 0 };
	struct ktstr_cgroup_spec spec = {
		.size = sizeof(spec), .name = "a", .cpu_weight = 50, .cpu_max_quota_us = 20000
	};
	uint32_t id = 0;

	for (uint32_t cpu = 0; cpu < 4; cpu++)
		ktstr_cpuset_add(&spec.cpus, cpu);
	cr_assert_eq(cgroups_create(cgroups, &spec, &id, &err), 0, "%s", err.text);
	cr_expect_eq(id, 1);
	cr_expect_eq(cgroups_weight(cgroups, id), 50);
	cr_expect_eq(cgroups_weight(cgroups, 2), 0);
	expect_file("ktstr/a/cpuset.cpus", "0-3\n");
	expect_file("ktstr/a/cpu.weight", "50");
	expect_file("ktstr/a/cpu.max", "20000 100000");
	cr_expect_eq(ktstr_cpuset_count(cgroups_cpus(cgroups, id)), 4);
}

Test(cgroup, leaves_alone_what_is_not_asked_for)
{
	_cleanup_free_ char *path = str_format("%s/ktstr/a/cpuset.cpus", mount);
	struct ktstr_error err = { 0 };
	uint32_t id;

	cr_assert_eq(create("a", &id, &err), 0);
	cr_expect_neq(access(path, F_OK), 0);
}

Test(cgroup, changes_and_lifts_cpusets)
{
	struct ktstr_error err = { 0 };
	struct ktstr_cpuset cpus = { { 0 } };
	uint32_t id;

	cr_assert_eq(create("a", &id, &err), 0);
	ktstr_cpuset_add(&cpus, 5);
	cr_assert_eq(cgroups_set_cpus(cgroups, id, &cpus, &err), 0);
	expect_file("ktstr/a/cpuset.cpus", "5\n");
	cr_expect(ktstr_cpuset_has(cgroups_cpus(cgroups, id), 5));
	memset(&cpus, 0, sizeof(cpus));
	cr_assert_eq(cgroups_set_cpus(cgroups, id, &cpus, &err), 0);
	cr_expect_eq(ktstr_cpuset_count(cgroups_cpus(cgroups, id)), 0);
}

Test(cgroup, places_processes)
{
	struct ktstr_error err = { 0 };
	uint32_t id;

	cr_assert_eq(create("a", &id, &err), 0);
	cr_assert_eq(cgroups_place(cgroups, id, 1234, &err), 0);
	expect_file("ktstr/a/cgroup.procs", "1234");
	cr_expect_eq(cgroups_place(cgroups, 0, 1234, &err), 0);
}

Test(cgroup, nests_and_finds_by_name)
{
	struct ktstr_error err = { 0 };
	uint32_t parent, child, found = 0;

	cr_assert_eq(create("a", &parent, &err), 0);
	cr_assert_eq(create("a/b", &child, &err), 0, "%s", err.text);
	expect_file("ktstr/a/cgroup.subtree_control", "+cpu +cpuset");
	cr_expect_eq(cgroups_find(cgroups, "a/b", &found), 0);
	cr_expect_eq(found, child);
	cr_expect_str_eq(cgroups_name(cgroups, child), "a/b");
	cr_expect_eq(cgroups_find(cgroups, "b", &found), -ENOENT);
	cr_expect_eq(cgroups_count(cgroups), 2);
}

Test(cgroup, workers_and_cgroups_do_not_mix)
{
	struct ktstr_error err = { 0 };
	uint32_t a, ab, c, cd;

	cr_assert_eq(create("a", &a, &err), 0);
	cr_assert_eq(create("a/b", &ab, &err), 0);
	cr_expect_eq(cgroups_place(cgroups, a, 1, &err), -EBUSY);
	cr_expect_str_eq(err.text, "no worker can run in cgroup 'a': a cgroup has either workers "
				   "or cgroups in it");
	cr_assert_eq(create("c", &c, &err), 0);
	cr_assert_eq(cgroups_place(cgroups, c, 1, &err), 0);
	cr_expect_eq(create("c/d", &cd, &err), -EBUSY);
	cr_expect_str_eq(err.text, "cannot create cgroup 'c/d': workers run in 'c', and a cgroup "
				   "has either workers or cgroups in it");
}

static const struct {
	struct ktstr_cgroup_spec spec;
	int code;
	const char *text;
} refused[] = {
	{ { .size = 8, .name = "x" }, -EINVAL, "cgroup without a name or a size in its spec" },
	{ { .size = sizeof(struct ktstr_cgroup_spec) },
	  -EINVAL,
	  "cgroup without a name or a size in its spec" },
	{ { .size = sizeof(struct ktstr_cgroup_spec), .name = "" },
	  -EINVAL,
	  "bad cgroup name '': it must have 1 to 255 characters" },
	{ { .size = sizeof(struct ktstr_cgroup_spec), .name = "../up" },
	  -EINVAL,
	  "bad cgroup name '../up': use letters, digits, '_' and '-', with '/' between at most 8 "
	  "levels" },
	{ { .size = sizeof(struct ktstr_cgroup_spec), .name = "a//b" },
	  -EINVAL,
	  "bad cgroup name 'a//b': use letters, digits, '_' and '-', with '/' between at most 8 "
	  "levels" },
	{ { .size = sizeof(struct ktstr_cgroup_spec), .name = "cgroup.procs" },
	  -EINVAL,
	  "bad cgroup name 'cgroup.procs': use letters, digits, '_' and '-', with '/' between at "
	  "most 8 levels" },
	{ { .size = sizeof(struct ktstr_cgroup_spec), .name = "1/2/3/4/5/6/7/8/9" },
	  -EINVAL,
	  "bad cgroup name '1/2/3/4/5/6/7/8/9': use letters, digits, '_' and '-', with '/' "
	  "between at most 8 levels" },
	{ { .size = sizeof(struct ktstr_cgroup_spec), .name = "none/x" },
	  -EINVAL,
	  "cannot create cgroup 'none/x': there is no cgroup 'none', create it first" },
	{ { .size = sizeof(struct ktstr_cgroup_spec), .name = "taken" },
	  -EEXIST,
	  "cgroup 'taken' exists already" },
	{ { .size = sizeof(struct ktstr_cgroup_spec), .name = "x", .cpu_weight = 10001 },
	  -EINVAL,
	  "cgroup 'x': cpu weight 10001 is not in 1 to 10000" },
};

Test(cgroup, refuses_bad_specs)
{
	struct ktstr_error err = { 0 };
	uint32_t id;

	cr_assert_eq(create("taken", &id, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		cr_expect_eq(cgroups_create(cgroups, &refused[i].spec, &id, &err), refused[i].code,
			     "spec %zu", i);
		cr_expect_str_eq(err.text, refused[i].text);
	}
	cr_expect_eq(cgroups_count(cgroups), 1);
}

Test(cgroup, refuses_unknown_ids)
{
	struct ktstr_error err = { 0 };
	struct ktstr_cpuset cpus = { { 1 } };

	cr_expect_eq(cgroups_remove(cgroups, 7, &err), -ENOENT);
	cr_expect_str_eq(err.text, "there is no cgroup with the id 7");
	cr_expect_eq(cgroups_set_cpus(cgroups, 0, &cpus, &err), -ENOENT);
	cr_expect_eq(cgroups_place(cgroups, 7, 1, &err), -ENOENT);
	cr_expect_null(cgroups_name(cgroups, 7));
}

Test(cgroup, a_removed_name_is_free_and_its_id_is_not)
{
	struct ktstr_error err = { 0 };
	uint32_t first, second, found;

	cr_assert_eq(create("a", &first, &err), 0);
	cr_assert_eq(cgroups_remove(cgroups, first, &err), 0, "%s", err.text);
	cr_expect_eq(cgroups_find(cgroups, "a", &found), -ENOENT);
	cr_assert_eq(create("a", &second, &err), 0);
	cr_expect_eq(second, first + 1);
}

Test(cgroup, tells_what_cannot_be_removed)
{
	_cleanup_free_ char *path = str_format("%s/ktstr/a/left", mount);
	struct ktstr_error err = { 0 };
	uint32_t id;

	cr_assert_eq(create("a", &id, &err), 0);
	cr_assert_eq(mkdir(path, 0700), 0);
	cr_expect_eq(cgroups_remove(cgroups, id, &err), -ENOTEMPTY);
	cr_expect_str_eq(err.text, "cannot remove cgroup 'a': Directory not empty");
}

Test(cgroup, tells_a_missing_mount)
{
	struct ktstr_error err = { 0 };
	struct cgroups *none = NULL;

	cr_expect_eq(cgroups_new("/nowhere", &none, &err), -ENODEV);
	cr_expect_str_eq(err.text, "the kernel has no '/nowhere/cgroup.subtree_control'; a cgroup "
				   "controller is missing");
	cr_expect_null(none);
	cr_expect_eq(cgroups_prepare("/nowhere", &err), -ENODEV);
}

Test(cgroup, what_was_prepared_is_taken_as_it_is)
{
	_cleanup_free_ char *root = str_format("%s/" CGROUP_ROOT, mount);
	struct ktstr_error err = { 0 };

	cgroups_free(cgroups);
	cgroups = NULL;
	(void)nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	cr_assert_eq(cgroups_prepare(mount, &err), 0, "%s", err.text);
	cr_assert_eq(cgroups_prepare(mount, &err), 0, "again: %s", err.text);
	expect_file("cgroup.subtree_control", "+cpu +cpuset");
	expect_file("ktstr/cgroup.subtree_control", "+cpu +cpuset");
	cr_expect_eq(cgroups_new(mount, &cgroups, &err), 0, "%s", err.text);
}

static const struct {
	uint64_t bits[2];
	const char *text;
} lists[] = {
	{ { 0, 0 }, "" },
	{ { 1, 0 }, "0" },
	{ { 0xf, 0 }, "0-3" },
	{ { 0x2d, 0 }, "0,2-3,5" },
	{ { UINT64_C(1) << 63, 3 }, "63-65" },
};

Test(cpuset, formats_lists)
{
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct ktstr_cpuset cpus = { { lists[i].bits[0], lists[i].bits[1] } };
		_cleanup_free_ char *text = cpuset_format(&cpus);

		cr_expect_str_eq(text, lists[i].text);
	}
}

Test(cpuset, formats_the_last_cpu)
{
	struct ktstr_cpuset cpus = { { 0 } };
	_cleanup_free_ char *text = NULL;

	ktstr_cpuset_add(&cpus, KTSTR_CPUS_MAX - 2);
	ktstr_cpuset_add(&cpus, KTSTR_CPUS_MAX - 1);
	text = cpuset_format(&cpus);
	cr_expect_str_eq(text, "1022-1023");
}
