/* SPDX-License-Identifier: MIT */
/*
 * What a plugin needs of the VM. Its host half fills this in from its parameters, before anything
 * starts.
 */
#ifndef KTSTR_NEEDS_H
#define KTSTR_NEEDS_H

#include <stdint.h>

#include "ktstr/error.h"
#include "ktstr/param.h"
#include "ktstr/plugin.h"
#include "ktstr/topology.h"

/* Where the needs of all plugins of a run come together. Call through the functions. */
struct ktstr_needs {
	uint32_t size;
	uint32_t reserved;
	/* The topology that the run will have. */
	const struct ktstr_topology *topology;
	/* How long the plugin's own part lasts at most; the longest wins. Added to the run's
	 * deadline. */
	uint64_t duration_ns;
	/* Guest memory beyond what kernel and agent take; summed up. */
	uint64_t memory_bytes;
	void *host;
	int (*kernel_config)(struct ktstr_needs *needs, const char *option,
			     struct ktstr_error *err);
	int (*file)(struct ktstr_needs *needs, const char *host_path, const char *guest_path,
		    struct ktstr_error *err);
	int (*workers)(struct ktstr_needs *needs, const struct ktstr_value *workload,
		       uint32_t workers, struct ktstr_error *err);
	int (*scheduler)(struct ktstr_needs *needs, const char *name, struct ktstr_error *err);
};

/* The guest kernel must have @option built in ("CONFIG_SCHED_CLASS_EXT"). */
static inline int ktstr_need_kernel_config(struct ktstr_needs *needs, const char *option,
					   struct ktstr_error *err)
{
	return needs->kernel_config(needs, option, err);
}

/*
 * Ship the file @host_path as @guest_path (absolute, under /payload). A relative @host_path is seen
 * from the folder of the scenario file, or, where the plugin was named on the command line, from
 * the working directory. An ELF program brings its libraries along. Returns 0; -ENOENT when it does
 * not exist.
 */
static inline int ktstr_need_file(struct ktstr_needs *needs, const char *host_path,
				  const char *guest_path, struct ktstr_error *err)
{
	return needs->file(needs, host_path, guest_path, err);
}

/*
 * Can @workers workers be started of the workload that @workload (a KTSTR_PARAM_PLUGIN value)
 * names? Returns 0, with the memory of that many processes added to the needs; -EINVAL when they do
 * not fill its groups. Ask once for each spawn.
 */
static inline int ktstr_need_workers(struct ktstr_needs *needs, const struct ktstr_value *workload,
				     uint32_t workers, struct ktstr_error *err)
{
	return KTSTR_HAS(needs, workers) ? needs->workers(needs, workload, workers, err) : 0;
}

/*
 * The scenario will bring up the scheduler @name while it runs: one of `schedulers:` in the
 * scenario file, or "" for the run's own. NULL: it will take down the one that is up. Ask once for
 * each time: what it may take is added to the run's deadline. Returns 0; -ENOENT when there is no
 * @name.
 */
static inline int ktstr_need_scheduler(struct ktstr_needs *needs, const char *name,
				       struct ktstr_error *err)
{
	return KTSTR_HAS(needs, scheduler) ? needs->scheduler(needs, name, err) : 0;
}

#endif
