/* SPDX-License-Identifier: GPL-2.0-only */
/* What `ktstr kernel list` gets to know, and how it shows it. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "support/fake_kernel.h"
#include "support/kernel_fixture.h"
#include "vm/kernel.h"
#include "vm/kernel_entry.h"

static struct kernel_fixture fixture;

static void begin(void)
{
	kernel_fixture_init(&fixture);
}

static void end(void)
{
	kernel_fixture_done(&fixture);
}

TestSuite(kernel_list, .init = begin, .fini = end);

/* What a list must say of one kernel. */
struct listed {
	const char *release, *origin;
	bool has_sched_ext, has_btf, is_taken;
	const char *problem; /* a part of it; NULL: none */
};

static void assert_listed(const struct listed *wanted, size_t wanted_count)
{
	struct kernel **kernels = NULL;
	struct ktstr_error err;
	size_t count = 0;

	cr_assert_eq(kernel_list_in(&fixture.places, &kernels, &count, &err), 0, "%s", err.text);
	cr_assert_eq(count, wanted_count, "%zu", count);
	for (size_t i = 0; i < count; i++) {
		const struct kernel *k = kernels[i];
		const char *release = k->release ? k->release : "";

		cr_expect_str_eq(release, wanted[i].release, "%zu: %s", i, release);
		cr_expect_str_eq(k->origin, wanted[i].origin, "%zu", i);
		cr_expect_eq(k->has_sched_ext, wanted[i].has_sched_ext, "%zu", i);
		cr_expect_eq(k->has_btf, wanted[i].has_btf, "%zu", i);
		cr_expect_eq(k->is_taken, wanted[i].is_taken, "%zu", i);
		cr_expect_eq(k->problem != NULL, wanted[i].problem != NULL, "%zu: %s", i,
			     k->problem);
		if (k->problem && wanted[i].problem)
			cr_expect(strstr(k->problem, wanted[i].problem), "%zu: %s", i, k->problem);
		kernel_free(kernels[i]);
	}
	free(kernels);
}

Test(kernel_list, has_each_once_in_order)
{
	static const struct listed wanted[] = {
		{ "6.12-mine", "KTSTR_KERNEL", false, true, true, NULL },
		{ "6.21", "cache", false, true, false, NULL },
		{ "6.20", "cache", true, true, false, NULL },
		{ "6.19", "cache", true, true, false, NULL },
		{ "5.0-running", "host", true, true, false, NULL },
		{ "6.9", "host", true, true, false, NULL },
		{ "6.8", "host", false, false, false, NULL },
	};
	_cleanup_free_ char *path = strdup(kernel_fixture_at(&fixture, "mine/bzImage"));

	kernel_fixture_bzimage(&fixture, "mine/bzImage", "6.12-mine");
	fixture.places.environment = path;
	kernel_fixture_cached(&fixture, "6.19", KERNEL_WITH, false);
	kernel_fixture_cached(&fixture, "6.20", KERNEL_WITH, false);
	kernel_fixture_cached(&fixture, "6.21", KERNEL_WITHOUT, false);
	kernel_fixture_bzimage(&fixture, "modules/5.0-running/vmlinuz", "5.0-running");
	kernel_fixture_bzimage(&fixture, "boot/vmlinuz-5.0-running", "5.0-running");
	fake_write_text(fixture.boot, "config-5.0-running", KERNEL_WITH);
	kernel_fixture_bzimage(&fixture, "modules/6.9/vmlinuz", "6.9");
	fake_write_text(fixture.modules, "6.9/config", KERNEL_WITH);
	/* Nobody knows whether it has sched_ext: it has no config. */
	kernel_fixture_bzimage(&fixture, "boot/vmlinuz-6.8", "6.8");
	assert_listed(wanted, ARRAY_SIZE(wanted));
}

