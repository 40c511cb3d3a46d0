/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A real QEMU, with a guest of a few bytes: it counts, in memory, as fast as it can. So it shows
 * whether it runs, and every count is a write that can be watched.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "vm/vm.h"
#include "wire/kernel_op.h"

/* Long enough for any machine; only a failing test waits for it. */
#define LONG_NS (30 * NS_PER_S)

#define LOAD_AT 0x100000u
#define COUNTER 0x200000u
/* By which name the kernel's image has a physical address, with a phys_base of 0. */
#define KERNEL(physical) (UINT64_C(0xffffffff80000000) + (physical))

/* What a boot loader of the multiboot kind wants to know, and 32-bit code behind it. */
struct image {
	uint32_t magic, flags, checksum;
	uint32_t header_at, load_at, load_end, bss_end, entry;
	uint8_t code[16];
};

static const struct ktstr_kern_addrs addrs = { .phys_base_plus_1 = 1 };
static struct ktstr_error err;
static struct vm *vm;
static char kernel_path[40];
static int kernel_fd = -1;

static void make_kernel(void)
{
	const struct image image = {
		.magic = 0x1badb002,
		.flags = 0x00010000, /* the addresses below count */
		.checksum = -(0x1badb002 + 0x00010000),
		.header_at = LOAD_AT,
		.load_at = LOAD_AT,
		.load_end = LOAD_AT + sizeof(image),
		.bss_end = LOAD_AT + sizeof(image),
		.entry = LOAD_AT + offsetof(struct image, code),
		.code = {
			0xbd, 0xef, 0xbe, 0xad, 0xde,		    /* mov $0xdeadbeef, %ebp */
			0xff, 0x05, 0x00, 0x00, 0x20, 0x00,	    /* incl 0x200000 */
			0xeb, 0xf8,				    /* jmp back to it */
		},
	};

	kernel_fd = io_memfd("kernel", &image, sizeof(image), &err);
	cr_assert_geq(kernel_fd, 0, "%s", err.text);
	(void)snprintf(kernel_path, sizeof(kernel_path), "/proc/%d/fd/%d", getpid(), kernel_fd);
}

static uint32_t read_counter(void)
{
	uint32_t count = 0;

	cr_assert_eq(
		vm_read_kernel(vm, &addrs, WIRE_TARGET_SYMBOL, KERNEL(COUNTER), &count, 4, &err), 0,
		"%s", err.text);
	return count;
}

/* Until the guest has counted beyond @count. */
static void await_count(uint32_t count)
{
	uint64_t end_ns = clock_monotonic_ns() + LONG_NS;

	while (read_counter() <= count)
		cr_assert_lt(clock_monotonic_ns(), end_ns, "the guest does not count");
}

static bool has_qemu(void)
{
	return getenv("KTSTR_QEMU") || access("/usr/bin/qemu-system-x86_64", X_OK) == 0;
}

static void setup(void)
{
	struct vm_spec spec = {
		.topology = { .size = sizeof(struct ktstr_topology),
			      .numa_nodes = 1,
			      .llcs = 1,
			      .cores = 2,
			      .threads = 1 },
		.memory_bytes = 64 << 20,
		.kernel = kernel_path,
		.initramfs_fds = { -1, -1 },
		.append = "",
	};

	if (!has_qemu())
		cr_skip_test("there is no QEMU");
	make_kernel();
	cr_assert_eq(vm_start(&spec, &vm, &err), 0, "%s", err.text);
	cr_assert_eq(vm_wait_ready(vm, clock_monotonic_ns() + LONG_NS, &err), 0, "%s", err.text);
	await_count(0);
}

static void teardown(void)
{
	vm_free(vm);
	cleanup_close(&kernel_fd);
}

TestSuite(vm_qemu, .init = setup, .fini = teardown, .timeout = 60);

Test(vm_qemu, stands_still_while_it_is_frozen)
{
	uint32_t count;

	cr_assert_eq(vm_freeze(vm, &err), 0, "%s", err.text);
	count = read_counter();
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(read_counter(), count);
	cr_assert_eq(vm_freeze(vm, &err), 0, "again is no error: %s", err.text);
	cr_expect_eq(read_counter(), count);
	cr_assert_eq(vm_thaw(vm, &err), 0, "%s", err.text);
	await_count(count);
	cr_expect_eq(vm_poll(vm), VM_EVENT_NONE);
}

Test(vm_qemu, sees_what_is_written_from_outside)
{
	const uint32_t high = 0xf0000000;
	uint32_t count;

	cr_assert_eq(vm_freeze(vm, &err), 0, "%s", err.text);
	cr_assert_eq(
		vm_write_kernel(vm, &addrs, WIRE_TARGET_SYMBOL, KERNEL(COUNTER), &high, 4, &err), 0,
		"%s", err.text);
	cr_assert_eq(vm_thaw(vm, &err), 0, "%s", err.text);
	await_count(high);
	count = read_counter();
	cr_expect_gt(count, high);
	cr_expect_lt(count, high + 0x08000000);
}

