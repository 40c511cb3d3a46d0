/* SPDX-License-Identifier: GPL-2.0-only */
#include "judge/scx.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "wire/payload.h"

/* Frames of the guest lie in buffers for so long at most, when the host is busy. */
#define CLOCK_TOLERANCE_NS (2 * NS_PER_S)

/* Bytes of a reason or a message that are kept. */
#define TEXT_KEPT_MAX 400u

static void reach(struct scx *scx, enum scx_place place, uint32_t step, uint64_t host_ns)
{
	scx->place = place;
	scx->step = step;
	scx->place_ns = host_ns;
	scx->place_guest_ns = 0;
}

/* The same by the guest's clock, where the guest has said what it showed at the start. */
static void time_place(struct scx *scx, uint64_t elapsed_ms)
{
	if (scx->start_guest_ns != 0 && elapsed_ms < UINT32_MAX)
		scx->place_guest_ns = scx->start_guest_ns + elapsed_ms * NS_PER_MS;
}

static void take_start(struct scx *scx, const struct ktstr_frame *frame)
{
	struct ktstr_guest_time start;

	reach(scx, SCX_PLACE_SCENARIO, 0, frame->host_ns);
	if (wire_decode_guest_time(frame->payload, frame->length, &start) == 0)
		scx->start_guest_ns = scx->place_guest_ns = start.guest_ns;
}

static void take_stimulus(struct scx *scx, const struct ktstr_frame *frame)
{
	struct ktstr_stimulus stimulus;

	if (wire_decode_stimulus(frame->payload, frame->length, &stimulus) < 0)
		return;
	if (frame->msg_type == KTSTR_MSG_STEP_END && scx->place == SCX_PLACE_STEP)
		reach(scx, SCX_PLACE_PAST_STEP, scx->step, frame->host_ns);
	if (scx->place_guest_ns == 0)
		time_place(scx, stimulus.elapsed_ms);
}

static void take_scenario_end(struct scx *scx, const struct ktstr_frame *frame)
{
	struct ktstr_scenario_end end;

	reach(scx, SCX_PLACE_TEARDOWN, 0, frame->host_ns);
	if (wire_decode_scenario_end(frame->payload, frame->length, &end) == 0)
		time_place(scx, end.elapsed_ms);
}

static void take_step(struct scx *scx, const struct ktstr_frame *frame)
{
	struct ktstr_step_info step;
	char name[2];

	if (wire_decode_step(frame->payload, frame->length, &step, name, sizeof(name)) == 0)
		reach(scx, SCX_PLACE_STEP, step.index, frame->host_ns);
}

/* The first word of its end, whatever frame brought it. */
static void note_end(struct scx *scx, uint64_t host_ns)
{
	if (scx->exit_at.is_known)
		return;
	scx->exit_at = (struct scx_moment){
		.is_known = true,
		.place = scx->place,
		.step = scx->step,
		.into_ns = host_ns > scx->place_ns ? host_ns - scx->place_ns : 0,
		.since_guest_ns = scx->place_guest_ns,
	};
}

static int keep_line(char **text, const char *bytes, size_t length)
{
	char line[TEXT_KEPT_MAX + 1];

	while (length > 0 && (bytes[length - 1] == '\n' || bytes[length - 1] == '\0'))
		length--;
	free(*text);
	*text = strdup(str_copy_line(line, sizeof(line), bytes, length));
	return *text ? 0 : -ENOMEM;
}

static void forget_exit(struct scx *scx)
{
	free(scx->exit_reason);
	free(scx->exit_message);
	scx->exit_reason = scx->exit_message = NULL;
	scx->has_exit = false;
	scx->exit_at = (struct scx_moment){ 0 };
}

static int take_exit(struct scx *scx, const struct ktstr_frame *frame)
{
	struct wire_scx_texts texts;
	struct ktstr_scx_exit left;
	int rc;

	if (wire_decode_scx_exit(frame->payload, frame->length, &left, &texts) < 0)
		return 0;
	if (scx->is_between && !scx->has_next_exit) {
		forget_exit(scx);
		scx->has_next_exit = true;
	}
	rc = keep_line(&scx->exit_reason, texts.reason, left.reason_length);
	if (rc == 0)
		rc = keep_line(&scx->exit_message, texts.message, left.message_length);
	if (rc < 0)
		return rc;
	scx->has_exit = true;
	scx->exit_kind = left.kind;
	scx->exit_code = left.exit_code;
	scx->exit_source = left.source;
	note_end(scx, frame->host_ns);
	return 0;
}

/* A state follows the end at once, and says what the guest's clock showed. */
static void time_end(struct scx_moment *end, uint64_t guest_ns)
{
	if (end->since_guest_ns != 0 && guest_ns >= end->since_guest_ns)
		end->into_ns = guest_ns - end->since_guest_ns;
	end->since_guest_ns = 0;
}

bool scx_clock_runs_away(const struct scx *scx)
{
	return scx->guest_took_ns > 2 * scx->host_took_ns + CLOCK_TOLERANCE_NS;
}

