/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/checkers.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "ktstr/checker.h"
#include "report/figure.h"
#include "report/table.h"

/* Sentences of one checker that are shown without --verbose. */
#define SENTENCES_SHOWN 8
#define METRICS_MAX 32
/* Sentences that are remembered, so as not to be said again by the next checker. */
#define SAID_MAX 64

struct checkers {
	const struct verdict *verdict;
	const struct checkers_style *style;
	struct str *out;
	int rc; /* the first failure; appending is all that can fail */
	size_t name_width, outcome_width;
	const char *said[SAID_MAX];
	size_t said_count;
	/* Of the checker in hand: is something on its line already, and the finding that is. */
	bool has_line;
	const struct finding *on_line;
};

static void keep(struct checkers *c, int rc)
{
	if (c->rc == 0)
		c->rc = rc;
}

#define ADD(c, ...) keep((c), str_addf((c)->out, __VA_ARGS__))

static const char *outcome_colour(uint32_t outcome)
{
	switch (outcome) {
	case KTSTR_OUTCOME_PASS:
		return "\033[1;32m";
	case KTSTR_OUTCOME_SKIP:
	case KTSTR_OUTCOME_UNDECIDED:
		return "\033[1;33m";
	default:
		return "\033[1;31m";
	}
}

int outcome_add(uint32_t outcome, size_t width, bool has_colour, struct str *out)
{
	const char *name = outcome_name(outcome);
	int pad = (int)(width > strlen(name) ? width - strlen(name) : 0);

	if (has_colour)
		return str_addf(out, "%s%s\033[0m%*s", outcome_colour(outcome), name, pad, "");
	return str_addf(out, "%s%*s", name, pad, "");
}

static bool has_text(const struct finding *f)
{
	return f->text && *f->text;
}

static bool same_metric(const struct finding *a, const struct finding *b)
{
	return strcmp(a->metric ? a->metric : "", b->metric ? b->metric : "") == 0;
}

const struct finding *decision_worst(const struct decision *d, size_t first, size_t *ret_same)
{
	const struct finding *worst = &d->findings[first];

	if (!figure_is_there(worst))
		return NULL;
	for (size_t i = 0; i < first; i++)
		if (same_metric(&d->findings[i], worst))
			return NULL;
	*ret_same = 1;
	for (size_t i = first + 1; i < d->finding_count; i++) {
		if (!same_metric(&d->findings[i], &d->findings[first]))
			continue;
		(*ret_same)++;
		if (figure_is_worse(&d->findings[i], worst))
			worst = &d->findings[i];
	}
	return worst;
}

/* Begin one more line of the checker in hand, as far as its figures. */
static void begin_figure(struct checkers *c)
{
	if (c->has_line)
		ADD(c, "\n%*s", (int)(c->name_width + c->outcome_width + 4), "");
	ADD(c, "  ");
	c->has_line = true;
}

/* "longest gap 55.5 ms of at most 4000 ms (worst: cgroup hog0)" */
static void add_figure(struct checkers *c, const struct finding *worst, size_t same)
{
	begin_figure(c);
	keep(c, figure_add(worst, c->out));
	if (!worst->subject || !*worst->subject)
		return;
	ADD(c, same > 1 && worst->limit_kind != KTSTR_LIMIT_NONE ? " (worst: " : " (");
	keep(c, text_add_safe(c->out, worst->subject));
	if (same > 1 && worst->limit_kind == KTSTR_LIMIT_NONE)
		ADD(c, " and %zu more", same - 1);
	ADD(c, ")");
}

static void add_figures(struct checkers *c, const struct decision *d)
{
	size_t lines = 0;

	for (size_t i = 0; i < d->finding_count && lines < METRICS_MAX; i++) {
		size_t same;
		const struct finding *worst = decision_worst(d, i, &same);

		if (!worst)
			continue;
		add_figure(c, worst, same);
		if (lines++ == 0)
			c->on_line = worst;
	}
}

/* Does this finding get a sentence below? */
static bool is_told(const struct checkers *c, const struct decision *d, const struct finding *f)
{
	if (f->outcome == KTSTR_OUTCOME_PASS && !c->style->is_verbose)
		return false;
	/* What a checker passed over is of no interest where it passed. */
	if (d->outcome == KTSTR_OUTCOME_PASS && !c->style->is_verbose)
		return false;
	if (!has_text(f))
		return f != c->on_line && figure_is_there(f);
	if (d->reason && strstr(d->reason, f->text))
		return false;
	/* The line of a checker is never left empty because another said the same. */
	for (size_t i = 0; i < c->said_count && c->has_line; i++)
		if (strcmp(c->said[i], f->text) == 0)
			return false;
	return true;
}

