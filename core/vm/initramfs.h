/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Initramfs archives (cpio, newc), built in memory with libarchive.
 *
 * A run has two, laid one after the other: the base (agent, loader, libraries: the same for every
 * run of a kind) and the job (what this run is: job file, plugins, payload files), whose last entry
 * is the sentinel that tells the agent that nothing was cut off.
 */
#ifndef VM_INITRAMFS_H
#define VM_INITRAMFS_H

#include <stddef.h>
#include <stdint.h>

#include "ktstr/error.h"

#define INITRAMFS_SENTINEL "/.ktstr_init_ok"
#define INITRAMFS_JOB "/ktstr/job"
#define INITRAMFS_PLUGIN_DIR "/ktstr/plugins" /* plugins/<kind>s/<name>.so below it */

struct initramfs;

int initramfs_new(struct initramfs **ret, struct ktstr_error *err);
void initramfs_free(struct initramfs *initramfs);

/* Add one entry; folders on the way are added as needed, and a path that is there already is
 * -EEXIST. Paths are absolute. Times and owners are zero: the same content gives the same bytes. */
int initramfs_add_data(struct initramfs *initramfs, const char *path, uint32_t mode,
		       const void *data, size_t length, struct ktstr_error *err);
int initramfs_add_file(struct initramfs *initramfs, const char *path, const char *host_path,
		       struct ktstr_error *err);
int initramfs_add_link(struct initramfs *initramfs, const char *path, const char *target,
		       struct ktstr_error *err);
int initramfs_add_dir(struct initramfs *initramfs, const char *path, uint32_t mode,
		      struct ktstr_error *err);

/*
 * An ELF program or library with everything it needs: its DT_NEEDED closure and its loader, each at
 * its host path (after symlinks), what is there already passed over.
 */
int initramfs_add_elf(struct initramfs *initramfs, const char *path, const char *host_path,
		      struct ktstr_error *err);

/* Close the archive. The bytes stay owned by @initramfs. */
int initramfs_finish(struct initramfs *initramfs, const void **ret_data, size_t *ret_length,
		     struct ktstr_error *err);

/* Sum of the sizes of its files, each rounded up to a page: what the guest's tmpfs holds. */
uint64_t initramfs_unpacked_bytes(const struct initramfs *initramfs);

#endif
