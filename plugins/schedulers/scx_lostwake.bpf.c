/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A queue for each CPU, and no needless end of a turn: a task that finds nobody waiting behind it
 * keeps its CPU without a limit, and the CPU is left in peace until somebody calls it. This
 * scheduler has a fault, which seldom shows; it is here to be found.
 *
 * Who wakes up goes to the CPU with the shortest queue. A CPU is quiet when it does not look at its
 * queue by itself any more: it idles, or what runs on it has no limit. Who is queued for a quiet
 * CPU calls it. Any other comes by itself, when the turn ends that it has now.
 *
 * The fault: who is queued looks whether the CPU is quiet, and gets into the queue after that; and
 * a CPU looks at its queue, and says after that that it is quiet. When the second happens within
 * the first, on another CPU, nobody calls, and the task waits until the next one is queued there,
 * who does call. But none is: that queue is longer than the others now.
 *
 * What enqueue() inserts into a DSQ gets there only after enqueue() has returned, so no order of
 * the lines there helps. With `fixed` a task is counted before it looks, and a CPU says that it is
 * quiet before it looks at the count.
 */
#include "ktstr/scx.bpf.h"

#define CPUS_MAX 256u /* a power of two */
#define PF_EXITING 0x4u
#define IDLE 0xffffffffu
#define E2BIG 7
#define ENOMEM 12

struct cpu {
	/* 0: it comes by itself; IDLE; or the pid of the task that runs there without a limit, and
	 * goes on there after others that came between. */
	u32 quiet;
	u32 waiting; /* tasks in its queue, or on their way there */
};

const volatile u64 slice_ns = 1000000;
const volatile bool fixed = false;

struct cpu cpus[CPUS_MAX];
u64 direct_count;
u64 queued_count;
u64 call_count;

struct task_state {
	u32 queue; /* 1 + the CPU in whose queue it waits */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task_state);
} tasks SEC(".maps");

static __always_inline struct cpu *cpu_at(u32 cpu)
{
	return &cpus[cpu & (CPUS_MAX - 1)];
}

/* Returns what it was before. */
static __always_inline u32 set_quiet(u32 cpu, u32 value)
{
	return __sync_lock_test_and_set(&cpu_at(cpu)->quiet, value);
}

/* Of what a kernel function gives back as a bool, compilers set one byte and clang looks at four.
 */
static __always_inline bool is_running(const struct task_struct *p)
{
	u64 value = scx_bpf_task_running(p);

	barrier_var(value);
	return value & 0xff;
}

s32 KTSTR_SCX_OP(lostwake_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool is_idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &is_idle);

	if (is_idle) {
		__sync_fetch_and_add(&direct_count, 1);
		/* It may be idle no more when the task gets there. */
		ktstr_scx_insert(p, SCX_DSQ_LOCAL, slice_ns, SCX_ENQ_PREEMPT);
	}
	return cpu;
}

struct choice {
	u32 first;
	u32 cpu;
	u32 waiting;
	u32 quiet;
};

static long look_at_queue(u32 round, struct choice *choice)
{
	u32 nr_cpus = scx_bpf_nr_cpu_ids(), cpu = (choice->first + nr_cpus - round) % nr_cpus;
	struct cpu *state = cpu_at(cpu);

	if (state->waiting < choice->waiting) {
		choice->cpu = cpu;
		choice->waiting = state->waiting;
		choice->quiet = state->quiet;
	}
	return 0;
}

/* The shortest queue; among equals that of the CPU before the one where the task was. */
static __always_inline void choose(struct choice *choice)
{
	choice->first = choice->cpu + scx_bpf_nr_cpu_ids() - 1;
	choice->waiting = 0xffffffff;
	bpf_loop(scx_bpf_nr_cpu_ids(), look_at_queue, choice, 0);
}

/* It waits no more. */
static __always_inline void leave(struct task_state *state)
{
	if (state->queue)
		__sync_fetch_and_sub(&cpu_at(state->queue - 1)->waiting, 1);
	state->queue = 0;
}

/* Who may not run just anywhere does not take part. */
static __always_inline bool has_own_cpu(const struct task_struct *p)
{
	return (p->flags & (PF_KTHREAD | PF_EXITING)) || p->nr_cpus_allowed < scx_bpf_nr_cpu_ids();
}

