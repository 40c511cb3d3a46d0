/* SPDX-License-Identifier: GPL-2.0-only */
/* For tests of the plugins that ship: YAML text to the values that a plugin gets. */
#ifndef TESTS_UNIT_SHIPPED_BIND_H
#define TESTS_UNIT_SHIPPED_BIND_H

#include "ktstr/plugin.h"
#include "param/bind.h"

/* Bind the parameters that @yaml gives by the table of @plugin; workloads are found in the build
 * tree. NULL with @err filled when they are refused. */
struct bound *shipped_bind(const struct ktstr_plugin *plugin, const char *yaml,
			   struct ktstr_error *err);

#endif
