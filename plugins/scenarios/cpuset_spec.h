/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sets of CPUs in words, resolved against a topology.
 *
 *	all              every CPU of the VM
 *	llc:I            the CPUs of LLC I
 *	numa:N           the CPUs of NUMA node N
 *	range:S-E        usable CPUs from share S to share E, 0 <= S < E <= 1
 *	disjoint:I/N     part I of N equal parts of the usable CPUs; the last takes the rest
 *	overlap:I/N:F    the same, reaching by share F of a part into its neighbours
 *	0-3,5            these CPUs
 *
 * Usable are all CPUs but the last where there are more than two, else all: the last one is left to
 * the agent and the kernel.
 */
#ifndef SCENARIOS_CPUSET_SPEC_H
#define SCENARIOS_CPUSET_SPEC_H

#include "ktstr/error.h"
#include "ktstr/frame.h"
#include "ktstr/topology.h"

/* How many CPUs range, disjoint and overlap share out. */
uint32_t cpuset_spec_usable(const struct ktstr_topology *topology);

/*
 * Resolve @text, which never gives an empty set. Returns 0; -EINVAL for what is no such text;
 * -ERANGE for what @topology does not have, with a sentence that says what it has.
 */
int cpuset_spec_resolve(const char *text, const struct ktstr_topology *topology,
			struct ktstr_cpuset *ret, struct ktstr_error *err);

#endif
