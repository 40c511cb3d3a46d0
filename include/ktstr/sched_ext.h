/* SPDX-License-Identifier: MIT */
/*
 * What frames say about schedulers, and about sched_ext above all: payloads, and the kernel's
 * words.
 *
 * The agent sends SCX_STATE, SCHED_PROGS and SCX_DUMP for every scheduler, whatever brought it up:
 * it reads them from the kernel. SCX_EXIT comes from the scheduler where it keeps a record of its
 * own end (ops.exit()), and else from the agent, out of the kernel's log.
 */
#ifndef KTSTR_SCHED_EXT_H
#define KTSTR_SCHED_EXT_H

#include <stdint.h>

#include "ktstr/frame.h"

/* when, of SCX_STATE and SCHED_PROGS */
#define KTSTR_SCX_ATTACHED 1u	 /* the scheduler's start() has just returned */
#define KTSTR_SCX_RUNNING 2u	 /* about once a second while the scenario runs */
#define KTSTR_SCX_BEFORE_STOP 3u /* it is about to be stopped, by the end or by a swap */
/* Its stop() has just returned; or, by PID 1 after a session that broke, what came of it. */
#define KTSTR_SCX_STOPPED 4u
/* The agent has just seen that it is gone; with the last events that could still be read. */
#define KTSTR_SCX_DIED 5u

/*
 * /sys/kernel/sched_ext. @event_count entries of struct ktstr_scx_event follow. What the kernel
 * does not tell is zero or empty: without a scheduler there is no ops name and there are no events.
 */
struct ktstr_scx_state {
	uint32_t size;
	uint32_t when;	      /* KTSTR_SCX_ */
	uint64_t guest_ns;    /* CLOCK_MONOTONIC of the guest */
	uint64_t enable_seq;  /* how many schedulers were enabled since boot */
	uint64_t nr_rejected; /* tasks that the scheduler could not take */
	uint64_t hotplug_seq;
	uint32_t switch_all; /* 1: every ordinary task is the scheduler's */
	uint32_t event_count;
	char state[16]; /* "enabled", "disabled", ...; "" for a kernel without sched_ext */
	char ops[128];	/* name of the scheduler in charge */
};

#define KTSTR_SCX_EVENTS_MAX 64u

/* One line of root/events: a counter since the scheduler was enabled. */
struct ktstr_scx_event {
	char name[40]; /* "SCX_EV_SELECT_CPU_FALLBACK" */
	int64_t value; /* times, or nanoseconds where the name ends in DURATION */
};

/* Where a struct ktstr_scx_exit comes from. */
#define KTSTR_SCX_EXIT_OF_OPS 1u /* the scheduler's ops.exit(): struct scx_exit_info */
#define KTSTR_SCX_EXIT_OF_LOG 2u /* the kernel's log; exit_code is 0 */

/*
 * Why a scheduler left. The four texts follow, one after the other and without NULs: reason,
 * message, backtrace, dump.
 */
struct ktstr_scx_exit {
	uint32_t size;
	uint32_t kind; /* enum scx_exit_kind of the kernel: KTSTR_SCX_EXIT_ */
	int64_t exit_code;
	uint32_t source;
	uint32_t reason_length;	   /* "runnable task stall" */
	uint32_t message_length;   /* "worker[151] failed to run for 2.976s" */
	uint32_t backtrace_length; /* one frame a line */
	uint32_t dump_length;
	uint32_t reserved;
};

/* enum scx_exit_kind of the kernel. From KTSTR_SCX_EXIT_ERROR on it is the scheduler's fault. */
#define KTSTR_SCX_EXIT_NONE 0u
#define KTSTR_SCX_EXIT_DONE 1u
#define KTSTR_SCX_EXIT_UNREG 64u /* its user half let go of it */
#define KTSTR_SCX_EXIT_UNREG_BPF 65u
#define KTSTR_SCX_EXIT_UNREG_KERN 66u
#define KTSTR_SCX_EXIT_SYSRQ 67u
#define KTSTR_SCX_EXIT_PARENT 68u
#define KTSTR_SCX_EXIT_ERROR 1024u
#define KTSTR_SCX_EXIT_ERROR_BPF 1025u
#define KTSTR_SCX_EXIT_ERROR_STALL 1026u

