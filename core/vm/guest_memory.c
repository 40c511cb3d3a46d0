/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/guest_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "wire/kernel_op.h"

/* Below 4 GiB q35 has at most this much memory; a machine with more has only LOW_SPLIT there. */
#define LOW_MAX UINT64_C(0xb0000000)
#define LOW_SPLIT UINT64_C(0x80000000)
#define HIGH_START UINT64_C(0x100000000)

/* The kernel's image, with every place where KASLR may put it; modules come after it. */
#define IMAGE_START UINT64_C(0xffffffff80000000)
#define IMAGE_END UINT64_C(0xffffffffc0000000)
/* The lower end of the kernel's half with five levels of page tables. */
#define KERNEL_START UINT64_C(0xff00000000000000)

#define PAGE_BITS 12
#define LEVEL_BITS 9
#define ENTRY_PRESENT UINT64_C(0x1)
#define ENTRY_LARGE UINT64_C(0x80)
#define ENTRY_ADDRESS UINT64_C(0x000ffffffffff000)
#define CR4_LA57 (UINT64_C(1) << 12)
/* With page-table isolation a CPU in user mode has its other set of tables, right behind. */
#define CR3_USER UINT64_C(0x1000)

struct guest_memory {
	uint64_t *node_bytes;
	int *fds;
	uint32_t count;
	uint64_t bytes;
	uint8_t *base; /* all nodes one after the other; NULL until it is needed */
	/* Of a restored guest: the process that has it, and where. */
	bool is_restored;
	pid_t pid;	 /* 0: not attached */
	uint64_t *there; /* address of each node in that process */
};

void guest_memory_free(struct guest_memory *memory)
{
	if (!memory)
		return;
	if (memory->base)
		(void)munmap(memory->base, memory->bytes);
	for (uint32_t i = 0; memory->fds && i < memory->count; i++)
		if (memory->fds[i] >= 0)
			(void)close(memory->fds[i]); /* QEMU has its own */
	free(memory->fds);
	free(memory->there);
	free(memory->node_bytes);
	free(memory);
}

/* An anonymous file whose size is fixed: a mapping of it never faults. */
static int create_node(uint64_t bytes, int *ret_fd)
{
	int fd = memfd_create("ktstr-memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)bytes) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		rc = -errno;
	*ret_fd = fd;
	return rc;
}

static struct guest_memory *memory_alloc(const uint64_t *node_bytes, uint32_t count)
{
	struct guest_memory *memory = calloc(1, sizeof(*memory));

	if (!memory)
		return NULL;
	memory->fds = malloc(count * sizeof(*memory->fds));
	memory->there = calloc(count, sizeof(*memory->there));
	memory->node_bytes = malloc(count * sizeof(*memory->node_bytes));
	if (!memory->fds || !memory->there || !memory->node_bytes) {
		free(memory->fds);
		free(memory->there);
		free(memory->node_bytes);
		free(memory);
		return NULL;
	}
	memcpy(memory->node_bytes, node_bytes, count * sizeof(*node_bytes));
	memset(memory->fds, 0xff, count * sizeof(*memory->fds)); /* all -1 */
	memory->count = count;
	for (uint32_t i = 0; i < count; i++)
		memory->bytes += node_bytes[i];
	return memory;
}

int guest_memory_restored(const uint64_t *node_bytes, const int *fds, uint32_t count,
			  struct guest_memory **ret, struct ktstr_error *err)
{
	struct guest_memory *memory = memory_alloc(node_bytes, count);

	if (!memory) {
		for (uint32_t i = 0; i < count; i++)
			(void)close(fds[i]); /* only read */
		return ktstr_fail(err, -ENOMEM, "cannot open the guest's memory: out of memory");
	}
	memcpy(memory->fds, fds, count * sizeof(*fds));
	memory->is_restored = true;
	*ret = memory;
	return 0;
}

int guest_memory_new(const uint64_t *node_bytes, uint32_t count, struct guest_memory **ret,
		     struct ktstr_error *err)
{
	struct guest_memory *memory = memory_alloc(node_bytes, count);
	int rc = 0;

	if (!memory)
		return ktstr_fail(err, -ENOMEM, "cannot create the guest's memory: out of memory");
	for (uint32_t i = 0; i < count && rc == 0; i++)
		rc = create_node(node_bytes[i], &memory->fds[i]);
	if (rc < 0) {
		guest_memory_free(memory);
		return ktstr_fail(err, rc, "cannot create the guest's memory: %s", strerror(-rc));
	}
	*ret = memory;
	return 0;
}

const int *guest_memory_fds(const struct guest_memory *memory, uint32_t *ret_count)
{
	*ret_count = memory->count;
	return memory->fds;
}

/* All nodes, one after the other, as their offsets in the machine's memory are. */
static int map(struct guest_memory *memory, struct ktstr_error *err)
{
	uint64_t at = 0;
	uint8_t *base;

	if (memory->base)
		return 0;
	base = mmap(NULL, memory->bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		    0);
	if (base == MAP_FAILED)
		return ktstr_fail(err, -errno, "cannot map the guest's memory: %s",
				  strerror(errno));
	for (uint32_t i = 0; i < memory->count; i++) {
		if (mmap(base + at, memory->node_bytes[i], PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, memory->fds[i], 0) == MAP_FAILED) {
			int rc = ktstr_fail(err, -errno, "cannot map the guest's memory: %s",
					    strerror(errno));

			(void)munmap(base, memory->bytes);
			return rc;
		}
		at += memory->node_bytes[i];
	}
	memory->base = base;
	return 0;
}

static uint64_t low_bytes(const struct guest_memory *memory)
{
	return memory->bytes >= LOW_MAX ? LOW_SPLIT : memory->bytes;
}

/* One more than the highest guest-physical address of memory. */
static uint64_t top(const struct guest_memory *memory)
{
	uint64_t low = low_bytes(memory);

	return memory->bytes > low ? HIGH_START + (memory->bytes - low) : low;
}

/* A line of /proc/PID/maps. */
struct mapping {
	uint64_t start, end, offset, inode;
	const char *path;
};

static bool read_mapping(char *line, struct mapping *ret)
{
	unsigned long long start, end, offset, inode;
	int path_at = 0;

	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "%llx-%llx %*s %llx %*s %llu %n", &start, &end, &offset, &inode,
		   &path_at) != 4)
		return false;
	*ret = (struct mapping){ start, end, offset, inode, line + path_at };
	return true;
}

