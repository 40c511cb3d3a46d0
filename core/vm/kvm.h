/* SPDX-License-Identifier: GPL-2.0-only */
/* Can /dev/kvm really run a kernel? */
#ifndef VM_KVM_H
#define VM_KVM_H

#include <stdbool.h>
#include <stdint.h>

struct kvm_probe {
	bool works;
	/* Why not: "cannot open /dev/kvm: Permission denied", "popcnt is not executed (internal
	 * error)". */
	char reason[200];
	uint64_t took_ns; /* 0: it was not made */
};

/*
 * Run a small 64-bit guest on @path (normally /dev/kvm) that executes what a kernel needs (popcnt,
 * SSE2, BMI2 where the host has it, cmpxchg16b, xsave, a loop at native speed). A /dev/kvm that
 * opens may still emulate ring 0 and fail at one of these. Takes a few ms where it works, and never
 * more than half a second of CPU time: how busy the host is makes no difference. One that waits for
 * something else is given up after 11 s.
 */
void kvm_probe_run(const char *path, struct kvm_probe *ret);

#endif
