/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The budget that all runs of a user on this machine share: so many busy threads of VMs, and the
 * memory that is there. A run takes its part before its VM starts, waits for it in the order of
 * coming, and gives it back when the VM is gone. There is no daemon (run/queue.h).
 */
#ifndef RUN_BUDGET_H
#define RUN_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ktstr/error.h"
#include "run/queue.h"

/* What QEMU takes beside the memory of its VM. */
#define BUDGET_QEMU_BYTES (UINT64_C(64) << 20)
/* The part of its memory that a restored VM is taken to use, as 1 of so many; it has what it does
 * not write to in common with the others of its kind. */
#define BUDGET_RESTORED_SHARE 4u
/* What is left alone of the machine's memory: 1 of so many parts, but at least so much. */
#define BUDGET_RESERVE_SHARE 16u
#define BUDGET_RESERVE_BYTES (UINT64_C(256) << 20)
#define BUDGET_JOBS_MAX 4096u
/* Who waits and has not looked for so long does not hold up those behind it: it may be stopped. */
#define BUDGET_ABSENT_NS (UINT64_C(5) * 1000000000)

/* What a VM may use. */
struct budget_need {
	uint32_t threads;
	uint64_t memory_bytes;
};

/* The need of a VM with @cpus and @memory_bytes: under TCG all CPUs take turns in one thread. */
struct budget_need budget_need(bool is_kvm, uint32_t cpus, uint64_t memory_bytes, bool is_restored);

/*
 * How many busy threads there may be, from KTSTR_JOBS (@jobs; NULL or empty: not set) and the cores
 * of the machine. *ret is 0 for no limit of any kind ("0", "unlimited"). -EINVAL.
 */
int budget_jobs(const char *jobs, uint32_t cores, uint32_t *ret, struct ktstr_error *err);

/* The cores that this process may run on, at least 1. */
uint32_t budget_cores(void);

/* The folder that all processes of this user share (queue_open_folder()), from the environment. */
int budget_open_folder(struct ktstr_error *err);

/* Memory of the machine in bytes; all 0: not known, and no limit. */
struct budget_memory {
	uint64_t total;
	uint64_t available;
};

/* Another run, and how much of its memory it uses already. */
struct budget_other {
	struct queue_entry entry;
	uint64_t used_bytes;
};

enum budget_answer {
	BUDGET_GO,
	BUDGET_WAIT,
	BUDGET_NEVER, /* it needs more memory than the machine has */
};

/* Why a run waits. */
struct budget_wait {
	uint32_t before;  /* runs that wait and came before */
	uint32_t running; /* VMs */
	uint32_t to_end;  /* so many of these, the oldest first, must end */
	bool is_for_memory;
	int32_t pid; /* of the oldest one that runs, or else waits before */
	uint64_t since_ns;
};

/*
 * May a VM start, which needs @need? @others are in the order of their tickets, @ticket is the own
 * one. A VM that wants more threads than there are takes all of them, and one that is alone may
 * start whatever memory is available at the moment: there is nobody to wait for. Pure.
 */
enum budget_answer budget_decide(const struct budget_need *need, uint64_t ticket, uint32_t jobs,
				 const struct budget_memory *memory,
				 const struct budget_other *others, size_t count, uint64_t now_ns,
				 struct budget_wait *ret);

/* "for 1 of 2 VMs to end (pid 123, since 12 s)". */
void budget_wait_text(const struct budget_wait *wait, uint64_t now_ns, char *text, size_t size);

struct budget_spec {
	int folder_fd; /* of queue_open_folder(); borrowed */
	uint32_t jobs; /* of budget_jobs() */
	struct budget_need need;
	int signal_fd; /* readable: give up; -1: none */
	/* What is waited for, again and again while it lasts; NULL: nobody wants to know. @is_new:
	 * it is not what it was. */
	void (*tell)(void *arg, const char *text, bool is_new);
	void *arg;
	/* For tests. */
	struct budget_memory (*memory)(void *arg); /* NULL: of /proc/meminfo */
};

struct budget;

/*
 * Take it, and wait for it where need be; *ret_has_waited then. Must be given back by
 * budget_release(). -EINTR when a signal came, -E2BIG when it can never be had, other errors when
 * the budget cannot be shared at all, and the run may go on without.
 */
int budget_take(const struct budget_spec *spec, struct budget **ret, bool *ret_has_waited,
		struct ktstr_error *err);

/* What it was taken for needs @memory_bytes from now on. False, and nothing has changed, when that
 * is more than before; also when there is none (NULL). */
bool budget_lower(struct budget *budget, uint64_t memory_bytes);

/* The VM is that process: what it uses is seen from now on. */
void budget_set_vm(struct budget *budget, pid_t vm_pid);

/* NULL is fine. */
void budget_release(struct budget *budget);

#endif
