/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/limits.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "ktstr/frame.h"

/* What the session writes is looked at in any moment: the stage comes after what belongs to it. */
void limits_enter(struct limits *limits, uint32_t stage, uint64_t now_ns)
{
	limits->pause_ns = 0;
	limits->paused_ns = 0;
	limits->since_ns = now_ns;
	__atomic_store_n(&limits->stage, stage, __ATOMIC_RELEASE);
}

void limits_pause(struct limits *limits, uint64_t now_ns)
{
	limits->pause_ns = now_ns;
}

void limits_resume(struct limits *limits, uint64_t now_ns)
{
	if (limits->pause_ns != 0 && now_ns > limits->pause_ns)
		limits->paused_ns += now_ns - limits->pause_ns;
	limits->pause_ns = 0;
}

static uint64_t later(uint64_t from_ns, uint64_t duration_ns)
{
	uint64_t sum;

	return __builtin_add_overflow(from_ns, duration_ns, &sum) ? UINT64_MAX : sum;
}

static struct limit limit(uint64_t from_ns, uint64_t length_ns, const char *what)
{
	return (struct limit){
		.at_ns = length_ns > 0 ? later(from_ns, length_ns) : UINT64_MAX,
		.length_ns = length_ns,
		.what = what,
	};
}

/* Each pause puts the end off; all of them together not by more than one long one, beyond the
 * scenario's time once more. */
static struct limit scenario_limit(const struct limits *limits)
{
	uint64_t length_ns = limits->job.scenario_ns, paused_ns = limits->paused_ns;
	uint64_t pause_ns = limits->pause_ns, max_ns = limits->job.pause_ns;
	struct limit hard =
		limit(limits->since_ns, length_ns, "the scenario put off its deadline too often");
	struct limit soft =
		limit(limits->since_ns, length_ns, "the scenario did not end in its time");

	if (length_ns == 0)
		return soft;
	soft.at_ns = later(soft.at_ns, paused_ns);
	if (pause_ns != 0)
		soft = limit(pause_ns, max_ns, "the scenario stayed paused for too long");
	hard.at_ns = later(later(hard.at_ns, length_ns),
			   pause_ns != 0 || paused_ns > max_ns ? max_ns : paused_ns);
	return soft.at_ns <= hard.at_ns ? soft : hard;
}

struct limit limits_next(const struct limits *limits)
{
	switch (__atomic_load_n(&limits->stage, __ATOMIC_ACQUIRE)) {
	case LIMITS_OF_START:
		return limit(limits->since_ns, limits->job.start_ns,
			     "the guest booted, but started no scenario");
	case LIMITS_OF_SCENARIO:
		return scenario_limit(limits);
	case LIMITS_OF_TEARDOWN:
		return limit(limits->since_ns, limits->job.teardown_ns,
			     "the guest did not end its stream after the scenario");
	default:
		return limit(0, 0, "");
	}
}

int limits_tell(const struct limit *limit, struct port *port)
{
	char payload[200];

	payload[0] = (char)KTSTR_PHASE_OVERDUE;
	(void)snprintf(payload + 1, sizeof(payload) - 1, "%s (%.1f s)", limit->what,
		       (double)limit->length_ns / NS_PER_S);
	return port_send(port, KTSTR_MSG_LIFECYCLE, payload, (uint32_t)(1 + strlen(payload + 1)));
}