void KTSTR_SCX_OP(lostwake_enqueue, struct task_struct *p, u64 enq_flags)
{
	struct task_state *state = bpf_task_storage_get(&tasks, p, NULL, 0);
	struct choice choice = { .cpu = scx_bpf_task_cpu(p) };

	if (state)
		leave(state);
	if (!state || has_own_cpu(p)) {
		ktstr_scx_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags | SCX_ENQ_PREEMPT);
		return;
	}
	if (is_running(p) && cpu_at(choice.cpu)->quiet == (u32)p->pid) {
		ktstr_scx_insert(p, SCX_DSQ_LOCAL, SCX_SLICE_INF, enq_flags);
		return;
	}
	if (!is_running(p))
		choose(&choice);
	state->queue = choice.cpu + 1;
	__sync_fetch_and_add(&cpu_at(choice.cpu)->waiting, 1);
	__sync_fetch_and_add(&queued_count, 1);
	if (fixed)
		choice.quiet = cpu_at(choice.cpu)->quiet;
	ktstr_scx_insert(p, choice.cpu, slice_ns, enq_flags);
	if (choice.quiet) {
		__sync_fetch_and_add(&call_count, 1);
		set_quiet(choice.cpu, 0);
		scx_bpf_kick_cpu(choice.cpu, SCX_KICK_PREEMPT);
	}
}

struct search {
	u32 cpu;
	bool has_found;
};

static long try_queue(u32 round, struct search *search)
{
	if (!ktstr_scx_move_to_local((search->cpu + round) % scx_bpf_nr_cpu_ids()))
		return 0;
	search->has_found = true;
	return 1;
}

/* A CPU that would idle takes from any queue, its own first. */
static __always_inline bool take_any(u32 cpu)
{
	struct search search = { .cpu = cpu };

	bpf_loop(scx_bpf_nr_cpu_ids(), try_queue, &search, 0);
	return search.has_found;
}

void KTSTR_SCX_OP(lostwake_dispatch, s32 cpu, struct task_struct *prev)
{
	u32 value = IDLE;

	if (prev && (prev->scx.flags & SCX_TASK_QUEUED))
		value = (u32)prev->pid;
	if (fixed)
		set_quiet(cpu, value);
	if (value == IDLE ? take_any(cpu) : ktstr_scx_move_to_local(cpu)) {
		set_quiet(cpu, 0);
		return;
	}
	if (fixed && cpu_at(cpu)->waiting) {
		/* Somebody is on the way: look again. */
		set_quiet(cpu, 0);
		if (prev && value != IDLE)
			ktstr_scx_set_slice(prev, slice_ns);
		else
			scx_bpf_kick_cpu(cpu, 0);
		return;
	}
	if (!fixed)
		set_quiet(cpu, value);
	if (prev && value != IDLE)
		ktstr_scx_set_slice(prev, SCX_SLICE_INF);
}

void KTSTR_SCX_OP(lostwake_running, struct task_struct *p)
{
	struct task_state *state = bpf_task_storage_get(&tasks, p, NULL, 0);

	if (state)
		leave(state);
	/* A call does not come through to a CPU that the real-time class has just then: it is heard
	 * here. */
	if (p->scx.slice == SCX_SLICE_INF && cpu_at(scx_bpf_task_cpu(p))->quiet != (u32)p->pid)
		ktstr_scx_set_slice(p, slice_ns);
}

s32 KTSTR_SCX_OP(lostwake_init_task, struct task_struct *p, struct scx_init_task_args *args)
{
	return bpf_task_storage_get(&tasks, p, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE) ? 0 : -ENOMEM;
}

s32 KTSTR_SCX_OP(lostwake_init)
{
	s32 code = scx_bpf_nr_cpu_ids() > CPUS_MAX ? -E2BIG : 0;

	for (u32 i = 0; i < CPUS_MAX && i < scx_bpf_nr_cpu_ids() && code == 0; i++)
		code = scx_bpf_create_dsq(i, -1);
	return code;
}

void KTSTR_SCX_OP(lostwake_dump_cpu, struct scx_dump_ctx *dctx, s32 cpu, bool is_idle)
{
	ktstr_scx_dump("quiet=%d waiting=%u", cpu_at(cpu)->quiet, cpu_at(cpu)->waiting);
}

KTSTR_SCX_DEFINE(lostwake, .select_cpu = (void *)lostwake_select_cpu,
		 .enqueue = (void *)lostwake_enqueue, .dispatch = (void *)lostwake_dispatch,
		 .running = (void *)lostwake_running, .init_task = (void *)lostwake_init_task,
		 .init = (void *)lostwake_init, .dump_cpu = (void *)lostwake_dump_cpu,
		 .flags = SCX_OPS_ENQ_EXITING, .name = "lostwake");
