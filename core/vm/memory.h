/* SPDX-License-Identifier: GPL-2.0-only */
/* How much memory a guest needs. Pure. */
#ifndef VM_MEMORY_H
#define VM_MEMORY_H

#include <stdint.h>

struct memory_needs {
	uint64_t kernel_bytes;	  /* what the image takes when unpacked (bzImage init_size) */
	uint64_t initramfs_bytes; /* as loaded */
	uint64_t unpacked_bytes;  /* its files, in the guest's tmpfs (which may take 90 % of memory)
				   */
	uint64_t extra_bytes;	  /* what plugins asked for */
	uint32_t cpus;
};

/* The least that boots, with struct pages, per-CPU memory and a margin, rounded up to 2 MiB. */
uint64_t memory_floor_bytes(const struct memory_needs *needs);

/* What a run gets by default: the floor or 256 MiB + 64 MiB a CPU, whichever is more. */
uint64_t memory_default_bytes(const struct memory_needs *needs);

#endif
