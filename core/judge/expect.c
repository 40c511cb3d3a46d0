/* SPDX-License-Identifier: GPL-2.0-only */
#include "judge/expect.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "judge/grounds.h"
#include "judge/reason.h"

/* Where a sentence grows. */
struct sentence {
	char *text;
	size_t size;
};

__attribute__((format(printf, 2, 3))) static void add(const struct sentence *s, const char *format,
						      ...)
{
	size_t length = strlen(s->text);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(s->text + length, s->size - length, format, args);
	va_end(args);
}

bool expect_is_failure(const struct verdict *verdict)
{
	return verdict->expect && verdict->expect->is_given &&
	       verdict->expect->outcome == KTSTR_OUTCOME_FAIL;
}

static bool is_named(const struct expectation *expect, const char *name)
{
	for (size_t i = 0; i < expect->checker_count; i++)
		if (strcmp(expect->checkers[i], name) == 0)
			return true;
	return false;
}

static bool is_gone(const struct verdict *v)
{
	return grounds_scheduler_died(v) || grounds_scheduler_did_not_start(v);
}

/* The kernel threw it out; what else ends a scheduler is its own doing, or the user's. */
static bool is_error_kind(uint32_t kind)
{
	return kind >= KTSTR_SCX_EXIT_ERROR;
}

/*
 * The exit counts where the agent saw the scheduler die, and, of one that the kernel threw out,
 * where what it read from the kernel afterwards does not say otherwise.
 */
static bool is_exit_backed(const struct verdict *v, const struct sentence *s)
{
	const struct scx *scx = &v->evidence.scx;

	if (!is_gone(v)) {
		add(s, "the scheduler did not die");
		return false;
	}
	if (!v->evidence.sched_exit_text && !grounds_scheduler_did_not_start(v)) {
		add(s, "no frame in the record says that the scheduler died");
		return false;
	}
	if (!scx->has_exit) {
		add(s, "the scheduler died, but nothing says how the kernel ended it");
		return false;
	}
	if (is_error_kind(scx->exit_kind) && grounds_scheduler_died(v) && !scx->has_state) {
		add(s, "the agent never said what state sched_ext was in");
		return false;
	}
	if (is_error_kind(scx->exit_kind) && strcmp(scx->state.state, "enabled") == 0) {
		add(s, "the kernel still had it enabled when the agent looked last");
		return false;
	}
	return true;
}

static bool scx_exit_came(const struct verdict *v, const struct sentence *s)
{
	const struct expectation *expect = v->expect;
	const struct scx *scx = &v->evidence.scx;
	char number[16];

	if (!expect->has_scx_exit)
		return true;
	if (!is_exit_backed(v, s))
		return false;
	if (expect->has_scx_kind && scx->exit_kind != expect->scx_kind) {
		add(s, "the scheduler left as %s (%u): '%s'", scx_kind_name(scx->exit_kind, number),
		    scx->exit_kind, scx->exit_message);
		return false;
	}
	if (expect->scx_message && !strstr(scx->exit_message, expect->scx_message)) {
		add(s, "the scheduler's exit says '%s'", scx->exit_message);
		return false;
	}
	return true;
}

static bool start_error_came(const struct verdict *v, const struct sentence *s)
{
	const char *error = v->evidence.scx.start_error;

	if (!v->expect->start_error)
		return true;
	if (!grounds_scheduler_did_not_start(v)) {
		add(s, "the scheduler started");
		return false;
	}
	if (!error || !strstr(error, v->expect->start_error)) {
		add(s, "the scheduler did not start because of something else: %s",
		    error ? error : "it did not say why");
		return false;
	}
	return true;
}

/* All of that name must have failed. */
static bool named_checker_failed(const struct verdict *v, const char *name,
				 const struct sentence *s)
{
	bool is_there = false;

	for (size_t i = 0; i < v->decision_count; i++) {
		const struct decision *d = &v->decisions[i];

		if (strcmp(d->name, name) != 0)
			continue;
		is_there = true;
		if (d->outcome != KTSTR_OUTCOME_FAIL) {
			add(s, "checker '%s' said %s", name, outcome_name(d->outcome));
			return false;
		}
		if (!d->has_whole_evidence || !grounds_checker_failed(v, d)) {
			add(s, "checker '%s' failed, but not on whole evidence", name);
			return false;
		}
	}
	if (!is_there)
		add(s, "no checker '%s' judged the run", name);
	return is_there;
}

