/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/vm_ops.h"

#include <assert.h>

#include "run/cpu_time.h"
#include "run/cpu_wait.h"
#include "vm/vm.h"

static_assert(COORD_WATCHES_MAX < VM_WATCHES_MAX, "slot 0 is no watch of a guest's");

static int poll_vm(void *vm)
{
	switch (vm_poll(vm)) {
	case VM_EVENT_NONE:
		return 0;
	case VM_EVENT_SHUTDOWN:
		return 1;
	case VM_EVENT_RESET:
	case VM_EVENT_PANICKED:
		return 2;
	case VM_EVENT_INTERNAL_ERROR:
		return 3;
	}
	return 0;
}

static int quit_vm(void *vm, struct ktstr_error *err)
{
	return vm_quit(vm, err);
}

static void kill_vm(void *vm)
{
	vm_kill(vm);
}

static int wait_vm(void *vm)
{
	return vm_wait(vm);
}

static int freeze_vm(void *vm, struct ktstr_error *err)
{
	return vm_freeze(vm, err);
}

static int thaw_vm(void *vm, struct ktstr_error *err)
{
	return vm_thaw(vm, err);
}

static int read_registers(void *vm, struct runfile_cpu *ret, uint32_t max, uint32_t *ret_count,
			  struct ktstr_error *err)
{
	return vm_registers(vm, ret, max, ret_count, err);
}

static int read_kernel(void *vm, const struct ktstr_kern_addrs *addrs, uint8_t target,
		       uint64_t address, void *to, size_t length, struct ktstr_error *err)
{
	return vm_read_kernel(vm, addrs, target, address, to, length, err);
}

static int write_kernel(void *vm, const struct ktstr_kern_addrs *addrs, uint8_t target,
			uint64_t address, const void *from, size_t length, struct ktstr_error *err)
{
	return vm_write_kernel(vm, addrs, target, address, from, length, err);
}

static int set_watch(void *vm, uint32_t slot, uint64_t address, uint32_t length,
		     struct ktstr_error *err)
{
	return vm_watch(vm, slot, address, length, err);
}

static int clear_watch(void *vm, uint32_t slot, struct ktstr_error *err)
{
	return vm_unwatch(vm, slot, err);
}

static int find_hit(void *vm, uint32_t *ret_slot, uint32_t *ret_cpu, struct ktstr_error *err)
{
	struct vm_hit hit;
	int rc = vm_watch_hit(vm, &hit, err);

	if (rc == 1) {
		*ret_slot = hit.slot == VM_NO_SLOT ? 0 : hit.slot;
		*ret_cpu = hit.cpu;
	}
	return rc;
}

static uint64_t get_cpu_wait(void *vm)
{
	return cpu_wait_ns(vm_pid(vm));
}

static uint32_t list_threads(void *vm, struct coord_thread *ret, uint32_t max)
{
	return cpu_wait_threads(vm_pid(vm), ret, max);
}

static int suspend_vm(void *vm, struct ktstr_error *err)
{
	return vm_suspend(vm, err);
}

static void resume_vm(void *vm)
{
	vm_resume(vm);
}

static int hold_vm(void *vm, struct ktstr_error *err)
{
	return vm_hold(vm, err);
}

static int answer_vm(void *vm, const void *frames, size_t length, struct ktstr_error *err)
{
	return vm_answer(vm, frames, length, err);
}

static void release_vm(void *vm)
{
	vm_release(vm);
}

static uint64_t get_cpu_time(void *vm)
{
	return cpu_time_ns(vm_pid(vm));
}

static bool is_withheld(void *vm)
{
	return cpu_time_is_withheld(vm_pid(vm));
}

const struct coord_vm_ops run_vm_ops = {
	.poll = poll_vm,
	.quit = quit_vm,
	.kill = kill_vm,
	.wait = wait_vm,
	.cpu_wait_ns = get_cpu_wait,
	.threads = list_threads,
	.cpu_time_ns = get_cpu_time,
	.is_withheld = is_withheld,
	.freeze = freeze_vm,
	.thaw = thaw_vm,
	.registers = read_registers,
	.read = read_kernel,
	.write = write_kernel,
	.watch = set_watch,
	.unwatch = clear_watch,
	.watch_hit = find_hit,
	.suspend = suspend_vm,
	.resume = resume_vm,
	.hold = hold_vm,
	.answer = answer_vm,
	.release = release_vm,
};
