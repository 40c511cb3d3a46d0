/* SPDX-License-Identifier: MIT */
/*
 * The descriptor: the one symbol that a plugin exports.
 *
 * A plugin is a shared object that exports one constant, `ktstr_plugin`. It is loaded on the host
 *and, but for checkers, in the guest too. Only text crosses between the two: each side binds the
 *parameter text with the table in this descriptor.
 *
 *	static const struct ktstr_workload_ops ops = { .size = sizeof(ops), .run = run };
 *	KTSTR_PLUGIN_DEFINE(KTSTR_KIND_WORKLOAD, .name = "cpu_spin", .version = "1.0",
 *			    .summary = "spin on the CPU", .params = params, .workload = &ops);
 *
 * Rules. No constructors, no other exported symbol, no undefined symbol but those of the libraries
 *that the plugin itself links. Nothing allocated on one side of a call is freed on the other.
 *Randomness and time come only from the services handed in, so that a run can be replayed. A plugin
 *is never unloaded while a run lasts.
 *
 * Growth. The first 16 bytes never change. Ops tables start with their own size and grow only at
 *the end, so a table may be shorter than the host knows: the host asks KTSTR_HAS() before each
 *optional op. abi_major changes when something is removed or altered, abi_minor when something is
 *added.
 */
#ifndef KTSTR_PLUGIN_H
#define KTSTR_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#include "ktstr/error.h"
#include "ktstr/param.h"

#define KTSTR_PLUGIN_MAGIC 0x5453544bu /* "KTST" as it lies in memory */
#define KTSTR_ABI_MAJOR 1u
#define KTSTR_ABI_MINOR 0u
/* sizeof(struct ktstr_plugin) in ABI 1.0; a shorter descriptor is refused. */
#define KTSTR_PLUGIN_SIZE_1_0 72u

#define KTSTR_KIND_SCHEDULER 1u
#define KTSTR_KIND_SCENARIO 2u
#define KTSTR_KIND_WORKLOAD 3u
#define KTSTR_KIND_CHECKER 4u

/* Longest name of a plugin, without the NUL: [a-z][a-z0-9_]* */
#define KTSTR_NAME_MAX 31u

struct ktstr_scheduler_ops;
struct ktstr_scenario_ops;
struct ktstr_workload_ops;
struct ktstr_checker_ops;

struct ktstr_plugin {
	/* Frozen for ever. */
	uint32_t magic;
	uint16_t abi_major;
	uint16_t abi_minor;
	uint32_t size;
	uint32_t kind;
	/* ABI 1.0. */
	const char *name;
	const char *version;
	const char *summary;
	/* Ended by a row without a key; NULL when there are none. */
	const struct ktstr_param *params;
	/* sizeof(struct ktstr_param) when the plugin was built: the distance between two rows. */
	uint32_t param_size;
	uint32_t reserved;
	union {
		const struct ktstr_scheduler_ops *scheduler;
		const struct ktstr_scenario_ops *scenario;
		const struct ktstr_workload_ops *workload;
		const struct ktstr_checker_ops *checker;
		const void *ops;
	};
	/* A licence identifier (SPDX), shown by `ktstr plugins`; may be NULL. */
	const char *license;
};

/* The name of the exported symbol. */
#define KTSTR_PLUGIN_SYMBOL "ktstr_plugin"

#define KTSTR_EXPORT __attribute__((visibility("default")))

/* Defines the descriptor of this shared object. To be used once, at the end of one of its files. */
#define KTSTR_PLUGIN_DEFINE(KIND, ...)                                                             \
	extern KTSTR_EXPORT const struct ktstr_plugin ktstr_plugin;                                \
	const struct ktstr_plugin ktstr_plugin = { .magic = KTSTR_PLUGIN_MAGIC,                    \
						   .abi_major = KTSTR_ABI_MAJOR,                   \
						   .abi_minor = KTSTR_ABI_MINOR,                   \
						   .size = sizeof(struct ktstr_plugin),            \
						   .kind = (KIND),                                 \
						   .param_size = sizeof(struct ktstr_param),       \
						   __VA_ARGS__ }

/*
 * True when @ops was built with @op in its struct and filled it in. Every ops table starts with its
 * size.
 */
#define KTSTR_HAS(ops, op)                                                                         \
	((ops)->size >= offsetof(__typeof__(*(ops)), op) + sizeof((ops)->op) && (ops)->op != NULL)

#endif
