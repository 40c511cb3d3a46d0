/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The descriptor of a plugin, rebuilt from its file without mapping or running any of it. Private
 * to this module.
 */
#ifndef PLUGIN_DESCRIPTOR_H
#define PLUGIN_DESCRIPTOR_H

#include "ktstr/plugin.h"

/* A copy of the descriptor and of all texts and tables behind it. Ops that are set are not NULL,
 * and must not be called. */
struct descriptor {
	struct ktstr_plugin plugin;
	struct descriptor_block *blocks; /* the memory behind it */
};

/*
 * Rebuild the descriptor in @path. It is not checked: plugin_check() does that. What a bad magic,
 * another ABI or a short descriptor leaves unknown is zero. Refuses what elf_read() refuses, a
 * program, a file without the symbol, and tables that lead out of the file or have no end.
 */
int descriptor_read(const char *path, struct descriptor **ret, struct ktstr_error *err);
void descriptor_free(struct descriptor *descriptor);

#endif
