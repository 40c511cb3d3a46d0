/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A scheduler like scx_fifo that breaks as it is told, to see what notices.
 *
 * Kernel threads are served whatever is broken: the kernel's watchdog is one of them. Nor does a
 * stall leak: while it lasts no task is handed to an idle CPU, and none goes on for want of others.
 */
#include "ktstr/scx.bpf.h"

#include "scx_ktstr.h"

#define SHARED 0
/* A DSQ that nobody has created. */
#define NO_DSQ 12345
#define COMM_MAX 16

const volatile u32 fault = SCX_KTSTR_NONE;
const volatile u64 after_ns = 0;
const volatile u64 slice_ns = SCX_SLICE_DFL;
const volatile u64 delay_ns = 0;
/* How the name of the task begins that is starved. */
const volatile char victim[COMM_MAX] = "";

/* A fault that is ordered while it runs. */
u32 command;
u32 victim_pid;
u64 start_ns;
u64 direct_count;
u64 queued_count;
u64 fault_count;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} nothing SEC(".maps");

/* Is it time for fault @which? */
static __always_inline bool is_armed(u32 which)
{
	if (*(volatile u32 *)&command == which)
		return true;
	return fault == which && bpf_ktime_get_ns() - start_ns >= after_ns;
}

static __always_inline bool is_kernel_thread(const struct task_struct *p)
{
	return p->flags & PF_KTHREAD;
}

static bool is_victim(struct task_struct *p)
{
	if (victim_pid)
		return p->pid == victim_pid;
	if (p->tgid == 1)
		return false;
	for (int i = 0; i < COMM_MAX && victim[i]; i++)
		if (p->comm[i] != victim[i])
			return false;
	return __sync_val_compare_and_swap(&victim_pid, 0, (u32)p->pid) == 0;
}

/* Is this task kept from running? */
static __always_inline bool is_held_back(struct task_struct *p)
{
	if (is_kernel_thread(p))
		return false;
	return is_armed(SCX_KTSTR_STALL) || (is_armed(SCX_KTSTR_STARVE) && is_victim(p));
}

static long do_nothing(u32 round, void *context)
{
	return 0;
}

/* A round of the delay; 1 ends it. */
static long spin(u32 round, u64 *end_ns)
{
	bpf_loop(1000, do_nothing, NULL, 0);
	return !ktstr_scx_before(bpf_ktime_get_ns(), *end_ns);
}

static __always_inline void waste_time(void)
{
	u64 end_ns = bpf_ktime_get_ns() + delay_ns;

	bpf_loop(1 << 22, spin, &end_ns, 0);
}

/* Only on @cpu, if the task may. */
static __always_inline bool insert_on(struct task_struct *p, u32 cpu, u64 enq_flags)
{
	if (!bpf_cpumask_test_cpu(cpu, p->cpus_ptr))
		return false;
	ktstr_scx_insert(p, SCX_DSQ_LOCAL_ON | cpu, slice_ns, enq_flags);
	return true;
}

/* True when a fault has dealt with the task. */
static __always_inline bool enqueue_badly(struct task_struct *p, u64 enq_flags)
{
	if (is_armed(SCX_KTSTR_ERROR)) {
		ktstr_scx_error("scx_ktstr: told to fail at '%s'", (u64)p->comm);
		return true;
	}
	if (is_armed(SCX_KTSTR_BAD_DSQ)) {
		ktstr_scx_insert(p, NO_DSQ, slice_ns, enq_flags);
		return true;
	}
	if (is_armed(SCX_KTSTR_ONE_CPU))
		return insert_on(p, 0, enq_flags);
	if (is_armed(SCX_KTSTR_SCATTER))
		return insert_on(p, bpf_get_prandom_u32() % scx_bpf_nr_cpu_ids(), enq_flags);
	if (is_armed(SCX_KTSTR_SLOW))
		waste_time();
	return false;
}

