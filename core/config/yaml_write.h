/* SPDX-License-Identifier: GPL-2.0-only */
/* A tree of text (param/node.h) as YAML that config/yaml.h reads as the same tree. */
#ifndef CONFIG_YAML_WRITE_H
#define CONFIG_YAML_WRITE_H

#include "base/str.h"
#include "ktstr/error.h"
#include "param/node.h"

/* Append it to @out: nested maps and lists on lines of their own, short ones of scalars alone in
 * one line. */
int yaml_write(const struct node *root, struct str *out, struct ktstr_error *err);

#endif
