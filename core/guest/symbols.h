/* SPDX-License-Identifier: GPL-2.0-only */
/* Addresses of this kernel's symbols. */
#ifndef GUEST_SYMBOLS_H
#define GUEST_SYMBOLS_H

#include <stdint.h>

/* Longer names are not found. */
#define SYMBOL_NAME_MAX 127

/*
 * Through BPF's bpf_kallsyms_lookup_name(): 0 when there is no such symbol, or this kernel does not
 * let us.
 */
uint64_t symbol_find_by_bpf(const char *name);

/* The same, and /proc/kallsyms is read where BPF is of no use. */
uint64_t symbol_find(const char *name);

#endif
