/* SPDX-License-Identifier: GPL-2.0-only */
/* The BPF programs of kind struct_ops that the kernel holds: what schedulers are made of. */
#ifndef GUEST_BPF_PROGRAMS_H
#define GUEST_BPF_PROGRAMS_H

#include <stdint.h>

#include "ktstr/sched_ext.h"

/* The highest id of any program; 0: there is none, or BPF is out of reach. */
uint32_t bpf_programs_last(void);

/* At most @max of those with an id above @after, by id. Returns how many. */
uint32_t bpf_programs_read(uint32_t after, struct ktstr_sched_prog *ret, uint32_t max);

#endif