/* Is it of the file? Both by its path and by its number: file systems that lie over others show
 * another number there, and a path may be too long to be told. */
static bool is_of_file(const struct mapping *mapping, int fd)
{
	char link[32], path[PATH_MAX];
	struct stat status;
	ssize_t length;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, path, sizeof(path) - 1);
	path[length > 0 ? length : 0] = '\0';
	if (path[0] && strcmp(path, mapping->path) == 0)
		return true;
	return fstat(fd, &status) == 0 && status.st_ino == mapping->inode &&
	       str_ends(path, strrchr(mapping->path, '/') ? strrchr(mapping->path, '/') : "/");
}

/* Where each node lies in the process, by its list of mappings. */
static int find_nodes(struct guest_memory *memory, FILE *maps)
{
	_cleanup_free_ char *line = NULL;
	struct mapping mapping;
	size_t size = 0;

	while (getline(&line, &size, maps) > 0) {
		if (!read_mapping(line, &mapping) || mapping.inode == 0 || mapping.offset != 0)
			continue;
		for (uint32_t i = 0; i < memory->count; i++)
			if (memory->there[i] == 0 &&
			    mapping.end - mapping.start >= memory->node_bytes[i] &&
			    is_of_file(&mapping, memory->fds[i]))
				memory->there[i] = mapping.start;
	}
	for (uint32_t i = 0; i < memory->count; i++)
		if (memory->there[i] == 0)
			return -ENOENT;
	return 0;
}

int guest_memory_attach(struct guest_memory *memory, pid_t pid, struct ktstr_error *err)
{
	char path[64];
	FILE *maps;
	int rc;

	if (!memory->is_restored || memory->pid != 0)
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	rc = maps ? find_nodes(memory, maps) : -errno;
	if (maps)
		(void)fclose(maps); /* it was read */
	if (rc < 0)
		return ktstr_fail(err, rc, "cannot find the guest's memory in QEMU: %s",
				  strerror(-rc));
	memory->pid = pid;
	return 0;
}

/* Where [@physical, @physical + @length) lies in all nodes, one after the other. */
static int locate(struct guest_memory *memory, uint64_t physical, size_t length, uint64_t *ret,
		  struct ktstr_error *err)
{
	uint64_t low = low_bytes(memory), start = 0, offset = physical, bytes = low;

	if (physical >= HIGH_START) {
		start = low;
		offset = physical - HIGH_START;
		bytes = memory->bytes - low;
	}
	if (offset > bytes || length > bytes - offset)
		return ktstr_fail(err, -EFAULT,
				  "physical address 0x%" PRIx64 " is outside of the guest's memory",
				  physical);
	*ret = start + offset;
	return 0;
}

/* A CPU of the guest may write there at this moment: what fits a word is moved as one. */
static void copy(void *to, const void *from, size_t length)
{
	uintptr_t both = (uintptr_t)to | (uintptr_t)from;

	if (length == 8 && both % 8 == 0)
		__atomic_store_n((uint64_t *)to, __atomic_load_n((const uint64_t *)from, 0), 0);
	else if (length == 4 && both % 4 == 0)
		__atomic_store_n((uint32_t *)to, __atomic_load_n((const uint32_t *)from, 0), 0);
	else
		memcpy(to, from, length);
}

