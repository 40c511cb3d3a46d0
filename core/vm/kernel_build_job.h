/* SPDX-License-Identifier: GPL-2.0-only */
/* What the steps of building a kernel share. Not for others. */
#ifndef VM_KERNEL_BUILD_JOB_H
#define VM_KERNEL_BUILD_JOB_H

#include "vm/kernel_build.h"
#include "vm/kernel_build_config.h"
#include "vm/kernel_build_source.h"

#define BUILD_SUFFIX_MAX 40

struct build_job {
	const struct kernel_build *build;
	const struct kernel_build_host *host;
	const struct kernel_build_watch *watch;
	struct build_source source;
	struct build_options wanted;
	uint64_t config_hash;
	char suffix[BUILD_SUFFIX_MAX]; /* of the release: "-ktstr-1a2b3c4d" */
	char stamp[20];		       /* of all that the result depends on */
	char *work;		       /* <cache>/builds/<key> */
	char *tree;
	char *objects;
	char *log;
	int log_fd;
	/* Of the step that runs: */
	const char *doing;
	size_t compiled;
	uint64_t start_ns;
	uint64_t shown_ns;
	char last[64];	     /* what was compiled last */
	char complaint[300]; /* the line that looks most like the reason of a failure */
	size_t complaint_rank;
};

__attribute__((format(printf, 3, 4))) void build_say(struct build_job *job, const char *phase,
						     const char *format, ...);
/* -EINTR with a text when it is to end. */
int build_go_on(const struct build_job *job, struct ktstr_error *err);

/* Of a package: its version, and with it the source's content. */
int build_obtain_version(struct build_job *job, struct ktstr_error *err);
/* Get the tree to build: job->tree and job->objects. */
int build_obtain(struct build_job *job, struct ktstr_error *err);

/* Make job->objects' .config and check it; then compile. */
int build_configure(struct build_job *job, struct ktstr_error *err);
int build_compile(struct build_job *job, struct ktstr_error *err);

#endif
