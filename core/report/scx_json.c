/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/scx_json.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "report/meta.h"
#include "report/scx_text.h"

static json_t *count_json(uint64_t value)
{
	return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

/* Many lines, none of which can drive a terminal. */
static json_t *lines_json(const struct str *text)
{
	_cleanup_free_ char *safe = malloc(text->length + 1);

	if (!safe)
		return NULL;
	return json_text(str_copy_safe(safe, text->length + 1, str_text(text), text->length));
}

static json_t *exit_json(const struct scx *scx, const struct scx_facts *facts)
{
	char sentence[SCX_TEXT_MAX], number[16];
	const struct {
		const char *key;
		json_t *value;
	} members[] = {
		{ "kind", json_string(scx_kind_name(scx->exit_kind, number)) },
		{ "number", count_json(scx->exit_kind) },
		{ "code", json_integer(scx->exit_code) },
		{ "reason", json_text(scx->exit_reason) },
		{ "message", json_text(scx->exit_message) },
		{ "source",
		  json_string(scx->exit_source == KTSTR_SCX_EXIT_OF_OPS ? "ops" : "log") },
		{ "backtrace", lines_json(&facts->backtrace) },
		{ "sentence", json_text(scx_sentence(scx, sentence, sizeof(sentence))) },
	};
	json_t *json = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		json_put(&json, members[i].key, members[i].value);
	return json;
}

static json_t *events_json(const struct scx_facts *facts)
{
	json_t *json = json_object();

	for (size_t i = 0; i < facts->event_count; i++)
		json_put(&json, facts->events[i].name, json_integer(facts->events[i].value));
	return json;
}

static json_t *swaps_json(const struct scx_facts *facts)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < facts->swap_count; i++) {
		const struct scx_facts_swap *swap = &facts->swaps[i];
		const struct ktstr_sched_swap *s = &swap->swap;
		double at_s = (double)swap->at_ns / (double)NS_PER_S;

		json_add(&list,
			 json_pack("{ss so so si sb so}", "kind", scx_swap_name(s->kind), "name",
				   json_text(s->name), "plugin", json_text(s->plugin), "code",
				   s->code, "is_forced", (s->flags & KTSTR_SCHED_SWAP_FORCED) != 0,
				   "at_s", swap->has_time ? json_real(at_s) : json_null()));
	}
	return list;
}

static json_t *programs_json(const struct scx_facts *facts)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < facts->program_count; i++) {
		const struct ktstr_sched_prog *p = &facts->programs[i];

		json_add(&list,
			 json_pack("{so so so so so so so}", "name", json_text(p->name), "id",
				   count_json(p->id), "verified_insns",
				   count_json(p->verified_insns), "insns", count_json(p->insns),
				   "jited_bytes", count_json(p->jited_bytes), "run_time_ns",
				   count_json(p->run_time_ns), "run_count",
				   count_json(p->run_count)));
	}
	return list;
}

json_t *scx_json(const struct scx *scx, const struct scx_facts *facts)
{
	const struct ktstr_scx_state *state = &facts->state;
	json_t *json;

	if (!facts->is_there)
		return json_null();
	json = json_object();
	json_put(&json, "ops", json_text(facts->ops));
	json_put(&json, "state", json_text(state->state));
	json_put(&json, "switch_all", json_boolean(state->switch_all));
	json_put(&json, "enable_seq", count_json(state->enable_seq));
	json_put(&json, "nr_rejected", count_json(state->nr_rejected));
	json_put(&json, "exit", scx->has_exit ? exit_json(scx, facts) : json_null());
	json_put(&json, "events", events_json(facts));
	json_put(&json, "swaps", swaps_json(facts));
	json_put(&json, "programs", programs_json(facts));
	return json;
}
