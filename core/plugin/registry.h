/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where plugins are found: the search path, names to loaded plugins, and the listing that runs no
 * plugin code.
 *
 * Search order: the folders given by --plugin-dir, those of KTSTR_PLUGIN_PATH (split at ':'), then
 * the folder of the build or the installation. In each folder a plugin of kind K and name N is K's
 * folder's N.so ("schedulers/eevdf.so"), or N.so in the folder itself. The first that is found
 * counts, and must call itself N.
 */
#ifndef PLUGIN_REGISTRY_H
#define PLUGIN_REGISTRY_H

#include <stddef.h>

#include "param/bind.h"
#include "plugin/loader.h"

struct registry;

/* @folders: in search order, ended by NULL; copied. */
int registry_new(const char *const *folders, struct registry **ret, struct ktstr_error *err);
void registry_free(struct registry *registry);

/*
 * The plugin @name of @kind, loaded on first use and owned by the registry. A name with a '/' is a
 * path. A name that is loaded already, by whatever path, is handed out again. -ENOENT lists where
 * it was looked for and the nearest name that exists; -EEXIST when @name is a path and another file
 * with the same kind and name is loaded already; else as plugin_load().
 */
int registry_get(struct registry *registry, uint32_t kind, const char *name, struct plugin **ret,
		 struct ktstr_error *err);

/* All plugins loaded so far, in order of loading. */
struct plugin *const *registry_loaded(const struct registry *registry, size_t *ret_count);

/* For bind_params(): loads the named plugin and hands out its table. */
struct plugin_tables registry_tables(struct registry *registry);

/* One plugin as a listing shows it, read from the file without running its code. */
struct plugin_listing {
	char *path;
	uint32_t kind; /* 0 when refused */
	char *name;    /* when refused, the file's name without ".so" */
	char *version; /* this and the following are NULL or 0 when refused */
	char *summary;
	char *license; /* or NULL */
	uint16_t abi_major;
	uint16_t abi_minor;
	struct listed_param *params;
	size_t param_count;
	char *refused; /* why it cannot be used, or NULL */
};

struct listed_param {
	char *key;  /* nested ones as "steps[].hold"; the element of a list as "cpus[]" */
	char *help; /* or NULL */
	uint32_t type;
	uint32_t flags;
	char *fallback; /* or NULL */
	int64_t min, max;
	char *choices; /* "a|b|c", or NULL */
};

/*
 * Every .so in the search path. The descriptor is read out of the ELF file, its relocations
 * applied, and checked as plugin_load() checks it; nothing is mapped or run, so no constructor and
 * no resolver of an indirect function is. A broken file is listed with the reason; what only the
 * dynamic linker finds out (an undefined symbol, a missing library) is not seen. Sorted by kind,
 * then name, then search order; refused ones last. The caller frees by listing_free().
 */
int registry_list(const struct registry *registry, struct plugin_listing **ret, size_t *ret_count,
		  struct ktstr_error *err);
void listing_free(struct plugin_listing *listings, size_t count);

#endif