Test(vm_qemu, shows_the_registers_of_every_cpu)
{
	struct runfile_cpu cpus[4];
	uint32_t count = 0;

	cr_assert_eq(vm_freeze(vm, &err), 0, "%s", err.text);
	cr_assert_eq(vm_registers(vm, cpus, 4, &count, &err), 0, "%s", err.text);
	cr_assert_eq(count, 2);
	cr_expect_eq(cpus[0].rbp, 0xdeadbeef);
	cr_expect_geq(cpus[0].rip, LOAD_AT);
	cr_expect_lt(cpus[0].rip, LOAD_AT + sizeof(struct image));
	cr_expect_eq(cpus[0].is_halted, 0);
	cr_expect_eq(cpus[1].is_halted, 1, "nobody has started it");
	cr_assert_eq(vm_registers(vm, cpus, 1, &count, &err), 0, "%s", err.text);
	cr_expect_eq(count, 1);
}

/* Wait for the next stop of the guest's own, which was in @slot. */
static void await_hit(uint32_t slot)
{
	struct pollfd poll_fd = { .fd = vm_debugger_fd(vm), .events = POLLIN };
	uint64_t end_ns = clock_monotonic_ns() + LONG_NS;
	struct vm_hit hit = { 0 };
	int rc;

	while ((rc = vm_watch_hit(vm, &hit, &err)) == 0) {
		cr_assert_lt(clock_monotonic_ns(), end_ns, "the watch is not hit");
		(void)poll(&poll_fd, 1, 100);
	}
	cr_assert_eq(rc, 1, "%s", err.text);
	cr_expect_eq(hit.slot, slot);
	cr_expect_eq(hit.cpu, 0);
}

Test(vm_qemu, a_watch_stops_it_at_each_write)
{
	uint32_t count;

	cr_assert_eq(vm_freeze(vm, &err), 0, "%s", err.text);
	cr_assert_eq(vm_watch(vm, 2, COUNTER, 4, &err), 0, "%s", err.text);
	count = read_counter();
	cr_assert_eq(vm_thaw(vm, &err), 0, "%s", err.text);
	for (uint32_t i = 1; i <= 5; i++) {
		await_hit(2);
		cr_assert_eq(read_counter(), count + i, "after the write, and before the next");
		cr_assert_eq(vm_freeze(vm, &err), 0, "%s", err.text);
		cr_assert_eq(vm_thaw(vm, &err), 0, "%s", err.text);
	}
	await_hit(2);
	cr_assert_eq(vm_unwatch(vm, 2, &err), 0, "%s", err.text);
	cr_assert_eq(vm_thaw(vm, &err), 0, "%s", err.text);
	await_count(count + 1000);
	cr_expect_eq(vm_poll(vm), VM_EVENT_NONE, "a watch is no event");
}

Test(vm_qemu, a_stop_of_ours_is_no_hit)
{
	struct vm_hit hit;

	cr_assert_eq(vm_freeze(vm, &err), 0, "%s", err.text);
	cr_assert_eq(vm_watch(vm, 0, COUNTER + 64, 8, &err), 0, "%s", err.text);
	for (int i = 0; i < 20; i++) {
		cr_assert_eq(vm_thaw(vm, &err), 0, "%s", err.text);
		await_count(read_counter());
		cr_assert_eq(vm_freeze(vm, &err), 0, "%s", err.text);
		cr_assert_eq(vm_watch_hit(vm, &hit, &err), 0);
	}
}

Test(vm_qemu, slots_are_taken_once)
{
	cr_assert_eq(vm_freeze(vm, &err), 0, "%s", err.text);
	for (uint32_t slot = 0; slot < VM_WATCHES_MAX; slot++)
		cr_assert_eq(vm_watch(vm, slot, COUNTER + 64 * (slot + 1), 4, &err), 0, "%s",
			     err.text);
	cr_expect_eq(vm_watch(vm, 1, COUNTER, 4, &err), -EBUSY);
	cr_expect_str_eq(err.text, "watch slot 1 is not free");
	cr_expect_eq(vm_watch(vm, VM_WATCHES_MAX, COUNTER, 4, &err), -EBUSY);
	cr_assert_eq(vm_unwatch(vm, 1, &err), 0, "%s", err.text);
	cr_assert_eq(vm_unwatch(vm, 1, &err), 0, "again is no error");
	cr_expect_eq(vm_watch(vm, 1, COUNTER, 4, &err), 0, "%s", err.text);
}

Test(vm_qemu, a_walk_uses_the_tables_of_the_guest)
{
	uint32_t count;

	/* It has none: what CR3 points to is not mapped. */
	cr_assert_eq(vm_freeze(vm, &err), 0, "%s", err.text);
	cr_expect_eq(vm_read_kernel(vm, &addrs, WIRE_TARGET_KVA, UINT64_C(0xffffc90000000000),
				    &count, 4, &err),
		     -EFAULT);
	cr_expect(strstr(err.text, "0xffffc90000000000"), "%s", err.text);
}
