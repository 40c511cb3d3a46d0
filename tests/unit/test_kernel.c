/* SPDX-License-Identifier: GPL-2.0-only */
#include <criterion/criterion.h>
#include <dirent.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "support/fake_kernel.h"
#include "support/kernel_fixture.h"
#include "vm/kernel.h"
#include "vm/kernel_cache.h"
#include "vm/kernel_config.h"
#include "vm/kernel_entry.h"

#define WITH KERNEL_WITH
#define WITHOUT KERNEL_WITHOUT

static struct kernel_fixture fixture;

static void begin(void)
{
	kernel_fixture_init(&fixture);
}

static void end(void)
{
	kernel_fixture_done(&fixture);
}

TestSuite(kernel, .init = begin, .fini = end);

static const char *at(const char *name)
{
	return kernel_fixture_at(&fixture, name);
}

static void put_bzimage(const char *path, const char *release)
{
	kernel_fixture_bzimage(&fixture, path, release);
}

static void put_cached(const char *release, const char *config, bool has_no_pvh)
{
	kernel_fixture_cached(&fixture, release, config, has_no_pvh);
}

static struct kernel *find(const char *wanted)
{
	struct kernel *kernel = NULL;
	struct ktstr_error err;

	cr_assert_eq(kernel_find_in(&fixture.places, wanted, &kernel, &err), 0, "%s", err.text);
	return kernel;
}

static void assert_found(const char *wanted, const char *origin, const char *release)
{
	struct kernel *kernel = find(wanted);

	cr_assert_str_eq(kernel->origin, origin);
	cr_assert_str_eq(kernel->release, release);
	kernel_free(kernel);
}

static void assert_none(const char *wanted, int code, const char *text)
{
	struct kernel *kernel = NULL;
	struct ktstr_error err;

	cr_assert_eq(kernel_find_in(&fixture.places, wanted, &kernel, &err), code, "%s", err.text);
	cr_assert(strstr(err.text, text), "'%s'", err.text);
	cr_assert_null(kernel);
}

Test(kernel, none_says_how_to_get_one)
{
	assert_none(NULL, -ENOENT,
		    "no kernel with sched_ext: get one by 'ktstr kernel fetch', or give one that "
		    "was built with CONFIG_SCHED_CLASS_EXT=y by --kernel PATH");
}

Test(kernel, none_without_a_cache_says_so_too)
{
	fixture.places.cache = NULL;
	assert_none(NULL, -ENOENT, "ktstr kernel fetch");
}

Test(kernel, path_asked_for_is_never_replaced)
{
	put_cached("9.9-cached", WITH, false);
	assert_none(at("nowhere"), -ENOENT, "cannot open kernel '");
}

Test(kernel, path_asked_for_comes_before_all)
{
	put_cached("9.9-cached", WITH, false);
	put_bzimage("mine/bzImage", "6.12-mine");
	assert_found(at("mine/bzImage"), "--kernel", "6.12-mine");
}

Test(kernel, environment_comes_before_the_cache)
{
	_cleanup_free_ char *path = strdup(at("mine/bzImage"));

	put_cached("9.9-cached", WITH, false);
	put_bzimage("mine/bzImage", "6.12-mine");
	fixture.places.environment = path;
	assert_found(NULL, "KTSTR_KERNEL", "6.12-mine");
	fixture.places.environment = "";
	assert_found(NULL, "cache", "9.9-cached");
}

Test(kernel, environment_is_never_replaced)
{
	put_cached("9.9-cached", WITH, false);
	fixture.places.environment = "/nonexistent/bzImage";
	assert_none(NULL, -ENOENT, "KTSTR_KERNEL: cannot open kernel '/nonexistent/bzImage'");
}

Test(kernel, newest_of_the_cache_with_sched_ext_is_taken)
{
	put_cached("6.9.0", WITH, false);
	put_cached("6.12.0", WITH, false);
	put_cached("6.13.0", WITHOUT, false);
	assert_found(NULL, "cache", "6.12.0");
}

