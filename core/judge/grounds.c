/* SPDX-License-Identifier: GPL-2.0-only */
#include "judge/grounds.h"

#include <string.h>

#include "base/cleanup.h"

bool grounds_are_whole(const struct verdict *verdict)
{
	const struct evidence *e = &verdict->evidence;
	const struct runfile_summary *s = &e->summary;

	return e->has_summary && !e->is_torn && e->is_sealed && s->has_end && s->end_matches &&
	       s->frames_torn == 0 && s->frames_dropped == 0 && s->frames_oversize == 0 &&
	       s->bytes_left == 0 && s->frames_after_end == 0 &&
	       s->frames_bucketed == e->frames_recorded && e->has_all_sent;
}

bool grounds_ended_by(const struct verdict *verdict, enum coord_end end)
{
	return verdict->evidence.has_summary && verdict->evidence.summary.end_reason == end;
}

bool grounds_are_cut_short(const struct verdict *verdict)
{
	return verdict->evidence.has_summary &&
	       coord_end_cuts_short(verdict->evidence.summary.end_reason);
}

bool grounds_checker_failed(const struct verdict *verdict, const struct decision *decision)
{
	if (decision->outcome != KTSTR_OUTCOME_FAIL || grounds_are_cut_short(verdict))
		return false;
	return grounds_are_whole(verdict) ||
	       (decision->has_whole_evidence && decision->wanted > 0 &&
		verdict->evidence.summary.frames_oversize == 0);
}

size_t grounds_count(const struct verdict *verdict, uint32_t outcome)
{
	size_t count = 0;

	for (size_t i = 0; i < verdict->decision_count; i++)
		count += verdict->decisions[i].outcome == outcome;
	return count;
}

bool grounds_scheduler_died(const struct verdict *verdict)
{
	return verdict->evidence.sched_exit_text ||
	       (verdict->evidence.has_summary && verdict->evidence.summary.is_sched_exit);
}

bool grounds_scheduler_did_not_start(const struct verdict *verdict)
{
	const struct evidence *e = &verdict->evidence;

	/* An agent that went on nevertheless contradicts itself, and is not believed in either. */
	return e->scx.has_died_at_start && e->scx.place == SCX_PLACE_START && !e->has_result;
}

static const struct {
	size_t offset;
	bool is_64;
	const char *text;
} losses[GROUNDS_LOSSES] = {
	{ offsetof(struct runfile_summary, frames_torn), true, "had a wrong checksum" },
	{ offsetof(struct runfile_summary, frames_dropped), true,
	  "had no business in the stream and were dropped" },
	{ offsetof(struct runfile_summary, frames_oversize), true,
	  "were too large and were dropped, with what came behind them" },
	{ offsetof(struct runfile_summary, frames_after_end), false,
	  "came after the end of the stream" },
};

uint64_t grounds_loss(const struct verdict *verdict, size_t number, const char **ret_text)
{
	const char *at = (const char *)&verdict->evidence.summary + losses[number].offset;
	uint64_t value = 0;

	memcpy(&value, at, losses[number].is_64 ? sizeof(uint64_t) : sizeof(uint32_t));
	*ret_text = losses[number].text;
	return value;
}
