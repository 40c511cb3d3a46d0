/* SPDX-License-Identifier: GPL-2.0-only */
/* Where this kernel lies in memory: what the host needs to read it from outside. */
#ifndef GUEST_KERNADDRS_H
#define GUEST_KERNADDRS_H

#include <stdint.h>

#include "ktstr/frame.h"

/* The start of "Kernel code" in the text of /proc/iomem; 0 when it is not there or hidden. */
uint64_t kernaddrs_iomem_code(const char *text);

/* The address of @symbol in (the start of) the text of /proc/kallsyms; 0 likewise. */
uint64_t kernaddrs_kallsyms_find(const char *text, const char *symbol);

/*
 * The frame from physical start and run-time address of the kernel's text; 0: not known.
 * phys_base is the kernel's own variable: physical = virtual - 0xffffffff80000000 + phys_base for
 * any run-time address of the image. It may be negative under KASLR, and is sent as its 64 bits.
 */
void kernaddrs_make(uint64_t code_physical, uint64_t text_virtual, uint64_t page_offset_base,
		    struct ktstr_kern_addrs *ret);

/* All of it, from this machine. What cannot be found stays 0. */
void kernaddrs_read(struct ktstr_kern_addrs *ret);

#endif
