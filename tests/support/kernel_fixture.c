/* SPDX-License-Identifier: GPL-2.0-only */
#include "support/kernel_fixture.h"

#include <stdlib.h>

#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "support/fake_kernel.h"
#include "vm/kernel_cache.h"
#include "vm/kernel_entry.h"

void kernel_fixture_init(struct kernel_fixture *f)
{
	*f = (struct kernel_fixture){ .root = fake_folder() };
	(void)snprintf(f->cache, sizeof(f->cache), "%s/cache", f->root);
	(void)snprintf(f->modules, sizeof(f->modules), "%s/modules", f->root);
	(void)snprintf(f->boot, sizeof(f->boot), "%s/boot", f->root);
	f->places = (struct kernel_places){
		.cache = f->cache, .modules = f->modules, .boot = f->boot, .running = "5.0-running"
	};
}

void kernel_fixture_done(struct kernel_fixture *f)
{
	fake_folder_remove(f->root);
	free(f->root);
}

const char *kernel_fixture_at(struct kernel_fixture *f, const char *name)
{
	(void)snprintf(f->path, sizeof(f->path), "%s/%s", f->root, name);
	return f->path;
}

void kernel_fixture_bzimage(struct kernel_fixture *f, const char *path, const char *release)
{
	const struct fake_kernel fake = { .release = release, .btf = "types" };
	struct bytes image = fake_bzimage(&fake);

	fake_write(f->root, path, image);
	bytes_free(&image);
}

void kernel_fixture_cached(struct kernel_fixture *f, const char *release, const char *config,
			   bool has_no_pvh)
{
	const struct fake_kernel fake = { .release = release,
					  .btf = "types",
					  .has_no_pvh = has_no_pvh };
	struct bytes image = fake_bzimage(&fake);
	struct kernel_source source = { .package = strdup("linux-fake"),
					.version = strdup(release) };
	_cleanup_free_ char *kernels = kernel_cache_kernels(f->cache);
	_cleanup_free_ char *folder = NULL;
	struct kernel *kernel = NULL;
	struct ktstr_error err;

	cr_assert_eq(kernel_cache_begin(f->cache, &folder, &err), 0, "%s", err.text);
	fake_write(folder, "vmlinuz", image);
	fake_write_text(folder, "config", config);
	cr_assert_eq(kernel_entry_commit(kernels, folder, &source, &kernel, &err), 0, "%s",
		     err.text);
	cr_assert_str_eq(kernel->release, release);
	kernel_free(kernel);
	kernel_source_done(&source);
	bytes_free(&image);
}
