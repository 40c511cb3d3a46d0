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
	struct ktstr_topology topology;
	uint64_t memory_bytes;
	const char *kernel; /* path; /proc/self/fd/N works */
	const char *initrd; /* path */
	const char *append; /* kernel command line */
	/* Descriptors that QEMU inherits, each one end of a connected socket; -1: not wired. */
	int qmp_fd;
	int com1_fd;
	int com2_fd;
	int console_fd; /* ktstr-console, port 0 */
	int bulk_fd;	/* ktstr-bulk, port 1 */
	int stats_fd;	/* ktstr-stats, port 2 */
};

/* The words, ended by NULL, in memory of their own; free with qemu_argv_free(). -EINVAL for an
 * impossible spec. */
int qemu_argv(const struct qemu_spec *spec, char ***ret, struct ktstr_error *err);
void qemu_argv_free(char **argv);

/* -EINVAL with the reason when a topology cannot be built: zero, llcs no multiple of numa, over 255
 * CPUs. */
int topology_check(const struct ktstr_topology *topology, struct ktstr_error *err);

/* The kernel command line of a run: console, panic behaviour, tmpfs size, quietness. The caller
 * frees. */
char *kernel_command_line(bool is_kvm, bool is_verbose);

#endif
