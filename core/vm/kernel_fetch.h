/* SPDX-License-Identifier: GPL-2.0-only */
/* kernel_fetch(), with what it takes from the host as arguments. */
#ifndef VM_KERNEL_FETCH_H
#define VM_KERNEL_FETCH_H

#include "vm/kernel.h"

struct kernel_fetch_host {
	const char *cache;
	const char *keyring; /* NULL: Debian's, where its package puts it */
	const char *machine; /* as uname -m says it */
	kernel_progress progress;
	void *arg;
};

int kernel_fetch_for(const struct kernel_fetch_host *host, struct kernel **ret,
		     struct ktstr_error *err);

#endif
