/* SPDX-License-Identifier: MIT */
/*
 * For the BPF half of a scheduler plugin: the kernel's sched_ext as far as schedulers commonly use
 * it, and a record of the scheduler's own end.
 *
 *	#include "ktstr/scx.bpf.h"
 *
 *	#define SHARED 0
 *
 *	void KTSTR_SCX_OP(lazy_enqueue, struct task_struct *p, u64 enq_flags)
 *	{
 *		ktstr_scx_insert(p, SHARED, SCX_SLICE_DFL, enq_flags);
 *	}
 *
 *	void KTSTR_SCX_OP(lazy_dispatch, s32 cpu, struct task_struct *prev)
 *	{
 *		ktstr_scx_move_to_local(SHARED);
 *	}
 *
 *	s32 KTSTR_SCX_OP(lazy_init)
 *	{
 *		return scx_bpf_create_dsq(SHARED, -1);
 *	}
 *
 *	KTSTR_SCX_DEFINE(lazy, .name = "lazy", .enqueue = (void *)lazy_enqueue,
 *			 .dispatch = (void *)lazy_dispatch, .init = (void *)lazy_init);
 *
 * No vmlinux.h is needed: a type stands here with the members that are used most, and libbpf finds
 * the real place of each in the kernel that loads it (CO-RE). For a member that is missing here,
 * declare a type of the same name with a suffix, and cast to it:
 *
 *	struct task_struct___mine {
 *		u64 start_time;
 *	} __attribute__((preserve_access_index));
 *
 * Builds with clang 14 and later and with libbpf 1.1 and later; loads on kernels from 6.12 on,
 * whichever names they have for what inserts and moves tasks.
 *
 * Which callbacks may sleep is not written down in the source: ktstr marks init, init_task,
 * cgroup_init, cgroup_prep_move, cpu_online and cpu_offline by itself when it loads the object.
 */
#ifndef KTSTR_SCX_BPF_H
#define KTSTR_SCX_BPF_H

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "ktstr/scx_record.h"

typedef __u8 u8;
typedef __s8 s8;
typedef __u16 u16;
typedef __s16 s16;
typedef __u32 u32;
typedef __s32 s32;
typedef __u64 u64;
typedef __s64 s64;
#ifndef bool
typedef _Bool bool;
#define true 1
#define false 0
#endif

#ifndef bpf_ksym_exists
#define bpf_ksym_exists(sym) (!!(sym))
#endif

/* Types of the kernel */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/*
 * Only ever pointed to. libbpf wants to know of it that it is a struct, and clang says so only if
 * the members that point to it have another type than the arguments that do.
 */
struct cpumask {
	unsigned long bits[1];
};
typedef struct cpumask cpumask_t;

struct kernfs_node {
	u64 id;
};

struct cgroup {
	struct kernfs_node *kn;
	int level;
};
typedef struct cgroup cgroup_t; /* as cpumask_t */

struct sched_ext_entity {
	u32 flags;
	u32 weight; /* of the nice value: 1 to 10000, 100 for nice 0 */
	s32 sticky_cpu;
	u64 slice;
	u64 dsq_vtime;
};

struct sched_entity {
	u64 sum_exec_runtime; /* ns on a CPU until now; while it runs, as of its last tick or stop
			       */
};

struct task_struct {
	unsigned int flags; /* PF_ */
	int prio;
	int static_prio;
	struct sched_entity se;
	unsigned int policy;
	int nr_cpus_allowed;
	const cpumask_t *cpus_ptr;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	char comm[16];
	struct sched_ext_entity scx;
};

enum scx_exit_kind {
	SCX_EXIT_NONE = 0,
	SCX_EXIT_DONE = 1,
};

struct scx_exit_info {
	enum scx_exit_kind kind;
	s64 exit_code;
	const char *reason;
	char *msg;
	char *dump;
};

struct scx_init_task_args {
	bool fork;
	cgroup_t *cgroup; /* only in kernels with CONFIG_EXT_GROUP_SCHED */
};

struct scx_exit_task_args {
	bool cancelled;
};

struct scx_cgroup_init_args {
	u32 weight; /* cpu.weight: 1 to 10000 */
};

struct scx_dump_ctx {
	enum scx_exit_kind kind;
	s64 exit_code;
	const char *reason;
	u64 at_ns;
	u64 at_jiffies;
};

