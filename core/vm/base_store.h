/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Saved machines, kept in a folder and found by what they are.
 *
 *   <cache>/bases/<hash>/     key, ram0, ram1 ..., state, seal
 *   <cache>/bases/.<hash>     lock: held by whoever makes that one
 *   <cache>/bases/.new-PID/   one that is being made
 *
 * The key is text that says everything which the saved machine depends on; the folder's name is its
 * hash, and a folder with another key is passed over. The seal is written last and has the size,
 * time and CRC of each file: what does not fit it is no base.
 */
#ifndef VM_BASE_STORE_H
#define VM_BASE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ktstr/error.h"
#include "vm/vm.h"

#define BASE_NODES_MAX 64u
/* What all bases may take on the disk; the least recently used ones go. */
#define BASE_STORE_BYTES_MAX (UINT64_C(4) << 30)

struct base {
	char *folder;
	int memory_fds[BASE_NODES_MAX];
	uint32_t nodes;
	int state_fd;
};

/* Zeroed but for descriptors of -1. */
void base_init(struct base *base);
void base_done(struct base *base);
/* For vm_start(); borrows from @base. */
struct vm_files base_files(const struct base *base, bool is_saved);

/*
 * The base of @key, with @nodes memory files. -ENOENT when there is none, or one that cannot be
 * trusted, which is removed then. Marks it as used.
 */
int base_open(const char *store, const char *key, uint32_t nodes, struct base *ret,
	      struct ktstr_error *err);

/*
 * Wait until nobody else makes the base of @key; the folder of the store is made if need be.
 * @waiting (may be NULL) is called once when somebody does. Returns the lock, to be closed.
 */
int base_lock(const char *store, const char *key, void (*waiting)(void *arg), void *arg,
	      struct ktstr_error *err);

/* Empty files for a new base, of so many bytes each. Under its lock. */
int base_begin(const char *store, const char *key, const uint64_t *node_bytes, uint32_t nodes,
	       struct base *ret, struct ktstr_error *err);
/* The machine was saved into them: seal them and give the base its name. @base is done. */
int base_commit(const char *store, const char *key, struct base *base, struct ktstr_error *err);
/* It was not: remove them. @base is done. */
void base_discard(struct base *base);

struct base_entry {
	char *name;
	char *key;
	uint64_t bytes;	  /* on the disk */
	uint64_t used_ns; /* CLOCK_REALTIME */
	bool is_whole;	  /* has a seal that fits */
};

/* All of them, the last used first. The caller frees with base_list_free(). */
int base_list(const char *store, struct base_entry **ret, size_t *ret_count,
	      struct ktstr_error *err);
void base_list_free(struct base_entry *entries, size_t count);

/* Remove the least recently used ones until at most @bytes_max are left. The number removed, or a
 * negative errno. */
int base_prune(const char *store, uint64_t bytes_max, struct ktstr_error *err);

#endif
