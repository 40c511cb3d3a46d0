/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/observe.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "wire/types.h"

/* What of the kernel's console is worth a line by itself. */
static const char *const alarming[] = {
	"Kernel panic", "BUG:",	       "WARNING:",  "Oops",	 "general protection fault",
	"INFO: task",	"soft lockup", "rcu_sched", "rcu: INFO", "Out of memory",
	"sched_ext:",
};

static void log_above(void *arg, int level, const char *text)
{
	static const char *const names[] = {
		[LOG_LEVEL_ERROR] = "error",
		[LOG_LEVEL_WARNING] = "warning",
		[LOG_LEVEL_NOTE] = "note",
		[LOG_LEVEL_DEBUG] = "debug",
	};
	struct observe *observe = arg;
	char line[2200];

	(void)snprintf(line, sizeof(line), "ktstr: %s: %s", names[level], text);
	live_warning(observe->live, line);
}

static const struct {
	uint32_t max;
	const char *what;
} lines[] = {
	[OBSERVE_ALARM] = { OBSERVE_ALARMS_MAX, "alarming lines of the console" },
	[OBSERVE_FAILURE] = { OBSERVE_FAILURES_MAX, "failures of the scheduler" },
	[OBSERVE_PHASE] = { OBSERVE_PHASES_MAX, "phases and steps" },
	[OBSERVE_DETAIL] = { OBSERVE_DETAILS_MAX, "lines of the guest" },
};

/* May one line more of this kind be shown? Says once that no more will be. */
static bool may_show(struct observe *observe, enum observe_line line)
{
	if (observe->shown[line] > lines[line].max)
		return false;
	observe->shown[line]++;
	if (observe->shown[line] <= lines[line].max)
		return true;
	log_note("there are more than %u %s; the rest is not shown", lines[line].max,
		 lines[line].what);
	return false;
}

void observe_phase(struct observe *observe, const char *phase, const char *detail)
{
	str_copy(observe->detail, sizeof(observe->detail), detail);
	observe->phase_start_ns = clock_monotonic_ns();
	observe->phase_budget_ns = 0;
	live_phase(observe->live, phase, detail);
}

static void on_phase(void *arg, uint8_t phase, const char *text)
{
	struct observe *observe = arg;

	switch (phase) {
	case KTSTR_PHASE_PAYLOAD_STARTING:
		if (may_show(observe, OBSERVE_PHASE))
			observe_phase(observe, "scheduler", observe->scheduler);
		return;
	case KTSTR_PHASE_SCHEDULER_DIED:
	case KTSTR_PHASE_SCHEDULER_NOT_ATTACHED:
		if (may_show(observe, OBSERVE_FAILURE))
			log_warning("scheduler '%s': %s", observe->scheduler, text);
		return;
	}
}

static void on_ready(void *arg)
{
	struct observe *observe = arg;

	observe_phase(observe, "agent", "ready");
	if (observe->gate && vm_lacks(observe->vm, observe->gate))
		log_warning("QEMU has not loaded '%s', without which a run on a busy host may not "
			    "be the same again; a QEMU that has file capabilities, or a wrapper "
			    "that clears LD_PRELOAD, keeps it from that",
			    observe->gate);
}

static void on_scenario(void *arg, bool has_started)
{
	struct observe *observe = arg;

	if (has_started)
		observe_phase(observe, "scenario", observe->scenario);
	else
		observe_phase(observe, "teardown", "");
}

static void on_step(void *arg, const struct ktstr_step_info *step, const char *name)
{
	struct observe *observe = arg;
	char detail[sizeof(observe->detail)];
	char count[16] = "";

	if (step->count > 0)
		(void)snprintf(count, sizeof(count), "/%u", step->count);
	(void)snprintf(detail, sizeof(detail), "%s: step %u%s %.80s", observe->scenario,
		       step->index, count, name);
	if (may_show(observe, OBSERVE_PHASE))
		observe_phase(observe, "scenario", detail);
	observe->phase_budget_ns = step->hold_ns;
}

/* Each scheduler that comes and goes in order has the kernel say so. */
static bool is_harmless(const char *line)
{
	return strstr(line, "sched_ext: BPF scheduler \"") &&
	       (str_ends(line, "\" enabled") ||
		strstr(line, "\" disabled (unregistered from user space)"));
}

static void on_console_line(void *arg, const char *line)
{
	struct observe *observe = arg;
	bool is_alarming = false;

	for (size_t i = 0; i < ARRAY_SIZE(alarming) && !is_alarming; i++)
		is_alarming = strstr(line, alarming[i]) != NULL;
	is_alarming = is_alarming && !is_harmless(line);
	observe->warnings += is_alarming;
	if (is_alarming && may_show(observe, OBSERVE_ALARM))
		log_warning("console: %s", line);
	else if (observe->is_verbose && may_show(observe, OBSERVE_DETAIL))
		log_debug("console: %s", line);
}

static enum observe_stream stream_of(uint32_t msg_type)
{
	switch (msg_type) {
	case KTSTR_MSG_SCHED_LOG:
		return OBSERVE_SCHED_LOG;
	case KTSTR_MSG_STDERR:
		return OBSERVE_STDERR;
	default:
		return OBSERVE_STDOUT;
	}
}

