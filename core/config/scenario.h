/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A scenario file as plain data. The keys, their types, ranges and defaults stand in one table in
 * scenario.c; docs/ktstr-scenario.5 describes them.
 */
#ifndef CONFIG_SCENARIO_H
#define CONFIG_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>

#include "config/expect.h"
#include "ktstr/topology.h"
#include "param/bind.h"
#include "param/node.h"

enum accel {
	ACCEL_AUTO,
	ACCEL_KVM,
	ACCEL_TCG,
};

/* Whose time the guest lives in. */
enum vm_clock {
	VM_CLOCK_AUTO,	  /* virtual where the guest's CPUs are emulated, else the host's */
	VM_CLOCK_VIRTUAL, /* its own: each instruction takes so long, and waiting takes none */
	VM_CLOCK_HOST,
};
/* What an instruction takes in virtual time where nobody says: docs/virtual-time.md. */
#define VM_INSTRUCTION_NS 4u

/* "NAME" or "{plugin: NAME, key: value ...}". */
struct plugin_ref {
	/* A plugin's name, or a path that contains a '/'. A relative path in a file is made to be
	 * seen from that file's folder. */
	char *name;
	/* A map with the key `plugin` taken out, empty when there was nothing else; NULL for the
	 * scheduler that nobody named. */
	struct node *params;
	uint32_t line; /* where the name stands; 0: it came from no file */
	uint32_t column;
};

/* A scheduler that the scenario may change to while it runs: `schedulers:`, by name. */
struct staged_scheduler {
	char *name;
	struct plugin_ref plugin;
};

struct scenario_spec {
	/* The source, kept for messages and for the run file. */
	struct source source;
	char *name;
	char *description; /* may be NULL */
	bool has_seed;
	uint64_t seed; /* 0 as long as it has none */
	struct {
		enum accel accel;
		enum vm_clock clock;
		uint32_t instruction_ns; /* a power of two */
		struct ktstr_topology topology;
		uint64_t memory_bytes; /* 0: as much as is needed */
		char *kernel;	       /* NULL: found as docs/ktstr.1 says */
		uint64_t boot_timeout_ns;
	} vm;
	struct plugin_ref scheduler;
	struct staged_scheduler *staged; /* in the order of the file */
	size_t staged_count;
	uint64_t scheduler_timeout_ns; /* for one start() or stop() */
	struct plugin_ref scenario;
	struct expectation expect;
	struct plugin_ref *checkers;
	size_t checker_count;
	uint64_t watchdog_ns; /* beyond the scenario's own duration */
};

/* Read and check @path ("-" is not special). -EINVAL with "file:line:col: ...", also over
 * YAML_FILE_MAX, or the errno of the read. */
int scenario_load(const char *path, struct scenario_spec **ret, struct ktstr_error *err);

/* The same from text that is in memory; @name is used in messages. The text is copied. */
int scenario_parse(const char *name, const char *text, size_t length, struct scenario_spec **ret,
		   struct ktstr_error *err);

/*
 * "NAME[,key=value...]" or "PATH[,key=value...]" of --checker. Values end at the next comma. Keys
 * and values have their columns in @argument as their places.
 */
int plugin_ref_parse(const char *argument, struct plugin_ref *ret, struct ktstr_error *err);
void plugin_ref_done(struct plugin_ref *ref);

/* Append a checker, for --checker. @ref is taken, also on failure, and left empty. */
int scenario_add_checker(struct scenario_spec *spec, struct plugin_ref *ref,
			 struct ktstr_error *err);

void scenario_free(struct scenario_spec *spec);

#endif