/* The address in QEMU of byte @at of all nodes, and how many lie together there. */
static uint64_t find_there(const struct guest_memory *memory, uint64_t at, uint64_t *ret_together)
{
	uint32_t node = 0;

	while (at >= memory->node_bytes[node])
		at -= memory->node_bytes[node++];
	*ret_together = memory->node_bytes[node] - at;
	return memory->there[node] + at;
}

/* Through QEMU: the kernel moves aligned words as one, too. */
static int move_there(struct guest_memory *memory, uint64_t at, uint8_t *ours, size_t length,
		      bool is_write, struct ktstr_error *err)
{
	if (memory->pid == 0)
		return ktstr_fail(err, -EFAULT, "the guest's memory is not there yet");
	while (length > 0) {
		uint64_t together, address = find_there(memory, at, &together);
		size_t piece = length < together ? length : (size_t)together;
		const struct iovec here = { .iov_base = ours, .iov_len = piece };
		const struct iovec there = { .iov_base = (void *)(uintptr_t)address,
					     .iov_len = piece };
		ssize_t n = is_write ? process_vm_writev(memory->pid, &here, 1, &there, 1, 0)
				     : process_vm_readv(memory->pid, &here, 1, &there, 1, 0);

		if (n <= 0)
			return ktstr_fail(err, n < 0 ? -errno : -EIO,
					  "cannot %s the guest's memory in QEMU: %s",
					  is_write ? "write" : "read",
					  n < 0 ? strerror(errno) : "it is not there");
		at += (uint64_t)n;
		ours += n;
		length -= (size_t)n;
	}
	return 0;
}

static int move(struct guest_memory *memory, uint64_t physical, void *ours, size_t length,
		bool is_write, struct ktstr_error *err)
{
	uint64_t at = 0;
	int rc = locate(memory, physical, length, &at, err);

	if (rc < 0)
		return rc;
	if (memory->is_restored)
		return move_there(memory, at, ours, length, is_write, err);
	rc = map(memory, err);
	if (rc < 0)
		return rc;
	copy(is_write ? memory->base + at : ours, is_write ? ours : memory->base + at, length);
	return 0;
}

int guest_memory_read(struct guest_memory *memory, uint64_t physical, void *to, size_t length,
		      struct ktstr_error *err)
{
	return move(memory, physical, to, length, false, err);
}

int guest_memory_write(struct guest_memory *memory, uint64_t physical, const void *from,
		       size_t length, struct ktstr_error *err)
{
	return move(memory, physical, (void *)(uintptr_t)from, length, true, err);
}

static int not_published(struct ktstr_error *err)
{
	return ktstr_fail(err, -ENODATA, "the guest has not said where its kernel lies in memory");
}

static int translate_image(const struct guest_kernel *kernel, uint64_t address,
			   uint64_t *ret_physical, uint64_t *ret_length, struct ktstr_error *err)
{
	if (kernel->addrs.phys_base_plus_1 == 0)
		return not_published(err);
	/* phys_base may be negative under KASLR: all of it wraps. */
	*ret_physical = address - IMAGE_START + (kernel->addrs.phys_base_plus_1 - 1);
	*ret_length = IMAGE_END - address;
	return 0;
}

static bool is_image(uint64_t address)
{
	return address >= IMAGE_START && address < IMAGE_END;
}

/* The start of the kernel's map of all memory: the value of its variable page_offset_base. */
static int read_page_offset(struct guest_memory *memory, const struct guest_kernel *kernel,
			    uint64_t *ret, struct ktstr_error *err)
{
	uint64_t physical = 0, length, value = 0;
	int rc;

	if (!is_image(kernel->addrs.page_offset_base))
		return not_published(err);
	rc = translate_image(kernel, kernel->addrs.page_offset_base, &physical, &length, err);
	if (rc == 0)
		rc = guest_memory_read(memory, physical, &value, sizeof(value), err);
	if (rc == 0 && value < KERNEL_START)
		rc = ktstr_fail(err, -ENODATA,
				"the guest's page_offset_base holds 0x%" PRIx64
				", which is no kernel address",
				value);
	if (rc == 0)
		*ret = value;
	return rc;
}

static int translate_direct(struct guest_memory *memory, const struct guest_kernel *kernel,
			    uint64_t address, uint64_t *ret_physical, uint64_t *ret_length,
			    struct ktstr_error *err)
{
	uint64_t page_offset = 0, end = top(memory);
	int rc = read_page_offset(memory, kernel, &page_offset, err);

