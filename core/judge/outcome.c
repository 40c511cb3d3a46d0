/* SPDX-License-Identifier: GPL-2.0-only */
/* Outcomes as words and exit codes, and the end of a verdict's life. */
#include "judge/verdict.h"

#include <stdlib.h>

#include "base/cleanup.h"
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

void decision_done(struct decision *decision)
{
	for (size_t i = 0; i < decision->finding_count; i++) {
		free(decision->findings[i].subject);
		free(decision->findings[i].metric);
		free(decision->findings[i].unit);
		free(decision->findings[i].text);
	}
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