/* What moves tasks to where they are idle would undo these. */
static __always_inline bool is_direct_allowed(struct task_struct *p)
{
	return !is_held_back(p) && !is_armed(SCX_KTSTR_ONE_CPU) && !is_armed(SCX_KTSTR_SCATTER) &&
	       !is_armed(SCX_KTSTR_BAD_DSQ) && !is_armed(SCX_KTSTR_ERROR);
}

s32 KTSTR_SCX_OP(ktstr_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool is_idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &is_idle);

	if (is_idle && (is_kernel_thread(p) || is_direct_allowed(p))) {
		__sync_fetch_and_add(&direct_count, 1);
		ktstr_scx_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	}
	return cpu;
}

void KTSTR_SCX_OP(ktstr_enqueue, struct task_struct *p, u64 enq_flags)
{
	__sync_fetch_and_add(&queued_count, 1);
	if (is_kernel_thread(p)) {
		ktstr_scx_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	if (is_held_back(p)) {
		/* In no queue: the kernel waits for the scheduler to put it into one. */
		__sync_fetch_and_add(&fault_count, 1);
		return;
	}
	if (enqueue_badly(p, enq_flags)) {
		__sync_fetch_and_add(&fault_count, 1);
		return;
	}
	/* The CPU has nothing else to run. */
	if (enq_flags & SCX_ENQ_LAST)
		ktstr_scx_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
	else
		ktstr_scx_insert(p, SHARED, slice_ns, enq_flags);
}

/* A block that the verifier walks through eight times, before what it refuses. */
static __always_inline void walk(u64 *seen)
{
#pragma unroll
	for (int i = 0; i < 8; i++) {
		u32 number = bpf_get_prandom_u32();

		if (number & 1)
			*seen += number;
		else
			*seen ^= bpf_ktime_get_ns();
		if (*seen > (u64)number << 8)
			*seen >>= 3;
	}
}

/* Not taken, unless the fault is for the verifier: it does not look at what cannot be reached. */
static __always_inline void offend_verifier(void)
{
	u32 key = 0;

	if (fault == SCX_KTSTR_VERIFIER) {
		u64 *value = bpf_map_lookup_elem(&nothing, &key);

		*value = 1;
	}
	if (fault == SCX_KTSTR_VERIFIER_LONG) {
		u64 *value = bpf_map_lookup_elem(&nothing, &key);
		u64 seen = 0;

		walk(&seen);
		*value = seen;
	}
}

void KTSTR_SCX_OP(ktstr_dispatch, s32 cpu, struct task_struct *prev)
{
	offend_verifier();
	if (is_armed(SCX_KTSTR_CRASH)) {
		ktstr_scx_error("scx_ktstr: told to crash");
		return;
	}
	/* What was queued before the stall must not run either. */
	if (is_armed(SCX_KTSTR_STALL))
		return;
	ktstr_scx_move_to_local(SHARED);
}

void KTSTR_SCX_OP(ktstr_dump, struct scx_dump_ctx *context)
{
	ktstr_scx_dump("scx_ktstr: fault=%u command=%u victim=%u hits=%llu", fault, command,
		       victim_pid, fault_count);
}

s32 KTSTR_SCX_OP(ktstr_init)
{
	if (fault == SCX_KTSTR_INIT)
		return -12; /* -ENOMEM */
	start_ns = bpf_ktime_get_ns();
	return scx_bpf_create_dsq(SHARED, -1);
}

/* ENQ_LAST: without it a CPU goes on with its last task when it gets no other. */
KTSTR_SCX_DEFINE(ktstr, .select_cpu = (void *)ktstr_select_cpu, .enqueue = (void *)ktstr_enqueue,
		 .dispatch = (void *)ktstr_dispatch, .dump = (void *)ktstr_dump,
		 .init = (void *)ktstr_init, .flags = SCX_OPS_ENQ_LAST, .timeout_ms = 5000,
		 .name = "ktstr");