Test(kernel, cache_comes_before_the_host)
{
	put_bzimage("boot/vmlinuz-5.0-running", "5.0-running");
	fake_write_text(fixture.boot, "config-5.0-running", WITH);
	assert_found(NULL, "host", "5.0-running");
	put_cached("4.0", WITH, false);
	assert_found(NULL, "cache", "4.0");
}

Test(kernel, cached_entry_has_all_its_parts)
{
	struct kernel *kernel;

	put_cached("6.12.0", WITH, false);
	kernel = find(NULL);
	cr_assert(str_ends(kernel->image, "/6.12.0/vmlinuz"), "%s", kernel->image);
	cr_assert(str_ends(kernel->boot, "/6.12.0/vmlinux"), "%s", kernel->boot);
	cr_assert(str_ends(kernel->config, "/6.12.0/config"), "%s", kernel->config);
	cr_assert(str_ends(kernel->btf, "/6.12.0/btf"), "%s", kernel->btf);
	cr_assert(kernel->has_sched_ext && kernel->has_btf && kernel->is_config_known);
	cr_assert_eq(kernel->init_size, 0x600000);
	kernel_free(kernel);
}

/* QEMU could not start its vmlinux. */
Test(kernel, cached_entry_without_pvh_boots_its_image)
{
	struct kernel *kernel;

	put_cached("6.12.0", WITH, true);
	kernel = find(NULL);
	cr_assert_str_eq(kernel->boot, kernel->image);
	cr_assert(kernel->has_btf);
	kernel_free(kernel);
}

Test(kernel, path_into_the_cache_is_the_entry)
{
	struct kernel *kernel;

	put_cached("6.12.0", WITH, false);
	kernel = find(at("cache/kernels/6.12.0/vmlinuz"));
	cr_assert_str_eq(kernel->origin, "--kernel");
	cr_assert(str_ends(kernel->boot, "/kernels/6.12.0/vmlinux"), "%s", kernel->boot);
	kernel_free(kernel);
}

Test(kernel, entry_of_the_same_release_is_replaced)
{
	struct kernel *kernel;

	put_cached("6.12.0", WITHOUT, false);
	put_cached("6.12.0", WITH, false);
	kernel = find(NULL);
	cr_assert(kernel->has_sched_ext);
	kernel_free(kernel);
}

