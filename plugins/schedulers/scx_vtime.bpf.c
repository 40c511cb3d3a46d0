/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Weighted virtual time, in two levels: a cgroup gets CPU time as its cpu.weight says, among the
 * cgroups that have tasks waiting, and a task as its nice value says, among those of its cgroup.
 *
 * Each cgroup has a clock that runs the slower the more weight it has, and a queue of its tasks,
 * ordered by clocks of their own. A CPU takes the first task that it may run of the cgroup whose
 * clock is furthest behind. Weights of cgroups are compared with each other whatever their parents:
 * for the leaves of one parent that is what cpu.weight means. CPU time limits (cpu.max) are not
 * kept.
 *
 * A turn costs what it took: one ends at a tick of the clock, some time after its slice, and one is
 * shorter, where a task goes to sleep. It costs no more than two slices: what goes beyond is the
 * doing of a hypervisor, which stopped the CPU, and would keep all tasks of a cgroup waiting that
 * happened to run then.
 *
 * A clock that was not in use is set forward when it comes back, so that nobody saves up time by
 * sleeping. One that has gone far ahead, alone on a CPU that others may not use, is held back to
 * what a turn costs at most. A task that is new pays half a turn first, or those who are due
 * little would get most of it at once.
 */
#define KTSTR_SCX_CGROUPS
#include "ktstr/scx.bpf.h"

#define GROUPS_MAX 64u /* a power of two */
#define WEIGHT_DFL 100u

/* Group 0 is for the tasks of all cgroups that found no place, and is always there. */
struct group {
	u64 id; /* of the cgroup; 0: free, in groups but the first */
	u64 vtime;
	u64 task_vtime; /* the clock of the last task that ran */
	u32 weight;
	u32 tasks_running;
};

const volatile u64 slice_ns = SCX_SLICE_DFL;

struct group groups[GROUPS_MAX];
/* The smallest clock of a group with tasks waiting, at the last look; never goes back. */
u64 vtime_now;
u64 direct_count;
u64 queued_count;
u64 crowded_count; /* cgroups that found no place */
/* What the verifier does not know it need not look at twice: once for this, once for any other. */
u32 no_group = GROUPS_MAX;

struct task_state {
	u32 group;
	bool is_charged; /* its group has paid for the turn that it has now */
	u64 paid;	 /* so much time */
	u64 ran_before;	 /* its CPU time when the turn began */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task_state);
} tasks SEC(".maps");

/* From the id of a cgroup to its group. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, GROUPS_MAX);
	__type(key, u64);
	__type(value, u32);
} places SEC(".maps");

static __always_inline struct group *group_at(u32 index)
{
	index &= GROUPS_MAX - 1;
	barrier_var(index); /* the verifier is to see that very number used */
	return &groups[index];
}

static __always_inline u64 scale(u64 time, u32 weight)
{
	return time * WEIGHT_DFL / (weight ? weight : 1);
}

static __always_inline u64 turn_max(void)
{
	return 2 * slice_ns;
}

static u32 group_of_cgroup(struct cgroup *cgroup)
{
	u64 id = cgroup->kn->id;
	u32 *index = bpf_map_lookup_elem(&places, &id);

	return index ? *index : 0;
}

static __always_inline struct task_state *state_of(struct task_struct *p)
{
	return bpf_task_storage_get(&tasks, p, NULL, 0);
}

static __always_inline u32 group_of(struct task_struct *p)
{
	struct task_state *state = state_of(p);

	return state ? state->group : 0;
}

/* The clock of the first task in a queue; false: it is empty. */
static __always_inline bool first_vtime(u64 dsq_id, u64 *vtime)
{
	struct bpf_iter_scx_dsq it;
	struct task_struct *first = NULL;

	if (bpf_iter_scx_dsq_new(&it, dsq_id, 0) == 0)
		first = bpf_iter_scx_dsq_next(&it);
	if (first)
		*vtime = first->scx.dsq_vtime;
	bpf_iter_scx_dsq_destroy(&it);
	return first != NULL;
}

s32 KTSTR_SCX_OP(vtime_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool is_idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &is_idle);

	if (is_idle) {
		__sync_fetch_and_add(&direct_count, 1);
		ktstr_scx_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	}
	return cpu;
}

void KTSTR_SCX_OP(vtime_enqueue, struct task_struct *p, u64 enq_flags)
{
	u32 index = group_of(p);
	struct group *group = group_at(index);
	u64 vtime = p->scx.dsq_vtime, first = group->task_vtime;
	bool has_others = first_vtime(index, &first);
	u64 ahead = first + scale(turn_max(), p->scx.weight);

	if ((enq_flags & SCX_ENQ_WAKEUP) && ktstr_scx_before(vtime, first - slice_ns))
		vtime = first - slice_ns;
	if (has_others && ktstr_scx_before(ahead, vtime))
		vtime = ahead;
	/* A cgroup that had no task on a CPU or waiting for one has not been waiting. */
	if (!has_others && !group->tasks_running && ktstr_scx_before(group->vtime, vtime_now))
		group->vtime = vtime_now;
	__sync_fetch_and_add(&queued_count, 1);
	ktstr_scx_insert_vtime(p, index, slice_ns, vtime, enq_flags);
}

