/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/guest_memory.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "support/folder.h"
#include "wire/kernel_op.h"

#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)

static struct guest_memory *memory;
static struct ktstr_error err;

static void make(uint64_t first, uint64_t second)
{
	const uint64_t bytes[] = { first, second };

	cr_assert_eq(guest_memory_new(bytes, second ? 2 : 1, &memory, &err), 0, "%s", err.text);
}

static void done(void)
{
	guest_memory_free(memory);
}

TestSuite(guest_memory, .fini = done);

/* What the file of a node holds, behind the back of the mapping. */
static void node_put(uint32_t node, uint64_t offset, const void *bytes, size_t length)
{
	uint32_t count;

	cr_assert_eq(pwrite(guest_memory_fds(memory, &count)[node], bytes, length, (off_t)offset),
		     (ssize_t)length);
}

static void put_u64(uint64_t physical, uint64_t value)
{
	cr_assert_eq(guest_memory_write(memory, physical, &value, sizeof(value), &err), 0, "%s",
		     err.text);
}

Test(guest_memory, files_have_their_size_for_ever)
{
	struct stat status;
	uint32_t count = 0;
	const int *fds;

	make(MIB(4), MIB(2));
	fds = guest_memory_fds(memory, &count);
	cr_assert_eq(count, 2);
	cr_assert_eq(fstat(fds[1], &status), 0);
	cr_expect_eq(status.st_size, MIB(2));
	cr_expect_eq(ftruncate(fds[0], MIB(2)), -1, "nobody can make us fault");
	cr_expect_eq(ftruncate(fds[0], MIB(8)), -1);
}

Test(guest_memory, reads_what_the_guest_has_and_writes_what_it_sees)
{
	uint32_t count;
	char text[8] = "";

	make(MIB(4), 0);
	node_put(0, 5000, "guest", 6);
	cr_expect_eq(guest_memory_read(memory, 5000, text, 6, &err), 0);
	cr_expect_str_eq(text, "guest");
	cr_expect_eq(guest_memory_write(memory, 5001, "ho", 2, &err), 0);
	cr_assert_eq(pread(guest_memory_fds(memory, &count)[0], text, 6, 5000), 6);
	cr_expect_str_eq(text, "ghost");
}

/* Where a guest-physical address lies: in which node, at which offset. */
static const struct {
	const char *why;
	uint64_t first, second; /* sizes of the nodes */
	uint64_t physical;
	uint32_t node;
	uint64_t offset;
} places[] = {
	{ "the start", MIB(64), 0, 0, 0, 0 },
	{ "the second node", MIB(64), MIB(64), MIB(64), 1, 0 },
	{ "all below 2.75 GiB is low", GIB(2) + MIB(700), 0, GIB(2) + MIB(600), 0,
	  GIB(2) + MIB(600) },
	{ "from 2.75 GiB on, what is above 2 GiB is high", GIB(3), 0, GIB(4), 0, GIB(2) },
	{ "the second node across the hole", GIB(1), GIB(2), GIB(4), 1, GIB(1) },
	{ "the second node below the hole", GIB(1), GIB(2), GIB(1), 1, 0 },
};

Test(guest_memory, knows_the_hole_of_q35)
{
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		uint32_t count, value = 0, mark = 0xfeed0000 + (uint32_t)i;

		make(places[i].first, places[i].second);
		node_put(places[i].node, places[i].offset, &mark, sizeof(mark));
		cr_expect_eq(guest_memory_read(memory, places[i].physical, &value, 4, &err), 0,
			     "%s: %s", places[i].why, err.text);
		cr_expect_eq(value, mark, "%s", places[i].why);
		(void)guest_memory_fds(memory, &count);
		guest_memory_free(memory);
	}
	memory = NULL;
}

static const struct {
	const char *why;
	uint64_t bytes;
	uint64_t physical;
	size_t length;
	int rc;
} bounds[] = {
	{ "the last byte", MIB(64), MIB(64) - 1, 1, 0 },
	{ "one more", MIB(64), MIB(64) - 1, 2, -EFAULT },
	{ "behind the end", MIB(64), MIB(64), 1, -EFAULT },
	{ "at 4 GiB without high memory", MIB(64), GIB(4), 1, -EFAULT },
	{ "the last byte below the hole", GIB(3), GIB(2) - 1, 1, 0 },
	{ "into the hole", GIB(3), GIB(2) - 1, 2, -EFAULT },
	{ "in the hole", GIB(3), GIB(3), 1, -EFAULT },
	{ "out of the hole", GIB(3), GIB(4) - 1, 2, -EFAULT },
	{ "the last byte of all", GIB(3), GIB(5) - 1, 1, 0 },
	{ "behind all", GIB(3), GIB(5), 1, -EFAULT },
	{ "the end of the world", GIB(3), UINT64_MAX, 1, -EFAULT },
	{ "over the end of the world", GIB(3), UINT64_MAX - 3, 8, -EFAULT },
	{ "more than there is", GIB(3), 0, SIZE_MAX, -EFAULT },
};

