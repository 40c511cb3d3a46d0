/* SPDX-License-Identifier: GPL-2.0-only */
/* What it takes to run a run again, as the META record has it (report/meta.h). */
#ifndef REPORT_META_AGAIN_H
#define REPORT_META_AGAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "ktstr/error.h"

/* A file that the guest got. */
struct meta_file {
	char *path;
	char *guest_path;
	uint32_t crc32;
};

struct meta_again {
	bool is_there; /* the run file has it */
	/* What the command line said instead of the scenario. */
	char *folder;	 /* from which relative paths were seen */
	char *scheduler; /* the argument of --scheduler; NULL: none */
	char **checkers; /* those of --checker */
	size_t checker_count;
	bool has_only_checkers;
	bool is_verbose; /* the guest's kernel says more */
	uint64_t stats_interval_ns;
	/* What the run depends on, beside what else the META record names: CRC-32s. */
	uint32_t kernel_crc32;	/* of what QEMU loads */
	uint32_t agent_crc32;	/* of the archive with agent and libraries */
	uint32_t job_crc32;	/* of all that the guest gets for this run */
	uint32_t machine_crc32; /* of QEMU's command line, without what differs each time */
	uint32_t qemu_crc32;
	char *qemu_path;
	struct meta_file *files; /* of plugins, in the job */
	size_t file_count;
};

/* The member `again`; null when it is not there. NULL when out of memory. */
json_t *meta_again_to_json(const struct meta_again *again);

/*
 * And back from @json, which may be NULL or null. Trusts nothing: -EBADMSG with the reason for a
 * member of another type, too many entries, or a text with what is no text of one line. All texts
 * but the scheduler are set when it is there.
 */
int meta_again_parse(const json_t *json, struct meta_again *ret, struct ktstr_error *err);
void meta_again_done(struct meta_again *again);

#endif
