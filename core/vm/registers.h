/* SPDX-License-Identifier: GPL-2.0-only */
/* Registers of a CPU, out of what QEMU's monitor prints for "info registers". Pure. */
#ifndef VM_REGISTERS_H
#define VM_REGISTERS_H

#include "ktstr/error.h"
#include "runfile/format.h"

/*
 * -EPROTO when one of the registers that a capture has is missing, stands twice, or is no
 * hexadecimal number of at most 64 bits. A CPU in a mode without the upper eight registers has
 * zero in them.
 */
int registers_parse(const char *text, struct runfile_cpu *ret, struct ktstr_error *err);

/* The same for "info registers -a", of @count CPUs: each begins with "CPU#N". */
int registers_parse_all(const char *text, struct runfile_cpu *ret, uint32_t count,
			struct ktstr_error *err);

#endif