static void add_sentence(struct checkers *c, const struct finding *f)
{
	if (c->has_line)
		ADD(c, "\n    ");
	else
		begin_figure(c);
	if (has_text(f)) {
		keep(c, text_add_safe(c->out, f->text));
		if (c->said_count < SAID_MAX)
			c->said[c->said_count++] = f->text;
		return;
	}
	if (f->subject && *f->subject) {
		keep(c, text_add_safe(c->out, f->subject));
		ADD(c, ": ");
	}
	keep(c, figure_add(f, c->out));
}

static void add_sentences(struct checkers *c, const struct decision *d)
{
	size_t shown = 0, more = 0;

	for (size_t i = 0; i < d->finding_count; i++) {
		if (!is_told(c, d, &d->findings[i]))
			continue;
		if (shown++ < SENTENCES_SHOWN || c->style->is_verbose)
			add_sentence(c, &d->findings[i]);
		else
			more++;
	}
	if (more > 0)
		ADD(c, "\n    and %zu more like these (--verbose shows them)", more);
}

static bool has_figures(const struct decision *d)
{
	for (size_t i = 0; i < d->finding_count; i++)
		if (figure_is_there(&d->findings[i]))
			return true;
	return false;
}

static bool has_sentences(const struct decision *d)
{
	for (size_t i = 0; i < d->finding_count; i++)
		if (d->findings[i].outcome != KTSTR_OUTCOME_PASS && has_text(&d->findings[i]))
			return true;
	return false;
}

/* What stands behind the outcome of a checker, and below it. */
static void add_details(struct checkers *c, const struct decision *d)
{
	bool is_measured = d->outcome == KTSTR_OUTCOME_PASS || d->outcome == KTSTR_OUTCOME_FAIL;

	c->has_line = false;
	c->on_line = NULL;
	if (d->reason && *d->reason) {
		begin_figure(c);
		keep(c, text_add_safe(c->out, decision_reason(d)));
	} else if (has_figures(d) && (is_measured || !has_sentences(d))) {
		add_figures(c, d);
	} else if (d->outcome == KTSTR_OUTCOME_NONE) {
		begin_figure(c);
		ADD(c, "never decided");
	} else if (d->outcome == KTSTR_OUTCOME_PASS && d->finding_count > 0 &&
		   has_text(&d->findings[0])) {
		add_sentence(c, &d->findings[0]);
	}
	add_sentences(c, d);
}

static void add_decision(struct checkers *c, const struct decision *d)
{
	ADD(c, "  ");
	keep(c, text_add_safe(c->out, d->name));
	ADD(c, "%*s  ", (int)(c->name_width - text_width(d->name)), "");
	keep(c, outcome_add(d->outcome, c->outcome_width, c->style->has_colour, c->out));
	add_details(c, d);
	while (c->rc == 0 && c->out->length > 0 && c->out->data[c->out->length - 1] == ' ')
		c->out->data[--c->out->length] = '\0';
	ADD(c, "\n");
}

/* FAIL, ERROR and UNDECIDED, which say why the run did not pass, stand before the others. */
static bool is_against(const struct decision *d)
{
	return d->outcome != KTSTR_OUTCOME_PASS && d->outcome != KTSTR_OUTCOME_SKIP;
}

int checkers_add(const struct verdict *verdict, const struct checkers_style *style, struct str *out)
{
	struct checkers c = { .verdict = verdict, .style = style, .out = out };

	for (size_t i = 0; i < verdict->decision_count; i++) {
		size_t name = text_width(verdict->decisions[i].name);
		size_t outcome = strlen(outcome_name(verdict->decisions[i].outcome));

		c.name_width = name > c.name_width ? name : c.name_width;
		c.outcome_width = outcome > c.outcome_width ? outcome : c.outcome_width;
	}
	if (verdict->decision_count > 0)
		ADD(&c, "\nchecker\n");
	for (int against = 1; against >= 0; against--)
		for (size_t i = 0; i < verdict->decision_count; i++)
			if (is_against(&verdict->decisions[i]) == (against == 1))
				add_decision(&c, &verdict->decisions[i]);
	return c.rc;
}

bool checkers_say_reason(const struct verdict *verdict)
{
	for (size_t i = 0; i < verdict->decision_count; i++) {
		const struct decision *d = &verdict->decisions[i];

		if (d->reason && *d->reason && strstr(verdict->reason, d->reason))
			return true;
		for (size_t j = 0; j < d->finding_count; j++)
			if (d->findings[j].outcome != KTSTR_OUTCOME_PASS &&
			    has_text(&d->findings[j]) &&
			    strstr(verdict->reason, d->findings[j].text))
				return true;
	}
	return false;
}
