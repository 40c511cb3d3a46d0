/* SPDX-License-Identifier: GPL-2.0-only */
/* The source of a kernel that is to be built: what it is, and how it comes into a folder. */
#ifndef VM_KERNEL_BUILD_SOURCE_H
#define VM_KERNEL_BUILD_SOURCE_H

#include <stdint.h>

#include "ktstr/error.h"

enum build_source_kind {
	BUILD_SOURCE_TREE,
	BUILD_SOURCE_TARBALL,
	BUILD_SOURCE_PACKAGE, /* of Debian: "linux-source-7.2" */
};

struct build_source {
	enum build_source_kind kind;
	char *place;	  /* absolute path, or the package's name */
	char *package;	  /* the one that holds the source; known after build_source_update() */
	char *version;	  /* of the package; the same */
	uint64_t content; /* changes with the content: of a tree, with any file's size or time */
};

/*
 * What @text names. -EINVAL: nothing that a kernel could be built from; a tree that holds results
 * of a build inside itself is -EBUSY, since make cannot build it elsewhere then.
 */
int build_source_init(struct build_source *source, const char *text, struct ktstr_error *err);
void build_source_done(struct build_source *source);

/* Learn the content of a tree or a tarball. */
int build_source_look(struct build_source *source, struct ktstr_error *err);

/* Is there what a kernel's tree has in @folder? -EINVAL says what lacks, -EBUSY as above. */
int build_source_check_tree(const char *folder, struct ktstr_error *err);

/* Unpack the tarball @path into the empty @folder; -EINTR when @interrupt_fd could be read. */
int build_source_unpack(const char *path, const char *folder, int interrupt_fd,
			struct ktstr_error *err);

/* The one folder in @folder that an unpacked tarball left; the caller frees. */
int build_source_root(const char *folder, char **ret, struct ktstr_error *err);

/* 64-bit FNV-1a over @length bytes, going on from @seed; begin with BUILD_HASH_SEED. */
#define BUILD_HASH_SEED UINT64_C(0xcbf29ce484222325)
uint64_t build_hash(uint64_t seed, const void *data, size_t length);
uint64_t build_hash_text(uint64_t seed, const char *text);

/* A folder with all that is in it. What cannot be removed stays. */
void build_remove_tree(const char *folder);

#endif
