/* SPDX-License-Identifier: MIT */
/*
 * The BPF half of a scheduler plugin to start from: all tasks wait in one queue, and the one that
 * came first runs first. It is what the kernel runs; bpf_scheduler.c is what sets it up.
 */
#include "ktstr/scx.bpf.h"

#define SHARED 0

/* Set by the user half before the kernel sees it. */
const volatile u64 slice_ns = SCX_SLICE_DFL;

/* Read by the user half while it runs. */
u64 queued_count;

/* A task has woken up: where is it to run? The kernel's own choice is a good one; on a CPU that is
 * idle the task can go straight there. */
s32 KTSTR_SCX_OP(my_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool is_idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &is_idle);

	if (is_idle)
		ktstr_scx_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

/* A task wants to run: put it into a queue. One that is put nowhere never runs again, and after a
 * while the kernel throws the scheduler out for it. */
void KTSTR_SCX_OP(my_enqueue, struct task_struct *p, u64 enq_flags)
{
	__sync_fetch_and_add(&queued_count, 1);
	ktstr_scx_insert(p, SHARED, slice_ns, enq_flags);
}

/* A CPU has nothing to run: give it something. */
void KTSTR_SCX_OP(my_dispatch, s32 cpu, struct task_struct *prev)
{
	ktstr_scx_move_to_local(SHARED);
}

s32 KTSTR_SCX_OP(my_init)
{
	return scx_bpf_create_dsq(SHARED, -1);
}

KTSTR_SCX_DEFINE(my_ops, .select_cpu = (void *)my_select_cpu, .enqueue = (void *)my_enqueue,
		 .dispatch = (void *)my_dispatch, .init = (void *)my_init, .name = "my_bpf");
