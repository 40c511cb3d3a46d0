/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Dispatch: what one frame does. A pure function of the frame and the sinks: no I/O but the
 * eventfds that the sinks hold, no clock but the one handed in. Every promotion needs a right CRC;
 * a valid neighbour never authorises a torn frame.
 */
#ifndef COORD_DISPATCH_H
#define COORD_DISPATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coord/assembler.h"
#include "ktstr/frame.h"
#include "wire/guest_clock.h"
#include "wire/kernel_op.h"
#include "wire/snapshot.h"

#define DISPATCH_SNAPSHOTS_MAX 64
#define DISPATCH_KERNEL_OPS_MAX 8
#define DISPATCH_UNKNOWN_MAX 16

/* Decoded kernel operations. Large: it lies with whoever serves them. */
struct dispatch_kernel_ops {
	size_t count;
	struct wire_kernel_op items[DISPATCH_KERNEL_OPS_MAX];
};

struct dispatch_sinks {
	/* The run is to end: set by a valid SCHED_EXIT. kill_evt (eventfd or -1) is written once.
	 */
	bool kill;
	int kill_evt;
	/* Written once by the first valid, empty SYS_RDY, then set to -1 (the handle is consumed).
	 */
	int sys_rdy_evt;
	bool is_ready;
	/* Decoded requests, served by the loop. */
	struct ktstr_snapshot_request snapshots_pending[DISPATCH_SNAPSHOTS_MAX];
	size_t snapshot_count;
	/* What each of them is about, by the same index; count 0: nothing was said. */
	struct wire_ranges snapshot_ranges[DISPATCH_SNAPSHOTS_MAX];
	struct wire_ranges newest_ranges;	/* for the request that comes next */
	struct dispatch_kernel_ops *kernel_ops; /* in; NULL: none is taken */
	/* The last request that found its queue full; id 0: none did. The loop takes it away. */
	uint32_t refused_type;
	uint32_t refused_id;
	/* From KERN_ADDRS; 0: not known. Biased by one, as on the wire. */
	uint64_t kern_phys_base_plus_1;
	uint64_t kern_virt_kaslr_plus_1;
	uint64_t page_offset_base;
	uint64_t kernel_text_link_kva; /* in: the link address of _text; 0: unknown, then no offset
					  is published */
	bool is_kaslr_divergent;
	/* The watchdog. All times are ns since the start of the run, by the clock of limits. */
	bool is_virtual;	  /* in: which counts what the VM spends, and not the host's time */
	uint64_t ready_ns;	  /* SYS_RDY; 0: not yet */
	uint64_t scenario_end_ns; /* first SCENARIO_END; 0: not yet */
	uint64_t workload_duration_ns; /* in: the budget; 0: none */
	uint64_t scheduler_changes_ns; /* in: what all changes of the scheduler may take */
	uint64_t watchdog_reset_ns;    /* deadline set by a frame; 0: none */
	uint64_t watchdog_pause_ns;    /* 0: not paused */
	uint64_t scenario_start_ns;    /* first SCENARIO_START; 0: not yet */
	uint64_t scenario_pause_cumulative_ns;
	uint64_t frozen_ns; /* that the guest stood still for its own requests, within a limit */
	struct guest_clock clock; /* what the guest's own clock shows, as it tells */
	uint64_t step_guest_ns;	  /* and showed when the current step began; 0: not known */
	uint16_t current_step;
	uint8_t last_phase; /* but KTSTR_PHASE_OVERDUE */
	bool is_scenario_ended;
	bool is_sched_exit;
	bool is_overdue; /* the guest ends because a limit of time has passed there */
	bool has_exit;
	int32_t exit_code;
	/* The end-of-stream frame. */
	bool has_end;
	struct ktstr_stream_end end;
	/* Counters. */
	uint64_t bucketed;
	uint64_t dropped_internal;
	uint64_t dropped_unknown;
	uint64_t dropped_malformed;
	uint64_t dropped_torn; /* not bucketed because torn (SCHED_EXIT and internal types) */
	uint32_t unknown_types[DISPATCH_UNKNOWN_MAX]; /* those warned about, each once */
	size_t unknown_count;
};

void dispatch_init(struct dispatch_sinks *sinks);

/*
 * Dispatch one frame at @now_ns (since the start of the run, by the clock of limits). True: it
 * belongs in the verdict bucket, with its crc_ok flag.
 */
bool dispatch_bulk_message(const struct bulk_message *message, uint64_t now_ns,
			   struct dispatch_sinks *sinks);

/* Is the end frame there, and does it match what arrived before it? @account: frames before the end
 * frame. */
bool dispatch_end_matches(const struct dispatch_sinks *sinks, const struct wire_account *account);

#endif
