/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/limits.h"

#include "base/clock.h"
#include "coord/watchdog.h"

/* So much longer than a scheduler may take to start, the scenario's start is waited for. */
#define SCHEDULER_MARGIN_NS (10 * NS_PER_S)
/* From SCENARIO_END to END: workers are stopped and the scheduler is taken down. */
#define TEARDOWN_TIMEOUT_NS (30 * NS_PER_S)
/* What is longer is no limit; so sums stay in their range. */
#define LIMIT_MAX_NS (UINT64_MAX / 16)

static uint64_t sum(uint64_t a, uint64_t b)
{
	uint64_t both;

	return __builtin_add_overflow(a, b, &both) || both > LIMIT_MAX_NS ? LIMIT_MAX_NS : both;
}

struct run_limits run_limits_of(const struct prepared *p)
{
	return (struct run_limits){
		.boot_ns = p->spec->vm.boot_timeout_ns,
		/* Whether a scheduler hangs is for the guest to say. */
		.start_ns = sum(p->spec->scheduler_timeout_ns, SCHEDULER_MARGIN_NS),
		.scenario_ns = sum(p->needs.needs.duration_ns, p->spec->watchdog_ns),
		.changes_ns = sum(p->needs.changes_ns, 0),
		.teardown_ns = TEARDOWN_TIMEOUT_NS,
	};
}

struct job_limits run_limits_of_guest(const struct prepared *p)
{
	const struct run_limits limits = run_limits_of(p);

	if (!p->is_virtual)
		return (struct job_limits){ 0 };
	return (struct job_limits){
		.start_ns = limits.start_ns,
		.scenario_ns = limits.scenario_ns,
		.pause_ns = sum(WATCHDOG_PAUSE_MAX_NS, limits.changes_ns),
		.teardown_ns = limits.teardown_ns,
	};
}