static void take_state(struct scx *scx, const struct ktstr_frame *frame)
{
	struct ktstr_scx_state state;
	const void *events;

	if (wire_decode_scx_state(frame->payload, frame->length, &state, &events) < 0)
		return;
	if (!scx->has_state) {
		scx->first_guest_ns = state.guest_ns;
		scx->first_host_ns = frame->host_ns;
	}
	/* Differences of what a guest says may be anything. */
	scx->guest_took_ns = state.guest_ns - scx->first_guest_ns;
	scx->host_took_ns = frame->host_ns - scx->first_host_ns;
	scx->has_state = true;
	scx->state = state;
	if (state.when == KTSTR_SCX_STOPPED)
		scx->is_between = true;
	else if (state.when == KTSTR_SCX_ATTACHED)
		scx->is_between = false;
	if (state.when == KTSTR_SCX_DIED)
		note_end(scx, frame->host_ns);
	time_end(&scx->exit_at, state.guest_ns);
}

/* From a swap that worked on another scheduler is in charge, and how the one before it left says
 * nothing of that one. */
static void take_swap(struct scx *scx, const struct ktstr_frame *frame)
{
	struct ktstr_sched_swap swap;

	if (wire_decode_sched_swap(frame->payload, frame->length, &swap) < 0)
		return;
	scx->swaps++;
	scx->swaps_failed += swap.code < 0;
	scx->swaps_forced += (swap.flags & KTSTR_SCHED_SWAP_FORCED) != 0;
	if (swap.code == 0) {
		forget_exit(scx);
		str_copy(scx->scheduler, sizeof(scx->scheduler), swap.plugin);
	} else if (scx->has_next_exit) {
		str_copy(scx->scheduler, sizeof(scx->scheduler),
			 swap.name[0] ? swap.name : scx->first);
	}
	scx->has_next_exit = false;
}

static int take_phase(struct scx *scx, const struct ktstr_frame *frame)
{
	const char *bytes = frame->payload;
	char text[SCX_TEXT_MAX];

	if (frame->length == 0 || (uint8_t)bytes[0] != KTSTR_PHASE_SCHEDULER_DIED)
		return 0;
	scx->has_died_at_start = true;
	note_end(scx, frame->host_ns);
	str_copy_line(text, sizeof(text), bytes + 1, frame->length - 1);
	if (scx->start_error || !text[0])
		return 0;
	scx->start_error = strdup(text);
	return scx->start_error ? 0 : -ENOMEM;
}

int scx_take(struct scx *scx, const struct ktstr_frame *frame)
{
	switch (frame->msg_type) {
	case KTSTR_MSG_SCENARIO_START:
		take_start(scx, frame);
		return 0;
	case KTSTR_MSG_STEP:
		take_step(scx, frame);
		return 0;
	case KTSTR_MSG_STIMULUS:
	case KTSTR_MSG_STEP_END:
		take_stimulus(scx, frame);
		return 0;
	case KTSTR_MSG_SCENARIO_END:
		take_scenario_end(scx, frame);
		return 0;
	case KTSTR_MSG_SCHED_EXIT:
		note_end(scx, frame->host_ns);
		return 0;
	case KTSTR_MSG_SCX_EXIT:
		return take_exit(scx, frame);
	case KTSTR_MSG_SCX_STATE:
		take_state(scx, frame);
		return 0;
	case KTSTR_MSG_SCHED_SWAP:
		take_swap(scx, frame);
		return 0;
	case KTSTR_MSG_LIFECYCLE:
		return take_phase(scx, frame);
	}
	return 0;
}

static void place_text(const struct scx_moment *at, char *target, size_t size)
{
	double into_s = (double)at->into_ns / (double)NS_PER_S;

	target[0] = '\0';
	if (!at->is_known)
		return;
	switch (at->place) {
	case SCX_PLACE_START:
		(void)snprintf(target, size, " before the scenario began");
		return;
	case SCX_PLACE_SCENARIO:
		(void)snprintf(target, size, " %.2f s into the scenario", into_s);
		return;
	case SCX_PLACE_STEP:
		(void)snprintf(target, size, " %.2f s into step %u", into_s, at->step);
		return;
	case SCX_PLACE_PAST_STEP:
		(void)snprintf(target, size, " %.2f s after step %u", into_s, at->step);
		return;
	case SCX_PLACE_TEARDOWN:
		(void)snprintf(target, size, " %.2f s after the scenario", into_s);
		return;
	}
}

const char *scx_kind_name(uint32_t kind, char target[16])
{
	const char *name = ktstr_scx_exit_name(kind);

	if (name)
		return name;
	(void)snprintf(target, 16, "%u", kind);
	return target;
}

__attribute__((format(printf, 3, 4))) static void add(char *target, size_t size, const char *format,
						      ...)
{
	size_t length = strlen(target);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(target + length, size - length, format, args);
	va_end(args);
}

const char *scx_sentence(const struct scx *scx, char *target, size_t size)
{
	bool is_ejected =
		scx->exit_kind >= KTSTR_SCX_EXIT_ERROR || scx->exit_kind == KTSTR_SCX_EXIT_SYSRQ;
	char place[64], number[16];

	target[0] = '\0';
	if (!scx->has_exit)
		return target;
	place_text(&scx->exit_at, place, sizeof(place));
	if (scx->scheduler[0])
		add(target, size, "scheduler '%s'", scx->scheduler);
	else
		add(target, size, "the scheduler");
	add(target, size, " %s%s: %s (%u)", is_ejected ? "was ejected" : "left", place,
	    scx->exit_reason[0] ? scx->exit_reason : scx_kind_name(scx->exit_kind, number),
	    scx->exit_kind);
	if (scx->exit_message[0])
		add(target, size, ": '%s'", scx->exit_message);
	return target;
}

void scx_done(struct scx *scx)
{
	forget_exit(scx);
	free(scx->start_error);
	*scx = (struct scx){ 0 };
}
