/* SPDX-License-Identifier: GPL-2.0-only */
/* The plugin files in a search path, and what they are. Private to this module. */
#ifndef PLUGIN_FOLDERS_H
#define PLUGIN_FOLDERS_H

#include <stddef.h>
#include <stdint.h>

#include "ktstr/error.h"

struct plugin_listing;

/* Parallel arrays, in search order, each folder's files by name. */
struct folder_files {
	char **paths;
	char **names; /* without ".so" */
	size_t count;
	size_t size;
};

/*
 * Collect every .so in @folders (ended by NULL), directly or in the folder of a kind; only those
 * that can be of @kind when it is not 0. A folder that cannot be read has none. Zero-initialise
 * *ret; folder_files_done() frees, after a failure too. 0 or -ENOMEM.
 */
int folders_scan(char *const *folders, uint32_t kind, struct folder_files *ret);
void folder_files_done(struct folder_files *files);

/* Read them for registry_list(). */
int listing_read(const struct folder_files *files, struct plugin_listing **ret, size_t *ret_count,
		 struct ktstr_error *err);

#endif
