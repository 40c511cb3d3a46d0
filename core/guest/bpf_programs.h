/* SPDX-License-Identifier: GPL-2.0-only */
/* The BPF programs of kind struct_ops that the kernel holds: what schedulers are made of. */
#ifndef GUEST_BPF_PROGRAMS_H
#define GUEST_BPF_PROGRAMS_H

#include <stdint.h>

#include "ktstr/sched_ext.h"

/* At most @max of them, by id. Returns how many; 0 where BPF is out of reach. */
uint32_t bpf_programs_read(struct ktstr_sched_prog *ret, uint32_t max);

#endif
