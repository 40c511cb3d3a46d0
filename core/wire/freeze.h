/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a guest in virtual time stands still for an answer: it writes bytes to an I/O port whose
 * device waits, inside the guest's own instruction, for the host to read them. One thread of the
 * host's runs all CPUs of the guest, so all of them stand still then. docs/wire.md has the whole
 * story.
 */
#ifndef WIRE_FREEZE_H
#define WIRE_FREEZE_H

/* The port of an isa-debugcon. */
#define WIRE_FREEZE_PORT 0xe9

/* Here windows start: what was seen before counts no more. */
#define WIRE_FREEZE_START 'S'
/* Between two of these the guest does nothing, slowly: QEMU gets to look at the registers. */
#define WIRE_FREEZE_WINDOW 'w'
/* Nothing but the asker moved since the start. */
#define WIRE_FREEZE_COMMIT 'C'
/* So many follow, more than the device takes before it waits. */
#define WIRE_FREEZE_TAIL '.'
#define WIRE_FREEZE_TAIL_COUNT 64

#define WIRE_FREEZE_WINDOWS 64

/* What R8 of the CPU that asks has meanwhile; R9 is where its windows start. How far it is in there
 * is the host's doing, so RIP is taken to be R9, and what it works with to be 0: RAX, RCX, RDX, R10
 * and the arithmetic flags. */
#define WIRE_FREEZE_MARK 0x21657a6565726621
#define WIRE_FREEZE_FLAGS 0x8d5u

#endif
