/* SPDX-License-Identifier: GPL-2.0-only */
/* Lists as text or JSON: what `ktstr plugins` and `ktstr kernel` print. */
#ifndef RUN_LIST_H
#define RUN_LIST_H

#include <stddef.h>

#include <jansson.h>

#include "plugin/registry.h"
#include "run/run.h"
#include "vm/kernel.h"

/* The listings of @kind (0: all) and of these names (0: all). Returns the exit code: EXIT_USAGE
 * when there is none of a name. */
int list_show_plugins(const struct plugin_listing *listings, size_t count, uint32_t kind,
		      char *const *names, size_t name_count, const struct run_options *options);

int list_show_kernels(struct kernel *const *kernels, size_t count,
		      const struct run_options *options);

/*
 * The document {schema_version, kind, exit_code, KIND: @list}; @list is taken, and NULL when there
 * was no memory for it. @exit_code: of the process, unless this fails. Returns EXIT_PASS or
 * EXIT_ERROR.
 */
int list_show_document(const struct run_options *options, const char *kind, int exit_code,
		       json_t *list);

/* An entry of the document of kernels; NULL when out of memory. */
json_t *list_kernel_json(const struct kernel *kernel);

/* Write @text (taken) unless @rc says that it could not be made. Returns the exit code. */
int list_show_text(const struct run_options *options, struct str *text, int rc);

#endif
