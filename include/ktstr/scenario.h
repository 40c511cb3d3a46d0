/* SPDX-License-Identifier: MIT */
/*
 * A scenario: what happens in the guest while the scheduler is under test.
 */
#ifndef KTSTR_SCENARIO_H
#define KTSTR_SCENARIO_H

#include "ktstr/checker.h"
#include "ktstr/guest.h"
#include "ktstr/needs.h"
#include "ktstr/plugin.h"

struct ktstr_scenario_ops {
	uint32_t size;
	uint32_t reserved;

	/*
	 * Host, required: check the values together, set needs->duration_ns to the longest that
	 * run() takes, and say what the VM must have. Must not touch the machine.
	 */
	int (*needs)(const struct ktstr_value *values, struct ktstr_needs *needs,
		     struct ktstr_error *err);

	/* Guest, optional: get ready. *ret_state is handed to the others. After a failure nothing
	 * else runs. */
	int (*setup)(struct ktstr_guest *g, const struct ktstr_value *values, void **ret_state,
		     struct ktstr_error *err);

	/*
	 * Guest, required: the scenario itself. Returns 0 when it ran to its end (or
	 * ktstr_stopping()), and a negative errno when it could not: the run is then an ERROR with
	 * the text of @err. -EOPNOTSUPP means that the scenario does not apply to this VM: the run
	 * is a SKIP.
	 */
	int (*run)(struct ktstr_guest *g, const struct ktstr_value *values, void *state,
		   struct ktstr_error *err);

	/* Guest, optional: free the state. Called after a setup() that returned 0, whatever run()
	 * did. */
	void (*teardown)(struct ktstr_guest *g, void *state);

	/* Host, optional: the scenario's own judgement, run beside the checkers with the scenario's
	 * values. */
	const struct ktstr_checker_ops *judgement;
};

#endif
