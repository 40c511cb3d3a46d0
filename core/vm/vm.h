/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A virtual machine: one QEMU process and the host's ends of its channels.
 *
 * QEMU dies with this process, whatever kills it (parent-death signal), and leaves no file: every
 * channel is a socket pair, the initramfs lies in anonymous memory.
 */
#ifndef VM_VM_H
#define VM_VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ktstr/error.h"
#include "ktstr/frame.h"
#include "ktstr/topology.h"
#include "runfile/format.h"

struct vm;

struct vm_spec {
	const char *program; /* NULL: KTSTR_QEMU, else qemu-system-x86_64 from PATH */
	bool is_kvm;
	/* The guest lives in its own time, in which an instruction takes so long (a power of two);
	 * 0: in the host's. */
	uint32_t instruction_ns;
	uint64_t seed;	  /* of what is random in such a machine */
	const char *gate; /* the library of qemu_gate.c, for such a machine; NULL: without */
	struct ktstr_topology topology;
	uint64_t memory_bytes;
	const char *kernel; /* path */
	/* Archives of the initramfs (see initramfs_finish()), loaded one after the other; borrowed,
	 * read from their start. -1: none. */
	int initramfs_fds[2];
	const char *append;
	/* Memory that host and guest share (vm/job.h); borrowed. 0 bytes: none. */
	int job_fd;
	uint64_t job_bytes;
	/* Start from a saved machine instead of a boot, or keep what is needed to save one; NULL:
	 * neither. */
	const struct vm_files *files;
};

/* A saved machine: its memory, a file for each NUMA node, and the state of its devices. Borrowed
 * by vm_start(). */
struct vm_files {
	bool is_saved; /* start from it; else the files are empty, and vm_save() fills them */
	const int *memory_fds;
	int state_fd;
};

/* The program that vm_start() runs, by a path or by a name of PATH. */
const char *vm_program(const char *wanted);

enum vm_event {
	VM_EVENT_NONE,
	VM_EVENT_SHUTDOWN,	 /* the guest powered off */
	VM_EVENT_RESET,		 /* the guest reset: with -no-reboot, a panic or a triple fault */
	VM_EVENT_PANICKED,	 /* pvpanic */
	VM_EVENT_INTERNAL_ERROR, /* KVM gave up, or the monitor talks nonsense */
};

/*
 * Start QEMU. Returns as soon as the program runs; whether it liked its options shows later, by
 * vm_pid_fd() or vm_wait_ready(). -ENOENT says how to get QEMU. Call it from a thread that lives as
 * long as the VM: QEMU dies with the thread.
 */
int vm_start(const struct vm_spec *spec, struct vm **ret, struct ktstr_error *err);

/*
 * Wait until QEMU has set up the machine, at most until @deadline_ns (CLOCK_MONOTONIC). -ETIMEDOUT,
 * or -EPIPE with its own words (read from vm_stderr_fd()) when it ended instead. Nobody has to
 * call this.
 */
int vm_wait_ready(struct vm *vm, uint64_t deadline_ns, struct ktstr_error *err);

/*
 * After vm_start() from a saved machine: let it go on, at most until @deadline_ns. -EBADMSG with
 * QEMU's own words when it does not take that state; -EPIPE, -ETIMEDOUT, and other errors say
 * nothing of the state.
 */
int vm_wait_restored(struct vm *vm, uint64_t deadline_ns, struct ktstr_error *err);

/*
 * Descriptors for poll, owned by @vm; non-blocking but the pidfd. After QEMU ended, a channel gives
 * what is left in it and then either the end of file or, where QEMU left something unread,
 * ECONNRESET.
 */
int vm_bulk_fd(const struct vm *vm);
/*
 * In virtual time the channels that lead out (bulk, com1, com2) are files, which the reader
 * follows as they grow: whoever reads slowly, or not at all, changes nothing for the guest. Then
 * this becomes readable when there may be news in one of them. -1: they are sockets.
 */
int vm_news_fd(const struct vm *vm);
int vm_com1_fd(const struct vm *vm);
int vm_com2_fd(const struct vm *vm);
int vm_console_fd(const struct vm *vm);
int vm_stats_fd(const struct vm *vm);
int vm_monitor_fd(const struct vm *vm); /* readable: call vm_poll() */
int vm_pid_fd(const struct vm *vm);	/* readable: QEMU ended */
int vm_stderr_fd(const struct vm *vm);	/* what QEMU says to a person */

pid_t vm_pid(const struct vm *vm);

/* Is QEMU, whose guest runs, without the library @path? One that is set to have more rights than we
 * loads no vm_spec.gate, and does not say so; nor may we look into it. False when it has ended. */
bool vm_lacks(const struct vm *vm, const char *path);

/* Read the monitor. The most telling event so far. */
enum vm_event vm_poll(struct vm *vm);