Test(guest_memory, accesses_are_bounded)
{
	for (size_t i = 0; i < ARRAY_SIZE(bounds); i++) {
		uint8_t byte[8] = { 0 };

		make(bounds[i].bytes, 0);
		cr_expect_eq(
			guest_memory_read(memory, bounds[i].physical, byte, bounds[i].length, &err),
			bounds[i].rc, "%s", bounds[i].why);
		cr_expect_eq(guest_memory_write(memory, bounds[i].physical, byte, bounds[i].length,
						&err),
			     bounds[i].rc, "%s", bounds[i].why);
		guest_memory_free(memory);
	}
	memory = NULL;
	cr_expect_str_eq(err.text, "physical address 0x0 is outside of the guest's memory");
}

/* Addresses of the kernel. */

#define MAP UINT64_C(0xffffffff80000000)
#define DIRECT UINT64_C(0xffff888000000000)
#define VMALLOC UINT64_C(0xffffc90000000000)

/* A kernel at 16 MiB whose page_offset_base stands at 17 MiB. */
static struct guest_kernel kernel_at(uint64_t phys_base)
{
	struct guest_kernel kernel = {
		.addrs = { .phys_base_plus_1 = phys_base + 1,
			   .page_offset_base = MAP + MIB(17),
			   .kernel_text_plus_1 = MAP + MIB(16) + 1 },
	};

	put_u64(MIB(17) + phys_base, DIRECT);
	return kernel;
}

static int translate(const struct guest_kernel *kernel, uint8_t target, uint64_t address,
		     uint64_t *ret)
{
	uint64_t length;

	err = (struct ktstr_error){ 0 };
	return guest_memory_translate(memory, kernel, target, address, ret, &length, &err);
}

Test(guest_memory, the_image_lies_by_phys_base)
{
	struct guest_kernel kernel;
	uint64_t physical = 0;

	make(MIB(64), 0);
	kernel = kernel_at(0);
	cr_assert_eq(translate(&kernel, WIRE_TARGET_SYMBOL, MAP + MIB(20), &physical), 0);
	cr_expect_eq(physical, MIB(20));
	kernel = kernel_at(MIB(4));
	cr_assert_eq(translate(&kernel, WIRE_TARGET_SYMBOL, MAP + MIB(20), &physical), 0);
	cr_expect_eq(physical, MIB(24));
	/* Under KASLR the virtual offset may be more than the physical one. */
	kernel = kernel_at(-MIB(4));
	cr_assert_eq(translate(&kernel, WIRE_TARGET_SYMBOL, MAP + MIB(20), &physical), 0);
	cr_expect_eq(physical, MIB(16));
}

Test(guest_memory, the_map_of_memory_lies_by_a_variable)
{
	struct guest_kernel kernel;
	uint64_t physical = 0;

	make(MIB(64), 0);
	kernel = kernel_at(MIB(4));
	cr_assert_eq(translate(&kernel, WIRE_TARGET_DIRECT, DIRECT + 77, &physical), 0);
	cr_expect_eq(physical, 77);
	cr_assert_eq(translate(&kernel, WIRE_TARGET_SYMBOL, DIRECT + 77, &physical), 0);
	cr_expect_eq(physical, 77);
	cr_expect_eq(translate(&kernel, WIRE_TARGET_DIRECT, DIRECT + MIB(64), &physical), -EINVAL);
	cr_expect_str_eq(err.text, "address 0xffff888004000000 is not in the kernel's map of "
				   "memory, 0xffff888000000000 to 0xffff888003ffffff");
	cr_expect_eq(translate(&kernel, WIRE_TARGET_DIRECT, DIRECT - 1, &physical), -EINVAL);
	cr_expect_eq(translate(&kernel, WIRE_TARGET_DIRECT, MAP + MIB(20), &physical), -EINVAL);
}

