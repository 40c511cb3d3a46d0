/* SPDX-License-Identifier: MIT */
/*
 * Services that the agent in the guest lends to the guest halves of schedulers and scenarios.
 *
 * They come as a table of functions, so a plugin has no undefined symbol of ktstr's. Call them
 * through the inline functions below. The table grows at its end; a plugin built against newer
 * headers than the agent gets -ENOSYS from what the agent does not have.
 *
 * Nothing here may be called from a signal handler or from a worker.
 */
#ifndef KTSTR_GUEST_H
#define KTSTR_GUEST_H

#include <stdint.h>

#include "ktstr/error.h"
#include "ktstr/frame.h"
#include "ktstr/param.h"
#include "ktstr/plugin.h"
#include "ktstr/topology.h"

#define KTSTR_LOG_ERR 0u
#define KTSTR_LOG_WARN 1u
#define KTSTR_LOG_INFO 2u
#define KTSTR_LOG_DEBUG 3u

struct ktstr_guest;

/* A cgroup to create. Zero is the default of every field. */
struct ktstr_cgroup_spec {
	uint32_t size;	     /* sizeof(struct ktstr_cgroup_spec) */
	uint32_t cpu_weight; /* 1 to 10000; 0: as it is (100) */
	const char *name;    /* relative to the workload root; "a/b" creates b in an existing a */
	struct ktstr_cpuset cpus;   /* cpuset.cpus; empty: not set */
	uint64_t cpu_max_quota_us;  /* cpu.max; 0: no limit */
	uint64_t cpu_max_period_us; /* 0: 100000 */
};

/* Workers to start. */
struct ktstr_spawn_spec {
	uint32_t size;			    /* sizeof(struct ktstr_spawn_spec) */
	uint32_t cgroup_id;		    /* 0: the agent's own cgroup */
	const struct ktstr_value *workload; /* a KTSTR_PARAM_PLUGIN value that names a workload */
	uint32_t workers;	      /* at least 1; a multiple of the workload's group size */
	int32_t nice;		      /* -20 to 19 */
	struct ktstr_cpuset affinity; /* sched_setaffinity(); empty: not set */
};

/* Most ranges of one call, most bytes that one call writes, and most that it reads or that one
 * capture keeps. */
#define KTSTR_KERNEL_RANGES_MAX 64u
#define KTSTR_KERNEL_WRITE_MAX (64u * 1024u)
#define KTSTR_KERNEL_READ_MAX (1000u * 1024u)

/* mode */
#define KTSTR_KERNEL_HOT 0u  /* while the guest runs: between two ranges all may change */
#define KTSTR_KERNEL_COLD 1u /* all CPUs stand still for the whole call */

/* flags */
#define KTSTR_KERNEL_OR 0x1u	 /* write, cold, 4 bytes: set these bits and keep the others */
#define KTSTR_KERNEL_DIRECT 0x2u /* must be an address in the kernel's map of all memory */
#define KTSTR_KERNEL_WALK 0x4u	 /* go through the page tables, whatever the address */

/* A piece of the memory of the guest's kernel. Zero is the default of every field. */
struct ktstr_kernel_range {
	const char *symbol; /* a name of /proc/kallsyms; NULL: none */
	uint64_t address;   /* a kernel virtual address; with a symbol: so many bytes behind it */
	void *data;	 /* where it is read to, or what is written; not looked at by a snapshot */
	uint32_t length; /* bytes */
	uint32_t flags;
	uint64_t reserved; /* zero */
};

/* The table itself. For the agent and for tests that stand in for it; plugins use the functions
 * below. */
