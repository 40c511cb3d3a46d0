/* SPDX-License-Identifier: MIT */
/*
 * The CPUs of the guest, as its kernel sees them.
 *
 * CPU numbers run LLC by LLC, core by core, thread innermost: CPU n lies in LLC n / (cores *
 * threads).
 */
#ifndef KTSTR_TOPOLOGY_H
#define KTSTR_TOPOLOGY_H

#include <stdint.h>

struct ktstr_topology {
	uint32_t size;
	uint32_t numa_nodes;
	uint32_t llcs;	  /* in all; a multiple of numa_nodes */
	uint32_t cores;	  /* in each LLC */
	uint32_t threads; /* in each core */
	uint32_t reserved;
};

static inline uint32_t ktstr_topology_cpus(const struct ktstr_topology *t)
{
	return t->llcs * t->cores * t->threads;
}

static inline uint32_t ktstr_topology_llc_of(const struct ktstr_topology *t, uint32_t cpu)
{
	return cpu / (t->cores * t->threads);
}

static inline uint32_t ktstr_topology_node_of(const struct ktstr_topology *t, uint32_t cpu)
{
	return ktstr_topology_llc_of(t, cpu) / (t->llcs / t->numa_nodes);
}

#endif