	if (rc < 0)
		return rc;
	if (address < page_offset || address - page_offset >= end)
		return ktstr_fail(err, -EINVAL,
				  "address 0x%" PRIx64
				  " is not in the kernel's map of memory, 0x%" PRIx64
				  " to 0x%" PRIx64,
				  address, page_offset, page_offset + end - 1);
	*ret_physical = address - page_offset;
	*ret_length = end - *ret_physical;
	return 0;
}

/* 1: found; 0: nothing is mapped there. */
static int walk(struct guest_memory *memory, uint64_t table, int levels, uint64_t address,
		uint64_t *ret_physical, uint64_t *ret_length, struct ktstr_error *err)
{
	for (int level = levels; level > 0; level--) {
		int shift = PAGE_BITS + LEVEL_BITS * (level - 1);
		uint64_t index = address >> shift & ((1 << LEVEL_BITS) - 1);
		uint64_t within = (UINT64_C(1) << shift) - 1, entry;
		int rc = guest_memory_read(memory, table + index * sizeof(entry), &entry,
					   sizeof(entry), err);

		if (rc < 0)
			return rc;
		if (!(entry & ENTRY_PRESENT))
			return 0;
		table = entry & ENTRY_ADDRESS;
		if (level == 1 || ((level == 2 || level == 3) && (entry & ENTRY_LARGE))) {
			*ret_physical = (table & ~within) | (address & within);
			*ret_length = within + 1 - (address & within);
			return 1;
		}
	}
	return 0;
}

static int translate_walk(struct guest_memory *memory, const struct guest_kernel *kernel,
			  uint64_t address, uint64_t *ret_physical, uint64_t *ret_length,
			  struct ktstr_error *err)
{
	uint64_t root = kernel->cr3 & ENTRY_ADDRESS;
	int levels = kernel->cr4 & CR4_LA57 ? 5 : 4;
	int rc;

	if (!kernel->has_tables)
		return -EAGAIN;
	rc = walk(memory, root, levels, address, ret_physical, ret_length, err);
	if (rc == 0 && (root & CR3_USER))
		rc = walk(memory, root & ~CR3_USER, levels, address, ret_physical, ret_length, err);
	if (rc == 0)
		return ktstr_fail(err, -EFAULT, "nothing is mapped at address 0x%" PRIx64, address);
	return rc < 0 ? rc : 0;
}

int guest_memory_translate(struct guest_memory *memory, const struct guest_kernel *kernel,
			   uint8_t target, uint64_t address, uint64_t *ret_physical,
			   uint64_t *ret_length, struct ktstr_error *err)
{
	struct ktstr_error ignored = { 0 };

	if (target == WIRE_TARGET_DIRECT)
		return translate_direct(memory, kernel, address, ret_physical, ret_length, err);
	if (address < KERNEL_START)
		return ktstr_fail(err, -EINVAL, "0x%" PRIx64 " is no address of the kernel",
				  address);
	if (target == WIRE_TARGET_SYMBOL && is_image(address))
		return translate_image(kernel, address, ret_physical, ret_length, err);
	if (target == WIRE_TARGET_SYMBOL &&
	    translate_direct(memory, kernel, address, ret_physical, ret_length, &ignored) == 0)
		return 0;
	return translate_walk(memory, kernel, address, ret_physical, ret_length, err);
}

/* Copy piece by piece, each as long as it lies together; into the guest when @from is not NULL. */
static int copy_kernel(struct guest_memory *memory, const struct guest_kernel *kernel,
		       uint8_t target, uint64_t address, uint8_t *to, const uint8_t *from,
		       size_t length, struct ktstr_error *err)
{
	for (size_t at = 0; at < length;) {
		uint64_t physical = 0, together = 0;
		int rc = guest_memory_translate(memory, kernel, target, address + at, &physical,
						&together, err);
		size_t piece = length - at;

		if (rc < 0)
			return rc;
		if (piece > together)
			piece = (size_t)together;
		rc = from ? guest_memory_write(memory, physical, from + at, piece, err)
			  : guest_memory_read(memory, physical, to + at, piece, err);
		if (rc < 0)
			return rc;
		at += piece;
	}
	return 0;
}

int guest_memory_read_kernel(struct guest_memory *memory, const struct guest_kernel *kernel,
			     uint8_t target, uint64_t address, void *to, size_t length,
			     struct ktstr_error *err)
{
	return copy_kernel(memory, kernel, target, address, to, NULL, length, err);
}

int guest_memory_write_kernel(struct guest_memory *memory, const struct guest_kernel *kernel,
			      uint8_t target, uint64_t address, const void *from, size_t length,
			      struct ktstr_error *err)
{
	return copy_kernel(memory, kernel, target, address, NULL, from, length, err);
}
