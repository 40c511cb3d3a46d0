/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Initramfs archives (cpio, newc), written with libarchive into an anonymous file in memory: this
 * process never holds the bytes in its own memory.
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
#define INITRAMFS_SCHEDULER_JOB "/ktstr/scheduler" /* what of it brings the scheduler up */
#define INITRAMFS_PLUGIN_DIR "/ktstr/plugins"	   /* plugins/<kind>s/<name>.so below it */

struct initramfs;

int initramfs_new(struct initramfs **ret, struct ktstr_error *err);
void initramfs_free(struct initramfs *initramfs);

/*
 * @below is loaded before @initramfs: what it has (folders, libraries) is not added again by the
 * calls below. It is borrowed and must outlive @initramfs. Call before the first entry.
 */
void initramfs_set_below(struct initramfs *initramfs, const struct initramfs *below);

/*
 * Add one entry; folders on the way are added as needed (mode 0755), and a path that is there
 * already is -EEXIST, but a folder of the same mode is not an error. Paths are absolute, without
 * "." and ".." parts. Times and owners are zero: the same calls with the same content give the same
 * bytes, entries in the order of the calls. A failure leaves the archive useless: free it.
 */
int initramfs_add_data(struct initramfs *initramfs, const char *path, uint32_t mode,
		       const void *data, size_t length, struct ktstr_error *err);
/* A regular file of the host, with its permission bits. */
int initramfs_add_file(struct initramfs *initramfs, const char *path, const char *host_path,
		       struct ktstr_error *err);
int initramfs_add_link(struct initramfs *initramfs, const char *path, const char *target,
		       struct ktstr_error *err);
int initramfs_add_dir(struct initramfs *initramfs, const char *path, uint32_t mode,
		      struct ktstr_error *err);

/*
 * An ELF program or library as @path, with everything it needs: its loader at the path that the
 * program names, and its DT_NEEDED closure. The guest has no ld.so.cache, so a library lies in the
 * folder it has on the host only when the dynamic linker looks there by itself; any other is put
 * beside the C library. A library whose name is there already is passed over.
 */
int initramfs_add_elf(struct initramfs *initramfs, const char *path, const char *host_path,
		      struct ktstr_error *err);

/*
 * Close the archive; nothing can be added afterwards. *ret_fd, owned by @initramfs, is the memory
 * file with the archive, *ret_length (may be NULL) its length, a multiple of 512.
 */
int initramfs_finish(struct initramfs *initramfs, int *ret_fd, uint64_t *ret_length,
		     struct ktstr_error *err);

/* Sum of the sizes of its files, each rounded up to a page: what the guest's root folder will hold.
 */
uint64_t initramfs_unpacked_bytes(const struct initramfs *initramfs);

#endif
