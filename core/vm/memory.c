/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/memory.h"

#define MIB (UINT64_C(1) << 20)
#define ALIGNMENT (2 * MIB)

/* What an image of unknown size is taken for; distribution kernels need about 60 MiB. */
#define KERNEL_UNKNOWN (96 * MIB)
/* Per-CPU area, stacks and queues of one CPU. */
#define PER_CPU (2 * MIB)
/* Firmware holes, page tables, slab, and the programs' own memory. */
#define MARGIN (48 * MIB)
/* The kernel keeps one struct page of 64 bytes for each page of 4096. */
#define PAGE_SHARE 64
/* The guest's root file system may take nine tenths of memory. */
#define TMPFS_PARTS 9
#define TMPFS_WHOLE 10

#define DEFAULT_BASE (256 * MIB)
#define DEFAULT_PER_CPU (64 * MIB)

/* Sums stop at the end of the range: a need that large is refused by whoever allocates it. */
static uint64_t sum(uint64_t a, uint64_t b)
{
	uint64_t result;

	return __builtin_add_overflow(a, b, &result) ? UINT64_MAX : result;
}

static uint64_t product(uint64_t a, uint64_t b)
{
	uint64_t result;

	return __builtin_mul_overflow(a, b, &result) ? UINT64_MAX : result;
}

static uint64_t round_up(uint64_t bytes)
{
	uint64_t rounded = sum(bytes, ALIGNMENT - 1) / ALIGNMENT;

	return rounded * ALIGNMENT;
}

/* @bytes and the share of all memory that describes it. */
static uint64_t with_share(uint64_t bytes, uint64_t parts, uint64_t whole)
{
	return sum(product(bytes / parts, whole), bytes % parts * whole / parts);
}

uint64_t memory_floor_bytes(const struct memory_needs *needs)
{
	uint64_t total = needs->kernel_bytes ? needs->kernel_bytes : KERNEL_UNKNOWN;

	total = sum(total, needs->initramfs_bytes);
	total = sum(total, with_share(needs->unpacked_bytes, TMPFS_PARTS, TMPFS_WHOLE));
	total = sum(total, needs->extra_bytes);
	total = sum(total, product(needs->cpus, PER_CPU));
	total = sum(total, MARGIN);
	return round_up(with_share(total, PAGE_SHARE - 1, PAGE_SHARE));
}

uint64_t memory_default_bytes(const struct memory_needs *needs)
{
	uint64_t usual = DEFAULT_BASE + needs->cpus * DEFAULT_PER_CPU;
	uint64_t least = memory_floor_bytes(needs);

	return least > usual ? least : usual;
}
