/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the parts of ktstr are: found from the program's own place, since the build tree is laid
 * out as the installed tree is. Nothing but the search path of plugins can be set from outside.
 */
#ifndef RUN_PATHS_H
#define RUN_PATHS_H

#include <stddef.h>

#include "ktstr/error.h"

struct run_paths {
	char *guest_program;
	char *judge_program;
	char *gate; /* library that QEMU loads in virtual time (vm/qemu_gate.c) */
	/* Search path of plugins, ended by NULL: @folders, those of KTSTR_PLUGIN_PATH, ours. */
	char **plugin_folders;
};

/*
 * @program: the path of the running `ktstr`; NULL: /proc/self/exe. @search_path: the value of
 * KTSTR_PLUGIN_PATH or NULL. A folder of @folders that does not exist is -ENOTDIR (a slip of the
 * keys would otherwise read as a missing plugin); one of @search_path is passed over.
 */
int run_paths_find(const char *program, const char *const *folders, size_t folder_count,
		   const char *search_path, struct run_paths *ret, struct ktstr_error *err);
void run_paths_done(struct run_paths *paths);

#endif