/*
 * The search for what a CPU runs next: the groups in the order of their clocks. The task that has
 * run until now is in no queue yet, and takes part all the same.
 */
struct search {
	u64 vtime;
	u32 index; /* GROUPS_MAX: none */
	u32 last_index;
	u64 last_vtime;
	u64 prev_vtime;
	u32 prev_index; /* GROUPS_MAX: there is no such task */
	bool has_last;
	bool keeps_prev;
};

static __always_inline bool is_after(u64 a, u32 a_index, u64 b, u32 b_index)
{
	return ktstr_scx_before(b, a) || (a == b && a_index > b_index);
}

static long look_at_group(u32 index, struct search *search)
{
	struct group *group = group_at(index);
	u64 vtime = group->vtime;

	if (index && !group->id)
		return 0;
	if (index != search->prev_index && scx_bpf_dsq_nr_queued(index) <= 0)
		return 0;
	if (search->has_last && !is_after(vtime, index, search->last_vtime, search->last_index))
		return 0;
	if (search->index == GROUPS_MAX || is_after(search->vtime, search->index, vtime, index)) {
		search->vtime = vtime;
		search->index = index;
	}
	return 0;
}

/* Has the task that has run until now the first clock of its group? */
static __always_inline bool is_prev_first(const struct search *search)
{
	u64 first = 0;

	return !first_vtime(search->index, &first) || ktstr_scx_before(search->prev_vtime, first);
}

/* The next group in the order of clocks; 1 ends the loop. */
static long try_group(u32 round, struct search *search)
{
	search->index = GROUPS_MAX;
	bpf_loop(GROUPS_MAX, look_at_group, search, 0);
	if (search->index >= GROUPS_MAX)
		return 1;
	if (round == 0 && ktstr_scx_before(vtime_now, search->vtime))
		vtime_now = search->vtime;
	if (search->index == search->prev_index && is_prev_first(search)) {
		search->keeps_prev = true;
		return 1;
	}
	if (ktstr_scx_move_to_local(search->index))
		return 1;
	if (search->index == search->prev_index) {
		search->keeps_prev = true;
		return 1;
	}
	/* None of its tasks may run here. */
	search->has_last = true;
	search->last_index = search->index;
	search->last_vtime = search->vtime;
	return 0;
}

/* A turn of a task begins. Its group pays in advance, or two CPUs that look at once would both take
 * of the same group. */
static __always_inline void begin_turn(struct task_struct *p, struct task_state *state, u64 vtime,
				       u64 slice)
{
	struct group *group = group_at(state->group);
	u64 cost = scale(slice, group->weight);
	u64 ahead = vtime_now + cost * scx_bpf_nr_cpu_ids();

	if (ktstr_scx_before(group->task_vtime, vtime))
		group->task_vtime = vtime;
	if (ktstr_scx_before(ahead, group->vtime))
		group->vtime = ahead;
	__sync_fetch_and_add(&group->vtime, cost);
	state->paid = slice;
	state->ran_before = p->se.sum_exec_runtime;
}

/* What a turn costs that began when @state says. */
static __always_inline u64 turn_time(const struct task_struct *p, const struct task_state *state)
{
	u64 ran = p->se.sum_exec_runtime - state->ran_before;

	return ran < turn_max() ? ran : turn_max();
}

static __always_inline u64 vtime_after_turn(const struct task_struct *p,
					    const struct task_state *state)
{
	return p->scx.dsq_vtime + scale(turn_time(p, state), p->scx.weight);
}

/* Its turn is over: it pays, and its group pays the rest or gets back what was too much. Returns
 * the task's clock. */
static __always_inline u64 end_turn(struct task_struct *p, const struct task_state *state)
{
	struct group *group = group_at(state->group);
	u64 vtime = vtime_after_turn(p, state);

	__sync_fetch_and_add(&group->vtime, scale(turn_time(p, state), group->weight) -
						    scale(state->paid, group->weight));
	ktstr_scx_set_vtime(p, vtime);
	return vtime;
}

