/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory of a guest, read and written from outside: one anonymous file a NUMA node, which the
 * host creates and QEMU uses as its memory. Every access is checked against its bounds, and every
 * number that is read in there is the guest's: it can lead nowhere but into its own memory.
 */
#ifndef VM_GUEST_MEMORY_H
#define VM_GUEST_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ktstr/error.h"
#include "ktstr/frame.h"

struct guest_memory;

/* Files for @count nodes of so many bytes each, which nobody can make shorter or longer. */
int guest_memory_new(const uint64_t *node_bytes, uint32_t count, struct guest_memory **ret,
		     struct ktstr_error *err);
/*
 * The memory of a restored guest: the files @fds, which are taken and only read, in the order of
 * the nodes. The guest's own changes are in its QEMU alone, so nothing can be read before
 * guest_memory_attach().
 */
int guest_memory_restored(const uint64_t *node_bytes, const int *fds, uint32_t count,
			  struct guest_memory **ret, struct ktstr_error *err);
/* The process that has the files mapped. 0 for other memory, too. */
int guest_memory_attach(struct guest_memory *memory, pid_t pid, struct ktstr_error *err);
void guest_memory_free(struct guest_memory *memory);

/* The files, in the order of the nodes. They stay the memory's own. */
const int *guest_memory_fds(const struct guest_memory *memory, uint32_t *ret_count);

/*
 * Copy @length bytes from or to the guest-physical address @physical, as the machine q35 lays its
 * memory out. Aligned 4 and 8 bytes are moved at once. -EFAULT when any byte is no memory; then
 * nothing was copied.
 */
int guest_memory_read(struct guest_memory *memory, uint64_t physical, void *to, size_t length,
		      struct ktstr_error *err);
int guest_memory_write(struct guest_memory *memory, uint64_t physical, const void *from,
		       size_t length, struct ktstr_error *err);

/* What is known of the guest's kernel. */
struct guest_kernel {
	struct ktstr_kern_addrs addrs; /* as it said itself */
	/* Of one of its CPUs; without them nothing can be walked. */
	bool has_tables;
	uint64_t cr3;
	uint64_t cr4;
};

/*
 * Where the kernel virtual @address lies: *ret_physical, and *ret_length bytes from there on lie
 * together. @target is WIRE_TARGET_SYMBOL for any address (the image of the kernel by phys_base,
 * its map of all memory by page_offset_base, all else through the page tables), _DIRECT or _KVA.
 *
 * -EAGAIN, without a text, when it needs page tables; -EINVAL for an address of the wrong kind;
 * -ENODATA when the guest has not said where its kernel lies; -EFAULT when nothing is mapped there.
 */
int guest_memory_translate(struct guest_memory *memory, const struct guest_kernel *kernel,
			   uint8_t target, uint64_t address, uint64_t *ret_physical,
			   uint64_t *ret_length, struct ktstr_error *err);

/* Copy by kernel virtual address; as above. A failure may leave a part of it copied. */
int guest_memory_read_kernel(struct guest_memory *memory, const struct guest_kernel *kernel,
			     uint8_t target, uint64_t address, void *to, size_t length,
			     struct ktstr_error *err);
int guest_memory_write_kernel(struct guest_memory *memory, const struct guest_kernel *kernel,
			      uint8_t target, uint64_t address, const void *from, size_t length,
			      struct ktstr_error *err);

#endif
