/* SPDX-License-Identifier: GPL-2.0-only */
/* For tests of scenarios: a guest that writes down, call by call, what it is asked to do. */
#ifndef TESTS_UNIT_RECORDER_H
#define TESTS_UNIT_RECORDER_H

#include "base/str.h"
#include "ktstr/scenario.h"
#include "unit/shipped_bind.h"

/* Two LLCs of two CPUs. */
extern const struct ktstr_topology four;

struct recorder {
	struct ktstr_guest guest;
	struct str log;
	struct str names; /* of the cgroups, each with a newline behind */
	uint32_t next_id;
	uint32_t next_group;
	int calls;
	int fail_at;   /* number of the call that fails, from 1; 0: none */
	int fail_code; /* what it returns */
	int stop_at;   /* from this call on the run is to end early; 0: never */
};

/* An empty record. Frees the one before: zero-initialise the first time. */
void recorder_reset(struct recorder *recorder, const struct ktstr_topology *topology);

/* Values that must bind. */
struct bound *must_bind(const struct ktstr_plugin *plugin, const char *yaml);

/* What the newest needs() asked of schedulers: "'NAME' " for each, "- " for one to take down. */
extern char scheduler_asks[256];

/* What needs() of the scenario says. The one other scheduler of the run is "fifo". */
int ask(const struct ktstr_plugin *plugin, const struct bound *bound,
	const struct ktstr_topology *topology, uint64_t *ret_duration_ns, struct ktstr_error *err);

/* Run the scenario @name with @yaml and compare all calls. */
void expect_calls(const char *name, const char *yaml, const char *calls);

/*
 * Make every call fail in turn: the first error must come out with the text of the table, which is
 * ended by NULL, and the workers be collected.
 */
void expect_unwinding(const char *name, const char *yaml, const char *const *texts);

/* Call number @hold says that the run is to end early, which is no error. */
void expect_early_end(const char *name, const char *yaml, int hold, const char *calls);

#endif
