/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of a VM share. Not for other modules. */
#ifndef VM_INTERNAL_H
#define VM_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "vm/gdbstub.h"
#include "vm/guest_memory.h"
#include "vm/qmp.h"
#include "vm/vm.h"

/* The name under which QEMU knows the socket of its debugger port. */
#define VM_DEBUGGER_ID "debugger"

enum channel {
	CHANNEL_QMP,
	CHANNEL_COM1,
	CHANNEL_COM2,
	CHANNEL_CONSOLE,
	CHANNEL_BULK,
	CHANNEL_STATS,
	CHANNEL_FREEZE,
	CHANNEL_DEBUGGER,
	CHANNEL_COUNT,
};

struct vm_watch {
	bool is_set;
	uint64_t address;
	uint32_t length;
};

struct vm {
	pid_t pid;
	int pid_fd;
	int fds[CHANNEL_COUNT]; /* the host's ends; that of the monitor belongs to @qmp */
	int stderr_fd;
	int news_fd; /* of a timer; -1: all channels are sockets */
	struct qmp *qmp;
	char **argv;
	uint32_t cpus;
	int state_fd; /* its number in QEMU; -1: the machine cannot be saved */
	struct guest_memory *memory;
	struct gdbstub *debugger; /* NULL until something is to be watched */
	struct vm_watch watches[VM_WATCHES_MAX];
	struct vm_hit hits[VM_WATCHES_MAX]; /* that nobody was told of yet */
	uint32_t hit_count;
	/* In virtual time; see hold.c. */
	int freeze_peer_fd;	  /* QEMU's end of CHANNEL_FREEZE */
	int freeze_number;	  /* which is called so in QEMU */
	int answers_fd;		  /* the memory of the job */
	uint32_t answers;	  /* so many were written */
	bool is_held;		  /* all CPUs stand still inside a write to that channel */
	struct runfile_cpu *held; /* their registers */
	enum vm_event event;
	bool is_suspended;
	bool is_freezing; /* a stop was asked for */
	bool has_stopped; /* by itself */
	bool is_collected;
	int status;
};

/*
 * Open all channels of @vm; @wires are QEMU's ends, -1 where there is none, and *@ret_stderr_fd is
 * where it says things to a person. What was opened before an error is the caller's to close.
 */
int vm_channels_open(struct vm *vm, int wires[CHANNEL_COUNT], int *ret_stderr_fd, bool is_virtual,
		     struct ktstr_error *err);

/* Resume it; a command is the first thing that it finds. Nothing where it is not suspended. */
void vm_resume_with(struct vm *vm, const char *command);

/* QEMU is about to end, or has: say how, with its own words. Always fails: -EPIPE, or -ETIMEDOUT.
 */
int vm_fail_ended(struct vm *vm, uint64_t deadline_ns, struct ktstr_error *err);

#endif
