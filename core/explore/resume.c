/* SPDX-License-Identifier: GPL-2.0-only */
#include "explore/resume.h"

#include <errno.h>
#include <inttypes.h>

#include "base/log.h"
#include "explore/place.h"
#include "explore/internal.h"
#include "run/record.h"

bool resume_keeps(void *arg, uint64_t seed)
{
	const struct tally *tally = arg;

	return tally_keeps(tally, seed);
}

/* An ERROR may have been the machine's: such a seed is run again. */
static int take_entry(void *arg, const struct journal_entry *entry)
{
	struct tally *tally = arg;
	struct tally_change ignored;

	/* Of seeds of another range the head tells. */
	if (entry->signature.outcome != KTSTR_OUTCOME_ERROR && entry->seed >= tally->first &&
	    entry->seed <= tally->last && !tally_has(tally, entry->seed))
		tally_add(tally, entry, &ignored);
	return 0;
}

static int check_head(const struct exploration *x, const json_t *head, struct ktstr_error *err)
{
	int rc = subject_compare(head, x->subject.json, err);

	if (rc < 0)
		return ktstr_prefix(err,
				    "the exploration in '%s' cannot be continued, because it was "
				    "of something else (name another --run-dir for a new one)",
				    x->folder);
	return 0;
}

static int open_journal(struct exploration *x, struct ktstr_error *err)
{
	json_t *head = NULL;
	int rc = journal_open(x->folder, take_entry, &x->tally, &x->journal, &head, err);

	if (rc < 0)
		return rc;
	if (head)
		rc = check_head(x, head, err);
	else
		rc = journal_begin(x->journal, x->subject.json, err);
	json_decref(head);
	return rc;
}

int resume_open(struct exploration *x, struct ktstr_error *err)
{
	bool has_journal = false;
	int rc = place_open(x->options->run_folder, x->subject.name, &x->folder, &has_journal, err);

	if (rc == 0)
		rc = open_journal(x, err);
	if (rc < 0)
		return rc;
	place_clean(x->folder, resume_keeps, &x->tally);
	if (has_journal)
		log_note("%" PRIu64 " of %" PRIu64 " seeds were run before", x->tally.done,
			 x->tally.last - x->tally.first + 1);
	if (!x->options->run_folder)
		record_link_folder(x->folder);
	return 0;
}
