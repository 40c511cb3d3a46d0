/* SPDX-License-Identifier: GPL-2.0-only */
/* A BPF object with one variable of each sort, for test_scx_object.c. It uses all that
 * ktstr/scx.bpf.h offers, so that all of it is compiled. */
#define KTSTR_SCX_CGROUPS
#include "ktstr/scx.bpf.h"

enum colour {
	RED,
	GREEN,
	BLUE
};

struct pair {
	u32 a;
	u32 b;
};

const volatile u8 tiny = 1;
const volatile u16 small = 2;
const volatile u32 middle = 3;
const volatile u64 large = 4;
const volatile s32 below_zero = -5;
const volatile bool flag = false;
const volatile enum colour colour = RED;
const volatile char text[8] = "before";
const volatile u32 numbers[4] = { 1, 2, 3, 4 };
volatile const struct pair pair = { 1, 2 };
const u64 frozen = 6;
u64 initial = 7;
u64 own_section SEC(".data.mine") = 8;
u64 zero;

s32 KTSTR_SCX_OP(sample_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool is_idle = false;

	zero += large + middle + small + tiny + below_zero + flag + colour + text[0] + initial +
		own_section + numbers[prev_cpu & 3] + pair.a + *(volatile const u64 *)&frozen;
	return scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &is_idle);
}

void KTSTR_SCX_OP(sample_enqueue, struct task_struct *p, u64 enq_flags)
{
	struct bpf_iter_scx_dsq it;
	struct cgroup *cgroup;

	if (p->flags & PF_KTHREAD) {
		ktstr_scx_insert(p, SCX_DSQ_LOCAL, SCX_SLICE_DFL, enq_flags);
		return;
	}
	bpf_iter_scx_dsq_new(&it, 0, 0);
	if (bpf_iter_scx_dsq_next(&it))
		zero++;
	bpf_iter_scx_dsq_destroy(&it);
	cgroup = scx_bpf_task_cgroup(p);
	zero += cgroup->kn->id;
	bpf_cgroup_release(cgroup);
	if (bpf_cpumask_test_cpu(0, p->cpus_ptr) && scx_bpf_task_running(p))
		scx_bpf_kick_cpu(scx_bpf_task_cpu(p), SCX_KICK_IDLE);
	if (scx_bpf_pick_idle_cpu(p->cpus_ptr, 0) < 0 && scx_bpf_pick_any_cpu(p->cpus_ptr, 0) < 0)
		ktstr_scx_error("no CPU of %u for %d '%s'", scx_bpf_nr_cpu_ids(), p->pid,
				(u64)p->comm);
	ktstr_scx_insert_vtime(p, 0, SCX_SLICE_DFL, p->scx.dsq_vtime, enq_flags);
}

void KTSTR_SCX_OP(sample_dispatch, s32 cpu, struct task_struct *prev)
{
	if (scx_bpf_dsq_nr_queued(0) > 0)
		ktstr_scx_move_to_local(0);
}

void KTSTR_SCX_OP(sample_enable, struct task_struct *p)
{
	ktstr_scx_set_vtime(p, 0);
	ktstr_scx_set_slice(p, SCX_SLICE_DFL);
}

void KTSTR_SCX_OP(sample_dump, struct scx_dump_ctx *context)
{
	ktstr_scx_dump("%llu", zero);
}

s32 KTSTR_SCX_OP(sample_cgroup_init, struct cgroup *cgroup, struct scx_cgroup_init_args *args)
{
	zero += args->weight;
	return 0;
}

s32 KTSTR_SCX_OP(sample_init)
{
	return scx_bpf_create_dsq(0, -1);
}

/* Not used by the ops. */
void KTSTR_SCX_OP(sample_unused)
{
	scx_bpf_destroy_dsq(0);
}

KTSTR_SCX_DEFINE(sample, .select_cpu = (void *)sample_select_cpu, .enqueue = (void *)sample_enqueue,
		 .dispatch = (void *)sample_dispatch, .enable = (void *)sample_enable,
		 .dump = (void *)sample_dump, .cgroup_init = (void *)sample_cgroup_init,
		 .init = (void *)sample_init, .timeout_ms = 1000, .name = "sample");