/* The name of a kind in scenario files and reports ("stall"), or NULL. */
static inline const char *ktstr_scx_exit_name(uint32_t kind)
{
	switch (kind) {
	case KTSTR_SCX_EXIT_NONE:
		return "none";
	case KTSTR_SCX_EXIT_DONE:
		return "done";
	case KTSTR_SCX_EXIT_UNREG:
		return "unreg";
	case KTSTR_SCX_EXIT_UNREG_BPF:
		return "unreg_bpf";
	case KTSTR_SCX_EXIT_UNREG_KERN:
		return "unreg_kern";
	case KTSTR_SCX_EXIT_SYSRQ:
		return "sysrq";
	case KTSTR_SCX_EXIT_PARENT:
		return "parent";
	case KTSTR_SCX_EXIT_ERROR:
		return "error";
	case KTSTR_SCX_EXIT_ERROR_BPF:
		return "error_bpf";
	case KTSTR_SCX_EXIT_ERROR_STALL:
		return "stall";
	default:
		return NULL;
	}
}

/* BPF programs of kind struct_ops that were loaded since the scheduler's start() began, and still
 * are. @program_count entries follow. */
struct ktstr_sched_progs {
	uint32_t size;
	uint32_t when; /* KTSTR_SCX_ATTACHED, or KTSTR_SCX_BEFORE_STOP: with run times */
	uint32_t program_count;
	uint32_t reserved;
};

#define KTSTR_SCHED_PROGS_MAX 256u

struct ktstr_sched_prog {
	char name[64];
	uint32_t id;
	uint32_t verified_insns; /* instructions that the verifier went through */
	uint32_t insns;		 /* of the program, as the kernel runs it */
	uint32_t jited_bytes;	 /* 0: interpreted */
	uint64_t run_time_ns;	 /* of all runs so far; 0: not counted */
	uint64_t run_count;
};

/* How long a part of a scheduler's life took, in the guest. */
#define KTSTR_SCHED_TIME_START 1u  /* the whole start(), by the agent */
#define KTSTR_SCHED_TIME_OPEN 2u   /* by a BPF scheduler: object opened and set up */
#define KTSTR_SCHED_TIME_LOAD 3u   /* verified and loaded */
#define KTSTR_SCHED_TIME_ATTACH 4u /* until the kernel let it schedule */
#define KTSTR_SCHED_TIME_DETACH 5u
#define KTSTR_SCHED_TIME_STOP 6u /* the whole stop(), by the agent */
struct ktstr_sched_time {
	uint32_t size;
	uint32_t phase;
	uint64_t duration_ns;
};

/* The scenario has another scheduler now, as it asked. Sent when that has been done. */
#define KTSTR_SCHED_SWAP_ATTACH 1u
#define KTSTR_SCHED_SWAP_DETACH 2u
#define KTSTR_SCHED_SWAP_RESTART 3u
#define KTSTR_SCHED_SWAP_REPLACE 4u
/* flags: it let go only when the kernel was told to throw it out (sysrq-S). */
#define KTSTR_SCHED_SWAP_FORCED 0x1u
struct ktstr_sched_swap {
	uint32_t size;
	uint32_t kind; /* KTSTR_SCHED_SWAP_ */
	int32_t code;  /* 0, or the negative errno that it failed with */
	uint32_t flags;
	char name[32]; /* of `schedulers:` in the scenario file; "": the run's first; detach: "" */
	char plugin[32]; /* what schedules now; "": the kernel's own */
};

#endif
