/* SPDX-License-Identifier: GPL-2.0-only */
/* Show a verdict. Decides nothing. */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "judge/verdict.h"
#include "ktstr/error.h"

#define REPORT_SCHEMA_VERSION 1

/* What a report shows beside the verdict and what stands in the run file. All borrowed. */
struct report_spec {
	int run_fd;			/* of the run file, which is read once */
	const char *run_path;		/* its path */
	const char *console_path;	/* copy of COM1; may be NULL */
	const char *scheduler_log_path; /* what the scheduler wrote; may be NULL, as the next */
	const char *dump_path;		/* the whole dump of sched_ext */
	const char *again; /* the command that runs it again; NULL: as the run file says */
	bool has_colour;
	bool is_verbose; /* all workers, the rule that decided, the command line of QEMU */
	bool is_short; /* text: the first line alone, and of what is no PASS evidence and paths too
			*/
	bool has_timings;    /* text: print the table of timings too */
	uint64_t judging_ns; /* 0: not known, as below */
	uint64_t took_ns;    /* command to verdict */
};

/*
 * For a person: the verdict, each checker with its figure, tables per cgroup and worker, paths; a
 * failure with its evidence first. The first line starts with the outcome's name, and so does the
 * last. -EIO when @out could not be written.
 */
int report_text(FILE *out, const struct verdict *verdict, const struct report_spec *spec,
		struct ktstr_error *err);

/*
 * One JSON document on its own lines, with these members. What is not known is null, "" or left out
 * as said; times are numbers of seconds in members that end in _s, else the unit ends the name.
 *
 * - schema_version: 1; grows only by new members
 * - kind: "verdict"
 * - ktstr_version: of the ktstr that recorded the run
 * - verdict: {outcome, reason, rule}; outcome "PASS", "SKIP", "UNDECIDED", "FAIL" or "ERROR";
 *   reason one sentence, why it is not a PASS, or how it failed as expected, "" on any other PASS;
 *   rule the name of the rule that decided
 * - exit_code: of the process that prints this
 * - scenario: {name, plugin, file, seed, duration_s}
 * - scheduler: {plugin, params, exit}; params null when none were given; exit null, or how it died
 * - checkers: [{name, path, outcome, reason, frames_seen, took_s, findings}]; outcome "NONE" when
 *   it never decided; reason null, or why the outcome is not the checker's own, or its words for
 *   an ERROR: it counts before all findings
 * - findings: [{outcome, subject, metric, unit, measured, limit, limit_kind, text}]; measured null
 *   where there is no figure; limit_kind "none" (limit is null then), "at_most" or "at_least"
 * - evidence: {is_whole, end_reason, frames_received, frames_recorded, frames_torn,
 *   frames_dropped, frames_oversize, bytes_received, has_end, end_matches, is_torn, is_sealed,
 *   agent_error, scenario_outcome, scenario_text, hello_mismatch}
 * - stream: {digest, frames}; digest 64 hexadecimal digits over all that is the guest's, the same
 *   for two runs that are the same (report/stream.h); frames how many there were
 * - cgroups: [{id, name, cpus, workers, incomplete, cpu_percent, off_cpu_percent, max_gap_ms,
 *   migrations, iterations}]; sums over workers, percents of their wall time
 * - workers: [{tid, cgroup_id, group, index, workload, is_complete, exit_kind, exit_value,
 *   work_units, cpu_percent, off_cpu_percent, max_gap_ms, migrations, iterations}], worst first
 * - workers_total: how many reported; more than `workers` has when it was cut
 * - timings: {prepare_s, image_s, waiting_s, qemu_start_s, kernel_to_init_s, agent_to_scenario_s,
 *   scenario_s, teardown_s, judging_s, total_s, overhead_s}; parts that did not happen are left
 * out; overhead_s is total_s less waiting_s and scenario_s; and in the guest scheduler_start_s,
 * scheduler_open_s, scheduler_load_s, scheduler_attach_s, scheduler_detach_s, scheduler_stop_s, of
 * several schedulers the sums
 * - sched_ext: null where the run had none of it, else {ops, state, switch_all, enable_seq,
 *   nr_rejected, exit, events, swaps, programs}: what the kernel said last; events: {NAME: count}
 *   - exit: null, or {kind, number, code, reason, message, source, backtrace, sentence} of the
 *     scheduler that was in charge last; source "ops" or "log"
 *   - swaps: [{kind, name, plugin, code, is_forced, at_s}]; code 0 or a negative errno; at_s since
 *     the start of the scenario, or null
 *   - programs: [{name, id, verified_insns, insns, jited_bytes, run_time_ns, run_count}]
 * - paths: {run, console_log, scheduler_log, sched_ext_dump}; the latter two null where the run has
 *   none
 * - environment: {kernel: {path, release, origin}, vm: {accel, numa_nodes, llcs, cores, threads,
 *   memory_bytes, argv}, host: {cpus, uname}, plugins: [{kind, name, version, path, crc32,
 *   build_id}]}; null when the run file does not say
 * - console_tail: [text]; the last lines of the console when the verdict is not PASS
 * - command: runs it again
 *
 * -ENOMEM rather than a document that lacks something, -EIO when @out could not be written.
 */
int report_json(FILE *out, const struct verdict *verdict, const struct report_spec *spec,
		struct ktstr_error *err);

struct json_t;

/* The document of report_json() itself. *ret is the caller's. */
int report_document(const struct verdict *verdict, const struct report_spec *spec,
		    struct json_t **ret, struct ktstr_error *err);

/* Write @text, and leave nothing of it in a buffer. 0 or -EIO. */
int report_print(FILE *out, const char *text, struct ktstr_error *err);

/* Write a document as report_json() does. @json NULL: there was no memory for it. */
int report_dump(FILE *out, const struct json_t *json, struct ktstr_error *err);

/*
 * The document of a run that has no verdict because it could not be started or judged:
 * {schema_version, kind: "error", exit_code, error}.
 */
int report_error_json(FILE *out, int exit_code, const char *text, struct ktstr_error *err);
/* That document itself; NULL when out of memory. */
struct json_t *report_error_document(int exit_code, const char *text);

#endif
