/* SPDX-License-Identifier: GPL-2.0-only */
/* Fragments of a kernel's config, and whether a finished config is what they say. */
#ifndef VM_KERNEL_BUILD_CONFIG_H
#define VM_KERNEL_BUILD_CONFIG_H

#include <stddef.h>

#include "ktstr/error.h"

/* One line of a fragment. Its value is "n" where it is not to be set. */
struct build_option {
	char *name; /* "SCHED_CLASS_EXT" */
	char *value;
	char *fragment; /* that said it last */
	unsigned int line;
};

/* Zero-initialise; of an option that is named twice the later line counts. */
struct build_options {
	struct build_option *items;
	size_t count;
};

/* ktstr's own fragment. */
const char *build_config_own(void);
#define BUILD_CONFIG_OWN "ktstr.config"

/* Add the lines of the fragment @text, called @name. -EINVAL names the line that is none. */
int build_options_add(struct build_options *options, const char *name, const char *text,
		      struct ktstr_error *err);
void build_options_done(struct build_options *options);

/* The value of an option in the config @text, "n" where it is not set; the caller frees. NULL: no
 * memory. */
char *build_config_value(const char *text, const char *name);

/*
 * Is each of @wanted so in the finished config @text of the kernel in @tree? Otherwise -EINVAL,
 * with their names, and @problem is called for each with one line: what it is instead, and why
 * that is likely so.
 */
int build_config_check(const struct build_options *wanted, const char *text, const char *tree,
		       void (*problem)(void *arg, const char *line), void *arg,
		       struct ktstr_error *err);

#endif