#pragma clang attribute pop

struct bpf_iter_scx_dsq {
	u64 opaque[6];
} __attribute__((aligned(8)));

/*
 * The callbacks; what each is for is told in the kernel's own source. libbpf matches members by
 * name, and old ones refuse a member that the kernel does not have, even where it is not used: so
 * those of cgroups are here only for a scheduler that defines KTSTR_SCX_CGROUPS before it includes
 * this file. It runs on kernels with CONFIG_EXT_GROUP_SCHED only.
 */
struct sched_ext_ops {
	s32 (*select_cpu)(struct task_struct *p, s32 prev_cpu, u64 wake_flags);
	void (*enqueue)(struct task_struct *p, u64 enq_flags);
	void (*dequeue)(struct task_struct *p, u64 deq_flags);
	void (*dispatch)(s32 cpu, struct task_struct *prev);
	void (*tick)(struct task_struct *p);
	void (*runnable)(struct task_struct *p, u64 enq_flags);
	void (*running)(struct task_struct *p);
	void (*stopping)(struct task_struct *p, bool is_runnable);
	void (*quiescent)(struct task_struct *p, u64 deq_flags);
	bool (*yield)(struct task_struct *from, struct task_struct *to);
	bool (*core_sched_before)(struct task_struct *a, struct task_struct *b);
	void (*set_weight)(struct task_struct *p, u32 weight);
	void (*set_cpumask)(struct task_struct *p, const struct cpumask *cpumask);
	void (*update_idle)(s32 cpu, bool is_idle);
	s32 (*init_task)(struct task_struct *p, struct scx_init_task_args *args);
	void (*exit_task)(struct task_struct *p, struct scx_exit_task_args *args);
	void (*enable)(struct task_struct *p);
	void (*disable)(struct task_struct *p);
	void (*dump)(struct scx_dump_ctx *dctx);
	void (*dump_cpu)(struct scx_dump_ctx *dctx, s32 cpu, bool is_idle);
	void (*dump_task)(struct scx_dump_ctx *dctx, struct task_struct *p);
#ifdef KTSTR_SCX_CGROUPS
	s32 (*cgroup_init)(struct cgroup *cgrp, struct scx_cgroup_init_args *args);
	void (*cgroup_exit)(struct cgroup *cgrp);
	s32 (*cgroup_prep_move)(struct task_struct *p, struct cgroup *from, struct cgroup *to);
	void (*cgroup_move)(struct task_struct *p, struct cgroup *from, struct cgroup *to);
	void (*cgroup_cancel_move)(struct task_struct *p, struct cgroup *from, struct cgroup *to);
	void (*cgroup_set_weight)(struct cgroup *cgrp, u32 weight);
#endif
	void (*cpu_online)(s32 cpu);
	void (*cpu_offline)(s32 cpu);
	s32 (*init)(void);
	void (*exit)(struct scx_exit_info *info);
	u32 dispatch_max_batch;
	u64 flags;	/* SCX_OPS_ */
	u32 timeout_ms; /* the longest that a task may wait; 0: 30 s; at most 30000 */
	u32 exit_dump_len;
	u64 hotplug_seq;
	char name[128]; /* what /sys/kernel/sched_ext/root/ops says */
};

/* Its constants, of those whose values are the same in all kernels */

#define SCX_DSQ_GLOBAL 0x8000000000000001ULL
#define SCX_DSQ_LOCAL 0x8000000000000002ULL
#define SCX_DSQ_LOCAL_ON 0xc000000000000000ULL /* or the number of a CPU */

#define SCX_SLICE_DFL 20000000ULL
#define SCX_SLICE_INF 0xffffffffffffffffULL

#define SCX_OPS_KEEP_BUILTIN_IDLE 0x1ULL
#define SCX_OPS_ENQ_LAST 0x2ULL
#define SCX_OPS_ENQ_EXITING 0x4ULL
#define SCX_OPS_SWITCH_PARTIAL 0x8ULL

#define SCX_ENQ_WAKEUP 0x1ULL
#define SCX_ENQ_PREEMPT (1ULL << 32)
#define SCX_ENQ_REENQ (1ULL << 40)
#define SCX_ENQ_LAST (1ULL << 41)

#define SCX_TASK_QUEUED 0x1u /* in scx.flags: it is runnable */

