/* SPDX-License-Identifier: GPL-2.0-only */
/* Kernels and folders in lists. */
#ifndef VM_KERNEL_LIST_H
#define VM_KERNEL_LIST_H

#include "vm/kernel.h"

/* A growing list of kernels. */
struct kernel_list {
	struct kernel **kernels;
	size_t count;
};

/* Takes @kernel, also on failure. */
int kernel_list_add(struct kernel_list *list, struct kernel *kernel);
void kernel_list_done(struct kernel_list *list);

/* The names in a folder that do not begin with a dot, the highest version first; none when there is
 * no such folder. Free each, and the list. */
int kernel_list_names(const char *folder, char ***ret, size_t *ret_count);
void kernel_list_free_names(char **names, size_t count);

#endif
