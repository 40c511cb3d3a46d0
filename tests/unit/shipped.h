/* SPDX-License-Identifier: GPL-2.0-only */
/* For tests of the plugins that ship: load one by kind and name, from the build tree. */
#ifndef TESTS_UNIT_SHIPPED_H
#define TESTS_UNIT_SHIPPED_H

#include "ktstr/plugin.h"

/* The descriptor of "checkers", "fairness". Fails the test when it cannot be had. */
const struct ktstr_plugin *shipped_load(const char *folder, const char *name);

#endif
