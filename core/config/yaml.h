/* SPDX-License-Identifier: GPL-2.0-only */
/* YAML text to a tree of text (param/node.h). The only file that knows libyaml. */
#ifndef CONFIG_YAML_H
#define CONFIG_YAML_H

#include "param/bind.h"
#include "param/node.h"

/* A larger file is refused before it is read whole. */
#define YAML_FILE_MAX (1024u * 1024u)

/*
 * Parse one document of @source. Refused with -EINVAL and a "file:line:col: ..." text: anything
 * that libyaml refuses, tabs as indent, nothing at all, more than one document, duplicate keys,
 * keys that are not plain words, tags, aliases and anchors (a scenario has no use for them, and
 * they can expand without bound), depth or size over the limits of node.h, NUL bytes, invalid
 * UTF-8.
 */
int yaml_parse(const struct source *source, struct node **ret, struct ktstr_error *err);

#endif