void KTSTR_SCX_OP(vtime_dispatch, s32 cpu, struct task_struct *prev)
{
	struct search search = { .index = GROUPS_MAX, .prev_index = no_group };
	struct task_state *state = NULL;

	if (prev && (prev->scx.flags & SCX_TASK_QUEUED))
		state = state_of(prev);
	if (state && state->is_charged) {
		search.prev_index = state->group;
		search.prev_vtime = vtime_after_turn(prev, state);
	}
	bpf_loop(GROUPS_MAX, try_group, &search, 0);
	if (!prev || !search.keeps_prev)
		return;
	/* Another turn for the task that runs: the kernel tells nobody that one has ended. */
	state = state_of(prev);
	if (state) {
		ktstr_scx_set_slice(prev, slice_ns);
		begin_turn(prev, state, end_turn(prev, state), slice_ns);
	}
}

void KTSTR_SCX_OP(vtime_running, struct task_struct *p)
{
	struct task_state *state = state_of(p);

	if (!state)
		return;
	state->is_charged = true;
	begin_turn(p, state, p->scx.dsq_vtime, p->scx.slice);
	__sync_fetch_and_add(&group_at(state->group)->tasks_running, 1);
}

void KTSTR_SCX_OP(vtime_stopping, struct task_struct *p, bool is_runnable)
{
	struct task_state *state = state_of(p);

	if (!state || !state->is_charged)
		return;
	end_turn(p, state);
	__sync_fetch_and_sub(&group_at(state->group)->tasks_running, 1);
	state->is_charged = false;
}

/* The clock of a task that is new in its group. */
static __always_inline void place(struct task_struct *p, u32 index)
{
	ktstr_scx_set_vtime(p, group_at(index)->task_vtime + scale(slice_ns / 2, p->scx.weight));
}

s32 KTSTR_SCX_OP(vtime_init_task, struct task_struct *p, struct scx_init_task_args *args)
{
	struct task_state *state =
		bpf_task_storage_get(&tasks, p, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!state)
		return -12; /* -ENOMEM */
	state->group = group_of_cgroup(args->cgroup);
	return 0;
}

void KTSTR_SCX_OP(vtime_enable, struct task_struct *p)
{
	place(p, group_of(p));
}

struct claim {
	u64 id;
	u32 index; /* 0: none is free */
};

static long claim_group(u32 round, struct claim *claim)
{
	u32 index = round + 1; /* group 0 is nobody's own */

	if (index >= GROUPS_MAX || __sync_val_compare_and_swap(&group_at(index)->id, 0, claim->id))
		return 0;
	claim->index = index;
	return 1;
}

s32 KTSTR_SCX_OP(vtime_cgroup_init, struct cgroup *cgroup, struct scx_cgroup_init_args *args)
{
	struct claim claim = { .id = cgroup->kn->id };
	struct group *group;

	bpf_loop(GROUPS_MAX - 1, claim_group, &claim, 0);
	if (!claim.index) {
		__sync_fetch_and_add(&crowded_count, 1);
		return 0;
	}
	group = group_at(claim.index);
	group->weight = args->weight;
	group->vtime = vtime_now;
	group->task_vtime = 0;
	group->tasks_running = 0;
	return bpf_map_update_elem(&places, &claim.id, &claim.index, BPF_ANY);
}

void KTSTR_SCX_OP(vtime_cgroup_exit, struct cgroup *cgroup)
{
	u64 id = cgroup->kn->id;
	u32 index = group_of_cgroup(cgroup);

	bpf_map_delete_elem(&places, &id);
	if (index)
		group_at(index)->id = 0;
}

void KTSTR_SCX_OP(vtime_cgroup_move, struct task_struct *p, struct cgroup *from, struct cgroup *to)
{
	struct task_state *state = state_of(p);

	if (!state)
		return;
	state->group = group_of_cgroup(to);
	place(p, state->group);
}

void KTSTR_SCX_OP(vtime_cgroup_set_weight, struct cgroup *cgroup, u32 weight)
{
	u32 index = group_of_cgroup(cgroup);

	if (index)
		group_at(index)->weight = weight;
}

s32 KTSTR_SCX_OP(vtime_init)
{
	s32 code = 0;

	groups[0].weight = WEIGHT_DFL;
	for (u32 i = 0; i < GROUPS_MAX && code == 0; i++)
		code = scx_bpf_create_dsq(i, -1);
	return code;
}

KTSTR_SCX_DEFINE(vtime, .select_cpu = (void *)vtime_select_cpu, .enqueue = (void *)vtime_enqueue,
		 .dispatch = (void *)vtime_dispatch, .running = (void *)vtime_running,
		 .stopping = (void *)vtime_stopping, .init_task = (void *)vtime_init_task,
		 .enable = (void *)vtime_enable, .cgroup_init = (void *)vtime_cgroup_init,
		 .cgroup_exit = (void *)vtime_cgroup_exit, .cgroup_move = (void *)vtime_cgroup_move,
		 .cgroup_set_weight = (void *)vtime_cgroup_set_weight, .init = (void *)vtime_init,
		 .name = "vtime");
