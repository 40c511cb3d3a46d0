/* SPDX-License-Identifier: GPL-2.0-only */
#include "judge/reason.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "judge/grounds.h"

void reason_add(struct verdict *verdict, const char *format, ...)
{
	size_t length = strlen(verdict->reason);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(verdict->reason + length, sizeof(verdict->reason) - length, format, args);
	va_end(args);
}

static const char *or_else(const char *text, const char *otherwise)
{
	return text && text[0] ? text : otherwise;
}

static const char *end_text(const struct verdict *verdict)
{
	return or_else(verdict->evidence.end_reason,
		       coord_end_name(verdict->evidence.summary.end_reason));
}

void reason_wrong_plugins(struct verdict *v, const struct decision *d)
{
	(void)d;
	reason_add(v, "the guest did not run what was sent: %s", v->evidence.hello_mismatch);
}

void reason_clock_runs_away(struct verdict *v, const struct decision *d)
{
	const struct scx *scx = &v->evidence.scx;

	(void)d;
	reason_add(v,
		   "the guest's clock ran away: it counted %.1f s in %.1f s, so no time in this "
		   "run means anything; run it again",
		   (double)scx->guest_took_ns / (double)NS_PER_S,
		   (double)scx->host_took_ns / (double)NS_PER_S);
}

void reason_scheduler_died(struct verdict *v, const struct decision *d)
{
	const struct scx *scx = &v->evidence.scx;
	char text[SCX_TEXT_MAX];

	(void)d;
	if (scx->has_exit && scx->exit_kind >= KTSTR_SCX_EXIT_ERROR)
		reason_add(v, "%s", scx_sentence(scx, text, sizeof(text)));
	else
		reason_add(v, "the scheduler died: %s",
			   or_else(v->evidence.sched_exit_text, "it did not say why"));
}

void reason_scheduler_did_not_start(struct verdict *v, const struct decision *d)
{
	const struct scx *scx = &v->evidence.scx;
	const char *error = or_else(scx->start_error, "it did not say why");
	char text[SCX_TEXT_MAX];

	(void)d;
	reason_add(v, "the scheduler did not start: %s", error);
	if (scx->has_exit && !strstr(error, scx->exit_message))
		reason_add(v, "; %s", scx_sentence(scx, text, sizeof(text)));
}

const char *reason_of_checker(const struct decision *d, uint32_t outcome)
{
	if (d->reason && d->reason[0])
		return d->reason;
	for (size_t i = 0; i < d->finding_count; i++)
		if (d->findings[i].outcome == outcome && d->findings[i].text)
			return d->findings[i].text;
	return NULL;
}

static size_t count_findings(const struct decision *d, uint32_t outcome)
{
	size_t count = 0;

	for (size_t i = 0; i < d->finding_count; i++)
		count += d->findings[i].outcome == outcome;
	return count;
}

static void add_checker(struct verdict *v, const struct decision *d, uint32_t outcome,
			const char *otherwise)
{
	size_t count = count_findings(d, outcome);

	reason_add(v, "checker '%s': %s", d->name,
		   or_else(reason_of_checker(d, outcome), otherwise));
	if (count > 1)
		reason_add(v, " (and %zu more)", count - 1);
}

void reason_checker_failed(struct verdict *v, const struct decision *d)
{
	size_t others = 0;

	add_checker(v, d, KTSTR_OUTCOME_FAIL, "the run failed it");
	for (size_t i = 0; i < v->decision_count; i++)
		others += &v->decisions[i] != d && grounds_checker_failed(v, &v->decisions[i]);
	if (others > 0)
		reason_add(v, "; %zu other checker%s failed too", others, others > 1 ? "s" : "");
}

void reason_scenario_failed(struct verdict *v, const struct decision *d)
{
	(void)d;
	reason_add(v, "the scenario failed: %s",
		   or_else(v->evidence.result_text, "it did not say why"));
}

void reason_record_open(struct verdict *v, const struct decision *d)
{
	(void)d;
	reason_add(v, "the run file has no end: the run was cut off, or is not over");
	if (v->evidence.end_reason)
		reason_add(v, " (%s)", v->evidence.end_reason);
}

void reason_record_incomplete(struct verdict *v, const struct decision *d)
{
	(void)d;
	reason_add(v, "the run file holds %llu frames where the coordinator recorded %llu",
		   (unsigned long long)v->evidence.frames_recorded,
		   (unsigned long long)v->evidence.summary.frames_bucketed);
}

void reason_end(struct verdict *v, const struct decision *d)
{
	(void)d;
	reason_add(v, "%s", end_text(v));
}

