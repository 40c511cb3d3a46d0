/* SPDX-License-Identifier: GPL-2.0-only */
/* How the VM of a run starts: from a saved one, or by a boot. */
#ifndef RUN_START_H
#define RUN_START_H

#include <stdbool.h>
#include <stddef.h>

#include "ktstr/error.h"
#include "run/image.h"
#include "run/prepare.h"
#include "run/run.h"
#include "vm/vm.h"

/* All borrowed. */
struct start_spec {
	const struct run_options *options;
	const struct prepared *prepared;
	const struct image *image;
	int console_fd; /* where the console of a boot that is saved goes; -1: nowhere */
	int signal_fd;	/* readable: give up; -1: none */
	/*
	 * Asked before each VM, which is to have its part of the machine: wait for that. An error
	 * is start_vm()'s. May be asked again: for a VM that boots after all, or one that is
	 * restored after another one was booted and saved.
	 */
	int (*take_room)(void *arg, bool is_restored, struct ktstr_error *err);
	void *arg;
};

/* A VM that runs. */
struct started {
	struct vm *vm;
	char *base_id; /* of the saved one: "NAME-CRC", or "NAME-CRC+SCHEDULER"; NULL: it booted */
	bool is_attached; /* the run's scheduler was up in that */
	/* What that had sent on the bulk port. */
	char *prefix;
	size_t prefix_length;
	char *note; /* for run_base_note(); NULL: nowhere */
};

/* Start it. Whatever is wrong with saved ones, a run that may boot does. */
int start_vm(const struct start_spec *spec, struct started *ret, struct ktstr_error *err);
/* Kill it if need be, and free all. */
void started_done(struct started *started);

#endif
