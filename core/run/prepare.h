/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Everything that is decided before something starts: the scenario with what the command line says
 * instead, its plugins with their bound parameters and needs, the kernel, KVM or TCG.
 */
#ifndef RUN_PREPARE_H
#define RUN_PREPARE_H

#include <stdbool.h>
#include <stddef.h>

#include "config/scenario.h"
#include "plugin/registry.h"
#include "run/needs.h"
#include "run/paths.h"
#include "run/run.h"
#include "vm/kernel.h"

struct prepared_checker {
	struct plugin *plugin;	   /* a checker, or the scenario for its own judgement */
	const struct node *params; /* borrowed from the scenario; NULL: none given */
};

/* A scheduler that the scenario may change to, in the order of spec->staged. */
struct prepared_scheduler {
	struct plugin *plugin;
	struct bound *values;
};

struct prepared {
	struct scenario_spec *spec;
	struct registry *registry;
	struct plugin *scheduler;
	struct plugin *scenario;
	struct bound *scheduler_values;
	struct prepared_scheduler *staged;
	size_t staged_count;
	struct bound *scenario_values;
	struct prepared_checker *checkers;
	size_t checker_count;
	struct run_needs needs;
	bool is_seed_drawn;    /* for this run alone: nobody can expect another one like it */
	bool is_kernels_own;   /* the scheduler needs nothing that not every kernel has */
	struct kernel *kernel; /* by prepare_kernel() */
	/* By prepare_machine(): */
	bool is_kvm;
	bool is_virtual; /* the guest lives in its own time (spec->vm.instruction_ns) */
	char *gate;	 /* of struct run_paths */
};

/*
 * Read @scenario, load and bind what it names, collect needs, check the topology. Every error is
 * the user's to mend (EXIT_USAGE) but -ENOMEM, and starts with "file:line:col: " where it stands in
 * a file. Must be freed by prepared_free() on success.
 */
int prepare_scenario(const char *scenario, const struct run_options *options,
		     const struct run_paths *paths, struct prepared **ret, struct ktstr_error *err);

/* Choose the kernel. An error is the user's to mend when one was named, else the machine's. */
int prepare_kernel(struct prepared *prepared, struct ktstr_error *err);
/* Was a kernel named, by the command line, the scenario file or KTSTR_KERNEL? */
bool prepare_names_kernel(const struct prepared *prepared);

/*
 * See that the kernel has what ktstr and the plugins need, choose KVM or TCG, and a clock.
 * Errors are the machine's (EXIT_ERROR). Logs a warning for a kernel whose config is not known, and
 * a note when KVM does not work.
 */
int prepare_machine(struct prepared *prepared, const struct run_options *options,
		    struct ktstr_error *err);

/* For vm_start(): 0 and NULL where the guest lives in the host's time. */
uint32_t prepared_instruction_ns(const struct prepared *prepared);
const char *prepared_gate(const struct prepared *prepared);

void prepared_free(struct prepared *prepared);

/* Kernel options that every run needs, ended by NULL. */
extern const char *const prepare_kernel_options[];

/*
 * Bind the parameters of one checker, so that a bad one is told before it costs a run. @source is
 * where they stand.
 */
int prepare_check_params(struct registry *registry, const struct plugin *plugin,
			 const struct node *params, const struct source *source,
			 struct ktstr_error *err);

/*
 * "NAME[,key=value...]" of an option, as a loaded checker. *ret_ref (to be freed by
 * plugin_ref_done()) owns the parameters.
 */
int prepare_argument(struct registry *registry, uint32_t kind, const char *option,
		     const char *argument, struct plugin_ref *ret_ref, struct plugin **ret_plugin,
		     struct ktstr_error *err);

#endif