#define SCX_KICK_IDLE 1ULL
#define SCX_KICK_PREEMPT 2ULL

#define PF_KTHREAD 0x00200000u

/* Its functions. Weak ones are not in every kernel: ask bpf_ksym_exists() first. */

s32 scx_bpf_create_dsq(u64 dsq_id, s32 node) __ksym;
void scx_bpf_destroy_dsq(u64 dsq_id) __ksym __weak;
s32 scx_bpf_dsq_nr_queued(u64 dsq_id) __ksym __weak;
s32 scx_bpf_select_cpu_dfl(struct task_struct *p, s32 prev_cpu, u64 wake_flags,
			   bool *is_idle) __ksym;
void scx_bpf_kick_cpu(s32 cpu, u64 flags) __ksym __weak;
u32 scx_bpf_nr_cpu_ids(void) __ksym __weak;
s32 scx_bpf_task_cpu(const struct task_struct *p) __ksym __weak;
bool scx_bpf_task_running(const struct task_struct *p) __ksym __weak;
s32 scx_bpf_pick_idle_cpu(const struct cpumask *cpus_allowed, u64 flags) __ksym __weak;
s32 scx_bpf_pick_any_cpu(const struct cpumask *cpus_allowed, u64 flags) __ksym __weak;
bool bpf_cpumask_test_cpu(u32 cpu, const struct cpumask *cpumask) __ksym __weak;
struct cgroup *scx_bpf_task_cgroup(struct task_struct *p) __ksym __weak;
void bpf_cgroup_release(struct cgroup *cgrp) __ksym __weak;
void scx_bpf_error_bstr(char *format, unsigned long long *data, u32 data_size) __ksym;
void scx_bpf_dump_bstr(char *format, unsigned long long *data, u32 data_size) __ksym __weak;

int bpf_iter_scx_dsq_new(struct bpf_iter_scx_dsq *it, u64 dsq_id, u64 flags) __ksym __weak;
struct task_struct *bpf_iter_scx_dsq_next(struct bpf_iter_scx_dsq *it) __ksym __weak;
void bpf_iter_scx_dsq_destroy(struct bpf_iter_scx_dsq *it) __ksym __weak;

/* Two names each: until Linux 6.12, and since. */
void scx_bpf_dispatch(struct task_struct *p, u64 dsq_id, u64 slice, u64 enq_flags) __ksym __weak;
void scx_bpf_dsq_insert(struct task_struct *p, u64 dsq_id, u64 slice, u64 enq_flags) __ksym __weak;
void scx_bpf_dispatch_vtime(struct task_struct *p, u64 dsq_id, u64 slice, u64 vtime,
			    u64 enq_flags) __ksym __weak;
void scx_bpf_dsq_insert_vtime(struct task_struct *p, u64 dsq_id, u64 slice, u64 vtime,
			      u64 enq_flags) __ksym __weak;
bool scx_bpf_consume(u64 dsq_id) __ksym __weak;
bool scx_bpf_dsq_move_to_local(u64 dsq_id) __ksym __weak;
/* In early kernels a scheduler writes the member itself. */
bool scx_bpf_task_set_dsq_vtime(struct task_struct *p, u64 vtime) __ksym __weak;
bool scx_bpf_task_set_slice(struct task_struct *p, u64 slice) __ksym __weak;

/* Put @p at the end of a DSQ. */
static __always_inline void ktstr_scx_insert(struct task_struct *p, u64 dsq_id, u64 slice,
					     u64 enq_flags)
{
	if (bpf_ksym_exists(scx_bpf_dsq_insert))
		scx_bpf_dsq_insert(p, dsq_id, slice, enq_flags);
	else
		scx_bpf_dispatch(p, dsq_id, slice, enq_flags);
}

/* Put @p into a DSQ before those with a greater @vtime. A DSQ is filled in one of the two ways. */
static __always_inline void ktstr_scx_insert_vtime(struct task_struct *p, u64 dsq_id, u64 slice,
						   u64 vtime, u64 enq_flags)
{
	if (bpf_ksym_exists(scx_bpf_dsq_insert_vtime))
		scx_bpf_dsq_insert_vtime(p, dsq_id, slice, vtime, enq_flags);
	else
		scx_bpf_dispatch_vtime(p, dsq_id, slice, vtime, enq_flags);
}