Test(guest_memory, a_guest_that_says_nothing_of_its_kernel_is_told_so)
{
	const struct guest_kernel nothing = { 0 };
	struct guest_kernel lying;
	uint64_t physical = 99;

	make(MIB(64), 0);
	cr_expect_eq(translate(&nothing, WIRE_TARGET_SYMBOL, MAP + MIB(20), &physical), -ENODATA);
	cr_expect_str_eq(err.text, "the guest has not said where its kernel lies in memory");
	cr_expect_eq(translate(&nothing, WIRE_TARGET_DIRECT, DIRECT, &physical), -ENODATA);
	lying = kernel_at(0);
	put_u64(MIB(17), 5);
	cr_expect_eq(translate(&lying, WIRE_TARGET_DIRECT, DIRECT, &physical), -ENODATA);
	cr_expect_str_eq(err.text, "the guest's page_offset_base holds 0x5, which is no kernel "
				   "address");
	lying.addrs.phys_base_plus_1 = UINT64_C(1) << 50;
	cr_expect_eq(translate(&lying, WIRE_TARGET_DIRECT, DIRECT, &physical), -EFAULT);
	cr_expect_eq(physical, 99);
}

Test(guest_memory, addresses_of_user_space_are_refused)
{
	struct guest_kernel kernel;
	uint64_t physical;

	make(MIB(64), 0);
	kernel = kernel_at(0);
	cr_expect_eq(translate(&kernel, WIRE_TARGET_SYMBOL, 0x1000, &physical), -EINVAL);
	cr_expect_str_eq(err.text, "0x1000 is no address of the kernel");
	cr_expect_eq(translate(&kernel, WIRE_TARGET_KVA, 0x00007fffffffffff, &physical), -EINVAL);
}

/* Page tables: @root is the table of the highest of @levels; the lowest are at 8 MiB and above. */
static void map_page(uint64_t root, int levels, int leaf_level, uint64_t address, uint64_t entry)
{
	uint64_t table = root;

	for (int level = levels; level > leaf_level; level--) {
		uint64_t next = MIB(8) + (uint64_t)level * 4096;

		put_u64(table + (address >> (12 + 9 * (level - 1)) & 511) * 8, next | 0x63);
		table = next;
	}
	put_u64(table + (address >> (12 + 9 * (leaf_level - 1)) & 511) * 8, entry);
}

static const struct {
	const char *why;
	int levels;
	int leaf_level;
	uint64_t entry;
	uint64_t address;
	uint64_t physical;
	uint64_t length; /* that lies together */
} walks[] = {
	{ "4 KiB", 4, 1, MIB(5) | 0x8000000000000063, VMALLOC + 5, MIB(5) + 5, 4091 },
	{ "2 MiB", 4, 2, MIB(4) | 0xe3, VMALLOC + 0x12345, MIB(4) + 0x12345, MIB(2) - 0x12345 },
	{ "1 GiB", 4, 3, GIB(1) | 0xe3, VMALLOC + MIB(100), GIB(1) + MIB(100), GIB(1) - MIB(100) },
	{ "4 KiB, 5 levels", 5, 1, MIB(5) | 0x63, UINT64_C(0xff11000000000ff8), MIB(5) + 0xff8, 8 },
	{ "2 MiB, the attribute bit is no address", 4, 2, MIB(4) | 0x10e3, VMALLOC, MIB(4),
	  MIB(2) },
};

Test(guest_memory, walks_the_page_tables)
{
	for (size_t i = 0; i < ARRAY_SIZE(walks); i++) {
		struct guest_kernel kernel;
		uint64_t physical = 0, length = 0;

		make(MIB(64), 0);
		kernel = kernel_at(0);
		kernel.has_tables = true;
		kernel.cr3 = MIB(7) | 5; /* with a process number in its low bits */
		kernel.cr4 = walks[i].levels == 5 ? 0x1000 : 0;
		map_page(MIB(7), walks[i].levels, walks[i].leaf_level, walks[i].address,
			 walks[i].entry);
		cr_expect_eq(guest_memory_translate(memory, &kernel, WIRE_TARGET_KVA,
						    walks[i].address, &physical, &length, &err),
			     0, "%s: %s", walks[i].why, err.text);
		cr_expect_eq(physical, walks[i].physical, "%s: %#lx", walks[i].why, physical);
		cr_expect_eq(length, walks[i].length, "%s: %#lx", walks[i].why, length);
		guest_memory_free(memory);
	}
	memory = NULL;
}

Test(guest_memory, a_walk_needs_the_tables_of_a_cpu)
{
	struct guest_kernel kernel;
	uint64_t physical;

	make(MIB(64), 0);
	kernel = kernel_at(0);
	cr_expect_eq(translate(&kernel, WIRE_TARGET_KVA, MAP + MIB(20), &physical), -EAGAIN);
	cr_expect_eq(translate(&kernel, WIRE_TARGET_SYMBOL, VMALLOC, &physical), -EAGAIN);
	cr_expect_str_empty(err.text);
}

