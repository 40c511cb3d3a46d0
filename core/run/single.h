/* SPDX-License-Identifier: GPL-2.0-only */
/* One run, or the judging of one recorded run, that shows no result: the caller does. */
#ifndef RUN_SINGLE_H
#define RUN_SINGLE_H

#include <stdbool.h>
#include <stdint.h>

#include "judge/verdict.h"
#include "ktstr/error.h"
#include "report/report.h"
#include "run/run.h"

struct json_t;

/* What came of it. */
struct single {
	int exit_code;
	bool has_verdict;
	bool is_interrupted;	/* by a signal, whatever the verdict is */
	struct ktstr_error err; /* why there is no verdict */
	bool is_stopped;	/* it has none, because it was to stop before, and did */
	struct json_t *stop;	/* where, as a document (run/until.h); NULL: there is none */
	/* With a verdict; of one that was stopped those of the files, too: */
	struct verdict verdict;
	int run_fd; /* reads the run file; -1: none */
	char *run_path;
	char *console_path; /* NULL: there is none */
	uint64_t judging_ns;
	uint64_t took_ns; /* command to verdict; 0: not known */
	uint64_t seed;	  /* of a run */
};

/* Boot a VM, run @scenario in it, judge, keep the verdict in the run's folder. Never fails but by
 * *ret, which single_done() frees. */
void single_run(const char *scenario, const struct run_options *options, struct single *ret);

/* Judge the recorded run @path again. */
void single_check(const char *path, const struct run_options *options, struct single *ret);

/* What a run is made of, as far as it is known before its VM starts. */
struct single_inputs {
	uint32_t agent_crc32;	/* the agent with its libraries */
	uint32_t job_crc32;	/* what the guest gets for the run: plugins with their libraries */
	uint32_t machine_crc32; /* the command line of QEMU */
	/* The saved VMs that it may start from, booted and with the scheduler up; NULL: there is no
	 * such one, or it boots. */
	char *booted_base, *attached_base;
};
void single_inputs_done(struct single_inputs *inputs);

/*
 * All of single_run() that comes before the VM, which leaves nothing behind: are scenario,
 * scheduler, kernel, machine and folder all right? EXIT_PASS, or the exit code with *err. Says
 * nothing by itself.
 */
int single_rehearse(const char *scenario, const struct run_options *options,
		    struct ktstr_error *err);
/* The same, with what was found. single_inputs_done() is due after EXIT_PASS. */
int single_rehearse_inputs(const char *scenario, const struct run_options *options,
			   struct single_inputs *ret, struct ktstr_error *err);

/* Show it on options->out, or say why there is no verdict. Returns the exit code. */
int single_show(const struct single *single, const struct run_options *options);

/* What a report of it is made of; borrows from @single. */
struct report_spec single_report(const struct single *single, const struct run_options *options);

void single_done(struct single *single);

#endif
