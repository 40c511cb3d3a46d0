/* SPDX-License-Identifier: GPL-2.0-only */
/* What a scheduler wrote, and what the kernel dumped of it, as files beside the run file. */
#ifndef RUN_SCHED_FILES_H
#define RUN_SCHED_FILES_H

#include <stdint.h>

#include "ktstr/error.h"

#define SCHED_FILES_LOG "scheduler.log"
#define SCHED_FILES_DUMP "sched_ext_dump.txt"
/* More of either is left in the run file. */
#define SCHED_FILES_MAX ((uint64_t)64 * 1024 * 1024)

/* Both paths, NULL where there is no such file. */
struct sched_files {
	char *log_path;
	char *dump_path;
};

/*
 * Write the files out of the run file (@runfile_fd, borrowed; @run_path, for its folder). A file of
 * which nothing came is not made. The bytes are the guest's, as they came.
 */
int sched_files_write(int runfile_fd, const char *run_path, struct ktstr_error *err);

/* Those that are there. 0 or -ENOMEM. */
int sched_files_find(const char *run_path, struct sched_files *ret);
void sched_files_done(struct sched_files *files);

#endif
