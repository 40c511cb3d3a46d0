/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is kept of a run: a folder with run.ktr (the run file), console.log (COM1) and verdict.json.
 *
 * It is the one that --run-dir names, exactly, which must be empty or not there yet; else
 * <XDG_STATE_HOME or ~/.local/state>/ktstr/runs/NAME-YYYYMMDD-HHMMSS-PID, beside a link `latest` to
 * the newest one. Nothing is ever removed there but by the user.
 */
#ifndef RUN_RECORD_H
#define RUN_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "ktstr/error.h"
#include "report/meta.h"
#include "run/prepare.h"
#include "runfile/writer.h"

#define RECORD_RUN_FILE "run.ktr"
#define RECORD_CONSOLE_LOG "console.log"
#define RECORD_VERDICT "verdict.json"

struct record {
	char *folder;
	size_t kept_length; /* of the part of the folder's path that was there before */
	bool is_listed;	    /* in the folder of all runs, not one of --run-dir */
	char *run_path;
	char *console_path;
	char *verdict_path;
	struct runfile_writer *writer;
	int run_fd;	/* reads the run file, from record_close() on; -1: none */
	int console_fd; /* -1: none */
};

/* Make the folder and the files. -ENOTEMPTY when @run_folder has something in it, -ENOTDIR when it
 * cannot be what was asked for. Leaves nothing on failure. */
int record_open(const char *run_folder, const char *name, uint64_t seed, uint64_t start_realtime_ns,
		struct record *ret, struct ktstr_error *err);

/* The path of a new folder below that of all runs, which is not made. The caller frees *ret. */
int record_new_folder(const char *name, uint64_t realtime_ns, char **ret, struct ktstr_error *err);

/* Let `latest`, beside @folder, point to it. */
void record_link_folder(const char *folder);

/* The run has begun: let `latest`, beside its folder, point to it. */
void record_link_latest(const struct record *record);

/* The run did not begin: take the files and the folders that were made away again. */
void record_discard(struct record *record);

/* Close the run file and the console log; the paths and run_fd stay until record_done(). */
int record_close(struct record *record, struct ktstr_error *err);
void record_done(struct record *record);

/* The VM that was started for it; borrowed, if nothing else is said. */
struct record_machine {
	uint64_t memory_bytes;
	char *const *argv;	  /* of QEMU */
	const char *base_id;	  /* of the saved VM that it started from; NULL: it booted */
	bool is_attached;	  /* the run's scheduler was up in that */
	struct meta_again *again; /* taken, and left empty; NULL: not known */
};

/*
 * What the run is, for the META record. Texts are copies; free by meta_done().
 */
int record_meta(const struct prepared *prepared, const struct run_options *options,
		const struct record *record, const struct record_machine *machine, struct meta *ret,
		struct ktstr_error *err);

/* Append the META record and the SOURCE record. */
int record_begin(struct record *record, const struct meta *meta, const struct source *source,
		 struct ktstr_error *err);

/* Append a milestone of the host. */
int record_timing(struct record *record, const char *name, uint64_t host_ns,
		  struct ktstr_error *err);

/*
 * The command that runs it again: @words quoted for a shell, without --run-dir (its folder is full
 * now), with --seed, and with --base where @is_attached. NULL when out of memory.
 */
char *record_command(char *const *words, size_t count, bool has_seed, uint64_t seed,
		     bool is_attached);

/* Append one word of such a command. 0 or -ENOMEM. */
int record_add_word(struct str *out, const char *word);

#endif
