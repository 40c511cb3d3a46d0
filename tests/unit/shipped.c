/* SPDX-License-Identifier: GPL-2.0-only */
#include "unit/shipped.h"

#include <criterion/criterion.h>
#include <dlfcn.h>

const struct ktstr_plugin *shipped_load(const char *folder, const char *name)
{
	const struct ktstr_plugin *plugin;
	char path[4096];
	void *handle;

	(void)snprintf(path, sizeof(path), "%s/%s/%s.so", SHIPPED_PLUGIN_DIR, folder, name);
	/* Never closed, so that a sanitizer can name what leaked in it. */
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	cr_assert_not_null(handle, "%s", dlerror());
	plugin = dlsym(handle, KTSTR_PLUGIN_SYMBOL);
	cr_assert_not_null(plugin, "%s: no descriptor", path);
	cr_assert_eq(plugin->magic, KTSTR_PLUGIN_MAGIC);
	cr_assert_str_eq(plugin->name, name);
	return plugin;
}
