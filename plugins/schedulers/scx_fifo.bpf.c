/* SPDX-License-Identifier: GPL-2.0-only */
/* One queue for all CPUs, first come, first served: no nice value and no cpu.weight counts. */
#include "ktstr/scx.bpf.h"

#define SHARED 0

const volatile u64 slice_ns = SCX_SLICE_DFL;

u64 direct_count;
u64 queued_count;

s32 KTSTR_SCX_OP(fifo_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool is_idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &is_idle);

	if (is_idle) {
		__sync_fetch_and_add(&direct_count, 1);
		ktstr_scx_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	}
	return cpu;
}

void KTSTR_SCX_OP(fifo_enqueue, struct task_struct *p, u64 enq_flags)
{
	__sync_fetch_and_add(&queued_count, 1);
	ktstr_scx_insert(p, SHARED, slice_ns, enq_flags);
}

void KTSTR_SCX_OP(fifo_dispatch, s32 cpu, struct task_struct *prev)
{
	ktstr_scx_move_to_local(SHARED);
}

s32 KTSTR_SCX_OP(fifo_init)
{
	return scx_bpf_create_dsq(SHARED, -1);
}

KTSTR_SCX_DEFINE(fifo, .select_cpu = (void *)fifo_select_cpu, .enqueue = (void *)fifo_enqueue,
		 .dispatch = (void *)fifo_dispatch, .init = (void *)fifo_init, .name = "fifo");
