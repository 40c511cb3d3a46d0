/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a report shows of a run beside the verdict, read from the run file in one pass: what was
 * run, the workers and cgroups, the milestones, the end of the console. Memory is bounded whatever
 * the file holds, frames with a wrong CRC are passed over, and all texts are safe for a terminal.
 */
#ifndef REPORT_FACTS_H
#define REPORT_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ktstr/error.h"
#include "ktstr/frame.h"
#include "report/meta.h"
#include "report/scx_facts.h"
#include "report/stream.h"
#include "report/wake.h"

/* Workers that are kept: the worst ones. */
#define FACTS_WORKERS_MAX 2048
#define FACTS_CGROUPS_MAX 1024
#define FACTS_CONSOLE_LINES 20
#define FACTS_CONSOLE_LINE_MAX 200

/* Texts of the TIMING events that mark the host's milestones. */
#define FACTS_TIMING_PREPARED "prepared" /* scenario read, plugins loaded, kernel chosen */
#define FACTS_TIMING_IMAGE "image"	 /* initramfs built */
#define FACTS_TIMING_WAITED "waited"	 /* it was this run's turn; only where it waited */
#define FACTS_TIMING_QEMU "qemu"	 /* QEMU runs */

struct facts_worker {
	uint32_t tid;
	uint32_t cgroup_id;
	uint32_t group;
	uint32_t index;
	bool is_complete;
	uint32_t exit_kind; /* KTSTR_WORKER_EXIT_ */
	int32_t exit_value;
	uint64_t work_units;
	uint64_t iterations;
	uint64_t wall_ns;
	uint64_t cpu_ns;
	uint64_t max_gap_ns;
	uint64_t migrations;
	char workload[32];
};

struct facts_cgroup {
	uint32_t id;
	char name[64];
	uint32_t cpus; /* in its cpuset; 0: everywhere */
	/* Sums over all its workers, those that were not kept too. */
	uint32_t workers;
	uint32_t incomplete;
	uint64_t iterations;
	uint64_t wall_ns;
	uint64_t cpu_ns;
	uint64_t max_gap_ns;
	uint64_t migrations;
	/* Of those whose life was measured: how many, and their smallest and largest share of it
	 * that they did not run, in percent. */
	uint32_t measured;
	double least_off_cpu;
	double most_off_cpu;
};

/* Since the start of the run; 0: did not happen. */
struct facts_times {
	uint64_t prepared_ns;
	uint64_t image_ns;
	uint64_t waited_ns;
	uint64_t qemu_ns;
	uint64_t ready_ns; /* SYS_RDY; the first frame where that is not known */
	uint64_t scenario_start_ns;
	uint64_t scenario_end_ns;
	uint64_t summary_ns;
	uint64_t last_ns; /* of the last record */
};

struct facts {
	struct meta *meta; /* NULL: the file has none that can be read */
	/* Worst first: those that did not complete, then by their longest gap. */
	struct facts_worker *workers;
	size_t worker_count;
	uint64_t worker_total;
	/* Sums over all workers. */
	uint64_t iterations;
	uint64_t migrations;
	struct wake wake;
	struct facts_cgroup *cgroups; /* by id; those without a worker too */
	size_t cgroup_count;
	uint64_t cgroups_left_out;
	struct facts_times times;
	struct scx_facts scx;
	struct stream_identity stream;
	uint64_t scenario_ns; /* how long the scenario ran; 0: not known */
	/* The last lines of COM1, oldest first. */
	char console[FACTS_CONSOLE_LINES][FACTS_CONSOLE_LINE_MAX];
	size_t console_count;
};

/* Fails only when @runfile_fd, which is borrowed, is no run file. @name is for messages. */
int facts_read(int runfile_fd, const char *name, struct facts **ret, struct ktstr_error *err);
void facts_free(struct facts *facts);

/* Percent of its wall time that something ran; 0 when the wall time is not known. */
double facts_cpu_percent(uint64_t cpu_ns, uint64_t wall_ns);

/*
 * How unevenly a cgroup's workers ran: the difference of their off-CPU shares, in percent points.
 * False where that is not known: one worker alone, or one that left no figures.
 */
bool facts_spread(const struct facts_cgroup *cgroup, double *ret);

/* One row of `--timings`. */
struct timing {
	const char *key;  /* "kernel_to_init", for JSON */
	const char *name; /* "kernel to init" */
	uint64_t ns;
};
#define FACTS_TIMINGS_MAX 20

/*
 * How long each part took, from the milestones, and in the guest the parts of a scheduler's life,
 * which lie within those. Parts that did not happen are left out. @judging_ns
 * and @took_ns (the whole) are known only to who ran it; 0: not known.
 */
size_t facts_timings(const struct facts *facts, uint64_t judging_ns, uint64_t took_ns,
		     struct timing ret[FACTS_TIMINGS_MAX]);

#endif