Test(guest_memory, a_walk_ends_where_nothing_is_mapped)
{
	struct guest_kernel kernel;
	uint64_t physical;

	make(MIB(64), 0);
	kernel = kernel_at(0);
	kernel.has_tables = true;
	kernel.cr3 = MIB(6);
	cr_expect_eq(translate(&kernel, WIRE_TARGET_KVA, VMALLOC, &physical), -EFAULT);
	cr_expect_str_eq(err.text, "nothing is mapped at address 0xffffc90000000000");
	map_page(MIB(6), 4, 1, VMALLOC, MIB(5) | 0x62); /* not present */
	cr_expect_eq(translate(&kernel, WIRE_TARGET_KVA, VMALLOC, &physical), -EFAULT);
	map_page(MIB(6), 4, 4, VMALLOC, UINT64_C(0x000ffffffffff063));
	cr_expect_eq(translate(&kernel, WIRE_TARGET_KVA, VMALLOC, &physical), -EFAULT);
	cr_expect(strstr(err.text, "is outside of the guest's memory"), "%s", err.text);
}

Test(guest_memory, a_cpu_in_user_mode_shows_the_way_too)
{
	struct guest_kernel kernel;
	uint64_t physical = 0;

	make(MIB(64), 0);
	kernel = kernel_at(0);
	kernel.has_tables = true;
	kernel.cr3 = MIB(6) + 0x1000; /* its tables without the kernel */
	map_page(MIB(6), 4, 1, VMALLOC, MIB(5) | 0x63);
	cr_expect_eq(translate(&kernel, WIRE_TARGET_KVA, VMALLOC, &physical), 0, "%s", err.text);
	cr_expect_eq(physical, MIB(5));
}

Test(guest_memory, copies_across_pages_that_lie_apart)
{
	struct guest_kernel kernel;
	char text[16] = "";

	make(MIB(64), 0);
	kernel = kernel_at(0);
	kernel.has_tables = true;
	kernel.cr3 = MIB(6);
	map_page(MIB(6), 4, 1, VMALLOC, MIB(5) | 0x63);
	map_page(MIB(6), 4, 1, VMALLOC + 4096, MIB(3) | 0x63);
	cr_assert_eq(guest_memory_write_kernel(memory, &kernel, WIRE_TARGET_SYMBOL, VMALLOC + 4090,
					       "0123456789", 10, &err),
		     0, "%s", err.text);
	cr_assert_eq(guest_memory_read(memory, MIB(5) + 4090, text, 6, &err), 0);
	cr_expect_str_eq(text, "012345");
	cr_assert_eq(guest_memory_read(memory, MIB(3), text, 4, &err), 0);
	cr_expect_arr_eq(text, "6789", 4);
	cr_assert_eq(guest_memory_read_kernel(memory, &kernel, WIRE_TARGET_KVA, VMALLOC + 4090,
					      text, 10, &err),
		     0, "%s", err.text);
	cr_expect_arr_eq(text, "0123456789", 10);
	cr_expect_eq(guest_memory_read_kernel(memory, &kernel, WIRE_TARGET_KVA, VMALLOC + 8190,
					      text, 10, &err),
		     -EFAULT, "the next page is not there");
}

Test(guest_memory, an_address_never_wraps_to_the_other_end)
{
	struct guest_kernel kernel;
	char text[16];

	make(MIB(64), 0);
	kernel = kernel_at(0);
	kernel.has_tables = true;
	kernel.cr3 = MIB(6);
	map_page(MIB(6), 4, 1, UINT64_MAX, MIB(5) | 0x63);
	cr_expect_eq(guest_memory_read_kernel(memory, &kernel, WIRE_TARGET_KVA, UINT64_MAX - 3,
					      text, 8, &err),
		     -EINVAL);
	cr_expect_str_eq(err.text, "0x0 is no address of the kernel");
}

/* A process like a QEMU that has restored: it has the files mapped for itself, and changed them. */
struct owner {
	char *folder;
	pid_t pid;
	int hold_fd; /* it lives as long as this is open */
};

static void map_and_wait(const int *fds, const uint64_t *bytes, uint32_t count, int ready_fd,
			 int hold_fd)
{
	char byte = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint8_t *at = mmap(NULL, bytes[i], PROT_READ | PROT_WRITE, MAP_PRIVATE, fds[i], 0);

		if (at == MAP_FAILED)
			_exit(1);
		memcpy(at + 4096, "changed", 7);
	}
	(void)!write(ready_fd, &byte, 1);
	(void)!read(hold_fd, &byte, 1);
	_exit(0);
}

