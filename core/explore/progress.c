/* SPDX-License-Identifier: GPL-2.0-only */
#include "explore/progress.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "report/table.h"

void progress_duration(uint64_t ns, char *target, size_t size)
{
	uint64_t seconds = (ns + NS_PER_S / 2) / NS_PER_S;
	uint64_t minutes = seconds / 60;

	if (seconds < 60)
		(void)snprintf(target, size, "%" PRIu64 " s", seconds);
	else if (minutes < 60)
		(void)snprintf(target, size, "%" PRIu64 " min %" PRIu64 " s", minutes,
			       seconds % 60);
	else
		(void)snprintf(target, size, "%" PRIu64 " h %" PRIu64 " min", minutes / 60,
			       minutes % 60);
}

static void add_outcomes(const struct tally *tally, struct str *out)
{
	static const uint32_t outcomes[] = { KTSTR_OUTCOME_FAIL, KTSTR_OUTCOME_ERROR,
					     KTSTR_OUTCOME_UNDECIDED, KTSTR_OUTCOME_SKIP };

	for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++) {
		uint64_t count = tally_count(tally, outcomes[i]);
		size_t kinds = 0;

		for (size_t k = 0; k < tally->group_count; k++)
			kinds += tally->groups[k].signature.outcome == outcomes[i];
		if (count > 0)
			(void)str_addf(out, ", %" PRIu64 " %s", count, outcome_name(outcomes[i]));
		if (kinds > 1)
			(void)str_addf(out, " of %zu kinds", kinds);
	}
}

void progress_text(const struct tally *tally, uint64_t fresh, uint64_t elapsed_ns, char *target,
		   size_t size)
{
	uint64_t all = tally->last - tally->first + 1;
	char rate[32], left[32];
	struct str out = { 0 };

	/* Without memory it is shorter. */
	(void)str_addf(&out, "%" PRIu64 " of %" PRIu64 " seeds", tally->done, all);
	if (fresh > 0 && elapsed_ns > 0) {
		text_figure(rate, sizeof(rate),
			    (double)fresh * (double)NS_PER_S / (double)elapsed_ns);
		(void)str_addf(&out, ", %s/s", rate);
	}
	add_outcomes(tally, &out);
	if (fresh > 0 && tally->done < all) {
		progress_duration(elapsed_ns / fresh * (all - tally->done), left, sizeof(left));
		(void)str_addf(&out, ", %s left", left);
	}
	str_copy(target, size, str_text(&out));
	str_done(&out);
}