struct ktstr_guest_ops {
	uint32_t size;
	uint32_t reserved;
	uint64_t (*now_ns)(struct ktstr_guest *g);
	uint64_t (*random)(struct ktstr_guest *g);
	void (*log)(struct ktstr_guest *g, uint32_t level, const char *text);
	int (*emit)(struct ktstr_guest *g, uint32_t msg_type, const void *payload, uint32_t length,
		    struct ktstr_error *err);
	int (*stopping)(struct ktstr_guest *g);
	int (*step)(struct ktstr_guest *g, const char *name, uint32_t index, uint32_t count,
		    uint64_t hold_ns, struct ktstr_error *err);
	int (*step_end)(struct ktstr_guest *g, struct ktstr_error *err);
	int (*hold)(struct ktstr_guest *g, uint64_t duration_ns, struct ktstr_error *err);
	int (*cgroup_create)(struct ktstr_guest *g, const struct ktstr_cgroup_spec *spec,
			     uint32_t *ret_id, struct ktstr_error *err);
	int (*cgroup_find)(struct ktstr_guest *g, const char *name, uint32_t *ret_id);
	int (*cgroup_set_cpus)(struct ktstr_guest *g, uint32_t id, const struct ktstr_cpuset *cpus,
			       struct ktstr_error *err);
	int (*cgroup_remove)(struct ktstr_guest *g, uint32_t id, struct ktstr_error *err);
	int (*spawn)(struct ktstr_guest *g, const struct ktstr_spawn_spec *spec,
		     uint32_t *ret_group, struct ktstr_error *err);
	int (*stop)(struct ktstr_guest *g, uint32_t group, struct ktstr_error *err);
	int (*stop_cgroup)(struct ktstr_guest *g, uint32_t cgroup_id, struct ktstr_error *err);
	int (*snapshot)(struct ktstr_guest *g, const char *tag,
			const struct ktstr_kernel_range *ranges, uint32_t count,
			struct ktstr_error *err);
	int (*watch)(struct ktstr_guest *g, const char *symbol, struct ktstr_error *err);
	int (*kernel_read)(struct ktstr_guest *g, const char *tag, uint32_t mode,
			   const struct ktstr_kernel_range *ranges, uint32_t count,
			   struct ktstr_error *err);
	int (*kernel_write)(struct ktstr_guest *g, const char *tag, uint32_t mode,
			    const struct ktstr_kernel_range *ranges, uint32_t count,
			    struct ktstr_error *err);
	int (*scheduler_log)(struct ktstr_guest *g);
	int (*scheduler_attach)(struct ktstr_guest *g, const char *name, struct ktstr_error *err);
	int (*scheduler_detach)(struct ktstr_guest *g, struct ktstr_error *err);
	int (*scheduler_restart)(struct ktstr_guest *g, struct ktstr_error *err);
	int (*scheduler_replace)(struct ktstr_guest *g, const char *name, struct ktstr_error *err);
};

struct ktstr_guest {
	const struct ktstr_guest_ops *ops;
	const struct ktstr_topology *topology;
};