/* What can happen to an entry, and then it is not used. */
Test(kernel, damaged_entries_are_never_used)
{
	static const struct {
		const char *file;
		const char *content; /* NULL: removed */
	} damages[] = {
		{ "vmlinuz", NULL },
		{ "vmlinuz", "" },
		{ "vmlinux", "\x7f"
			     "ELF" },
		{ "vmlinux", NULL },
		{ "config", "CONFIG_A=y\n" },
		{ "btf", NULL },
		{ "kernel.json", NULL },
		{ "kernel.json", "" },
		{ "kernel.json", "{" },
		{ "kernel.json", "[]" },
		{ "kernel.json", "{}" },
		{ "kernel.json", "{\"format\":1,\"release\":\"6.12.0\"}" },
		{ "kernel.json", "{\"format\":2,\"release\":\"6.12.0\",\"files\":{}}" },
		{ "kernel.json",
		  "{\"format\":1,\"release\":\"6.12.0\",\"files\":{\"vmlinuz\":\"x\"}}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		char file[128];

		put_cached("6.12.0", WITH, false);
		assert_found(NULL, "cache", "6.12.0");
		(void)snprintf(file, sizeof(file), "cache/kernels/6.12.0/%s", damages[i].file);
		if (damages[i].content)
			fake_write_text(fixture.root, file, damages[i].content);
		else
			cr_assert_eq(remove(at(file)), 0);
		assert_none(NULL, -ENOENT, "ktstr kernel fetch");
	}
}

Test(kernel, damaged_entry_says_what_to_do)
{
	struct kernel *kernel = NULL;
	struct ktstr_error err;

	put_cached("6.12.0", WITH, false);
	fake_write_text(fixture.root, "cache/kernels/6.12.0/vmlinux", "short");
	cr_assert_eq(kernel_entry_load(at("cache/kernels/6.12.0"), &kernel, NULL, &err), -EBADMSG);
	cr_assert(strstr(err.text, "is damaged: 'vmlinux' is not what was put there; remove it and "
				   "run 'ktstr kernel fetch'"),
		  "'%s'", err.text);
}

Test(kernel, half_written_entry_is_not_seen_and_is_cleared_away)
{
	_cleanup_free_ char *folder = NULL;
	struct ktstr_error err;
	struct stat status;

	put_bzimage("cache/kernels/.new-abc/vmlinuz", "7.7");
	fake_write_text(fixture.cache, "kernels/.new-abc/config", WITH);
	assert_none(NULL, -ENOENT, "ktstr kernel fetch");
	cr_assert_eq(kernel_cache_begin(fixture.cache, &folder, &err), 0);
	cr_assert_eq(stat(at("cache/kernels/.new-abc"), &status), -1);
}

Test(kernel, host_kernels_need_a_config_that_says_sched_ext)
{
	put_bzimage("modules/6.1/vmlinuz", "6.1");
	assert_none(NULL, -ENOENT, "ktstr kernel fetch");
	fake_write_text(fixture.modules, "6.1/config", WITHOUT);
	assert_none(NULL, -ENOENT, "ktstr kernel fetch");
	fake_write_text(fixture.modules, "6.1/config", WITH);
	assert_found(NULL, "host", "6.1");
}

Test(kernel, running_release_comes_first_then_the_newest)
{
	put_bzimage("modules/6.9/vmlinuz", "6.9");
	fake_write_text(fixture.modules, "6.9/config", WITH);
	put_bzimage("boot/vmlinuz-6.10", "6.10");
	fake_write_text(fixture.boot, "config-6.10", WITH);
	put_bzimage("modules/6.2/vmlinuz", "6.2");
	fake_write_text(fixture.modules, "6.2/config", WITH);
	assert_found(NULL, "host", "6.9");
	put_bzimage("boot/vmlinuz-5.0-running", "5.0-running");
	fake_write_text(fixture.boot, "config-5.0-running", WITH);
	assert_found(NULL, "host", "5.0-running");
}

Test(kernel, unreadable_host_kernel_is_named)
{
	put_bzimage("boot/vmlinuz-5.0-running", "5.0-running");
	fake_write_text(fixture.boot, "config-5.0-running", WITH);
	cr_assert_eq(chmod(fixture.root, 0755), 0);
	cr_assert_eq(chmod(at("boot/vmlinuz-5.0-running"), 0), 0);
	if (getuid() == 0)
		cr_assert_eq(seteuid(65534), 0);
	assert_none(NULL, -ENOENT,
		    "vmlinuz-5.0-running' (mode 0000): Permission denied; copy it once as root");
	if (getuid() == 0)
		cr_assert_eq(seteuid(0), 0);
}

/* Where the config of an image that was asked for may lie. */
Test(kernel, config_is_looked_for_around_the_image)
{
	static const char *const files[] = {
		"a/b/c/d/config-6.1", "a/b/c/d/config",	 "a/b/c/config-6.1",   "a/b/c/d/.config",
		"a/.config",	      "boot/config-6.1", "modules/6.1/config",
	};

	put_bzimage("a/b/c/d/bzImage", "6.1");
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		struct kernel *kernel = find(at("a/b/c/d/bzImage"));

		cr_assert_null(kernel->config);
		cr_assert_not(kernel->is_config_known);
		cr_assert_eq(kernel_config_has(kernel, "SCHED_CLASS_EXT"), -ENODATA);
		kernel_free(kernel);
		fake_write_text(fixture.root, files[i], WITH);
		kernel = find(at("a/b/c/d/bzImage"));
		cr_assert(kernel->config, "%s", files[i]);
		cr_assert(kernel->has_sched_ext && kernel->is_config_known);
		kernel_free(kernel);
		cr_assert_eq(remove(at(files[i])), 0);
	}
}

