/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an exploration has found out so far, on the disk: a file of lines, each a JSON object. The
 * first says what is explored, each other one how the run of one seed ended. It is only appended
 * to, so that a process that is killed loses the last line at most.
 */
#ifndef EXPLORE_JOURNAL_H
#define EXPLORE_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "explore/signature.h"
#include "ktstr/error.h"

#define JOURNAL_FILE "journal.jsonl"
/* Most bytes of one that is read. */
#define JOURNAL_BYTES_MAX ((size_t)512 * 1024 * 1024)

/* How the run of one seed ended. */
struct journal_entry {
	uint64_t seed;
	uint64_t took_ns;
	struct signature signature;
};

/* Called for each entry, in their order. 0, or a negative errno that ends the reading. */
typedef int (*journal_take)(void *arg, const struct journal_entry *entry);

/*
 * Read the text of a journal. A last line without its newline, or that cannot be read, was being
 * written when the process died, and is passed over: *ret_length is what stands before it.
 * *ret_head is the first line, which json_decref() frees; NULL where not even that is whole.
 * -EBADMSG with the number of the line for anything else that is no journal.
 */
int journal_parse(const char *text, size_t length, journal_take take, void *arg, json_t **ret_head,
		  size_t *ret_length, struct ktstr_error *err);

/* One line with its newline; the caller frees. NULL when out of memory. */
char *journal_line(const struct journal_entry *entry);

struct journal;

/*
 * Open that of @folder, which is there, for this process alone, and read it. *ret_head is NULL when
 * there was none. -EBUSY when another process has it open. Must be closed by journal_close().
 */
int journal_open(const char *folder, journal_take take, void *arg, struct journal **ret,
		 json_t **ret_head, struct ktstr_error *err);

/* Write the first line. */
int journal_begin(struct journal *journal, const json_t *head, struct ktstr_error *err);
int journal_add(struct journal *journal, const struct journal_entry *entry,
		struct ktstr_error *err);

/* NULL is fine. */
void journal_close(struct journal *journal);

#endif
