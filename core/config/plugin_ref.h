/* SPDX-License-Identifier: GPL-2.0-only */
/* A plugin as a scenario file names it, and paths in one. For those who read plugins and paths out
 * of it; others use config/scenario.h. */
#ifndef CONFIG_PLUGIN_REF_H
#define CONFIG_PLUGIN_REF_H

#include "config/scenario.h"

/*
 * "NAME" or "{plugin: NAME, key: value ...}" from @node, the value of @key. Relative paths are
 * taken from the folder of @source. -EINVAL with "file:line:col: ...".
 */
int plugin_ref_from_node(const struct source *source, const char *key, const struct node *node,
			 struct plugin_ref *ret, struct ktstr_error *err);

/* @path, seen from the folder that the file of @source lies in; the caller frees. NULL when out of
 * memory. */
char *path_beside(const struct source *source, const char *path);

#endif
