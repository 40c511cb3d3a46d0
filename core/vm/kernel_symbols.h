/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The symbols of an unpacked kernel image (vmlinux): of its symbol table, or where that was
 * stripped, of the table that the kernel keeps of itself (kallsyms). Addresses are those at which
 * it was linked, which are right for a kernel that runs with "nokaslr".
 */
#ifndef VM_KERNEL_SYMBOLS_H
#define VM_KERNEL_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ktstr/error.h"

struct kernel_symbol {
	uint64_t address;
	const char *name;
	char type; /* as nm has it: 'T', 't', 'D' ... */
};

struct kernel_symbols;

/* -EBADMSG for what is no such image, -ENODATA when it names no symbols. */
int kernel_symbols_read(const char *path, struct kernel_symbols **ret, struct ktstr_error *err);
/* The same of an image in memory, for tests; @name is for messages. */
int kernel_symbols_parse(const void *image, size_t length, const char *name,
			 struct kernel_symbols **ret, struct ktstr_error *err);
void kernel_symbols_free(struct kernel_symbols *symbols);

/* Sorted by address. */
const struct kernel_symbol *kernel_symbols_all(const struct kernel_symbols *symbols,
					       size_t *ret_count);

/* The one that @address lies in, not further behind its start than the image is long; NULL: none.
 */
const struct kernel_symbol *kernel_symbols_at(const struct kernel_symbols *symbols,
					      uint64_t address);

/* Write them to @fd as an ELF file that a debugger reads. 0 or a negative errno. */
int kernel_symbols_write(const struct kernel_symbols *symbols, int fd);

#endif
