/* SPDX-License-Identifier: GPL-2.0-only */
/* Outcomes as words and exit codes, and the end of a verdict's life. */
#include "judge/verdict.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "judge/judge.h"

static const struct {
	const char *name;
	int exit_code;
} outcomes[] = {
	[KTSTR_OUTCOME_NONE] = { "NONE", EXIT_ERROR },
	[KTSTR_OUTCOME_PASS] = { "PASS", EXIT_PASS },
	[KTSTR_OUTCOME_SKIP] = { "SKIP", EXIT_SKIP },
	[KTSTR_OUTCOME_UNDECIDED] = { "UNDECIDED", EXIT_UNDECIDED },
	[KTSTR_OUTCOME_FAIL] = { "FAIL", EXIT_FAIL },
	[KTSTR_OUTCOME_ERROR] = { "ERROR", EXIT_ERROR },
};

int verdict_exit_code(uint32_t outcome)
{
	return outcome < ARRAY_SIZE(outcomes) ? outcomes[outcome].exit_code : EXIT_ERROR;
}

const char *outcome_name(uint32_t outcome)
{
	return outcome < ARRAY_SIZE(outcomes) ? outcomes[outcome].name : "UNKNOWN";
}

const char *decision_reason(const struct decision *decision)
{
	static const char *const kinds[] = { DECISION_BY_CHECKER, DECISION_BY_SCENARIO };
	const char *reason = decision->reason ? decision->reason : "";
	char before[128];

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		(void)snprintf(before, sizeof(before), DECISION_BY, kinds[i],
			       decision->name ? decision->name : "");
		if (str_starts(reason, before))
			reason += strlen(before);
	}
	return str_starts(reason, DECISION_CANNOT) ? reason + strlen(DECISION_CANNOT) : reason;
}

void finding_done(struct finding *finding)
{
	free(finding->subject);
	free(finding->metric);
	free(finding->unit);
	free(finding->text);
}

void decision_done(struct decision *decision)
{
	for (size_t i = 0; i < decision->finding_count; i++)
		finding_done(&decision->findings[i]);
	free(decision->findings);
	free(decision->name);
	free(decision->path);
	free(decision->reason);
}

void verdict_done(struct verdict *verdict)
{
	if (!verdict)
		return;
	for (size_t i = 0; i < verdict->decision_count; i++)
		decision_done(&verdict->decisions[i]);
	free(verdict->decisions);
	evidence_done(&verdict->evidence);
	*verdict = (struct verdict){ 0 };
}
