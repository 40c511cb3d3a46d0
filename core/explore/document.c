/* SPDX-License-Identifier: GPL-2.0-only */
#include "explore/internal.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "explore/shrink.h"
#include "report/meta.h"
#include "report/report.h"

static json_t *count_json(uint64_t value)
{
	return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

static json_t *group_json(const struct exploration *x, const struct tally_group *group)
{
	_cleanup_free_ char *again = explore_again_command(x, group);
	_cleanup_free_ char *run = explore_kept_run(x, group);
	json_t *seeds = json_array();

	for (size_t i = 0; i < group->seed_count; i++)
		json_add(&seeds, count_json(group->seeds[i]));
	if (!again) {
		json_decref(seeds);
		return NULL;
	}
	return json_pack("{ss so so so so so so}", "outcome",
			 outcome_name(group->signature.outcome), "signature",
			 json_text(group->signature.text), "count", count_json(group->count),
			 "percent", json_real(100.0 * (double)group->count / (double)x->tally.done),
			 "seeds", seeds, "run", json_text(run), "command", json_text(again));
}

static json_t *figures_json(const struct shrink_figures *f)
{
	json_t *json = json_pack("{so so so}", "size", count_json(f->size), "values",
				 count_json(f->values), "steps", count_json(f->steps));

	json_put(&json, "workers", f->has_run ? count_json(f->workers) : json_null());
	json_put(&json, "cgroups", f->has_run ? count_json(f->cgroups) : json_null());
	json_put(&json, "cpus", f->has_run ? count_json(f->cpus) : json_null());
	json_put(&json, "scenario_s",
		 f->has_run ? json_real((double)f->scenario_ns / NS_PER_S) : json_null());
	return json;
}

static json_t *shrunk_json(const struct shrunk *s)
{
	if (!s)
		return json_null();
	return json_pack("{so so so so so so so so sf so so}", "signature",
			 json_text(s->signature.text), "seed", count_json(s->seed), "file",
			 json_text(s->path), "problem", json_text(s->problem), "command",
			 json_text(s->command), "tries", count_json(s->tries), "taken",
			 count_json(s->taken), "runs", count_json(s->runs), "took_s",
			 (double)s->took_ns / NS_PER_S, "before", figures_json(&s->before), "after",
			 s->path ? figures_json(&s->after) : json_null());
}

static json_t *outcomes_json(const struct tally *tally)
{
	static const uint32_t outcomes[] = { KTSTR_OUTCOME_PASS, KTSTR_OUTCOME_SKIP,
					     KTSTR_OUTCOME_UNDECIDED, KTSTR_OUTCOME_FAIL,
					     KTSTR_OUTCOME_ERROR };
	json_t *json = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++)
		json_put(&json, outcome_name(outcomes[i]),
			 count_json(tally_count(tally, outcomes[i])));
	return json;
}

json_t *explore_document(const struct exploration *x)
{
	static const char *const ends[] = {
		[EXPLORE_END_ALL] = "all",
		[EXPLORE_END_FAILURE] = "failure",
		[EXPLORE_END_INTERRUPTED] = "interrupted",
		[EXPLORE_END_ERRORS] = "errors",
		[EXPLORE_END_BROKEN] = "broken",
		[EXPLORE_END_LOST] = "lost",
	};
	_cleanup_free_ char *resume = explore_resume_command(x);
	const struct tally *tally = &x->tally;
	json_t *groups = json_array();
	json_t *json;

	for (size_t i = 0; i < tally->group_count; i++)
		json_add(&groups, group_json(x, &tally->groups[i]));
	json = json_pack("{si ss si ss s{so so} s{so so} so so ss so}", "schema_version",
			 REPORT_SCHEMA_VERSION, "kind", "exploration", "exit_code",
			 explore_exit_code(x), "outcome", outcome_name(explore_outcome(x)),
			 "scenario", "name", json_text(x->subject.name), "file",
			 json_text(x->spec->scenario), "seeds", "first", count_json(tally->first),
			 "last", count_json(tally->last), "done", count_json(tally->done),
			 "outcomes", outcomes_json(tally), "end", ends[x->end], "signatures",
			 groups);
	json_put(&json, "error",
		 x->end == EXPLORE_END_BROKEN	? json_text(x->err.text)
		 : x->end == EXPLORE_END_ERRORS ? json_text(x->last_error)
						: json_null());
	json_put(&json, "shrunk", shrunk_json(x->shrunk));
	json_put(&json, "folder", json_text(x->folder));
	json_put(&json, "took_s", json_real((double)x->elapsed_ns / NS_PER_S));
	json_put(&json, "resume", json_text(resume));
	return json;
}
