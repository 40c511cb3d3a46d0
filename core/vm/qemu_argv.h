/* SPDX-License-Identifier: GPL-2.0-only */
/* QEMU's command line, from plain data. Pure: the same spec gives the same words. */
#ifndef VM_QEMU_ARGV_H
#define VM_QEMU_ARGV_H

#include <stdbool.h>
#include <stdint.h>

#include "ktstr/error.h"
#include "ktstr/topology.h"

struct qemu_spec {
	const char *program; /* path of qemu-system-x86_64 */
	bool is_kvm;
	/* What an instruction takes in the guest's own time, a power of two; 0: it lives in the
	 * host's. Not with KVM. */
	uint32_t instruction_ns;
	uint64_t seed; /* of what is random in the machine; in virtual time only */
	struct ktstr_topology topology;
	uint64_t memory_bytes; /* a multiple of 2 MiB */
	const char *kernel;    /* path */
	const char *initrd;    /* path; /proc/self/fd/N works; NULL: none */
	const char *append;    /* kernel command line */
	/* Descriptors that QEMU inherits, each one end of a connected socket; -1: not wired. In
	 * virtual time those of com1, com2 and bulk are files, which take whatever comes. */
	int qmp_fd;
	int com1_fd;
	int com2_fd;
	int console_fd;	 /* ktstr-console, port 0 */
	int bulk_fd;	 /* ktstr-bulk, port 1 */
	int stats_fd;	 /* ktstr-stats, port 2 */
	int freeze_fd;	 /* where a guest in virtual time stands still (wire/freeze.h) */
	int debugger_fd; /* for a debugger port that somebody may attach later */
	/* Files of the size of each NUMA node, to be its memory; NULL: QEMU makes its own. */
	const int *memory_fds;
	/* A file of @job_bytes (a power of two), which the guest finds as a device; 0 bytes: none.
	 */
	int job_fd;
	uint64_t job_bytes;
	/* The machine comes out of a saved state: @kernel, @initrd and @append are not looked at,
	 * it waits for the monitor to tell where that is, and the files of its memory stay as they
	 * are. */
	bool is_restored;
};

/*
 * The words, ended by NULL, in memory of their own; free with qemu_argv_free(). -EINVAL for an
 * impossible spec.
 *
 * An LLC of the topology is a die of QEMU's, and a NUMA node is a socket with its own memory. The
 * CPU calls itself Intel's everywhere, since QEMU describes shared caches exactly only for that
 * vendor.
 */
int qemu_argv(const struct qemu_spec *spec, char ***ret, struct ktstr_error *err);
void qemu_argv_free(char **argv);

/* How much of @memory_bytes NUMA node @node gets. */
uint64_t qemu_node_memory(const struct ktstr_topology *topology, uint64_t memory_bytes,
			  uint32_t node);

/* -EINVAL with the reason when a topology cannot be built: a zero, llcs no multiple of numa_nodes,
 * more CPUs (or gaps between their APIC ids) than 255 ids can name. */
int topology_check(const struct ktstr_topology *topology, struct ktstr_error *err);

/*
 * The kernel command line of a run: console, panic behaviour, size of the root folder, quietness,
 * and what makes a boot short. Verbose: the kernel's messages go to the console from the start.
 * @is_virtual: the guest lives in its own time. @tsc_khz: of tsc.h, for a guest that lives in the
 * host's; 0: not known. The caller frees; NULL when there is no memory.
 */
char *kernel_command_line(bool is_kvm, bool is_virtual, uint32_t tsc_khz, bool is_verbose);

#endif