Test(kernel_list, marks_what_a_run_takes)
{
	static const struct listed from_cache[] = {
		{ "6.21", "cache", false, true, false, NULL },
		{ "6.20", "cache", true, true, true, NULL },
		{ "6.19", "cache", true, true, false, NULL },
	};
	static const struct listed from_host[] = {
		{ "6.21", "cache", false, true, false, NULL },
		{ "6.10", "host", false, false, false, NULL },
		{ "6.9", "host", true, true, true, NULL },
	};

	kernel_fixture_cached(&fixture, "6.21", KERNEL_WITHOUT, false);
	kernel_fixture_cached(&fixture, "6.20", KERNEL_WITH, false);
	kernel_fixture_cached(&fixture, "6.19", KERNEL_WITH, false);
	assert_listed(from_cache, ARRAY_SIZE(from_cache));
	kernel_entry_remove(kernel_fixture_at(&fixture, "cache/kernels/6.20"));
	kernel_entry_remove(kernel_fixture_at(&fixture, "cache/kernels/6.19"));
	kernel_fixture_bzimage(&fixture, "modules/6.9/vmlinuz", "6.9");
	fake_write_text(fixture.modules, "6.9/config", KERNEL_WITH);
	kernel_fixture_bzimage(&fixture, "modules/6.10/vmlinuz", "6.10");
	fake_write_text(fixture.modules, "6.10/config", KERNEL_WITHOUT);
	assert_listed(from_host, ARRAY_SIZE(from_host));
}

Test(kernel_list, goes_on_behind_a_wrong_environment)
{
	static const struct listed wanted[] = {
		{ "", "KTSTR_KERNEL", false, false, false,
		  "cannot open kernel '/nonexistent/bzImage'" },
		/* What was asked for is never replaced, so this one is not taken. */
		{ "6.20", "cache", true, true, false, NULL },
	};

	kernel_fixture_cached(&fixture, "6.20", KERNEL_WITH, false);
	fixture.places.environment = "/nonexistent/bzImage";
	assert_listed(wanted, ARRAY_SIZE(wanted));
}

Test(kernel_list, shows_damaged_entries_of_the_cache)
{
	static const struct listed wanted[] = {
		{ "6.20", "cache", false, false, false,
		  "is damaged: 'vmlinux' is not what was put there; remove it and run" },
		{ "6.19", "cache", true, true, true, NULL },
	};

	kernel_fixture_cached(&fixture, "6.19", KERNEL_WITH, false);
	kernel_fixture_cached(&fixture, "6.20", KERNEL_WITH, false);
	fake_write_text(fixture.root, "cache/kernels/6.20/vmlinux", "short");
	assert_listed(wanted, ARRAY_SIZE(wanted));
}

Test(kernel_list, shows_host_kernels_that_cannot_be_read)
{
	static const struct listed wanted[] = {
		{ "5.0-running", "host", true, true, false,
		  "vmlinuz-5.0-running' (mode 0000): Permission denied; copy it once as root" },
		{ "4.0", "host", false, false, false, "is no kernel: neither" },
	};

	kernel_fixture_bzimage(&fixture, "boot/vmlinuz-5.0-running", "5.0-running");
	fake_write_text(fixture.boot, "config-5.0-running", KERNEL_WITH);
	fake_write_text(fixture.boot, "vmlinuz-4.0", "no kernel at all");
	cr_assert_eq(chmod(fixture.root, 0755), 0);
	cr_assert_eq(chmod(kernel_fixture_at(&fixture, "boot/vmlinuz-5.0-running"), 0), 0);
	if (getuid() == 0)
		cr_assert_eq(seteuid(65534), 0);
	assert_listed(wanted, ARRAY_SIZE(wanted));
	if (getuid() == 0)
		cr_assert_eq(seteuid(0), 0);
}

/* The one that cannot be read is of the same release: there is no need to tell of it. */
Test(kernel_list, shows_the_image_of_a_release_that_can_be_booted)
{
	static const struct listed wanted[] = { { "6.9", "host", true, true, true, NULL } };

	fake_write_text(fixture.modules, "6.9/vmlinuz", "no kernel at all");
	kernel_fixture_bzimage(&fixture, "boot/vmlinuz-6.9", "6.9");
	fake_write_text(fixture.boot, "config-6.9", KERNEL_WITH);
	assert_listed(wanted, ARRAY_SIZE(wanted));
}
