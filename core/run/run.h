/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one place that knows all parts, in order: scenario file, plugins, kernel, image, VM,
 * coordinator, judge, report. Each function here is one subcommand, writes its result to
 * options->out, logs its messages, and returns the process's exit code (judge/verdict.h).
 *
 * Exit codes of failures without a verdict: what the user can mend in the command line, the
 * scenario file, a plugin or the environment is EXIT_USAGE; what the machine lacks (a kernel, an
 * option of it, memory, KVM, QEMU, disk) is EXIT_ERROR.
 */
#ifndef RUN_RUN_H
#define RUN_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "config/scenario.h"

struct kvm_probe;
struct recorded;
struct until;

/* Where a run begins that does not boot. */
enum run_base {
	RUN_BASE_AUTO,	   /* the first or the second of those below */
	RUN_BASE_BOOTED,   /* with an agent that waits for its job */
	RUN_BASE_ATTACHED, /* with the scheduler up, too */
};

struct run_options {
	/* Results. */
	FILE *out;
	bool is_json;
	bool has_out_colour;
	bool has_timings;
	bool is_verbose;
	/* What is shown meanwhile, on stderr. */
	bool is_quiet;
	bool is_terminal;
	bool has_colour;
	uint32_t width; /* columns of the terminal; 0: not known */

	/* "NAME[,key=value...]"; NULL: as the scenario says. */
	const char *scheduler;
	/* The same, in addition to those of the scenario; for run_check() those of the run. */
	const char *const *checkers;
	size_t checker_count;
	bool has_only_checkers; /* only the checkers above */
	const char *kernel;	/* NULL: as the scenario says */
	bool is_cold;		/* boot, also where a saved VM could be restored */
	bool is_restored;	/* never boot: without a saved VM the run fails */
	enum run_base base;
	bool is_if_missing; /* for run_fetch_kernel(): leave a kernel that is there alone */
	bool has_accel;
	enum accel accel;
	/* Does KVM work? Looked at by the first of several runs, for the others; NULL: by each. */
	struct kvm_probe *kvm;
	bool has_clock;
	enum vm_clock clock;
	bool has_seed;
	uint64_t seed;
	/* The run that is run again, with its scenario; NULL: none. */
	const struct recorded *recorded;
	bool is_forced;		   /* also with other plugins, another kernel ... than then */
	const struct until *until; /* stop there, and give no verdict; NULL: run to the end */
	bool must_be_virtual; /* refuse the host's time, in which no run is another one's like */
	/* For a scenario without a seed: that several runs of it have the same. */
	bool has_drawn_seed;
	uint64_t drawn_seed;
	const char *const *plugin_folders;
	size_t plugin_folder_count;
	const char *run_folder;	     /* exactly this one; NULL: a new one in the state folder */
	uint64_t stats_interval_ns;  /* ask the scheduler for its statistics so often; 0: never */
	uint64_t checker_timeout_ns; /* 0: JUDGE_TIME_LIMIT_NS */
	/* Of the scenario file, where it is known; NULL: the file is read. */
	const char *text;
	size_t text_length;
	/* The words of the command, for the line that runs it again. */
	char *const *words;
	size_t word_count;
};

/* Does the guest's kernel say more? That changes the run, so it is as then where one is run again.
 */
bool run_is_kernel_verbose(const struct run_options *options);

/* Boot a VM, run @scenario (a path) in it, judge, report. */
int run_scenario(const char *scenario, const struct run_options *options);

/* Judge the recorded run @path (a run file, or the folder with one) again, without a VM. */
int run_check(const char *path, const struct run_options *options);

/* Check scenario files without booting: the file, the plugins it names, their parameters and needs,
 * the topology. EXIT_PASS, or EXIT_USAGE when one is bad; all are looked at. */
int run_check_scenarios(char *const *scenarios, size_t count, const struct run_options *options);

/* List the plugins in the search path: of @kind (0: all), of these names (0: all). */
int run_list_plugins(uint32_t kind, char *const *names, size_t name_count,
		     const struct run_options *options);

/* `ktstr kernel list`, `ktstr kernel fetch` and `ktstr kernel build`. */
int run_list_kernels(const struct run_options *options);
int run_fetch_kernel(const struct run_options *options);
struct kernel_build;
int run_build_kernel(const struct kernel_build *build, const struct run_options *options);

/* `ktstr bases list`, and `ktstr bases prune` down to @bytes_max in all. */
#define RUN_BASES_MAX UINT64_MAX /* what runs leave by themselves */
int run_list_bases(const struct run_options *options);
int run_prune_bases(uint64_t bytes_max, const struct run_options *options);

#endif
