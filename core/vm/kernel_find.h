/* SPDX-License-Identifier: GPL-2.0-only */
/* kernel_find() and kernel_list(), with the places to look at as arguments. */
#ifndef VM_KERNEL_FIND_H
#define VM_KERNEL_FIND_H

#include "vm/kernel.h"

struct kernel_places {
	const char *environment; /* what KTSTR_KERNEL says, or NULL */
	const char *cache;	 /* NULL: none */
	const char *modules;	 /* /usr/lib/modules */
	const char *boot;	 /* /boot */
	const char *running;	 /* release of the running kernel */
};

int kernel_find_in(const struct kernel_places *places, const char *wanted, struct kernel **ret,
		   struct ktstr_error *err);
int kernel_list_in(const struct kernel_places *places, struct kernel ***ret, size_t *ret_count,
		   struct ktstr_error *err);

#endif
