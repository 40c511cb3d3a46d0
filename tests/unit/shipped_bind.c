/* SPDX-License-Identifier: GPL-2.0-only */
#include "unit/shipped_bind.h"

#include <string.h>

#include "config/yaml.h"
#include "unit/shipped.h"

static int find_table(void *arg, uint32_t kind, const char *name,
		      const struct ktstr_param **ret_params, size_t *ret_stride,
		      struct ktstr_error *err)
{
	static const char *const names[] = { "cpu_spin", "bursty", "yield_heavy",
					     "futex_pingpong" };
	const struct ktstr_plugin *plugin;

	(void)arg;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (kind != KTSTR_KIND_WORKLOAD || strcmp(names[i], name) != 0)
			continue;
		plugin = shipped_load("workloads", name);
		*ret_params = plugin->params;
		*ret_stride = plugin->param_size;
		return 0;
	}
	return ktstr_fail(err, -ENOENT, "there is no workload '%s'", name);
}

struct bound *shipped_bind(const struct ktstr_plugin *plugin, const char *yaml,
			   struct ktstr_error *err)
{
	const struct source source = { .name = "t.yaml", .text = yaml, .length = strlen(yaml) };
	const struct plugin_tables tables = { .find = find_table };
	struct bound *bound = NULL;
	struct node *map = NULL;

	if (yaml_parse(&source, &map, err) < 0)
		return NULL;
	(void)bind_params(plugin->params, plugin->param_size, map, NULL, &source, &tables, &bound,
			  err);
	node_free(map);
	return bound;
}
