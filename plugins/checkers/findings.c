/* SPDX-License-Identifier: GPL-2.0-only */
#include "findings.h"

#include <stdio.h>

/* FAIL outweighs ERROR: see findings.h. */
static const uint8_t weights[] = {
	[KTSTR_OUTCOME_NONE] = 0,      [KTSTR_OUTCOME_SKIP] = 1,  [KTSTR_OUTCOME_PASS] = 2,
	[KTSTR_OUTCOME_UNDECIDED] = 3, [KTSTR_OUTCOME_ERROR] = 4, [KTSTR_OUTCOME_FAIL] = 5,
};

void findings_add(struct findings *findings, struct ktstr_finding *finding, const char *format,
		  va_list args)
{
	char text[FINDINGS_TEXT_MAX];

	(void)vsnprintf(text, sizeof(text), format, args);
	finding->size = sizeof(*finding);
	finding->text = text;
	if (weights[finding->outcome] > weights[findings->outcome])
		findings->outcome = finding->outcome;
	findings->judge->finding(findings->judge, finding);
}

void findings_figure(struct findings *findings, struct ktstr_finding finding, const char *format,
		     ...)
{
	va_list args;

	va_start(args, format);
	findings_add(findings, &finding, format, args);
	va_end(args);
}

void findings_say(struct findings *findings, uint32_t outcome, const char *subject,
		  const char *format, ...)
{
	struct ktstr_finding finding = { .outcome = outcome, .subject = subject };
	va_list args;

	va_start(args, format);
	findings_add(findings, &finding, format, args);
	va_end(args);
}

const char *text_copy(char *target, size_t size, const char *source, size_t length)
{
	size_t count = length < size - 1 ? length : size - 1;

	for (size_t i = 0; i < count; i++)
		target[i] = source[i] >= ' ' && source[i] <= '~' ? source[i] : '?';
	target[count] = '\0';
	return target;
}
