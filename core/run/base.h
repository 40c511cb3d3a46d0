/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VMs that are booted once and restored for each run (vm/base_store.h): which saved machine a run
 * may start from, and how a new one is made.
 */
#ifndef RUN_BASE_H
#define RUN_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/str.h"
#include "ktstr/error.h"
#include "run/image.h"
#include "run/prepare.h"
#include "run/run.h"
#include "vm/base_store.h"

/* The size that all saved machines may have together, by KTSTR_BASES_MAX; warns of what is none. */
uint64_t run_base_bytes_max(void);

/* Lines of a key that say what it is: "release 6.12.9", "topology 1 2 2 1" (nodes, caches, cores,
 * threads), "memory 536870912". */
#define RUN_BASE_RELEASE "release "
#define RUN_BASE_TOPOLOGY "topology "
#define RUN_BASE_MEMORY "memory "
/* The same of those that were saved with a scheduler up: "scheduler scx_fifo". */
#define RUN_BASE_SCHEDULER "scheduler "

/* What a machine may have sent before it is saved. */
#define RUN_BASE_STREAM_MAX (UINT64_C(16) << 20)
/* A scheduler that comes up faster is not worth a saved machine of its own. */
#define RUN_BASE_ATTACH_NS (50 * NS_PER_MS)

/* What a saved machine depends on. All borrowed. */
struct run_base_spec {
	const struct prepared *prepared;
	const struct image *image;
	enum run_base wanted;
	bool is_demanded; /* nothing but what is wanted will do, if that is RUN_BASE_ATTACHED */
	bool is_verbose;  /* the kernel's messages */
	int console_fd;	  /* where the console of a boot is written; -1: nowhere */
	int signal_fd;	  /* readable: give up; -1: none */
	/* Asked before a VM boots to be saved, while nobody waits for this process: may it? An
	 * error is run_base_get()'s. NULL: it may. */
	int (*may_boot)(void *arg, struct ktstr_error *err);
	void *arg;
};

/* A saved machine that a run may start from. */
struct run_base_found {
	struct base base;
	bool is_attached; /* the run's scheduler is up in it */
	/* Where to say that it would be good to have one like that; NULL: nowhere. */
	char *note;
};

/*
 * The saved machine for this run, booted and saved first where there is none yet. -ENOTSUP when a
 * run like this is always booted; any other error says why there is none, and the run may boot
 * instead.
 *
 * One with the scheduler up is taken where there is one. It is made where it is wanted, or where a
 * run noted (run_base_note()) that its scheduler took long to come up.
 */
int run_base_get(const struct run_base_spec *spec, struct run_base_found *ret,
		 struct ktstr_error *err);
void run_base_found_done(struct run_base_found *found);

/* The scheduler of a run that found @note took @attach_ns to come up. */
void run_base_note(const char *note, uint64_t attach_ns);

/* What the machine had sent when it was saved; the caller frees. */
int run_base_stream(const struct base *base, char **ret, size_t *ret_length,
		    struct ktstr_error *err);

/* The keys of the saved machines for a run: of the booted one, and of the one with the scheduler
 * up. The caller frees. */
int run_base_keys(const struct run_base_spec *spec, char **ret_booted, char **ret_attached,
		  struct ktstr_error *err);

/* QEMU, with its whole path; the caller frees. NULL when there is none. */
char *run_base_program(void);
/* Append its command line for such a VM without what makes no other VM: descriptors, and where
 * program and kernel lie. 0 or a negative errno. */
int run_base_words(const struct run_base_spec *spec, struct str *out);

/* <XDG_CACHE_HOME or ~/.cache>/ktstr/bases; the caller frees. NULL when there is no such place. */
char *run_base_store(void);

#endif
