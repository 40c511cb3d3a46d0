/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Run files for tests, as the coordinator would leave them. Every step aborts the program when it
 * fails: a test that cannot make its input has nothing to say.
 */
#ifndef SUPPORT_RUNFILE_MAKER_H
#define SUPPORT_RUNFILE_MAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "coord/coord.h"
#include "ktstr/frame.h"
#include "runfile/writer.h"
#include "wire/frame.h"

#define MAKER_SEED 77u
#define MAKER_SCHEDULER_CRC 0x11111111u
#define MAKER_SCENARIO_CRC 0x22222222u
/* A META record with the scheduler "eevdf", the scenario "steps" and the checker "gap". */
extern const char maker_meta[];

struct runfile_maker {
	struct runfile_writer *writer;
	struct wire_account account;	/* of the frames so far; for the END frame */
	struct runfile_summary summary; /* follows what was added; may be changed before sealing */
};

/* Create the file with @meta (NULL: none) in it. */
void maker_start(struct runfile_maker *maker, const char *path, const char *meta);
void maker_frame(struct runfile_maker *maker, uint32_t msg_type, const void *payload,
		 uint32_t length, bool crc_ok);
/* HELLO with the plugins of maker_meta and one field changed: see struct. */
struct maker_hello {
	uint64_t seed;
	uint32_t scheduler_crc;
	const char *scheduler;
	const char *scenario; /* NULL: the frame names only the scheduler */
};
void maker_hello(struct runfile_maker *maker, const struct maker_hello *hello);
/* What stands before and after the frames of a scenario that ran and passed. */
void maker_begin(struct runfile_maker *maker, const struct maker_hello *hello);
void maker_pass(struct runfile_maker *maker);
void maker_result(struct runfile_maker *maker, uint32_t outcome, const char *text);
void maker_error(struct runfile_maker *maker, uint32_t stage, const char *text);
/* The END frame, and END_REASON and SUMMARY. The maker is done with the file then. */
void maker_seal(struct runfile_maker *maker, enum coord_end end, const char *text);
/* Close without sealing. */
void maker_close(struct runfile_maker *maker);

/* A whole good run with @stdout_count STDOUT frames. */
void maker_good_run(const char *path, uint32_t stdout_count);

#endif
