/* SPDX-License-Identifier: GPL-2.0-only */
/* Stop a VM, look into it, and let it go on. */
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "vm/internal.h"
#include "vm/registers.h"

#define ANSWER_TIMEOUT_NS (2 * NS_PER_S)

static uint64_t deadline(void)
{
	return clock_monotonic_ns() + ANSWER_TIMEOUT_NS;
}

static uint32_t find_watch(const struct vm *vm, const struct gdbstub_stop *stop)
{
	for (uint32_t i = 0; stop->is_watch && i < VM_WATCHES_MAX; i++)
		if (vm->watches[i].is_set && stop->address >= vm->watches[i].address &&
		    stop->address - vm->watches[i].address < vm->watches[i].length)
			return i;
	return VM_NO_SLOT;
}

/* The debugger port tells of every stop, ours too. Keep what a watch did just before. */
static void sort_stops(struct vm *vm)
{
	struct ktstr_error later = { 0 }; /* vm_watch_hit() meets it again */
	struct gdbstub_stop stop;

	while (vm->debugger && gdbstub_read(vm->debugger, &stop, &later) == 1)
		if (stop.is_watch && vm->hit_count < VM_WATCHES_MAX)
			vm->hits[vm->hit_count++] =
				(struct vm_hit){ find_watch(vm, &stop), stop.cpu };
}

int vm_freeze(struct vm *vm, struct ktstr_error *err)
{
	int rc;

	if (vm->is_held)
		return 0;
	vm->is_freezing = true;
	vm_resume_with(vm, "stop");
	rc = qmp_execute(vm->qmp, "stop", NULL, deadline(), NULL, err);
	vm->is_freezing = false;
	if (rc == 0)
		sort_stops(vm);
	/* It may stop yet, when nobody would let it go on. */
	if (rc == -ETIMEDOUT)
		(void)qmp_send(vm->qmp, "cont", NULL, &(struct ktstr_error){ 0 });
	return rc;
}

int vm_thaw(struct vm *vm, struct ktstr_error *err)
{
	struct ktstr_error ignored = { 0 };

	if (vm->is_held)
		return 0; /* until vm_release() */
	/* Newer QEMUs tell of the next stop only when it was the debugger that let the guest run.
	 */
	if (vm->debugger && gdbstub_continue(vm->debugger, deadline(), &ignored) == 0)
		return 0;
	return qmp_execute(vm->qmp, "cont", NULL, deadline(), NULL, err);
}

/* One command of the monitor that people use; the caller frees *ret. */
static int ask_human(struct vm *vm, json_t *arguments, char **ret, struct ktstr_error *err)
{
	json_t *answer = NULL;
	int rc = qmp_execute(vm->qmp, "human-monitor-command", arguments, deadline(), &answer, err);

	if (rc < 0)
		return rc;
	*ret = json_is_string(answer) ? strdup(json_string_value(answer)) : NULL;
	if (!*ret)
		rc = ktstr_fail(err, -EPROTO, "QEMU's monitor gave no text");
	json_decref(answer);
	return rc;
}

static int read_cpu(struct vm *vm, uint32_t cpu, struct runfile_cpu *ret, struct ktstr_error *err)
{
	_cleanup_free_ char *text = NULL;
	int rc;

	if (vm->is_held) {
		*ret = vm->held[cpu];
		return 0;
	}
	rc = ask_human(
		vm,
		json_pack("{s:s, s:i}", "command-line", "info registers", "cpu-index", (int)cpu),
		&text, err);
	if (rc == 0)
		rc = registers_parse(text, ret, err);
	return rc;
}

int vm_registers(struct vm *vm, struct runfile_cpu *ret, uint32_t max, uint32_t *ret_count,
		 struct ktstr_error *err)
{
	uint32_t count = vm->cpus < max ? vm->cpus : max;

	for (uint32_t i = 0; i < count; i++) {
		int rc = read_cpu(vm, i, &ret[i], err);

		if (rc < 0)
			return ktstr_prefix(err, "registers of CPU %u", i);
	}
	*ret_count = count;
	return 0;
}

/* Any CPU's page tables will do: the kernel's half is the same in all. */
static int find_tables(struct vm *vm, struct guest_kernel *kernel, struct ktstr_error *err)
{
	struct runfile_cpu cpu;
	int rc = read_cpu(vm, 0, &cpu, err);

	if (rc < 0)
		return ktstr_prefix(err, "the guest's page tables");
	kernel->has_tables = true;
	kernel->cr3 = cpu.cr3;
	kernel->cr4 = cpu.cr4;
	return 0;
}