/* In dispatch(): let this CPU run the first task of a DSQ that may run on it. False: none may. */
static __always_inline bool ktstr_scx_move_to_local(u64 dsq_id)
{
	if (bpf_ksym_exists(scx_bpf_dsq_move_to_local))
		return scx_bpf_dsq_move_to_local(dsq_id);
	return scx_bpf_consume(dsq_id);
}

static __always_inline void ktstr_scx_set_vtime(struct task_struct *p, u64 vtime)
{
	if (bpf_ksym_exists(scx_bpf_task_set_dsq_vtime))
		scx_bpf_task_set_dsq_vtime(p, vtime);
	else
		p->scx.dsq_vtime = vtime;
}

static __always_inline void ktstr_scx_set_slice(struct task_struct *p, u64 slice)
{
	if (bpf_ksym_exists(scx_bpf_task_set_slice))
		scx_bpf_task_set_slice(p, slice);
	else
		p->scx.slice = slice;
}

/* Is time @a before time @b, where both may wrap around? */
static __always_inline bool ktstr_scx_before(u64 a, u64 b)
{
	return (s64)(a - b) < 0;
}

/* Up to 12 arguments, each a number: cast a pointer to u64. */
#define KTSTR_SCX_BSTR(FUNCTION, FORMAT, ARGS...)                                                  \
	({                                                                                         \
		static char ktstr_format[] = FORMAT;                                               \
		unsigned long long ktstr_args[___bpf_narg(ARGS) ? ___bpf_narg(ARGS) : 1] = { 0 };  \
                                                                                                   \
		___bpf_fill(ktstr_args, ARGS);                                                     \
		FUNCTION(ktstr_format, ktstr_args,                                                 \
			 ___bpf_narg(ARGS) * sizeof(unsigned long long));                          \
	})

/* Give up: the kernel throws the scheduler out with this message (kind error_bpf). */
#define ktstr_scx_error(FORMAT, ARGS...) KTSTR_SCX_BSTR(scx_bpf_error_bstr, FORMAT, ##ARGS)

/* In dump(), dump_cpu() and dump_task(): add to the dump. */
#define ktstr_scx_dump(FORMAT, ARGS...) KTSTR_SCX_BSTR(scx_bpf_dump_bstr, FORMAT, ##ARGS)

/* One callback: its name, then its arguments. */
#define KTSTR_SCX_OP(NAME, ARGS...) SEC("struct_ops/" #NAME) BPF_PROG(NAME, ##ARGS)

/* Write down why the scheduler ends. Only for a scheduler with an exit() of its own. */
static __always_inline void ktstr_scx_keep(struct ktstr_scx_record *record,
					   const struct scx_exit_info *info)
{
	bpf_probe_read_kernel_str(record->reason, sizeof(record->reason), info->reason);
	bpf_probe_read_kernel_str(record->message, sizeof(record->message), info->msg);
	if (info->dump)
		bpf_probe_read_kernel_str(record->dump, sizeof(record->dump), info->dump);
	record->exit_code = info->exit_code;
	record->size = sizeof(*record);
	__sync_lock_test_and_set(&record->kind, (u32)info->kind);
}

/*
 * The scheduler itself, once in an object: the name of its variable, which the user half gives to
 * ktstr, and the members of struct sched_ext_ops. exit() is ktstr's.
 */
#define KTSTR_SCX_DEFINE(OPS, ...)                                                                 \
	void KTSTR_SCX_OP(ktstr_scx_exit, struct scx_exit_info *info)                              \
	{                                                                                          \
		ktstr_scx_keep(&ktstr_scx_record, info);                                           \
	}                                                                                          \
	KTSTR_SCX_DEFINE_WITH_EXIT(OPS, .exit = (void *)ktstr_scx_exit, __VA_ARGS__)

/* As before, for one that has an exit() of its own; it should call
 * ktstr_scx_keep(&ktstr_scx_record, info). */
#define KTSTR_SCX_DEFINE_WITH_EXIT(OPS, ...)                                                       \
	char ktstr_scx_license[] SEC("license") = "GPL";                                           \
	SEC(".struct_ops") struct sched_ext_ops OPS = { __VA_ARGS__ }

/* Read by the user half. */
struct ktstr_scx_record ktstr_scx_record SEC(".data.ktstr");

#endif
