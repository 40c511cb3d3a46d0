/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One kernel of the cache: a folder with vmlinuz, vmlinux, config, btf and kernel.json. The last
 * holds the size of each of the others: an entry that differs is never used.
 */
#ifndef VM_KERNEL_ENTRY_H
#define VM_KERNEL_ENTRY_H

#include "ktstr/error.h"
#include "vm/kernel.h"

/* Where a fetched kernel came from. All may be NULL. */
struct kernel_source {
	char *package; /* "linux-image-cloud-amd64" */
	char *version; /* "7.2.13-1" */
	char *source;  /* "linux-signed-amd64 (7.2.13+1)" */
	char *sha256;  /* of the package that held the image */
};

void kernel_source_done(struct kernel_source *source);

/*
 * Finish the entry in @folder, which holds vmlinuz and config: unpack vmlinux and BTF, write
 * kernel.json, and give it its name in @kernels by a rename once all of it is on disk. An entry of
 * that release is replaced. Under the lock of the cache.
 */
int kernel_entry_commit(const char *kernels, const char *folder, const struct kernel_source *source,
			struct kernel **ret, struct ktstr_error *err);

/* One entry; -EBADMSG when it is damaged. @ret_source may be NULL. */
int kernel_entry_load(const char *folder, struct kernel **ret, struct kernel_source *ret_source,
		      struct ktstr_error *err);

/* A folder and the files in it, which holds no folders. */
void kernel_entry_remove(const char *folder);

/* Copies of the strings; NULL stays NULL. */
struct kernel *kernel_new(const char *image, const char *boot, const char *release,
			  const char *config, const char *btf, const char *origin);

#endif
