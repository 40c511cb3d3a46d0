/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The job: what one run is, as the host tells the agent. Text only: names, parameter trees,
 * checksums, the seed; each side binds the parameters with the table in the plugin. It travels
 * apart from the base (agent and libraries), as one encoded node tree.
 */
#ifndef PLUGIN_JOB_H
#define PLUGIN_JOB_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "ktstr/error.h"
#include "ktstr/topology.h"
#include "param/node.h"

/* Most staged schedulers. */
#define JOB_STAGED_MAX 64

struct job_plugin {
	uint32_t kind;
	uint32_t crc32; /* of the file's bytes */
	char *name;
	char *path; /* in the guest */
};

/* A scheduler to change to while the scenario runs. */
struct job_scheduler {
	char *name; /* what the scenario file calls it */
	char *plugin;
	struct node *params; /* may be NULL */
};

/* Limits of time that the guest holds by itself; 0: somebody else does. */
struct job_limits {
	uint64_t start_ns;    /* from the start of the session to the start of the scenario */
	uint64_t scenario_ns; /* its duration and the allowance */
	uint64_t pause_ns;    /* so long may its clock stand still */
	uint64_t teardown_ns; /* from its end to the end of the session */
};

struct job {
	char *source_name; /* of the scenario file, without its folder, for messages */
	uint64_t seed;
	struct ktstr_topology topology;
	char *scheduler;
	struct node *scheduler_params; /* may be NULL */
	struct job_scheduler *staged;
	size_t staged_count;
	uint64_t scheduler_timeout_ns; /* for one start() or stop(); at most a day, never 0 */
	struct job_limits limits;
	char *scenario; /* NULL: this is what it takes to bring the scheduler up, and no run */
	struct node *scenario_params; /* may be NULL */
	struct job_plugin *plugins;   /* all that the agent may load */
	size_t plugin_count;
};

/* Append the job as bytes. 0, -ENOMEM, or -E2BIG when it is over the limits of param/node.h. */
int job_encode(const struct job *job, struct str *out);
/* -EBADMSG with the reason for anything malformed: names that no plugin can have, schedulers of
 * one name, relative paths, and impossible topologies are found here, so that nobody has to look
 * again. */
int job_decode(const void *bytes, size_t length, struct job **ret, struct ktstr_error *err);
void job_free(struct job *job);

#endif
