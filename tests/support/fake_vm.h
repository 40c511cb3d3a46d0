/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A child process that stands in for QEMU and the guest in it: a script writes to the guest's ends
 * of the channels. Made for the coordinator, which cannot tell the difference.
 */
#ifndef SUPPORT_FAKE_VM_H
#define SUPPORT_FAKE_VM_H

#include <stdint.h>
#include <sys/types.h>

#include "coord/coord.h"
#include "support/frames.h"

/* What the VM takes of the host's CPUs, as its ops tell. */
struct fake_cpu {
	uint64_t rate;	   /* ns of CPU time in each ns; 0: it does nothing at all */
	unsigned withheld; /* so many times it says that this is not its fault */
};
extern struct fake_cpu fake_cpu;

/* The guest's side, in the child. */
struct fake_guest {
	int bulk;
	int com1;
	int com2;
	int stderr_fd;
	int console;
	int monitor;
};

/* What the child does; it exits with status 0 when the script returns. */
typedef void (*fake_script)(struct fake_guest *guest);

struct fake_vm {
	pid_t pid;
	int pid_fd;
	int status;
	int is_collected;
	int quits; /* how often it was asked to end */
	int kills;
	struct fake_guest host; /* the other ends */
};

/* Start the script and fill in the channels, the ops and the start time of @spec. */
void fake_vm_start(struct fake_vm *vm, fake_script script, struct coord_spec *spec);
/* Kill what still runs and close. */
void fake_vm_done(struct fake_vm *vm);

/* For scripts. */
void fake_send(int fd, const void *bytes, size_t length);
void fake_text(int fd, const char *text);
void fake_frames(struct fake_guest *guest, struct frames *frames); /* sends what is new */
/* Tell the monitor: one of the answers of coord_vm_ops.poll(). */
void fake_event(struct fake_guest *guest, int event);
/* Wait until the host wrote to the console or the monitor; the byte. */
int fake_wait_byte(int fd);
void fake_hang(void) __attribute__((noreturn));

#endif