#define KTSTR_GUEST_CALL(g, err, op, ...)                                                          \
	(KTSTR_HAS((g)->ops, op)                                                                   \
		 ? (g)->ops->op((g), __VA_ARGS__)                                                  \
		 : ktstr_fail((err), -ENOSYS, "the agent has no service '%s'; update ktstr", #op))

/* Monotonic nanoseconds of the guest. */
static inline uint64_t ktstr_now_ns(struct ktstr_guest *g)
{
	return g->ops->now_ns(g);
}

/* The next number of the run's own generator: the same seed gives the same numbers. */
static inline uint64_t ktstr_random(struct ktstr_guest *g)
{
	return g->ops->random(g);
}

/* One line for the run's log, without a newline. */
__attribute__((format(printf, 3, 4))) static inline void
ktstr_log(struct ktstr_guest *g, uint32_t level, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	g->ops->log(g, level, text);
}

/*
 * Send a frame of a verdict-bearing type. Returns 0; -EINVAL for an internal or unknown type,
 * -EMSGSIZE for a payload over KTSTR_FRAME_PAYLOAD_MAX.
 */
static inline int ktstr_emit(struct ktstr_guest *g, uint32_t msg_type, const void *payload,
			     uint32_t length, struct ktstr_error *err)
{
	return KTSTR_GUEST_CALL(g, err, emit, msg_type, payload, length, err);
}

/* 1 once the run is to end early: return from run() soon, with 0. */
static inline int ktstr_stopping(struct ktstr_guest *g)
{
	return g->ops->stopping(g);
}

/*
 * A step begins: its name, its number from 1 of @count (0: not known), and how long it means to
 * hold. Shown live, and a STEP and a STIMULUS frame of the run. Ends the step before it, if one is
 * open. Returns 0; -ESRCH when the scheduler died, and then no step begins; -EINVAL for a bad
 * number.
 */
static inline int ktstr_step(struct ktstr_guest *g, const char *name, uint32_t index,
			     uint32_t count, uint64_t hold_ns, struct ktstr_error *err)
{
	return KTSTR_GUEST_CALL(g, err, step, name, index, count, hold_ns, err);
}

/* The step's hold is over. */
static inline int ktstr_step_end(struct ktstr_guest *g, struct ktstr_error *err)
{
	return KTSTR_GUEST_CALL(g, err, step_end, err);
}

/*
 * Let the workers work for @duration_ns, and watch the scheduler and the workers meanwhile. Returns
 * 0 after the time; -ECANCELED when the run is to end early; -ESRCH when the scheduler died;
 * -ECHILD when a worker died.
 */
static inline int ktstr_hold(struct ktstr_guest *g, uint64_t duration_ns, struct ktstr_error *err)
{
	return KTSTR_GUEST_CALL(g, err, hold, duration_ns, err);
}

/*
 * Create a cgroup (v2) under the run's workload root. Returns 0 and its id, from 1; -EEXIST when
 * the name is taken; -EINVAL for a bad name or value; else what the kernel said.
 */
static inline int ktstr_cgroup_create(struct ktstr_guest *g, const struct ktstr_cgroup_spec *spec,
				      uint32_t *ret_id, struct ktstr_error *err)
{
	return KTSTR_GUEST_CALL(g, err, cgroup_create, spec, ret_id, err);
}

/* The id of a cgroup by name. Returns 0, or -ENOENT. */
static inline int ktstr_cgroup_find(struct ktstr_guest *g, const char *name, uint32_t *ret_id)
{
	return KTSTR_HAS(g->ops, cgroup_find) ? g->ops->cgroup_find(g, name, ret_id) : -ENOSYS;
}

/* Set cpuset.cpus; an empty set lifts the limit. */
static inline int ktstr_cgroup_set_cpus(struct ktstr_guest *g, uint32_t id,
					const struct ktstr_cpuset *cpus, struct ktstr_error *err)
{
	return KTSTR_GUEST_CALL(g, err, cgroup_set_cpus, id, cpus, err);
}

/* Stop the workers of a cgroup, collect their reports, and remove it. */
static inline int ktstr_cgroup_remove(struct ktstr_guest *g, uint32_t id, struct ktstr_error *err)
{
	return KTSTR_GUEST_CALL(g, err, cgroup_remove, id, err);
}

/*
 * Start workers. Each is a process, placed in its cgroup, with its affinity and nice value, before
 * the first instruction of its loop; all of one spawn start together. Returns 0 and the number of
 * the spawn, from 1; -ECANCELED when the run is to end early.
 */
static inline int ktstr_spawn(struct ktstr_guest *g, const struct ktstr_spawn_spec *spec,
			      uint32_t *ret_group, struct ktstr_error *err)
{
	return KTSTR_GUEST_CALL(g, err, spawn, spec, ret_group, err);
}

/*
 * Stop the workers of one spawn (0: all) and send their reports. Once none of them has ended for 5
 * s, those that are left are killed and reported as such. What still runs when a scenario returns
 * is stopped by the agent.
 */
static inline int ktstr_stop(struct ktstr_guest *g, uint32_t group, struct ktstr_error *err)
{
	return KTSTR_GUEST_CALL(g, err, stop, group, err);
}

/* As ktstr_stop(), for all workers of one cgroup. */
static inline int ktstr_stop_cgroup(struct ktstr_guest *g, uint32_t cgroup_id,
				    struct ktstr_error *err)
{
	return KTSTR_GUEST_CALL(g, err, stop_cgroup, cgroup_id, err);
}

/*
 * The services below ask the host, which stops the VM or reaches into its memory. They wait for its
 * answer, at most 30 s; time in which the VM stands still does not count. Returns 0, or
 *	-EREMOTEIO  the host refused: the text is its own
 *	-ENOENT     this kernel has no such symbol
 *	-EINVAL     a tag, a length, a count or a flag that cannot be; -E2BIG: too much for one call
 *	-ETIMEDOUT  no answer
 *	-ECANCELED  the run is to end early
 *	-EIO, -EBADMSG  the way to the host is broken
 */

/*
 * Keep the state of the VM in the run file: the registers of all CPUs, and @count ranges of kernel
 * memory (up to KTSTR_KERNEL_READ_MAX bytes together), all of one moment at which the VM stood
 * still. @tag names it, with up to 64 bytes; when a tag is used twice both are kept. A run keeps at
 * most 64.
 */
static inline int ktstr_snapshot(struct ktstr_guest *g, const char *tag,
				 const struct ktstr_kernel_range *ranges, uint32_t count,
				 struct ktstr_error *err)
{
	return KTSTR_GUEST_CALL(g, err, snapshot, tag, ranges, count, err);
}

/*
 * From now on keep such a snapshot, with @symbol as its tag, each time that the kernel has written
 * one of the 4 bytes at @symbol. Three symbols can be watched. A watch ends after 16 snapshots, and
 * rests for 100 ms when it was hit twice within that time, since each hit stops the whole VM: a
 * symbol that is written all the time costs the VM no more than a second. An emulated CPU is also
 * slow with the 4 KiB around what is watched. In virtual time a watch is the one service here with
 * which a run is not the same again: its hits stop the VM at moments of the host's.
 */
static inline int ktstr_watch(struct ktstr_guest *g, const char *symbol, struct ktstr_error *err)
{
	return KTSTR_GUEST_CALL(g, err, watch, symbol, err);
}

/*
 * Read @count ranges of kernel memory to where their data point. The first that fails ends the
 * call, and then nothing was read. A range of 4 or 8 aligned bytes is read at once.
 */
static inline int ktstr_kernel_read(struct ktstr_guest *g, const char *tag, uint32_t mode,
				    const struct ktstr_kernel_range *ranges, uint32_t count,
				    struct ktstr_error *err)
{
	return KTSTR_GUEST_CALL(g, err, kernel_read, tag, mode, ranges, count, err);
}

/*
 * Write kernel memory. The first range that fails ends the call; those before it stay written. The
 * run file notes the @tag. Nothing protects a kernel whose memory is written wrongly.
 */
static inline int ktstr_kernel_write(struct ktstr_guest *g, const char *tag, uint32_t mode,
				     const struct ktstr_kernel_range *ranges, uint32_t count,
				     struct ktstr_error *err)
{
	return KTSTR_GUEST_CALL(g, err, kernel_write, tag, mode, ranges, count, err);
}

/*
 * Where a scheduler's own output goes: a file descriptor to write to, whose bytes become SCHED_LOG
 * frames and the run's scheduler.log. It is the agent's: do not close it; dup2() it in a child. A
 * writer waits while the host is behind. Returns the descriptor, or -ENOSYS.
 */
static inline int ktstr_scheduler_log(struct ktstr_guest *g)
{
	return KTSTR_HAS(g->ops, scheduler_log) ? g->ops->scheduler_log(g) : -ENOSYS;
}

/*
 * The services below change the scheduler while the scenario runs. @name is one of `schedulers:` in
 * the scenario file; "" is the run's own. What leaves because of them did not die. When the old one
 * does not let go within 2 s, the kernel is told to throw it out. Each sends a SCHED_SWAP frame.
 * Returns 0; -ENOENT for a @name that is not staged; -ECANCELED when the run is to end early;
 * -ESRCH when the old one had died, or the new one is at fault for not starting, and the run is a
 * FAIL then, whatever the scenario makes of it; else what the scheduler's start() or stop() said.
 * After a failure of start() or stop() the kernel's own class schedules.
 */

/* Bring up @name. -EBUSY when a scheduler is up. */
static inline int ktstr_scheduler_attach(struct ktstr_guest *g, const char *name,
					 struct ktstr_error *err)
{
	return KTSTR_GUEST_CALL(g, err, scheduler_attach, name, err);
}

/* Take down the one that is up. -ENOENT when none is. */
static inline int ktstr_scheduler_detach(struct ktstr_guest *g, struct ktstr_error *err)
{
	return KTSTR_GUEST_CALL(g, err, scheduler_detach, err);
}

/* Take down the one that is up, and bring up the run's own. -ENOENT when none is. */
static inline int ktstr_scheduler_restart(struct ktstr_guest *g, struct ktstr_error *err)
{
	return KTSTR_GUEST_CALL(g, err, scheduler_restart, err);
}

/* Take down the one that is up, and bring up @name. -ENOENT when none is. */
static inline int ktstr_scheduler_replace(struct ktstr_guest *g, const char *name,
					  struct ktstr_error *err)
{
	return KTSTR_GUEST_CALL(g, err, scheduler_replace, name, err);
}

#endif
