/* SPDX-License-Identifier: GPL-2.0-only */
/* The services that the agent lends to schedulers and scenarios (ktstr/guest.h). */
#ifndef GUEST_SERVICES_H
#define GUEST_SERVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/cgroup.h"
#include "guest/random.h"
#include "guest/request.h"
#include "guest/scheduler_life.h"
#include "guest/session.h"
#include "guest/worker.h"
#include "ktstr/guest.h"
#include "plugin/loader.h"

struct services {
	struct ktstr_guest guest; /* what plugins see; first, so that its address is ours */
	struct session_link *link;
	struct cgroups *cgroups; /* these two are owned */
	struct workers *workers;
	struct random random;
	struct requester requester; /* to the host */
	struct plugin **plugins;    /* what spawn() finds workloads in */
	size_t plugin_count;
	struct life life;	 /* of the schedulers */
	uint64_t kernel_rest_ns; /* until then a hold does not listen to the kernel */
	/* The first worker that died, whatever the scenario made of it; code 0: none did. */
	struct ktstr_error worker_death;
	/* The scenario; its step is the life's place. */
	uint64_t start_ns; /* of SCENARIO_START; 0: not yet */
	uint16_t op_count; /* since the last stimulus frame */
	uint32_t op_kinds;
};

struct services_spec {
	struct session_link *link;
	const char *cgroup_mount;
	const struct ktstr_topology *topology; /* borrowed */
	uint64_t seed;
	struct plugin **plugins; /* borrowed */
	size_t plugin_count;
	const struct scheduler *schedulers; /* borrowed; the first is the run's own */
	size_t scheduler_count;
	uint64_t scheduler_timeout_ns;
	const struct observer_paths *observer_paths; /* NULL: the kernel is not looked at */
	struct freeze *freeze;			     /* as in struct session_spec */
};

int services_init(struct services *services, const struct services_spec *spec,
		  struct ktstr_error *err);
/* What was not known yet when they were made: they are the same then as with all of it in the spec.
 */
void services_set_run(struct services *services, uint64_t seed, struct plugin **plugins,
		      size_t plugin_count, size_t scheduler_count);
/* Kills workers that are left, and removes the cgroups. */
void services_done(struct services *services);

/* For the next stimulus frame. @op: KTSTR_OP_ */
void services_note_op(struct services *services, uint32_t op);

/*
 * What happens between these two is the agent's time, not the scenario's: neither does its clock go
 * on, nor is its plugin to blame for what it takes. services_pause() returns what services_resume()
 * wants.
 */
uint32_t services_pause(struct services *services);
void services_resume(struct services *services, uint32_t before);

/* The scenario's clock starts, and the host is told. */
void services_start(struct services *services);
uint64_t services_elapsed_ms(const struct services *services);

/* Stop what still works, send the reports, and end the open step. As ktstr_stop(). */
int services_finish(struct services *services, struct ktstr_error *err);

#endif
