/* SPDX-License-Identifier: GPL-2.0-only */
#include "scx_frames.h"

#include <stdio.h>
#include <string.h>

#include "findings.h"

/* What the frames of the first agents had. */
#define STATE_MIN sizeof(struct ktstr_scx_state)
#define EXIT_MIN sizeof(struct ktstr_scx_exit)
#define SWAP_MIN sizeof(struct ktstr_sched_swap)

static int refuse(const struct ktstr_frame *frame, const char *what, size_t min,
		  struct ktstr_error *err)
{
	return ktstr_fail(err, -EBADMSG, "frame %llu: %s of %u bytes, at least %zu are needed",
			  (unsigned long long)frame->index, what, frame->length, min);
}

/* A text of a fixed field: to its NUL, or to its end. In place. */
static void field_print(char *field, size_t size)
{
	(void)text_copy(field, size, field, strnlen(field, size));
}

int scx_state_get(const struct ktstr_frame *frame, struct scx_state *ret, struct ktstr_error *err)
{
	uint32_t length;

	if (ktstr_payload_get(frame, &ret->head, sizeof(ret->head), STATE_MIN) < 0)
		return refuse(frame, "a state of sched_ext", STATE_MIN, err);
	ret->events = ktstr_payload_tail(frame, &length);
	if (ret->head.event_count > KTSTR_SCX_EVENTS_MAX ||
	    ret->head.event_count > length / sizeof(struct ktstr_scx_event))
		return ktstr_fail(err, -EBADMSG, "frame %llu: %u events, but %u bytes follow",
				  (unsigned long long)frame->index, ret->head.event_count, length);
	field_print(ret->head.state, sizeof(ret->head.state));
	field_print(ret->head.ops, sizeof(ret->head.ops));
	return 0;
}

int scx_exit_get(const struct ktstr_frame *frame, struct scx_exit *ret, struct ktstr_error *err)
{
	uint64_t texts;
	const char *text;
	uint32_t length;

	if (ktstr_payload_get(frame, &ret->head, sizeof(ret->head), EXIT_MIN) < 0)
		return refuse(frame, "an exit of sched_ext", EXIT_MIN, err);
	text = ktstr_payload_tail(frame, &length);
	texts = (uint64_t)ret->head.reason_length + ret->head.message_length +
		ret->head.backtrace_length + ret->head.dump_length;
	if (texts > length)
		return ktstr_fail(
			err, -EBADMSG, "frame %llu: %llu bytes of texts, but %u bytes follow",
			(unsigned long long)frame->index, (unsigned long long)texts, length);
	(void)text_copy(ret->reason, sizeof(ret->reason), text, ret->head.reason_length);
	(void)text_copy(ret->message, sizeof(ret->message), text + ret->head.reason_length,
			ret->head.message_length);
	return 0;
}

int scx_swap_get(const struct ktstr_frame *frame, struct ktstr_sched_swap *ret,
		 struct ktstr_error *err)
{
	if (ktstr_payload_get(frame, ret, sizeof(*ret), SWAP_MIN) < 0)
		return refuse(frame, "a change of schedulers", SWAP_MIN, err);
	field_print(ret->name, sizeof(ret->name));
	field_print(ret->plugin, sizeof(ret->plugin));
	return 0;
}

bool scx_event_get(const struct scx_state *state, const char *name, int64_t *ret_value)
{
	for (uint32_t i = 0; i < state->head.event_count; i++) {
		struct ktstr_scx_event event;

		memcpy(&event, state->events + i * sizeof(event), sizeof(event));
		if (strnlen(event.name, sizeof(event.name)) != strlen(name) ||
		    memcmp(event.name, name, strlen(name)) != 0)
			continue;
		*ret_value = event.value;
		return true;
	}
	return false;
}

bool scx_is_enabled(const struct scx_state *state)
{
	return strcmp(state->head.state, "enabled") == 0;
}

const char *scx_kind_text(char *text, size_t size, uint32_t kind)
{
	const char *name = ktstr_scx_exit_name(kind);

	if (name)
		return name;
	(void)snprintf(text, size, "#%u", kind);
	return text;
}

void scx_reign_follow(struct scx_reign *reign, const struct scx_state *state)
{
	const struct ktstr_scx_state *head = &state->head;

	reign->has_state = true;
	reign->is_first = false;
	if (head->state[0])
		reign->has_kernel = true;
	switch (head->when) {
	case KTSTR_SCX_ATTACHED:
		if (!scx_is_enabled(state))
			break;
		reign->is_on = reign->is_first = true;
		reign->count++;
		reign->start_ns = head->guest_ns;
		reign->enable_seq = head->enable_seq;
		(void)text_copy(reign->ops, sizeof(reign->ops), head->ops, strlen(head->ops));
		break;
	case KTSTR_SCX_DIED:
		reign->has_died |= reign->is_on;
		reign->is_on = false;
		break;
	case KTSTR_SCX_BEFORE_STOP:
	case KTSTR_SCX_STOPPED:
		reign->is_on = false;
		break;
	default:
		break;
	}
}