/*
 * Stop the machine, and write the state of its devices into vm_files.state_fd; its memory is in the
 * other files already. Then the VM is of no more use but to vm_quit(). At most until @deadline_ns
 * (CLOCK_MONOTONIC); -EREMOTEIO or -EBADMSG with QEMU's own words.
 *
 * A helper of QEMU's does the writing: the file is whole when vm_stderr_fd() has come to its end,
 * which QEMU and all its helpers have as their own. It is empty when it could not be written.
 */
int vm_save(struct vm *vm, uint64_t deadline_ns, struct ktstr_error *err);

/* Ask QEMU to end; returns at once. -EPIPE when it is gone. */
int vm_quit(struct vm *vm, struct ktstr_error *err);
/* Kill it and wait until it is gone. */
void vm_kill(struct vm *vm);
/* After vm_pid_fd() became readable: collect it. The wait status, also when called again. */
int vm_wait(struct vm *vm);

/* Stop and continue all vCPUs. Each waits for QEMU's answer, at most 2 s. Freezing what stands
 * still is no error. */
int vm_freeze(struct vm *vm, struct ktstr_error *err);
int vm_thaw(struct vm *vm, struct ktstr_error *err);

/*
 * Stop QEMU as a process. A guest in virtual time cannot tell; one in the host's can, and must not
 * be stopped so. Memory may be read meanwhile, but nothing be asked of QEMU before vm_resume() or
 * vm_freeze(), which resumes it and keeps a guest that waits from going on to another timer.
 * -ESRCH: it has ended.
 */
int vm_suspend(struct vm *vm, struct ktstr_error *err);
void vm_resume(struct vm *vm);

/* Registers of the first @max vCPUs, *ret_count of them. Together they make sense only while the VM
 * is frozen. */
int vm_registers(struct vm *vm, struct runfile_cpu *ret, uint32_t max, uint32_t *ret_count,
		 struct ktstr_error *err);

/*
 * Kernel memory by virtual address, while the VM runs or stands still. @addrs is what the guest
 * said of its kernel; @target and errors are those of guest_memory_translate(), without -EAGAIN.
 */
int vm_read_kernel(struct vm *vm, const struct ktstr_kern_addrs *addrs, uint8_t target,
		   uint64_t address, void *to, size_t length, struct ktstr_error *err);
int vm_write_kernel(struct vm *vm, const struct ktstr_kern_addrs *addrs, uint8_t target,
		    uint64_t address, const void *from, size_t length, struct ktstr_error *err);

/*
 * Watch memory for writes, in one of VM_WATCHES_MAX slots, or no longer. Only while the VM is
 * frozen. The first watch attaches QEMU's debugger port; before, it costs nothing.
 */
#define VM_WATCHES_MAX 4u
int vm_watch(struct vm *vm, uint32_t slot, uint64_t address, uint32_t length,
	     struct ktstr_error *err);
int vm_unwatch(struct vm *vm, uint32_t slot, struct ktstr_error *err);

/* Let a debugger connect to the socket @path, which QEMU makes. Not beside watches. */
int vm_listen_for_gdb(struct vm *vm, const char *path, struct ktstr_error *err);

/* Readable: call vm_watch_hit(). */
int vm_debugger_fd(const struct vm *vm);

#define VM_NO_SLOT UINT32_MAX
struct vm_hit {
	uint32_t slot; /* VM_NO_SLOT: a watch that is no more, or something else */
	uint32_t cpu;  /* that wrote; UINT32_MAX: not known */
};

/* 1: the VM stopped by itself, and somebody must thaw it; 0: nothing more for the moment; else what
 * is wrong with QEMU's debugger port. A hit just before vm_freeze() is told of after it. */
int vm_watch_hit(struct vm *vm, struct vm_hit *ret, struct ktstr_error *err);

/*
 * In virtual time a guest stands still by itself, to be answered (wire/freeze.h). Readable: it is
 * about to, or has done so in vain, and goes on when vm_release() is called. -1: never.
 */
int vm_freeze_fd(const struct vm *vm);
/*
 * Wait until it stands still. Then it may be looked at as after vm_freeze(), by all functions here
 * but vm_watch() and vm_unwatch(), and stays what it is until vm_release(), to the instruction and
 * whatever the host does. -EAGAIN: not this time; it will try again.
 */
int vm_hold(struct vm *vm, struct ktstr_error *err);
void vm_release(struct vm *vm);
/* Leave answers in its memory: whole frames, which it finds when it goes on. */
int vm_answer(struct vm *vm, const void *frames, size_t length, struct ktstr_error *err);

/* The command line, for --verbose and for the run file. */
char *const *vm_argv(const struct vm *vm);

/* Kill if needed, and free. NULL is fine. */
void vm_free(struct vm *vm);

#endif
