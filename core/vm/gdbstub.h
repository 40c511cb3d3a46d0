/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The few words of GDB's remote protocol that set watchpoints in a QEMU and hear of their hits.
 *
 * QEMU takes a byte that comes while the guest runs as a wish to stop it. So commands are sent only
 * while it stands still, and every packet of QEMU's is confirmed exactly once, while it waits for
 * that.
 */
#ifndef VM_GDBSTUB_H
#define VM_GDBSTUB_H

#include <stdbool.h>
#include <stdint.h>

#include "ktstr/error.h"

struct gdbstub;

/* A CPU stopped. */
struct gdbstub_stop {
	bool is_watch; /* it wrote to a watched address */
	uint32_t cpu;  /* from 0; UINT32_MAX: not told */
	uint64_t address;
};

/* @fd is borrowed, and non-blocking. NULL when there is no memory. */
struct gdbstub *gdbstub_new(int fd);
void gdbstub_free(struct gdbstub *stub);

/* Say hello: QEMU answers with why the guest stands still, which is passed over. */
int gdbstub_greet(struct gdbstub *stub, uint64_t deadline_ns, struct ktstr_error *err);

/* Watch @length bytes for writes, or no longer. -EREMOTEIO when QEMU refuses. */
int gdbstub_watch(struct gdbstub *stub, bool is_on, uint64_t address, uint32_t length,
		  uint64_t deadline_ns, struct ktstr_error *err);

/* Let the guest run. Returns once QEMU has heard it. */
int gdbstub_continue(struct gdbstub *stub, uint64_t deadline_ns, struct ktstr_error *err);

/*
 * Read what is there. 1: a CPU stopped; 0: nothing more for the moment; -EPIPE: QEMU is gone;
 * -EPROTO: it talks nonsense. Both stay. Stops that came while a command waited for its answer are
 * handed out here too.
 */
int gdbstub_read(struct gdbstub *stub, struct gdbstub_stop *ret, struct ktstr_error *err);

/* As qmp_drain(). */
void gdbstub_drain(struct gdbstub *stub, int fd);

#endif
