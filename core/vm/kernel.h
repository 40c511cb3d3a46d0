/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernels: where they are found, what they can do, and how one is fetched.
 *
 * Order of kernel_find(): the path asked for (--kernel or `vm: kernel:`), KTSTR_KERNEL, the newest
 * entry of the cache that carries sched_ext, then what the host has and can be read, of the running
 * release first: /usr/lib/modules/REL/vmlinuz, /boot/vmlinuz-REL, then any other there, each only
 * when its config says CONFIG_SCHED_CLASS_EXT=y. A path that was asked for is never replaced by
 * another kernel.
 *
 * A path may also name a folder: a cache entry, or the build tree of a kernel. A word that is no
 * path may be the release of a cache entry, or what follows a '-' at its end. A bzImage that lies
 * elsewhere is unpacked into the cache on first use, where a few such copies are kept.
 *
 * A cache entry is a folder <cache>/kernels/<release>/ with vmlinuz, vmlinux (unpacked: boots about
 * a second sooner under TCG), config, btf and kernel.json.
 */
#ifndef VM_KERNEL_H
#define VM_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ktstr/error.h"

struct kernel {
	char *image; /* bzImage, or an ELF vmlinux */
	char *boot;  /* what QEMU is to load: the unpacked vmlinux beside it, or the image itself */
	char *release;	    /* "7.2.13+deb14-cloud-amd64" */
	char *config;	    /* path of its config, or NULL: not known */
	char *btf;	    /* path of its BTF, or NULL */
	const char *origin; /* "--kernel", "KTSTR_KERNEL", "cache", "host" */
	bool has_sched_ext; /* by its config, or by its types where that is not known */
	bool has_btf;
	bool is_config_known;
	uint64_t init_size; /* memory the image unpacks itself into; 0: not known */
	/* Of kernel_list() alone: */
	char *problem; /* why it cannot be booted, or NULL; then little else is known of it */
	bool is_taken; /* kernel_find() would take it when none is asked for */
};

/* <XDG_CACHE_HOME or ~/.cache>/ktstr; the caller frees. */
int kernel_cache_dir(char **ret, struct ktstr_error *err);

/* @wanted: the path asked for, or NULL. -ENOENT says how to get one. */
int kernel_find(const char *wanted, struct kernel **ret, struct ktstr_error *err);
void kernel_free(struct kernel *kernel);

/*
 * Every kernel that is there, in the order of kernel_find(): one that KTSTR_KERNEL names in vain,
 * damaged entries of the cache, and those of the host that have no sched_ext or cannot be read too.
 * Of a release that the host has twice, the one that kernel_find() would look at first.
 */
int kernel_list(struct kernel ***ret, size_t *ret_count, struct ktstr_error *err);

/* Is @option built in (=y)? 1, 0, or -ENODATA when the config is not known. */
int kernel_config_has(const struct kernel *kernel, const char *option);

/*
 * Get Debian's current cloud kernel with sched_ext through apt, with private lists and caches (the
 * host's apt state is not touched), unpack image, config and BTF, and put them in the cache at
 * once. Does nothing when the newest is there already. @progress is called with one line per step;
 * may be NULL.
 */
typedef void (*kernel_progress)(void *arg, const char *line);
int kernel_fetch(kernel_progress progress, void *arg, struct kernel **ret, struct ktstr_error *err);

#endif