void reason_cut_short(struct verdict *v, const struct decision *d)
{
	const size_t failed = grounds_count(v, KTSTR_OUTCOME_FAIL);

	reason_end(v, d);
	if (grounds_ended_by(v, COORD_END_WATCHDOG))
		reason_add(v, "; the scheduler may be what held it up");
	if (v->evidence.has_error)
		reason_add(v, "; in the guest: %s",
			   or_else(v->evidence.error_text, "something broke"));
	if (failed > 0)
		reason_add(v, "; what %zu checker%s found is of a run cut short", failed,
			   failed > 1 ? "s" : "");
}

void reason_guest_panicked(struct verdict *v, const struct decision *d)
{
	(void)d;
	reason_add(v, "%s",
		   grounds_ended_by(v, COORD_END_PANIC) ? end_text(v)
							: "the guest's kernel panicked");
}

void reason_agent_crashed(struct verdict *v, const struct decision *d)
{
	(void)d;
	reason_add(v, "%s",
		   grounds_ended_by(v, COORD_END_AGENT_CRASH) ? end_text(v)
							      : "the agent in the guest crashed");
}

static const char *stage_name(uint32_t stage)
{
	static const char *const names[] = {
		[KTSTR_STAGE_BOOT] = "boot",	     [KTSTR_STAGE_JOB] = "job",
		[KTSTR_STAGE_PLUGIN] = "plugin",     [KTSTR_STAGE_SCHEDULER] = "scheduler",
		[KTSTR_STAGE_SCENARIO] = "scenario", [KTSTR_STAGE_WORKLOAD] = "workload",
	};

	return stage < ARRAY_SIZE(names) && names[stage] ? names[stage] : "agent";
}

void reason_agent_error(struct verdict *v, const struct decision *d)
{
	(void)d;
	reason_add(v, "in the guest (%s): %s", stage_name(v->evidence.error_stage),
		   or_else(v->evidence.error_text, "something broke"));
}

void reason_frames_lost(struct verdict *v, const struct decision *d)
{
	(void)d;
	reason_add(v, "the guest's stream is damaged");
	for (size_t i = 0; i < GROUNDS_LOSSES; i++) {
		const char *text;
		uint64_t count = grounds_loss(v, i, &text);

		if (count > 0)
			reason_add(v, "; frames that %s: %llu", text, (unsigned long long)count);
	}
	if (v->evidence.summary.bytes_left > 0)
		reason_add(v, "; bytes of a frame that was never finished: %llu",
			   (unsigned long long)v->evidence.summary.bytes_left);
}

void reason_frame_malformed(struct verdict *v, const struct decision *d)
{
	(void)d;
	reason_add(v, "the guest's stream makes no sense: %s", v->evidence.malformed);
}

void reason_scenario_error(struct verdict *v, const struct decision *d)
{
	(void)d;
	reason_add(v, "the scenario could not run: %s",
		   or_else(v->evidence.result_text, "it did not say why"));
}

void reason_scheduler_not_up(struct verdict *v, const struct decision *d)
{
	(void)d;
	reason_add(v, v->evidence.summary.last_phase == KTSTR_PHASE_SCHEDULER_DIED
			      ? "the scheduler died while it started"
			      : "the scheduler was not in charge");
}

void reason_agent_failed(struct verdict *v, const struct decision *d)
{
	(void)d;
	reason_add(v, "the agent in the guest exited with %d", v->evidence.summary.exit_code);
}

void reason_checker_error(struct verdict *v, const struct decision *d)
{
	/* The reason of an ERROR names the checker already. */
	if (d->reason && d->reason[0])
		reason_add(v, "%s", d->reason);
	else
		add_checker(v, d, KTSTR_OUTCOME_ERROR, "it never decided");
}

void reason_scenario_skipped(struct verdict *v, const struct decision *d)
{
	(void)d;
	reason_add(v, "the scenario does not apply here: %s",
		   or_else(v->evidence.result_text, "it did not say why"));
}

void reason_scenario_undecided(struct verdict *v, const struct decision *d)
{
	(void)d;
	reason_add(v, "the scenario could not decide: %s",
		   or_else(v->evidence.result_text, "it did not say why"));
}

void reason_checker_undecided(struct verdict *v, const struct decision *d)
{
	if (d->outcome == KTSTR_OUTCOME_PASS)
		reason_add(v, "checker '%s' saw none of the frames it needs", d->name);
	else
		add_checker(v, d, KTSTR_OUTCOME_UNDECIDED, "it could not decide");
}

void reason_all_skipped(struct verdict *v, const struct decision *d)
{
	(void)d;
	reason_add(v, "no checker applies to this run; ");
	add_checker(v, &v->decisions[0], KTSTR_OUTCOME_SKIP, "it was skipped");
}

void reason_judging_interrupted(struct verdict *v, const struct decision *d)
{
	(void)d;
	reason_add(v, "interrupted by SIG%s while judging",
		   or_else(sigabbrev_np(v->interrupted_by), "?"));
}
