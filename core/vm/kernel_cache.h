/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The folder where kernels are kept.
 *
 *   <cache>/lock                 held by whoever adds to it
 *   <cache>/kernels/<release>/   vmlinuz, vmlinux, config, btf, kernel.json
 *   <cache>/unpacked/<key>/      vmlinux and config out of an image that lies elsewhere
 *
 * A folder is made under a name that begins with a dot, and gets its own by a rename.
 */
#ifndef VM_KERNEL_CACHE_H
#define VM_KERNEL_CACHE_H

#include "ktstr/error.h"
#include "vm/kernel.h"
#include "vm/kernel_image.h"
#include "vm/kernel_list.h"

/*
 * Wait for the lock of the cache, whose folder is made if need be. Returns the fd to close when
 * done, or a negative errno. @waiting is called once when somebody else holds it; may be NULL.
 */
int kernel_cache_lock(const char *cache, kernel_progress waiting, void *arg,
		      struct ktstr_error *err);

/* <cache>/kernels; the caller frees. */
char *kernel_cache_kernels(const char *cache);

/* A new empty folder for an entry, and nothing left of broken-off ones. Under the lock. */
int kernel_cache_begin(const char *cache, char **ret_folder, struct ktstr_error *err);

/* The entry that came from @version of @package, or -ENOENT. Sets no error text. */
int kernel_cache_find(const char *cache, const char *package, const char *version,
		      struct kernel **ret);

/* The folder of the entry whose release is @name, or else of the newest one whose release ends in
 * "-@name". The caller frees; NULL: there is none, or no memory. */
char *kernel_cache_named(const char *cache, const char *name);

/* Append every entry, the newest release first. Damaged ones have a problem. */
int kernel_cache_list(const char *cache, struct kernel_list *list, struct ktstr_error *err);

/*
 * The folder that holds `vmlinux`, and `config` when it carries one, of the bzImage @image. Made on
 * the first call when @may_unpack, -ENOENT without. A few of them are kept, the last used ones.
 */
int kernel_cache_unpacked(const char *cache, const struct kernel_image *image, bool may_unpack,
			  char **ret_folder, struct ktstr_error *err);

#endif
