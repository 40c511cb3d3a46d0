/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VMs that are booted once and restored for each run (vm/base_store.h): which saved machine a run
 * may start from, and how a new one is made.
 */
#ifndef RUN_BASE_H
#define RUN_BASE_H

#include <stdbool.h>

#include "base/str.h"
#include "ktstr/error.h"
#include "run/image.h"
#include "run/prepare.h"
#include "vm/base_store.h"

/* The size that all saved machines may have together, by KTSTR_BASES_MAX; warns of what is none. */
uint64_t run_base_bytes_max(void);

/* Lines of a key that say what it is: "release 6.12.9", "topology 1 2 2 1" (nodes, caches, cores,
 * threads), "memory 536870912". */
#define RUN_BASE_RELEASE "release "
#define RUN_BASE_TOPOLOGY "topology "
#define RUN_BASE_MEMORY "memory "

/* What a saved machine depends on. All borrowed. */
struct run_base_spec {
	const struct prepared *prepared;
	const struct image *image;
	bool is_verbose; /* the kernel's messages */
	int console_fd;	 /* where the console of a boot is written; -1: nowhere */
	int signal_fd;	 /* readable: give up; -1: none */
};

/*
 * The saved machine for this run, booted and saved first where there is none yet. -ENOTSUP when a
 * run like this is always booted; any other error says why there is none, and the run may boot
 * instead.
 */
int run_base_get(const struct run_base_spec *spec, struct base *ret, struct ktstr_error *err);

/* QEMU, with its whole path; the caller frees. NULL when there is none. */
char *run_base_program(void);
/* Append its command line for such a VM without what makes no other VM: descriptors, and where
 * program and kernel lie. 0 or a negative errno. */
int run_base_words(const struct run_base_spec *spec, struct str *out);

/* <XDG_CACHE_HOME or ~/.cache>/ktstr/bases; the caller frees. NULL when there is no such place. */
char *run_base_store(void);

/* It could not be restored: never try it again. */
void run_base_distrust(struct base *base);

#endif
