/* SPDX-License-Identifier: GPL-2.0-only */
/* A run file made by hand, in a folder of its own that goes with it. */
#ifndef SUPPORT_RUN_FIXTURE_H
#define SUPPORT_RUN_FIXTURE_H

#include <stdint.h>

#include "ktstr/frame.h"
#include "runfile/writer.h"

struct run_fixture {
	char folder[64];
	char path[96];
	struct runfile_writer *writer;
	int fd; /* reads the file, also when it was closed */
	struct ktstr_error err;
};

/* A run file with no record. Aborts the test when it cannot be made, as all below. */
void run_fixture_init(struct run_fixture *fixture);
void run_fixture_append(struct run_fixture *fixture, uint32_t kind, uint32_t tag, uint32_t flags,
			uint64_t host_ns, const void *payload, uint32_t length);
void run_fixture_text(struct run_fixture *fixture, uint32_t kind, uint32_t tag, uint64_t host_ns,
		      const char *text);
/* A META record that names scenario "hog", scheduler "eevdf" and two checkers. */
void run_fixture_meta(struct run_fixture *fixture);
void run_fixture_cgroup(struct run_fixture *fixture, uint32_t id, const char *name);
/* A worker of @cgroup_id that completed, ran @cpu_ms of 1000 ms, and stood still for @gap_ms. */
void run_fixture_worker(struct run_fixture *fixture, uint32_t tid, uint32_t cgroup_id,
			uint32_t cpu_ms, uint32_t gap_ms);
/* Start at 2 s, end 1.5 s later. */
void run_fixture_scenario(struct run_fixture *fixture);
/* Close the file, which stays. */
void run_fixture_close(struct run_fixture *fixture);
/* Remove file and folder. */
void run_fixture_done(struct run_fixture *fixture);

#endif
