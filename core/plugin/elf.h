/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What can be known of an ELF file without running it: is it whole, what does it need, and the
 * plugin descriptor in it. libelf and plain reads; nothing is mapped executable.
 */
#ifndef PLUGIN_ELF_H
#define PLUGIN_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ktstr/error.h"

struct elf_info {
	bool is_shared_object; /* ET_DYN without an interpreter */
	uint16_t machine;
	char *interpreter; /* PT_INTERP, or NULL */
	char *soname;	   /* or NULL */
	char **needed;	   /* DT_NEEDED, ended by NULL */
	char **run_path;   /* DT_RUNPATH or DT_RPATH, split, $ORIGIN replaced; ended by NULL */
	bool is_inherited; /* run_path is a DT_RPATH: it holds for what its libraries need too */
	char build_id[41]; /* hex, "" when none */
};

/*
 * Read @path. Refuses, with one sentence: not a regular file, not ELF, not 64-bit, another machine,
 * and any PT_LOAD that ends beyond the end of the file (a cut-off .so kills its loader with SIGBUS
 * inside dlopen).
 */
int elf_read(const char *path, struct elf_info **ret, struct ktstr_error *err);
void elf_free(struct elf_info *info);

/*
 * All shared libraries that @path needs, itself not included, its interpreter included, each once,
 * as absolute paths found as the dynamic linker would find them (run path, the folders of
 * /etc/ld.so.conf, standard folders), but never one built for a special CPU (glibc-hwcaps): the
 * guest's may lack it. Ended by NULL; the caller frees each and the array, by elf_paths_free().
 * -ENOENT names the one that is missing and what needs it.
 */
int elf_closure(const char *path, char ***ret_paths, struct ktstr_error *err);
void elf_paths_free(char **paths);

#endif