static void show_rest(struct observe *observe, enum observe_stream stream)
{
	struct observe_rest *rest = &observe->rests[stream];
	char line[sizeof(rest->text) + 1];

	if (may_show(observe, OBSERVE_DETAIL))
		log_debug("%s: %s", stream == OBSERVE_SCHED_LOG ? "scheduler" : "guest",
			  str_copy_safe(line, sizeof(line), rest->text, rest->length));
	rest->length = 0;
}

/* A line may come in several frames. */
static void on_output(void *arg, uint32_t msg_type, const void *bytes, uint32_t length)
{
	struct observe *observe = arg;
	enum observe_stream stream = stream_of(msg_type);
	struct observe_rest *rest = &observe->rests[stream];
	const char *at = bytes;

	while (observe->is_verbose && length > 0) {
		uint32_t room = sizeof(rest->text) - rest->length;
		uint32_t size = length < room ? length : room;
		const char *end = memchr(at, '\n', size);

		if (end)
			size = (uint32_t)(end - at);
		memcpy(rest->text + rest->length, at, size);
		rest->length += size;
		if (end || rest->length == sizeof(rest->text))
			show_rest(observe, stream);
		at += size + (end != NULL);
		length -= size + (end != NULL);
	}
}

static void on_warning(void *arg, const char *text)
{
	(void)arg;
	log_warning("%s", text);
}

/* A phase that the run broke in is not done; what is still to be done in order follows. A scheduler
 * that died is told of when the scenario is over, and breaks no phase. */
static void on_decided(void *arg, enum coord_end end)
{
	struct observe *observe = arg;

	if (end != COORD_END_STREAM && end != COORD_END_SCHED_EXIT && end != COORD_END_STOPPED)
		live_done(observe->live, false);
}

static bool is_guests(const struct observe *observe, const struct dispatch_sinks *sinks)
{
	return observe->is_virtual && observe->phase_budget_ns > 0 && sinks->step_guest_ns > 0;
}

/* How long the phase has lasted; in virtual time a step, by the guest's clock, as far as it told.
 */
static double elapsed_s(const struct observe *observe, const struct dispatch_sinks *sinks)
{
	uint64_t elapsed_ns = is_guests(observe, sinks)
				      ? sinks->clock.now_ns - sinks->step_guest_ns
				      : clock_monotonic_ns() - observe->phase_start_ns;

	return (double)elapsed_ns / NS_PER_S;
}

static void on_tick(void *arg, const struct dispatch_sinks *sinks, uint64_t frames)
{
	struct observe *observe = arg;
	char total[32] = "", counted[40] = "", warned[40] = "", line[256];

	/* What is planned is of the guest's time. */
	if (observe->phase_budget_ns > 0 && (!observe->is_virtual || is_guests(observe, sinks)))
		(void)snprintf(total, sizeof(total), " of %.1f",
			       (double)observe->phase_budget_ns / NS_PER_S);
	if (frames > 0)
		(void)snprintf(counted, sizeof(counted), ", %" PRIu64 " frames", frames);
	if (observe->warnings > 0)
		(void)snprintf(warned, sizeof(warned), ", %" PRIu64 " warning%s", observe->warnings,
			       observe->warnings > 1 ? "s" : "");
	(void)snprintf(line, sizeof(line), "%s%s%.1f%s s%s%s%s", observe->detail,
		       observe->detail[0] ? "  " : "", elapsed_s(observe, sinks), total,
		       is_guests(observe, sinks) ? " of the guest's time" : "", counted, warned);
	live_update(observe->live, line);
}

void observe_init(struct observe *observe, const struct run_options *options)
{
	const struct live_style style = {
		.is_terminal = options->is_terminal,
		.has_colour = options->has_colour,
		.is_quiet = options->is_quiet,
		.width = options->width,
	};
	int level = options->is_verbose ? LOG_LEVEL_DEBUG
		    : options->is_quiet ? LOG_LEVEL_WARNING
					: LOG_LEVEL_NOTE;

	*observe = (struct observe){
		.live = live_new(stderr, &style),
		.is_verbose = options->is_verbose,
		.scheduler = "",
		.scenario = "",
		.observer = { .arg = observe,
			      .phase = on_phase,
			      .ready = on_ready,
			      .step = on_step,
			      .scenario = on_scenario,
			      .console_line = on_console_line,
			      .output = on_output,
			      .warning = on_warning,
			      .decided = on_decided,
			      .tick = on_tick },
	};
	/* Without memory for it nothing live is shown, and messages go where they went before. */
	log_set(observe->live ? log_above : NULL, observe, level);
}

void observe_done(struct observe *observe, bool is_good)
{
	for (int i = 0; i < OBSERVE_STREAM_COUNT; i++)
		if (observe->rests[i].length > 0)
			show_rest(observe, (enum observe_stream)i);
	live_done(observe->live, is_good);
	live_free(observe->live);
	observe->live = NULL;
	log_set(NULL, NULL, LOG_LEVEL_NOTE);
}