static struct owner own(const uint64_t *bytes, uint32_t count)
{
	struct owner owner = { .folder = folder_new() };
	int ready[2], hold[2], fds[2] = { -1, -1 };
	char byte;

	for (uint32_t i = 0; i < count; i++) {
		char *path = NULL;

		cr_assert_geq(asprintf(&path, "%s/ram%u", owner.folder, i), 0);
		fds[i] = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		cr_assert_geq(fds[i], 0);
		cr_assert_eq(ftruncate(fds[i], (off_t)bytes[i]), 0);
		cr_assert_eq(pwrite(fds[i], "as it was", 9, 4096), 9);
		cr_assert_eq(pwrite(fds[i], "saved", 5, 8192), 5);
		free(path);
	}
	cr_assert_eq(pipe2(ready, O_CLOEXEC), 0);
	cr_assert_eq(pipe2(hold, O_CLOEXEC), 0);
	owner.pid = fork();
	if (owner.pid == 0) {
		(void)close(hold[1]);
		map_and_wait(fds, bytes, count, ready[1], hold[0]);
	}
	(void)close(ready[1]);
	(void)close(hold[0]);
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	(void)close(ready[0]);
	owner.hold_fd = hold[1];
	cr_assert_eq(guest_memory_restored(bytes, fds, count, &memory, &err), 0, "%s", err.text);
	return owner;
}

static void disown(struct owner *owner)
{
	(void)close(owner->hold_fd);
	(void)waitpid(owner->pid, NULL, 0);
	folder_remove(owner->folder);
}

static void expect_text(uint64_t physical, const char *text)
{
	char found[16] = "";

	cr_assert_eq(guest_memory_read(memory, physical, found, strlen(text), &err), 0, "%s",
		     err.text);
	cr_expect_str_eq(found, text);
}

Test(guest_memory, of_a_restored_guest_is_that_of_its_process)
{
	const uint64_t bytes[] = { MIB(4), MIB(2) };
	struct owner owner = own(bytes, 2);
	char found[8] = "";
	uint32_t count;

	cr_expect_eq(guest_memory_read(memory, 4096, found, 7, &err), -EFAULT);
	cr_expect_str_eq(err.text, "the guest's memory is not there yet");
	cr_assert_eq(guest_memory_attach(memory, owner.pid, &err), 0, "%s", err.text);
	expect_text(4096, "changed");
	expect_text(8192, "saved");
	expect_text(MIB(4) + 4096, "changed");
	cr_assert_eq(guest_memory_write(memory, MIB(4) + 8192, "ours!", 5, &err), 0, "%s",
		     err.text);
	expect_text(MIB(4) + 8192, "ours!");
	/* The saved memory stays as it is. */
	cr_assert_eq(pread(guest_memory_fds(memory, &count)[1], found, 5, 8192), 5);
	cr_expect_str_eq(found, "saved");
	disown(&owner);
}

Test(guest_memory, of_a_restored_guest_goes_on_over_the_edge_of_a_node)
{
	const uint64_t bytes[] = { MIB(2), MIB(2) };
	struct owner owner = own(bytes, 2);

	cr_assert_eq(guest_memory_attach(memory, owner.pid, &err), 0, "%s", err.text);
	cr_assert_eq(guest_memory_write(memory, MIB(2) - 3, "abcdef", 6, &err), 0, "%s", err.text);
	expect_text(MIB(2) - 3, "abcdef");
	expect_text(MIB(2), "def");
	cr_expect_eq(guest_memory_write(memory, MIB(4) - 3, "abcdef", 6, &err), -EFAULT);
	disown(&owner);
}

Test(guest_memory, of_a_restored_guest_is_found_after_its_files_are_gone)
{
	const uint64_t bytes[] = { MIB(2) };
	struct owner owner = own(bytes, 1);

	folder_remove(strdup(owner.folder));
	cr_assert_eq(guest_memory_attach(memory, owner.pid, &err), 0, "%s", err.text);
	expect_text(4096, "changed");
	disown(&owner);
}

Test(guest_memory, of_a_restored_guest_is_not_found_in_another_process)
{
	const uint64_t bytes[] = { MIB(2) };
	struct owner owner = own(bytes, 1);

	cr_expect_eq(guest_memory_attach(memory, getpid(), &err), -ENOENT);
	cr_expect_str_eq(err.text,
			 "cannot find the guest's memory in QEMU: No such file or directory");
	disown(&owner);
	cr_expect_lt(guest_memory_attach(memory, owner.pid, &err), 0, "it has ended");
}
