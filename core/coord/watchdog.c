/* SPDX-License-Identifier: GPL-2.0-only */
#include "coord/watchdog.h"

uint64_t watchdog_spent_ns(uint64_t cpu_time_ns, uint32_t instruction_ns)
{
	uint64_t per = WATCHDOG_INSTRUCTION_CPU_NS;

	if (instruction_ns >= per)
		return cpu_time_ns;
	return cpu_time_ns / per * instruction_ns + cpu_time_ns % per * instruction_ns / per;
}

uint64_t watchdog_cpu_time_ns(uint64_t spent_ns, uint32_t instruction_ns)
{
	uint64_t cpu_time_ns;

	if (instruction_ns == 0 || instruction_ns >= WATCHDOG_INSTRUCTION_CPU_NS)
		return spent_ns;
	if (__builtin_mul_overflow(spent_ns, (uint64_t)WATCHDOG_INSTRUCTION_CPU_NS, &cpu_time_ns))
		return UINT64_MAX;
	return cpu_time_ns / instruction_ns;
}

static uint64_t later(uint64_t from_ns, uint64_t duration_ns)
{
	uint64_t sum;

	return __builtin_add_overflow(from_ns, duration_ns, &sum) ? UINT64_MAX : sum;
}

static struct watchdog_limit limit(uint64_t from_ns, uint64_t duration_ns, enum coord_end end,
				   const char *what)
{
	return (struct watchdog_limit){
		.at_ns = duration_ns > 0 ? later(from_ns, duration_ns) : UINT64_MAX,
		.end = end,
		.what = what,
	};
}

static uint64_t pause_max_ns(const struct dispatch_sinks *sinks)
{
	return later(WATCHDOG_PAUSE_MAX_NS, sinks->scheduler_changes_ns);
}

/* How much of the scenario's time was, or may still be, a pause: not more than one long one. */
static uint64_t pause_allowance(const struct dispatch_sinks *sinks)
{
	uint64_t max_ns = pause_max_ns(sinks);

	if (sinks->watchdog_pause_ns != 0 || sinks->scenario_pause_cumulative_ns > max_ns)
		return max_ns;
	return sinks->scenario_pause_cumulative_ns;
}

/*
 * Frames of the guest move the deadline: each SCENARIO_START sets it anew, each pause puts it off.
 * A guest that sends them for ever is stopped at twice the budget and one pause.
 */
static struct watchdog_limit scenario_limit(const struct dispatch_sinks *sinks)
{
	uint64_t budget = sinks->workload_duration_ns;
	struct watchdog_limit hard =
		limit(later(sinks->scenario_start_ns, later(budget, sinks->frozen_ns)),
		      later(budget, pause_allowance(sinks)), COORD_END_WATCHDOG,
		      "the scenario put off its deadline too often");
	struct watchdog_limit soft = {
		.at_ns = sinks->watchdog_reset_ns,
		.end = COORD_END_WATCHDOG,
		.what = "the scenario did not end in its time",
	};

	if (budget == 0)
		return limit(0, 0, COORD_END_WATCHDOG, "");
	if (sinks->watchdog_pause_ns != 0)
		soft = limit(sinks->watchdog_pause_ns, pause_max_ns(sinks), COORD_END_WATCHDOG,
			     "the scenario stayed paused for too long");
	return soft.at_ns <= hard.at_ns ? soft : hard;
}

void watchdog_extend(struct dispatch_sinks *sinks, uint64_t frozen_ns)
{
	uint64_t left_ns = WATCHDOG_FREEZE_MAX_NS - sinks->frozen_ns;

	if (sinks->is_virtual)
		return;
	if (frozen_ns > left_ns)
		frozen_ns = left_ns;
	sinks->frozen_ns += frozen_ns;
	if (sinks->watchdog_reset_ns != 0)
		sinks->watchdog_reset_ns = later(sinks->watchdog_reset_ns, frozen_ns);
	if (sinks->watchdog_pause_ns != 0)
		sinks->watchdog_pause_ns = later(sinks->watchdog_pause_ns, frozen_ns);
}

/* A boot, or the start of a scenario, is not late because the host had no CPU for it. */
static struct watchdog_limit start_limit(const struct coord_spec *spec,
					 const struct coord_result *result, uint64_t from_ns,
					 uint64_t duration_ns, const char *what)
{
	uint64_t wait_ns = result->cpu_wait_ns < spec->cpu_wait_max_ns ? result->cpu_wait_ns
								       : spec->cpu_wait_max_ns;

	return limit(from_ns, duration_ns > 0 ? later(duration_ns, wait_ns) : 0,
		     COORD_END_BOOT_TIMEOUT, what);
}

struct watchdog_limit watchdog_limit(const struct coord_spec *spec,
				     const struct coord_result *result)
{
	const struct dispatch_sinks *sinks = &result->sinks;
	uint64_t boot_ns = spec->boot_timeout_ns;

	/* A boot takes so many instructions, whatever time they take in the guest. */
	if (spec->instruction_ns > 0)
		boot_ns = watchdog_spent_ns(boot_ns, spec->instruction_ns);
	if (sinks->has_end)
		return limit(0, 0, COORD_END_STREAM, "");
	if (sinks->is_scenario_ended && spec->teardown_timeout_ns > 0)
		return limit(sinks->scenario_end_ns, spec->teardown_timeout_ns,
			     COORD_END_TEARDOWN_TIMEOUT,
			     "the guest did not end its stream after the scenario");
	if (sinks->scenario_start_ns != 0)
		return scenario_limit(sinks);
	if (sinks->is_ready)
		return start_limit(spec, result, sinks->ready_ns, spec->start_timeout_ns,
				   "the guest booted, but started no scenario");
	return start_limit(spec, result, 0, boot_ns, "the guest did not boot");
}
