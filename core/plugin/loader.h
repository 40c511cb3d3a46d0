/* SPDX-License-Identifier: GPL-2.0-only */
/* Load one plugin, or refuse it with one sentence that names what differs and what to do. */
#ifndef PLUGIN_LOADER_H
#define PLUGIN_LOADER_H

#include <stdint.h>

#include "ktstr/checker.h"
#include "ktstr/plugin.h"
#include "ktstr/scenario.h"
#include "ktstr/scheduler.h"
#include "ktstr/workload.h"

struct plugin {
	const struct ktstr_plugin *descriptor;
	char *path;	   /* absolute */
	uint32_t crc32;	   /* of the file's bytes */
	char build_id[41]; /* hex, "" when none */
	void *handle;	   /* of dlopen */
};

/*
 * Check and load @path. @kind 0 accepts any kind. Order of the checks: regular file, ELF, whole,
 * dlopen, symbol, magic, ABI major, ABI minor, size, kind, name, ops present and of a plausible
 * size, required ops, parameter table. Returns -EINVAL or -ENOENT with the sentence.
 */
int plugin_load(const char *path, uint32_t kind, struct plugin **ret, struct ktstr_error *err);

/* The CRC-32 of the bytes of @path, without loading any of them. */
int plugin_file_crc32(const char *path, uint32_t *ret, struct ktstr_error *err);

/* Never unloads the object (its code may still be pointed to); frees only the record. */
void plugin_free(struct plugin *plugin);

/* "scheduler", "scenario", "workload", "checker", or "unknown". */
const char *plugin_kind_name(uint32_t kind);

/* The descriptor checks alone, for tests and for plugins that are linked in. */
int plugin_check(const struct ktstr_plugin *descriptor, uint32_t kind, const char *path,
		 struct ktstr_error *err);

#endif
