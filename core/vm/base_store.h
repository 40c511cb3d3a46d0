/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Saved machines, kept in a folder and found by what they are.
 *
 *   <cache>/bases/<hash>/       key, ram0, ram1 ..., state, seal
 *   <cache>/bases/.<hash>       lock: held by whoever makes that one
 *   <cache>/bases/.new-<hash>/   one that is being made, or was when its maker was killed
 *
 * The key is text that says everything which the saved machine depends on; the folder's name is its
 * hash, and a folder with another key is passed over. The seal (vm/base_seal.h) is written last:
 * what does not fit it is no base.
 */
#ifndef VM_BASE_STORE_H
#define VM_BASE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ktstr/error.h"
#include "vm/vm.h"

#define BASE_NODES_MAX 64u
/* What all bases may take on the disk, if nothing else is said; the least recently used ones go. */
#define BASE_STORE_BYTES_MAX (UINT64_C(4) << 30)

struct base {
	char *folder;
	int memory_fds[BASE_NODES_MAX];
	uint32_t nodes;
	int state_fd;
	int stream_fd; /* what its guest had sent on the bulk port when it was saved */
};

/* Zeroed but for descriptors of -1. */
void base_init(struct base *base);
void base_done(struct base *base);
/* Which one it is of all that were ever made: a text in memory of its own, the same for what is the
 * same to the byte. */
int base_id(const struct base *base, char **ret);
/* For vm_start(); borrows from @base. */
struct vm_files base_files(const struct base *base, bool is_saved);

/* The folder of the base of @key, whether there is one or not; the caller frees. NULL when out of
 * memory. */
char *base_folder(const char *store, const char *key);
/* What it is named by. */
uint64_t base_key_hash(const char *key);

/*
 * The base of @key, with @nodes memory files. -ENOENT when there is none, -EBADMSG when the one
 * there is cannot be trusted; it stays until another one takes its place. Any other error says
 * nothing of what is there. Marks it as used.
 */
int base_open(const char *store, const char *key, uint32_t nodes, struct base *ret,
	      struct ktstr_error *err);

/* Do its files, all of them read, fit the seal no longer? False where that cannot be said. */
bool base_is_damaged(const struct base *base);
/* It is known to be bad: remove it, if it is the one that stands in its place still. @base is
 * done. */
void base_remove(struct base *base);

/* Only who has the lock makes the base of @key; the folder of the store is made if need be. Returns
 * the lock, to be closed; -EBUSY when somebody else has it. */
int base_lock(const char *store, const char *key, struct ktstr_error *err);

/* Empty files for a new base, of so many bytes each. Under its lock. */
int base_begin(const char *store, const char *key, const uint64_t *node_bytes, uint32_t nodes,
	       struct base *ret, struct ktstr_error *err);
/* The machine was saved into them: seal them and give the base its name. @base is done. */
int base_commit(const char *store, const char *key, struct base *base, struct ktstr_error *err);
/* It was not: remove them. @base is done. */
void base_discard(struct base *base);

struct base_entry {
	char *name;
	char *key;	  /* "" when it cannot be read */
	uint64_t bytes;	  /* on the disk */
	uint64_t used_ns; /* CLOCK_REALTIME */
	bool is_whole;	  /* it can be trusted */
};

/* All of them, the last used first. The caller frees with base_list_free(). */
int base_list(const char *store, struct base_entry **ret, size_t *ret_count,
	      struct ktstr_error *err);
void base_list_free(struct base_entry *entries, size_t count);

/* What was removed. */
struct base_pruned {
	size_t count;
	uint64_t bytes;
};

#define BASE_PRUNE_KEEPS_LAST 1u /* the last used one stays, whatever it takes */
#define BASE_PRUNE_DAMAGED 2u	 /* what cannot be trusted goes, too; reads all of them */

/* Remove the least recently used ones until at most @bytes_max are left, and what killed makers
 * left. Machines that run are not disturbed. */
int base_prune(const char *store, uint64_t bytes_max, uint32_t flags, struct base_pruned *ret,
	       struct ktstr_error *err);

#endif