Test(kernel, something_else_named_config_is_not_taken_for_one)
{
	struct kernel *kernel;

	put_bzimage("a/bzImage", "6.1");
	fake_write_text(fixture.root, "a/config", "[core]\n\tbare = false\n");
	fake_write_text(fixture.root, "a/.config/user-dirs", "x");
	kernel = find(at("a/bzImage"));
	cr_assert_null(kernel->config);
	kernel_free(kernel);
}

Test(kernel, config_inside_the_image_is_used)
{
	const struct fake_kernel fake = { .ikconfig = WITH, .filter = "zstd" };
	struct bytes image = fake_bzimage(&fake);
	struct kernel *kernel;

	fake_write(fixture.root, "a/bzImage", image);
	kernel = find(at("a/bzImage"));
	cr_assert(kernel->is_config_known && kernel->has_sched_ext && kernel->has_btf);
	cr_assert_eq(kernel_config_has(kernel, "CONFIG_64BIT"), 1);
	kernel_free(kernel);
	bytes_free(&image);
}

Test(kernel, types_tell_of_sched_ext_where_no_config_is_known)
{
	const struct fake_kernel fake = { .btf = "x sched_ext_ops y" };
	struct bytes image = fake_bzimage(&fake);
	struct kernel *kernel;

	fake_write(fixture.root, "a/bzImage", image);
	kernel = find(at("a/bzImage"));
	cr_assert_not(kernel->is_config_known);
	cr_assert(kernel->has_sched_ext && kernel->has_btf);
	kernel_free(kernel);
	bytes_free(&image);
}

Test(kernel, unpacked_copy_is_booted_and_kept)
{
	struct kernel *first;
	struct kernel *second;
	struct stat before;
	struct stat after;

	put_bzimage("a/bzImage", "6.1");
	first = find(at("a/bzImage"));
	cr_assert(strstr(first->boot, "/cache/unpacked/"), "%s", first->boot);
	cr_assert_eq(stat(first->boot, &before), 0);
	second = find(at("a/bzImage"));
	cr_assert_str_eq(first->boot, second->boot);
	cr_assert_eq(stat(second->boot, &after), 0);
	cr_assert_eq(before.st_ino, after.st_ino);
	kernel_free(first);
	kernel_free(second);
}

Test(kernel, changed_image_is_unpacked_anew)
{
	struct kernel *first;
	struct kernel *second;

	put_bzimage("a/bzImage", "6.1");
	first = find(at("a/bzImage"));
	cr_assert_eq(remove(at("a/bzImage")), 0);
	put_bzimage("a/bzImage", "6.2");
	second = find(at("a/bzImage"));
	cr_assert_str_neq(first->boot, second->boot);
	kernel_free(first);
	kernel_free(second);
}

Test(kernel, image_boots_as_it_is_where_nothing_can_be_written)
{
	struct kernel *kernel;

	put_bzimage("a/bzImage", "6.1");
	fixture.places.cache = "/proc/nowhere";
	kernel = find(at("a/bzImage"));
	cr_assert_str_eq(kernel->boot, kernel->image);
	kernel_free(kernel);
}

Test(kernel, few_unpacked_copies_are_kept)
{
	char **names = NULL;
	size_t count = 0;

	for (int i = 0; i < 7; i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "a%d/bzImage", i);
		put_bzimage(path, "6.1");
		kernel_free(find(at(path)));
	}
	cr_assert_eq(kernel_list_names(at("cache/unpacked"), &names, &count), 0);
	cr_assert_eq(count, 4);
	kernel_list_free_names(names, count);
}

