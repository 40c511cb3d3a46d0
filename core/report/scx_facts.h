/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a report shows of schedulers beside how they ended: programs, counters, swaps, times, the
 * dump and the log. Read in the pass of facts.h; memory is bounded whatever the frames hold.
 */
#ifndef REPORT_SCX_FACTS_H
#define REPORT_SCX_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "ktstr/frame.h"
#include "ktstr/sched_ext.h"

#define SCX_FACTS_PROGRAMS_MAX 512
/* Frames of programs that are looked at: two come of each scheduler's life. */
#define SCX_FACTS_PROGRAM_LISTS_MAX 256u
#define SCX_FACTS_SWAPS_MAX 64
/* Bytes that are kept of the dumps: the first; of the log: the last, about. */
#define SCX_FACTS_DUMP_MAX ((size_t)1024 * 1024)
#define SCX_FACTS_LOG_MAX ((size_t)1024 * 1024)
#define SCX_FACTS_BACKTRACE_MAX 4096u
/* The verifier gives up at so many instructions, and from so many on it is worth a word. */
#define SCX_INSNS_MAX 1000000u
#define SCX_INSNS_WARN 800000u

struct scx_facts_swap {
	struct ktstr_sched_swap swap;
	/* When it was done, since the scenario's start: by the guest's clock where it tells, else
	 * by the host's. */
	bool has_time;
	uint64_t at_ns;
};

/* Zero-initialise; scx_facts_done() frees. */
struct scx_facts {
	bool is_there; /* any frame of KTSTR_MSG_SCX_, or of programs */
	/* Of the scenario's start, by both clocks; 0: not known. */
	uint64_t start_host_ns, start_guest_ns;
	/* By id and name; of one that was seen again the last figures. */
	struct ktstr_sched_prog *programs;
	size_t program_count;
	size_t program_size;
	uint32_t program_lists;
	bool has_state;
	struct ktstr_scx_state state;			      /* the last */
	char ops[sizeof(((struct ktstr_scx_state *)0)->ops)]; /* the last that was not "" */
	struct ktstr_scx_event events[KTSTR_SCX_EVENTS_MAX];  /* of the last state that had any */
	size_t event_count;
	struct scx_facts_swap swaps[SCX_FACTS_SWAPS_MAX];
	size_t swap_count;
	uint64_t swap_total; /* more than swap_count when some were left out */
	uint64_t times_ns[KTSTR_SCHED_TIME_STOP + 1]; /* by phase; of several schedulers the sum */
	/* Bytes of the guest, not safe. */
	struct str backtrace; /* of the last SCX_EXIT */
	struct str exit_dump; /* of all SCX_EXIT frames */
	struct str dump;      /* of SCX_DUMP */
	struct str log;	      /* of SCHED_LOG */
};

/* The next frame, whose CRC is right. 0 or -ENOMEM. */
int scx_facts_take(struct scx_facts *facts, const struct ktstr_frame *frame);

/* The dump to show: what the scheduler kept of it, and else what the tracepoint gave. */
const struct str *scx_facts_dump(const struct scx_facts *facts);

void scx_facts_done(struct scx_facts *facts);

#endif