int vm_read_kernel(struct vm *vm, const struct ktstr_kern_addrs *addrs, uint8_t target,
		   uint64_t address, void *to, size_t length, struct ktstr_error *err)
{
	struct guest_kernel kernel = { .addrs = *addrs };
	int rc = guest_memory_attach(vm->memory, vm->pid, err);

	if (rc < 0)
		return rc;
	rc = guest_memory_read_kernel(vm->memory, &kernel, target, address, to, length, err);
	if (rc != -EAGAIN)
		return rc;
	rc = find_tables(vm, &kernel, err);
	if (rc == 0)
		rc = guest_memory_read_kernel(vm->memory, &kernel, target, address, to, length,
					      err);
	return rc;
}

int vm_write_kernel(struct vm *vm, const struct ktstr_kern_addrs *addrs, uint8_t target,
		    uint64_t address, const void *from, size_t length, struct ktstr_error *err)
{
	struct guest_kernel kernel = { .addrs = *addrs };
	int rc = guest_memory_attach(vm->memory, vm->pid, err);

	if (rc < 0)
		return rc;
	rc = guest_memory_write_kernel(vm->memory, &kernel, target, address, from, length, err);
	if (rc != -EAGAIN)
		return rc;
	rc = find_tables(vm, &kernel, err);
	if (rc == 0)
		rc = guest_memory_write_kernel(vm->memory, &kernel, target, address, from, length,
					       err);
	return rc;
}

int vm_listen_for_gdb(struct vm *vm, const char *path, struct ktstr_error *err)
{
	_cleanup_free_ char *answer = NULL;
	_cleanup_free_ char *command = str_format("gdbserver unix:%s,server=on,wait=off", path);
	int rc = command ? ask_human(vm, json_pack("{s:s}", "command-line", command), &answer, err)
			 : ktstr_fail(err, -ENOMEM, "out of memory");

	if (rc == 0 && !strstr(answer, "Waiting for gdb"))
		rc = ktstr_fail(err, -EREMOTEIO, "%.200s", answer);
	return rc;
}

static int attach_debugger(struct vm *vm, struct ktstr_error *err)
{
	_cleanup_free_ char *text = NULL;
	char safe[200];
	int rc = ask_human(vm,
			   json_pack("{s:s}", "command-line", "gdbserver chardev:" VM_DEBUGGER_ID),
			   &text, err);

	if (rc < 0)
		return rc;
	if (!str_starts(text, "Waiting for gdb connection"))
		return ktstr_fail(err, -EREMOTEIO, "QEMU cannot attach its debugger port: %s",
				  str_copy_safe(safe, sizeof(safe), text, strcspn(text, "\r\n")));
	vm->debugger = gdbstub_new(vm->fds[CHANNEL_DEBUGGER]);
	if (!vm->debugger)
		return ktstr_fail(err, -ENOMEM,
				  "cannot attach QEMU's debugger port: out of memory");
	gdbstub_drain(vm->debugger, vm->fds[CHANNEL_FREEZE]);
	return gdbstub_greet(vm->debugger, deadline(), err);
}

int vm_watch(struct vm *vm, uint32_t slot, uint64_t address, uint32_t length,
	     struct ktstr_error *err)
{
	struct vm_watch *watch;
	int rc = 0;

	if (slot >= VM_WATCHES_MAX || vm->watches[slot].is_set)
		return ktstr_fail(err, -EBUSY, "watch slot %u is not free", slot);
	if (!vm->debugger)
		rc = attach_debugger(vm, err);
	if (rc == 0)
		rc = gdbstub_watch(vm->debugger, true, address, length, deadline(), err);
	if (rc < 0)
		return rc;
	watch = &vm->watches[slot];
	*watch = (struct vm_watch){ .is_set = true, .address = address, .length = length };
	return 0;
}

int vm_unwatch(struct vm *vm, uint32_t slot, struct ktstr_error *err)
{
	struct vm_watch *watch;
	int rc;

	if (slot >= VM_WATCHES_MAX || !vm->watches[slot].is_set)
		return 0;
	watch = &vm->watches[slot];
	rc = gdbstub_watch(vm->debugger, false, watch->address, watch->length, deadline(), err);
	if (rc == 0)
		watch->is_set = false;
	return rc;
}

int vm_watch_hit(struct vm *vm, struct vm_hit *ret, struct ktstr_error *err)
{
	struct gdbstub_stop stop;
	int rc;

	if (vm->hit_count > 0) {
		*ret = vm->hits[0];
		vm->hit_count--;
		memmove(vm->hits, vm->hits + 1, vm->hit_count * sizeof(*ret));
		return 1;
	}
	if (!vm->debugger)
		return 0;
	rc = gdbstub_read(vm->debugger, &stop, err);
	if (rc == 1)
		*ret = (struct vm_hit){ .slot = find_watch(vm, &stop), .cpu = stop.cpu };
	return rc;
}