static bool checkers_came(const struct verdict *v, const struct sentence *s)
{
	const struct expectation *expect = v->expect;

	for (size_t i = 0; i < expect->checker_count; i++)
		if (!named_checker_failed(v, expect->checkers[i], s))
			return false;
	for (size_t i = 0; i < v->decision_count; i++) {
		const struct decision *d = &v->decisions[i];
		const char *complaint;

		if (d->outcome != KTSTR_OUTCOME_FAIL || is_named(expect, d->name))
			continue;
		complaint = reason_of_checker(d, KTSTR_OUTCOME_FAIL);
		add(s, "checker '%s' failed%s: %s", d->name, expect->checker_count ? " too" : "",
		    complaint ? complaint : "it did not say why");
		return false;
	}
	return true;
}

/* What fails by itself where the scheduler is expected to live. */
static bool rest_is_good(const struct verdict *v, const struct sentence *s)
{
	const struct expectation *expect = v->expect;
	const struct evidence *e = &v->evidence;
	char text[SCX_TEXT_MAX];

	if (expect->has_scx_exit || expect->start_error)
		return true;
	if (is_gone(v)) {
		scx_sentence(&e->scx, text, sizeof(text));
		add(s, "%s", text[0] ? text : "the scheduler died");
		return false;
	}
	if (e->has_result && e->result_outcome == KTSTR_OUTCOME_FAIL) {
		add(s, "the scenario failed: %s",
		    e->result_text ? e->result_text : "it did not say why");
		return false;
	}
	return true;
}

bool expect_came_true(const struct verdict *verdict, char *ret, size_t size)
{
	const struct sentence s = { .text = ret, .size = size };
	const struct expectation *expect = verdict->expect;

	/* An expectation of nothing in particular would be met by anything. */
	if (!expect->has_scx_exit && !expect->start_error && expect->checker_count == 0) {
		add(&s, "the expectation names no failure");
		return false;
	}
	return rest_is_good(verdict, &s) && scx_exit_came(verdict, &s) &&
	       start_error_came(verdict, &s) && checkers_came(verdict, &s);
}

static void describe_exit(const struct expectation *expect, const struct sentence *s)
{
	char number[16];

	if (!expect->has_scx_exit)
		return;
	add(s, "the scheduler to leave");
	if (expect->has_scx_kind)
		add(s, " as %s (%u)", scx_kind_name(expect->scx_kind, number), expect->scx_kind);
	if (expect->scx_message)
		add(s, " with '%s'", expect->scx_message);
}

void expect_describe(const struct verdict *verdict, char *ret, size_t size)
{
	const struct sentence s = { .text = ret, .size = size };
	const struct expectation *expect = verdict->expect;
	const char *separator = "";

	describe_exit(expect, &s);
	if (expect->has_scx_exit)
		separator = ", and ";
	if (expect->start_error) {
		add(&s, "%sthe scheduler not to start with '%s'", separator, expect->start_error);
		separator = ", and ";
	}
	for (size_t i = 0; i < expect->checker_count; i++) {
		add(&s, "%schecker '%s'", separator, expect->checkers[i]);
		separator = ", ";
	}
	if (expect->checker_count > 0)
		add(&s, " to fail");
}

void expect_tell(const struct verdict *verdict, char *ret, size_t size)
{
	const struct sentence s = { .text = ret, .size = size };
	const struct expectation *expect = verdict->expect;
	const struct scx *scx = &verdict->evidence.scx;
	const char *separator = "";
	char text[SCX_TEXT_MAX];

	if (expect->has_scx_exit) {
		add(&s, "%s", scx_sentence(scx, text, sizeof(text)));
		separator = "; ";
	}
	if (expect->start_error) {
		add(&s, "%sthe scheduler did not start: %s", separator, scx->start_error);
		separator = "; ";
	}
	for (size_t i = 0; i < verdict->decision_count; i++) {
		const struct decision *d = &verdict->decisions[i];
		const char *complaint = reason_of_checker(d, KTSTR_OUTCOME_FAIL);

		if (d->outcome != KTSTR_OUTCOME_FAIL)
			continue;
		add(&s, "%schecker '%s': %s", separator, d->name,
		    complaint ? complaint : "the run failed it");
		separator = "; ";
	}
}