Test(kernel, vmlinux_is_booted_directly)
{
	const struct fake_kernel fake = { .btf = "types" };
	struct bytes image = fake_vmlinux(&fake);
	struct kernel *kernel;

	fake_write(fixture.root, "a/vmlinux", image);
	kernel = find(at("a/vmlinux"));
	cr_assert_str_eq(kernel->boot, kernel->image);
	cr_assert(kernel->has_btf);
	kernel_free(kernel);
	bytes_free(&image);
}

Test(kernel, vmlinux_that_qemu_cannot_start_is_refused)
{
	const struct fake_kernel fake = { .has_no_pvh = true };
	struct bytes image = fake_vmlinux(&fake);

	fake_write(fixture.root, "a/vmlinux", image);
	assert_none(at("a/vmlinux"), -ENOEXEC,
		    "it was built without CONFIG_PVH=y; give the bzImage instead");
	bytes_free(&image);
}

Test(kernel, folder_of_a_build_stands_for_its_image)
{
	put_bzimage("linux/arch/x86/boot/bzImage", "6.1-built");
	fake_write_text(fixture.root, "linux/.config", WITH);
	assert_found(at("linux"), "--kernel", "6.1-built");
}

Test(kernel, empty_folder_is_no_kernel)
{
	assert_none("/proc/self/fd", -ENOEXEC, "is not a file");
}

Test(kernel, cache_folder_follows_the_environment)
{
	struct ktstr_error err;
	char *dir = NULL;

	cr_assert_eq(setenv("XDG_CACHE_HOME", "/x/cache", 1), 0);
	cr_assert_eq(kernel_cache_dir(&dir, &err), 0);
	cr_assert_str_eq(dir, "/x/cache/ktstr");
	free(dir);
	cr_assert_eq(setenv("XDG_CACHE_HOME", "relative", 1), 0);
	cr_assert_eq(setenv("HOME", "/home/me", 1), 0);
	cr_assert_eq(kernel_cache_dir(&dir, &err), 0);
	cr_assert_str_eq(dir, "/home/me/.cache/ktstr");
	free(dir);
	cr_assert_eq(unsetenv("HOME"), 0);
	cr_assert_eq(kernel_cache_dir(&dir, &err), -ENOENT);
	cr_assert_str_eq(err.text, "no place for the kernel cache: set HOME or XDG_CACHE_HOME");
}

Test(kernel, find_and_list_look_into_the_cache_of_the_environment)
{
	struct kernel **kernels = NULL;
	struct kernel *kernel = NULL;
	struct ktstr_error err;
	size_t count = 0;

	(void)snprintf(fixture.cache, sizeof(fixture.cache), "%s/ktstr", fixture.root);
	put_cached("99.1", WITH, false);
	cr_assert_eq(setenv("XDG_CACHE_HOME", fixture.root, 1), 0);
	cr_assert_eq(unsetenv("KTSTR_KERNEL"), 0);
	cr_assert_eq(kernel_find(NULL, &kernel, &err), 0, "%s", err.text);
	cr_assert_str_eq(kernel->release, "99.1");
	kernel_free(kernel);
	cr_assert_eq(kernel_list(&kernels, &count, &err), 0, "%s", err.text);
	cr_assert_geq(count, 1);
	cr_assert_str_eq(kernels[0]->release, "99.1");
	for (size_t i = 0; i < count; i++)
		kernel_free(kernels[i]);
	free(kernels);
}

Test(kernel_config, tells_built_in_from_all_else)
{
	static const char text[] = "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=m\nCONFIG_D=\"y\"\n"
				   "CONFIG_AB=yes\nCONFIG_Z=y";
	static const struct {
		const char *option;
		int has;
	} cases[] = {
		{ "A", 1 },  { "CONFIG_A", 1 }, { "B", 0 }, { "C", 0 },	 { "D", 0 },
		{ "AB", 0 }, { "Z", 1 },	{ "", 0 },  { "AA", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_assert_eq(kernel_config_text_has(text, cases[i].option), cases[i].has, "%s",
			     cases[i].option);
}
