/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's own table of symbols, found in the bytes of its image. */
#ifndef VM_KALLSYMS_H
#define VM_KALLSYMS_H

#include <stddef.h>
#include <stdint.h>

/* The part of an image that has the table: .rodata. */
struct kallsyms_part {
	const uint8_t *bytes;
	size_t length;
	uint64_t address;
	/* What the kernel's text spans: addresses of most symbols. */
	uint64_t text_start;
	uint64_t text_end;
};

/* @name begins with its type and ends with NUL; borrowed. 0 goes on, else what the walk returns. */
typedef int (*kallsyms_symbol)(void *arg, uint64_t address, const char *name);

/*
 * Walk over all symbols. Tables of Linux 6.4 and later are known. -ENODATA when there is none, or
 * none of that form.
 */
int kallsyms_walk(const struct kallsyms_part *part, kallsyms_symbol symbol, void *arg);

#endif
