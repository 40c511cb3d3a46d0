/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the needs of all plugins of a run come together. */
#ifndef RUN_NEEDS_H
#define RUN_NEEDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/scenario.h"
#include "ktstr/needs.h"
#include "ktstr/param.h"
#include "plugin/registry.h"

#define RUN_NEEDS_OPTIONS_MAX 256
#define RUN_NEEDS_FILES_MAX 1024
/* Where payload files lie in the guest. */
#define RUN_PAYLOAD_FOLDER "/payload/"

struct run_needs {
	struct ktstr_needs needs; /* what plugins see */
	struct registry *registry;
	const char *asker;		  /* who is being asked, for messages */
	const struct scenario_spec *spec; /* where the schedulers of the run stand */
	uint64_t changes_ns; /* what all changes of the scheduler may take, beyond needs.duration_ns
			      */
	/* Beside which relative paths of files are seen; NULL: the working directory. */
	const struct source *source;
	struct run_needs_option {
		char *option;
		char *asker;
	} * options;
	size_t option_count;
	struct run_needs_file {
		char *host_path;
		char *guest_path;
		bool is_schedulers; /* the run's own scheduler asked for it, too */
	} * files;
	size_t file_count;
	uint32_t asked;		  /* how often a kernel option or a file was asked for */
	bool is_asking_scheduler; /* the run's own is being asked */
};

/* @spec and @registry are borrowed until run_needs_done(). */
void run_needs_init(struct run_needs *needs, const struct scenario_spec *spec,
		    struct registry *registry);

/*
 * Ask one plugin, whose values are bound. 0, or its error with "KIND 'NAME': " before it. A plugin
 * without needs() asks for nothing.
 */
int run_needs_ask(struct run_needs *needs, const struct plugin *plugin,
		  const struct ktstr_value *values, struct ktstr_error *err);

/* Ask every workload that a value of this table names, however deep, and what those name. */
int run_needs_ask_workloads(struct run_needs *needs, const struct plugin *plugin,
			    const struct ktstr_value *values, struct ktstr_error *err);

void run_needs_done(struct run_needs *needs);

#endif
