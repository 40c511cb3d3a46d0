/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The META record: what a run was, as plain data and as the JSON that stands first in a run file.
 *
 * The document has these members; one that is missing reads as empty or zero:
 * - schema_version: 1
 * - ktstr_version: text
 * - scenario: {name, plugin, file, seed}
 * - scheduler: {plugin, params}
 * - staged: [{name, plugin, params}], the schedulers that the scenario could change to
 * - expect: null, or {outcome, scx_exit, start, checkers}: "pass" or "fail"; null or {kind,
 * message}, both text or null; text or null; [text]
 * - plugins: [{kind, name, version, path, crc32, build_id}]; kind is "scheduler", "scenario",
 *   "workload" or "checker"; crc32 is a number
 * - checkers: [{name, path, kind, params}]; params a tree of text, null when none were given
 * - kernel: {path, release, origin}
 * - vm: {accel, clock, instruction_ns, base, numa_nodes, llcs, cores, threads, memory_bytes, argv}
 * - host: {cpus, uname}
 * - command: the command line that runs it again
 * - console_log: path of the copy of COM1
 * - again: null, or what it takes to run it again (report/meta_again.h): {folder, scheduler,
 *   checkers, only, verbose, stats_interval_ns, kernel_crc32, agent_crc32, job_crc32,
 *   machine_crc32, qemu_crc32, qemu_path, files}; scheduler null or text; checkers [text]; only and
 *   verbose true or false; files [{path, guest_path, crc32}]
 */
#ifndef REPORT_META_H
#define REPORT_META_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/str.h"
#include "config/expect.h"
#include "ktstr/error.h"
#include "ktstr/topology.h"
#include "param/node.h"
#include "report/meta_again.h"

#define META_SCHEMA_VERSION 1
/* Entries of an array that are read; more are refused. */
#define META_ARRAY_MAX 1024

struct meta_plugin {
	char *kind;
	char *name;
	char *version;
	char *path;
	uint32_t crc32;
	char *build_id;
};

struct meta_checker {
	char *name;
	char *path;
	char *kind;	     /* "checker", or "scenario" for the scenario's own judgement */
	struct node *params; /* NULL: none given */
};

struct meta_scheduler {
	char *name; /* what the scenario file calls it */
	char *plugin;
	struct node *params; /* NULL: none given */
};

struct meta {
	char *ktstr_version;
	char *scenario_name; /* of the scenario file */
	char *scenario;	     /* of the plugin */
	char *scenario_file;
	uint64_t seed;
	char *scheduler;
	struct node *scheduler_params;
	struct meta_scheduler *staged;
	size_t staged_count;
	struct expectation expect; /* not given: nothing */
	struct meta_plugin *plugins;
	size_t plugin_count;
	struct meta_checker *checkers;
	size_t checker_count;
	char *kernel_path;
	char *kernel_release;
	char *kernel_origin;
	char *accel;
	char *clock;		 /* "virtual" or "host" */
	uint32_t instruction_ns; /* 0 in the host's time */
	char *base;		 /* the saved VM that it started from; "": it booted */
	struct ktstr_topology topology;
	uint64_t memory_bytes;
	char **argv; /* of QEMU; NULL where argv_count is 0 */
	size_t argv_count;
	uint32_t host_cpus;
	char *host_uname;
	char *command;
	char *console_log;
	struct meta_again again;
};

/* The document. NULL when out of memory. */
json_t *meta_to_json(const struct meta *meta);

/* Text from outside: safe for a terminal, and UTF-8 as JSON wants it. NULL becomes null. */
json_t *json_text(const char *text);

/*
 * Put @value (taken) at the end of *list, or into *object; NULL in *list or *object when there was
 * no memory for it or for one before it, so that only the end has to be looked at.
 */
void json_add(json_t **list, json_t *value);
void json_put(json_t **object, const char *key, json_t *value);

/* A seed: a number, or a text of digits where it is too large for a signed 64-bit one. */
json_t *meta_seed_to_json(uint64_t seed);

/*
 * Read the payload of a META record. Trusts nothing: -EBADMSG with the reason for anything that is
 * no JSON object, another schema version, or a member of another type than said above. All texts of
 * *ret are set, "" where the document has none.
 */
int meta_parse(const void *bytes, size_t length, struct meta **ret, struct ktstr_error *err);

void meta_done(struct meta *meta);
void meta_free(struct meta *meta);

/* A tree of text as JSON (text, array, object) and back. NULL when out of memory or, for the
 * second, when @json is no such tree or too deep. Places in the source are lost. */
json_t *node_to_json(const struct node *node);
struct node *node_from_json(const json_t *json);

#endif
