/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Build a kernel for VMs and put it into the cache of kernels.
 *
 *   <cache>/builds/<key>/   one for each tree, or name given: `objects`, which later builds go on
 *                           from, ktstr.config, log. For a tarball or a package the unpacked
 *                           source as well; all of it goes when the kernel is in the cache.
 *   <cache>/builds/.<key>   lock: held by whoever builds there
 *
 * A folder that nobody built in for a month is removed by the next build.
 */
#ifndef VM_KERNEL_BUILD_H
#define VM_KERNEL_BUILD_H

#include <stddef.h>
#include <stdint.h>

#include "ktstr/error.h"
#include "vm/kernel.h"

#define KERNEL_BUILD_JOBS_MAX 4096u

struct kernel_build {
	const char *source; /* a tree, a tarball, or a package's name */
	/* Files with lines of a config, which count over ktstr's own and those before them. */
	const char *const *fragments;
	size_t fragment_count;
	/* The release ends in it, and a kernel of that release is replaced. NULL: one made of the
	 * source's place and the fragments. */
	const char *name;
	uint32_t jobs; /* 0: as many as there are CPUs */
};

/* What is told meanwhile. Each may be NULL. */
struct kernel_build_watch {
	void (*phase)(void *arg, const char *phase, const char *detail);
	void (*update)(void *arg, const char *detail);
	void (*problem)(void *arg, const char *line); /* before an error that sums them up */
	void *arg;
	int interrupt_fd; /* when this can be read, the build ends; -1: never */
};

/*
 * Build it, unless the cache has what this would come to. Configured by a tinyconfig, ktstr's own
 * fragment and those given; every line of them must be true of the result. The source is not
 * written to.
 *
 * -EINTR when it was interrupted: what was compiled stays for the next time, no process does, and
 * the cache of kernels is as it was.
 */
int kernel_build(const struct kernel_build *build, const struct kernel_build_watch *watch,
		 struct kernel **ret, struct ktstr_error *err);

/* The same, with what it takes from the host as arguments. */
struct kernel_build_host {
	const char *cache;
	const char *keyring; /* NULL: Debian's, where its package puts it */
	const char *machine; /* as uname -m says it */
};

int kernel_build_for(const struct kernel_build *build, const struct kernel_build_host *host,
		     const struct kernel_build_watch *watch, struct kernel **ret,
		     struct ktstr_error *err);

#endif
