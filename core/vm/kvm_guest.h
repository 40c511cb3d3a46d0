/* SPDX-License-Identifier: GPL-2.0-only */
/* The guest of the KVM probe: a few instructions of 64-bit kernel code. */
#ifndef VM_KVM_GUEST_H
#define VM_KVM_GUEST_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Run it on an open /dev/kvm and a fresh VM, both left open. True: it did all it should at the
 * speed of a processor. Otherwise @reason says what went wrong. Allocates nothing.
 */
bool kvm_guest_run(int kvm, int vm, char *reason, size_t size);

#endif
