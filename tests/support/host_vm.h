/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The VM's side of requests, for tests of the coordinator: a guest that can be stopped, with a few
 * bytes of memory, and a note of all that is done to it. The guest itself is a script in a child
 * process (support/fake_vm.h), which is not stopped: it waits for its replies.
 */
#ifndef SUPPORT_HOST_VM_H
#define SUPPORT_HOST_VM_H

#include <stdbool.h>
#include <stdint.h>

#include "support/coord_fixture.h"
#include "wire/kernel_op.h"
#include "wire/snapshot.h"

/* Where the memory lies, and how much there is. */
#define HOST_VM_AT UINT64_C(0xffffffff82000000)
#define HOST_VM_BYTES 4096u

struct host_vm {
	/* "freeze registers read(0,4) thaw " */
	char log[8192];
	bool is_frozen;
	uint32_t freezes;
	uint8_t memory[HOST_VM_BYTES];
	int hits_fd; /* an eventfd: what the script writes there is so many hits of slot 1 */
	uint64_t hits;
	uint64_t hits_at_thaw; /* that come together with the answer to the next one */
	/* To fail with, when not 0. */
	int freeze_error;
	int thaw_error;
	int registers_error;
	int watch_error;
	uint64_t freeze_ns; /* that a freeze takes */
	/* In virtual time: the guest's end of where it stands still, and ours. */
	bool is_virtual;
	int stand_fd;
	int freeze_fd;
	uint32_t failing_holds;
};

extern struct host_vm host;

/* For suites: coord_setup() and a fresh host_vm. */
void host_vm_setup(void);
void host_vm_teardown(void);

/* As run_vm(), with all ops. */
void run_with_host(fake_script script);

/* For scripts: send frames, with KERN_ADDRS before them. */
void ask(struct fake_guest *guest, struct frames *frames);
void add_addrs(struct frames *frames);
void add_request(struct frames *frames, uint32_t id, uint32_t kind, const char *tag);
void add_range(struct frames *frames, uint32_t id, uint64_t address, uint32_t length,
	       uint32_t kind);
void add_kernel_op(struct frames *frames, uint32_t id, uint8_t mode, uint8_t direction,
		   const struct wire_kernel_entry *entries, uint32_t count, const void *bytes);
/* The next reply must be this; else the script's process ends with @status. */
void expect_snapshot(struct fake_guest *guest, uint32_t id, const char *reason, int status);
struct wire_kernel_reply expect_kernel(struct fake_guest *guest, uint32_t id, const char *reason,
				       int status);
/* In virtual time: write a byte where the guest stands still, and wait until the host took it. */
void stand_still(void);
/* The stream's end, in order. */
void finish(struct fake_guest *guest, struct frames *frames);

/* The captures of the run file, in order. */
struct kept {
	uint32_t count;
	struct {
		uint32_t cause;
		uint64_t host_ns;
		struct runfile_capture head;
		struct runfile_cpu cpu; /* the first */
		struct runfile_range range;
		char bytes[64]; /* of the first range */
	} items[RUNFILE_CAPTURES_MAX + 1];
	uint32_t kernel_writes;
};
void read_captures(struct kept *ret);

#endif
