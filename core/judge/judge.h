/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Run checkers over a run file. Each runs in a process of its own (ktstr-judge), with a limit on
 * time and memory, so a checker that crashes, hangs or writes nonsense cannot take the run with it.
 * They run at the same time, as many as there are CPUs.
 */
#ifndef JUDGE_JUDGE_H
#define JUDGE_JUDGE_H

#include <stddef.h>
#include <stdint.h>

#include "judge/verdict.h"
#include "ktstr/error.h"
#include "ktstr/plugin.h"
#include "ktstr/topology.h"
#include "param/node.h"

#define JUDGE_TIME_LIMIT_NS UINT64_C(60000000000)
/* What one call of a checker may take, about: so soon one that hangs is ended. */
#define JUDGE_STALL_LIMIT_NS UINT64_C(4000000000)
/* What is kept of all that the checkers of one run find, in equal shares, the worst first: a report
 * holds all of it at once. */
#define JUDGE_FINDINGS_MAX 4096u
#define JUDGE_FINDINGS_BYTES_MAX ((size_t)4 * 1024 * 1024)
#define JUDGE_MEMORY_LIMIT_BYTES (UINT64_C(1) << 30)

struct judge_checker {
	const char *name;
	const char *path; /* of the .so; for a scenario's own judgement that of the scenario */
	uint32_t crc32;	  /* of that file when it was chosen: no other one may judge */
	uint32_t kind;	  /* KTSTR_KIND_CHECKER, or KTSTR_KIND_SCENARIO for its own judgement */
	const struct node *params; /* may be NULL */
};

struct judge_spec {
	const char *program; /* path of ktstr-judge */
	int runfile_fd;	     /* open for reading; borrowed, and read by all without a position */
	const char *runfile; /* its path, for messages */
	const struct judge_checker *checkers;
	size_t checker_count;
	struct ktstr_topology topology;
	const char *scenario, *scheduler, *kernel, *accel, *clock;
	const char *const *plugin_folders; /* search path, for PLUGIN parameters */
	uint64_t time_limit_ns;		   /* 0: JUDGE_TIME_LIMIT_NS */
	uint64_t stall_limit_ns;	   /* 0: JUDGE_STALL_LIMIT_NS */
	uint64_t memory_limit_bytes;	   /* 0: JUDGE_MEMORY_LIMIT_BYTES */
	int signal_fd; /* non-blocking signalfd; a signal ends all checkers; -1: none */
	const struct expectation *expect; /* NULL: a PASS is expected */
};

/* Read the evidence, run the checkers, fold. Fails only when the run file cannot be read at all. */
int judge_run(const struct judge_spec *spec, struct verdict *ret, struct ktstr_error *err);

/* The evidence alone. @runfile_fd is borrowed, @name is for messages. */
int evidence_read(int runfile_fd, const char *name, struct evidence *ret, struct ktstr_error *err);
void evidence_done(struct evidence *evidence);

#endif
